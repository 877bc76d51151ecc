"""Booth's tilted bowl."""

from typing import TYPE_CHECKING, ClassVar

from mbsgd_core.problems.surfaces.base import Point, Surface, Window

if TYPE_CHECKING:
    from torch import Tensor


class Booth(Surface):
    """f = (x + 2y - 7)^2 + (2x + y - 5)^2.

    Curvatures 2 and 18 along the diagonals: stable below rate 1/9.

    Example:
        >>> import torch
        >>> Booth().value(torch.tensor(0.0), torch.tensor(0.0)).item()
        74.0

    Reference: Jamil & Yang 2013, "A literature survey of benchmark functions for global optimisation problems".
    """

    title: ClassVar[str] = "Booth's bowl"
    summary: ClassVar[str] = (
        "A bowl whose axes lie between the coordinates: rates for each coordinate cannot straighten the path."
    )
    reference: ClassVar[str] = "Jamil & Yang 2013"
    domain: ClassVar[Window] = (-10.0, 10.0, -10.0, 10.0)
    quadratic: ClassVar[bool] = True
    default_start: ClassVar[Point] = (-7.0, -4.0)
    minimizers: ClassVar[tuple[Point, ...]] = ((1.0, 3.0),)
    optimal_value: ClassVar[float | None] = 0.0

    def value(self, x: "Tensor", y: "Tensor") -> "Tensor":
        return (x + 2 * y - 7) ** 2 + (2 * x + y - 5) ** 2

    def gradient(self, x: "Tensor", y: "Tensor") -> "tuple[Tensor, Tensor]":
        return 10 * x + 8 * y - 34, 8 * x + 10 * y - 38
