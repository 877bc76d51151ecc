"""Himmelblau's four equal minima."""

from typing import TYPE_CHECKING, ClassVar

from mbsgd_core.problems.surfaces.base import Point, Surface, Window

if TYPE_CHECKING:
    from torch import Tensor


class Himmelblau(Surface):
    """f = (x^2 + y - 11)^2 + (x + y^2 - 7)^2.

    Four minima of value 0, four saddles and a maximum near the middle: where a run ends is decided early.

    Example:
        >>> import torch
        >>> Himmelblau().value(torch.tensor(0.0), torch.tensor(0.0)).item()
        170.0

    Reference: Himmelblau 1972, "Applied nonlinear programming".
    """

    title: ClassVar[str] = "Himmelblau's four minima"
    summary: ClassVar[str] = "Four equally good minima: the start, the rate and the noise decide which one is found."
    reference: ClassVar[str] = "Himmelblau 1972"
    domain: ClassVar[Window] = (-5.0, 5.0, -5.0, 5.0)
    default_start: ClassVar[Point] = (-0.5, -1.5)
    minimizers: ClassVar[tuple[Point, ...]] = (
        (3.0, 2.0),
        (-2.805118086952745, 3.131312518250573),
        (-3.779310253377747, -3.2831859912861696),
        (3.5844283403304917, -1.8481265269644036),
    )
    optimal_value: ClassVar[float | None] = 0.0
    saddles: ClassVar[tuple[Point, ...]] = (
        (3.385154183607021, 0.07385187983774928),
        (0.08667750455539636, 2.884254701174776),
        (-3.0730257507643897, -0.08135304428796751),
        (-0.12796134673068008, -1.9537149802445763),
    )

    def value(self, x: "Tensor", y: "Tensor") -> "Tensor":
        return (x * x + y - 11) ** 2 + (x + y * y - 7) ** 2

    def gradient(self, x: "Tensor", y: "Tensor") -> "tuple[Tensor, Tensor]":
        a, b = x * x + y - 11, x + y * y - 7
        return 4 * x * a + 2 * b, 2 * a + 4 * y * b
