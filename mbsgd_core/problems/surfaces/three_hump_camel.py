"""The three-hump camel: a best minimum between two others."""

import math
from typing import TYPE_CHECKING, ClassVar

from mbsgd_core.problems.surfaces.base import Point, Surface, Window

if TYPE_CHECKING:
    from torch import Tensor

_SADDLE = math.sqrt(2.1 - math.sqrt(0.91))


class ThreeHumpCamel(Surface):
    """f = 2x^2 - 1.05x^4 + x^6 / 6 + xy + y^2.

    On the line y = -x / 2 the slope is x (x^4 - 4.2x^2 + 3.5): saddles at x^2 = 2.1 - sqrt(0.91), the two other minima
    (value 0.299) at x^2 = 2.1 + sqrt(0.91).

    Example:
        >>> import torch
        >>> ThreeHumpCamel().value(torch.tensor(0.0), torch.tensor(1.0)).item()
        1.0

    Reference: Jamil & Yang 2013, "A literature survey of benchmark functions for global optimisation problems".
    """

    title: ClassVar[str] = "Three-hump camel"
    summary: ClassVar[str] = (
        "Gradient descent settles in the hollow it starts in; noise or momentum can carry it over the ridge."
    )
    reference: ClassVar[str] = "Jamil & Yang 2013"
    domain: ClassVar[Window] = (-5.0, 5.0, -5.0, 5.0)
    view: ClassVar[Window] = (-2.4, 2.4, -2.4, 2.4)
    default_start: ClassVar[Point] = (-2.0, 2.0)
    minimizers: ClassVar[tuple[Point, ...]] = ((0.0, 0.0),)
    optimal_value: ClassVar[float | None] = 0.0
    saddles: ClassVar[tuple[Point, ...]] = ((-_SADDLE, _SADDLE / 2), (_SADDLE, -_SADDLE / 2))

    def value(self, x: "Tensor", y: "Tensor") -> "Tensor":
        square = x * x
        return square * (2 + square * (square / 6 - 1.05)) + y * (x + y)

    def gradient(self, x: "Tensor", y: "Tensor") -> "tuple[Tensor, Tensor]":
        square = x * x
        return x * (4 + square * (square - 4.2)) + y, x + 2 * y
