"""The six-hump camel: two best minima among six."""

from typing import TYPE_CHECKING, ClassVar

from mbsgd_core.problems.surfaces.base import Point, Surface, Window

if TYPE_CHECKING:
    from torch import Tensor


class SixHumpCamel(Surface):
    """f = (4 - 2.1x^2 + x^4 / 3) x^2 + xy + (4y^2 - 4) y^2.

    Symmetric under (x, y) -> (-x, -y): the minima come in pairs, and the origin is a saddle.

    Example:
        >>> import torch
        >>> SixHumpCamel().value(torch.tensor(0.0), torch.tensor(1.0)).item()
        0.0

    Reference: Dixon & Szego 1978, "Towards global optimisation 2".
    """

    title: ClassVar[str] = "Six-hump camel"
    summary: ClassVar[str] = "Six hollows in three pairs: small changes of start or noise change the hollow."
    reference: ClassVar[str] = "Dixon & Szego 1978"
    domain: ClassVar[Window] = (-3.0, 3.0, -2.0, 2.0)
    view: ClassVar[Window] = (-2.1, 2.1, -1.3, 1.3)
    default_start: ClassVar[Point] = (1.9, 1.0)
    minimizers: ClassVar[tuple[Point, ...]] = (
        (0.08984201310031806, -0.7126564030207396),
        (-0.08984201310031806, 0.7126564030207396),
    )
    optimal_value: ClassVar[float | None] = -1.0316284534898774
    saddles: ClassVar[tuple[Point, ...]] = (
        (0.0, 0.0),
        (1.1092053368047865, -0.7682680925095399),
        (-1.1092053368047865, 0.7682680925095399),
        (1.2960702671671092, 0.6050843880386585),
        (-1.2960702671671092, -0.6050843880386585),
        (1.6380679841897785, 0.22867406904439408),
        (-1.6380679841897785, -0.22867406904439408),
    )

    def value(self, x: "Tensor", y: "Tensor") -> "Tensor":
        square = x * x
        return square * (4 + square * (square / 3 - 2.1)) + x * y + 4 * y * y * (y * y - 1)

    def gradient(self, x: "Tensor", y: "Tensor") -> "tuple[Tensor, Tensor]":
        square = x * x
        return x * (8 + square * (2 * square - 8.4)) + y, x + y * (16 * y * y - 8)
