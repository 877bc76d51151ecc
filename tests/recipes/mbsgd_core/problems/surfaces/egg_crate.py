"""The egg crate: a bowl with regular dents."""

from typing import TYPE_CHECKING, ClassVar

from mbsgd_core.problems.surfaces.base import Point, Surface, Window

if TYPE_CHECKING:
    from torch import Tensor


class EggCrate(Surface):
    """f = x^2 + y^2 + 25 (sin(x)^2 + sin(y)^2).

    Example:
        >>> import torch
        >>> EggCrate().value(torch.tensor(0.0), torch.tensor(0.0)).item()
        0.0

    Reference: Jamil & Yang 2013, "A literature survey of benchmark functions for global optimisation problems".
    """

    title: ClassVar[str] = "Egg crate"
    summary: ClassVar[str] = "Regular dents in a bowl: the start decides which one plain descent ends in."
    reference: ClassVar[str] = "Jamil & Yang 2013"
    domain: ClassVar[Window] = (-5.0, 5.0, -5.0, 5.0)
    default_start: ClassVar[Point] = (-4.0, 2.0)
    minimizers: ClassVar[tuple[Point, ...]] = ((0.0, 0.0),)
    optimal_value: ClassVar[float | None] = 0.0

    def value(self, x: "Tensor", y: "Tensor") -> "Tensor":
        return x * x + y * y + 25 * (x.sin() ** 2 + y.sin() ** 2)

    def gradient(self, x: "Tensor", y: "Tensor") -> "tuple[Tensor, Tensor]":
        return 2 * x + 25 * (2 * x).sin(), 2 * y + 25 * (2 * y).sin()
