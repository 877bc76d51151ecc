"""Rosenbrock's banana valley."""

from typing import TYPE_CHECKING, ClassVar

from mbsgd_core.problems.surfaces.base import Point, Surface, Window

if TYPE_CHECKING:
    from torch import Tensor


class Rosenbrock(Surface):
    """f = (1 - x)^2 + 100 (y - x^2)^2.

    At the minimum the curvatures are 0.4 and 1002: the rate must be below 0.002, a crawl along the valley floor.

    Example:
        >>> import torch
        >>> Rosenbrock().value(torch.tensor(-1.0), torch.tensor(1.0)).item()
        4.0

    Reference: Rosenbrock 1960, "An automatic method for finding the greatest or least value of a function".
    """

    title: ClassVar[str] = "Rosenbrock valley"
    summary: ClassVar[str] = "Finding the curved valley takes a few updates, following it takes thousands."
    reference: ClassVar[str] = "Rosenbrock 1960"
    domain: ClassVar[Window] = (-5.0, 10.0, -5.0, 10.0)
    view: ClassVar[Window] = (-2.0, 2.0, -1.0, 3.0)
    default_start: ClassVar[Point] = (-1.2, 1.0)
    minimizers: ClassVar[tuple[Point, ...]] = ((1.0, 1.0),)
    optimal_value: ClassVar[float | None] = 0.0

    def value(self, x: "Tensor", y: "Tensor") -> "Tensor":
        return (1 - x) ** 2 + 100 * (y - x * x) ** 2

    def gradient(self, x: "Tensor", y: "Tensor") -> "tuple[Tensor, Tensor]":
        off = 200 * (y - x * x)
        return 2 * (x - 1 - x * off), off
