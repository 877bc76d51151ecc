"""Styblinski and Tang's four unequal hollows."""

from typing import TYPE_CHECKING, ClassVar

from mbsgd_core.problems.surfaces.base import Point, Surface, Window

if TYPE_CHECKING:
    from torch import Tensor

# The stationary points of one coordinate: the roots of 2x^3 - 16x + 2.5.
_LOW, _TOP, _HIGH = -2.903534027771177, 0.1567312567803401, 2.746802770990837


class StyblinskiTang(Surface):
    """f = 1/2 (x^4 - 16x^2 + 5x + y^4 - 16y^2 + 5y).

    Each coordinate alone has minima at -2.90 and 2.75 and a maximum at 0.157; their pairs make the whole picture.

    Example:
        >>> import torch
        >>> StyblinskiTang().value(torch.tensor(1.0), torch.tensor(0.0)).item()
        -5.0

    Reference: Styblinski & Tang 1990, "Experiments in nonconvex optimization".
    """

    title: ClassVar[str] = "Styblinski-Tang"
    summary: ClassVar[str] = (
        "Four unequal hollows: which one a run ends in is settled by the side of the ridge it starts on."
    )
    reference: ClassVar[str] = "Styblinski & Tang 1990"
    domain: ClassVar[Window] = (-5.0, 5.0, -5.0, 5.0)
    default_start: ClassVar[Point] = (1.0, -0.3)
    minimizers: ClassVar[tuple[Point, ...]] = ((_LOW, _LOW),)
    optimal_value: ClassVar[float | None] = -78.33233140754282
    saddles: ClassVar[tuple[Point, ...]] = ((_LOW, _TOP), (_TOP, _LOW), (_HIGH, _TOP), (_TOP, _HIGH))

    def value(self, x: "Tensor", y: "Tensor") -> "Tensor":
        return self._part(x) + self._part(y)

    def gradient(self, x: "Tensor", y: "Tensor") -> "tuple[Tensor, Tensor]":
        return self._slope(x), self._slope(y)

    @staticmethod
    def _part(x: "Tensor") -> "Tensor":
        return x * (x * (x * x - 16) + 5) * 0.5

    @staticmethod
    def _slope(x: "Tensor") -> "Tensor":
        return x * (2 * x * x - 16) + 2.5
