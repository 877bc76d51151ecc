"""A long narrow valley: one coordinate far steeper than the other."""

from typing import TYPE_CHECKING, ClassVar

from mbsgd_core.knobs import Real, knob
from mbsgd_core.problems.surfaces.base import Point, Surface, Window

if TYPE_CHECKING:
    from torch import Tensor


class Ravine(Surface):
    """f = 1/2 (x^2 + condition y^2).

    The rate is bounded by the steep side, 2 / condition, while the flat side shrinks by 1 - rate an update: gradient
    descent needs about condition updates, heavy ball about its square root.

    Example:
        >>> import torch
        >>> Ravine().value(torch.tensor(1.0), torch.tensor(1.0)).item()
        50.5

    Reference: Goh 2017, "Why momentum really works", Distill.
    """

    title: ClassVar[str] = "Ravine"
    summary: ClassVar[str] = "The steep side limits the learning rate and the flat side pays for it; momentum mends it."
    reference: ClassVar[str] = "Goh 2017, Distill"
    domain: ClassVar[Window] = (-2.0, 2.0, -2.0, 2.0)
    quadratic: ClassVar[bool] = True
    view: ClassVar[Window] = (-2.0, 2.0, -1.0, 1.0)
    default_start: ClassVar[Point] = (1.8, 0.6)
    minimizers: ClassVar[tuple[Point, ...]] = ((0.0, 0.0),)
    optimal_value: ClassVar[float | None] = 0.0

    condition: Real = knob(
        100.0,
        label="Condition number",
        help="Curvature across the ravine over curvature along it.",
        ge=1,
        le=1e12,
        page=(1.0, 1000.0),
        scale="log",
    )

    def value(self, x: "Tensor", y: "Tensor") -> "Tensor":
        return (x * x + self.condition * y * y) * 0.5

    def gradient(self, x: "Tensor", y: "Tensor") -> "tuple[Tensor, Tensor]":
        return x.clone(), self.condition * y
