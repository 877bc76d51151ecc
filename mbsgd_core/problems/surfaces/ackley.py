"""Ackley's cone in a rippled plain."""

import math
from typing import TYPE_CHECKING, ClassVar

from mbsgd_core.problems.surfaces.base import Point, Surface, Window

if TYPE_CHECKING:
    from torch import Tensor

_FIFTH = 0.2 / math.sqrt(2)  # r / 5 = _FIFTH sqrt(x^2 + y^2)


class Ackley(Surface):
    """f = 20 (1 - exp(-r / 5)) + e - exp((cos(2 pi x) + cos(2 pi y)) / 2), r = sqrt((x^2 + y^2) / 2).

    The minimum is the tip of a cone: the slope beside it is 2 sqrt(2) however near, so a constant rate never rests
    there. The tip itself has no slope, and `gradient` gives 0. The forms with expm1 make f(0, 0) exactly 0.

    Example:
        >>> import torch
        >>> Ackley().value(torch.tensor(0.0), torch.tensor(0.0)).item()
        0.0

    Reference: Ackley 1987, "A connectionist machine for genetic hillclimbing".
    """

    title: ClassVar[str] = "Ackley's cone"
    summary: ClassVar[str] = "The slope does not fade near the minimum, so only a falling rate can come to rest there."
    reference: ClassVar[str] = "Ackley 1987"
    domain: ClassVar[Window] = (-32.768, 32.768, -32.768, 32.768)
    smooth: ClassVar[bool] = False
    view: ClassVar[Window] = (-5.0, 5.0, -5.0, 5.0)
    default_start: ClassVar[Point] = (2.6, 3.3)
    minimizers: ClassVar[tuple[Point, ...]] = ((0.0, 0.0),)
    optimal_value: ClassVar[float | None] = 0.0

    def value(self, x: "Tensor", y: "Tensor") -> "Tensor":
        ripple = ((math.tau * x).cos() + (math.tau * y).cos()) * 0.5
        return -20 * (x.hypot(y) * -_FIFTH).expm1() - math.e * (ripple - 1).expm1()

    def gradient(self, x: "Tensor", y: "Tensor") -> "tuple[Tensor, Tensor]":
        radius = x.hypot(y)
        ripple = ((math.tau * x).cos() + (math.tau * y).cos()) * 0.5
        pull, push = 20 * _FIFTH * (radius * -_FIFTH).exp(), math.pi * ripple.exp()
        away = radius + (radius == 0)  # 0 / 1 in place of 0 / 0 at the tip
        return pull * (x / away) + push * (math.tau * x).sin(), pull * (y / away) + push * (math.tau * y).sin()
