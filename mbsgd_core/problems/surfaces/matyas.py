"""Matyas's shallow trough."""

from typing import TYPE_CHECKING, ClassVar

from mbsgd_core.problems.surfaces.base import Point, Surface, Window

if TYPE_CHECKING:
    from torch import Tensor


class Matyas(Surface):
    """f = 0.26 (x^2 + y^2) - 0.48 xy.

    Curvatures 0.04 along the diagonal and 1 across it: stable below rate 2, yet slow along the floor.

    Example:
        >>> import torch
        >>> Matyas().value(torch.tensor(1.0), torch.tensor(-1.0)).item()
        1.0

    Reference: Jamil & Yang 2013, "A literature survey of benchmark functions for global optimisation problems".
    """

    title: ClassVar[str] = "Matyas's trough"
    summary: ClassVar[str] = (
        "A trough along the diagonal, nearly flat at its floor: small gradients do not mean that the end is near."
    )
    reference: ClassVar[str] = "Jamil & Yang 2013"
    domain: ClassVar[Window] = (-10.0, 10.0, -10.0, 10.0)
    quadratic: ClassVar[bool] = True
    default_start: ClassVar[Point] = (9.0, 2.0)
    minimizers: ClassVar[tuple[Point, ...]] = ((0.0, 0.0),)
    optimal_value: ClassVar[float | None] = 0.0

    def value(self, x: "Tensor", y: "Tensor") -> "Tensor":
        return 0.26 * (x * x + y * y) - 0.48 * x * y

    def gradient(self, x: "Tensor", y: "Tensor") -> "tuple[Tensor, Tensor]":
        return 0.52 * x - 0.48 * y, 0.52 * y - 0.48 * x
