"""Goldstein and Price's function: values over six orders of magnitude."""

from typing import TYPE_CHECKING, ClassVar

from mbsgd_core.problems.surfaces.base import Point, Surface, Window

if TYPE_CHECKING:
    from torch import Tensor


class GoldsteinPrice(Surface):
    """f = A(x + y) B(2x - 3y), A = 1 + (s + 1)^2 (3s^2 - 14s + 19), B = 30 + d^2 (3d^2 - 16d + 18).

    In s = x + y and d = 2x - 3y the function is a product, and the slopes are products too:
    A' = 12 (s + 1)(s - 1)(s - 2), B' = 12 d (d - 1)(d - 3).
    So all nine stationary points are known exactly: four minima, four saddles, a maximum.

    Example:
        >>> import torch
        >>> GoldsteinPrice().value(torch.tensor(0.5), torch.tensor(0.5)).item()
        1210.6875

    Reference: Goldstein & Price 1971, "On descent from local minima".
    """

    title: ClassVar[str] = "Goldstein-Price"
    summary: ClassVar[str] = "Values from 3 to a million: the rate that is safe on the walls is a crawl on the floor."
    reference: ClassVar[str] = "Goldstein & Price 1971"
    domain: ClassVar[Window] = (-2.0, 2.0, -2.0, 2.0)
    default_start: ClassVar[Point] = (0.4, -0.3)
    minimizers: ClassVar[tuple[Point, ...]] = ((0.0, -1.0),)
    optimal_value: ClassVar[float | None] = 3.0
    saddles: ClassVar[tuple[Point, ...]] = ((-0.4, -0.6), (1.4, 0.6), (0.6, 0.4), (1.2, -0.2))

    def value(self, x: "Tensor", y: "Tensor") -> "Tensor":
        return self._first(x + y) * self._second(2 * x - 3 * y)

    def gradient(self, x: "Tensor", y: "Tensor") -> "tuple[Tensor, Tensor]":
        s, d = x + y, 2 * x - 3 * y
        along_s = 12 * (s + 1) * (s - 1) * (s - 2) * self._second(d)
        along_d = 12 * d * (d - 1) * (d - 3) * self._first(s)
        return along_s + 2 * along_d, along_s - 3 * along_d

    @staticmethod
    def _first(s: "Tensor") -> "Tensor":
        return 1 + (s + 1) ** 2 * (s * (3 * s - 14) + 19)

    @staticmethod
    def _second(d: "Tensor") -> "Tensor":
        return 30 + d * d * (d * (3 * d - 16) + 18)
