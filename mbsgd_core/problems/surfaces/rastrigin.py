"""Rastrigin's egg box: a bowl with a hollow around every whole number."""

import math
from typing import TYPE_CHECKING, ClassVar

from mbsgd_core.problems.surfaces.base import Point, Surface, Window

if TYPE_CHECKING:
    from torch import Tensor


class Rastrigin(Surface):
    """f = 20 + x^2 + y^2 - 10 cos(2 pi x) - 10 cos(2 pi y).

    At the minimum both curvatures are 2 + 40 pi^2 = 397: a rate above 0.005 cannot rest there.

    Example:
        >>> import torch
        >>> Rastrigin().value(torch.tensor(1.0), torch.tensor(0.0)).item()
        1.0

    Reference: Rastrigin 1974, "Systems of extremal control".
    """

    title: ClassVar[str] = "Rastrigin's egg box"
    summary: ClassVar[str] = "A hollow at every whole number: without noise a run stops in the first one."
    reference: ClassVar[str] = "Rastrigin 1974"
    domain: ClassVar[Window] = (-5.12, 5.12, -5.12, 5.12)
    default_start: ClassVar[Point] = (2.3, 3.4)
    minimizers: ClassVar[tuple[Point, ...]] = ((0.0, 0.0),)
    optimal_value: ClassVar[float | None] = 0.0

    def value(self, x: "Tensor", y: "Tensor") -> "Tensor":
        return 20 + x * x + y * y - 10 * ((math.tau * x).cos() + (math.tau * y).cos())

    def gradient(self, x: "Tensor", y: "Tensor") -> "tuple[Tensor, Tensor]":
        return 2 * x + 20 * math.pi * (math.tau * x).sin(), 2 * y + 20 * math.pi * (math.tau * y).sin()
