"""Beale's plateau with steep walls."""

from typing import TYPE_CHECKING, ClassVar

from mbsgd_core.problems.surfaces.base import Point, Surface, Window

if TYPE_CHECKING:
    from torch import Tensor


class Beale(Surface):
    """f = (1.5 - x + xy)^2 + (2.25 - x + xy^2)^2 + (2.625 - x + xy^3)^2.

    Near the minimum the curvatures are 0.3 and 49; far out the walls grow like the eighth power.

    Example:
        >>> import torch
        >>> Beale().value(torch.tensor(1.0), torch.tensor(1.0)).item()
        14.203125

    Reference: Beale 1958, "On an iterative method for finding a local minimum of a function of more than one variable".
    """

    title: ClassVar[str] = "Beale's plateau"
    summary: ClassVar[str] = "Flat ground and steep walls in one picture: no single rate suits both."
    reference: ClassVar[str] = "Beale 1958"
    domain: ClassVar[Window] = (-4.5, 4.5, -4.5, 4.5)
    view: ClassVar[Window] = (-1.0, 4.0, -1.5, 1.5)
    default_start: ClassVar[Point] = (0.3, -1.0)
    minimizers: ClassVar[tuple[Point, ...]] = ((3.0, 0.5),)
    optimal_value: ClassVar[float | None] = 0.0
    saddles: ClassVar[tuple[Point, ...]] = ((0.0, 1.0), (0.10053793732415836, -2.644513585023125))

    def value(self, x: "Tensor", y: "Tensor") -> "Tensor":
        return (1.5 - x + x * y) ** 2 + (2.25 - x + x * y**2) ** 2 + (2.625 - x + x * y**3) ** 2

    def gradient(self, x: "Tensor", y: "Tensor") -> "tuple[Tensor, Tensor]":
        a, b, c = y - 1, y * y - 1, y**3 - 1
        first, second, third = 1.5 + x * a, 2.25 + x * b, 2.625 + x * c
        return (
            2 * (first * a + second * b + third * c),
            2 * x * (first + y * (2 * second + 3 * y * third)),
        )
