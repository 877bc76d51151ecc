"""A quadratic bowl with chosen curvatures."""

import math
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from mbsgd_core.knobs import Real, knob
from mbsgd_core.problems.surfaces.base import Point, Surface, Window

if TYPE_CHECKING:
    from torch import Tensor


class Quadratic(Surface):
    """f = 1/2 (e1 u^2 + e2 v^2), with (u, v) = (x, y) turned by -angle.

    The eigenvalues e1, e2 are the curvatures; gradient descent is stable below 2 / max(e1, e2), heavy ball below
    2 (1 + momentum) / max(e1, e2).

    Example:
        >>> import torch
        >>> Quadratic(eigenvalues=(1, 10)).value(torch.tensor(1.0), torch.tensor(1.0)).item()
        5.5

    Reference: Goh 2017, "Why momentum really works", Distill.
    """

    title: ClassVar[str] = "Quadratic bowl"
    summary: ClassVar[str] = "The one surface where everything is known exactly: rates, limits and noise floors."
    reference: ClassVar[str] = "Goh 2017, Distill"
    domain: ClassVar[Window] = (-2.0, 2.0, -2.0, 2.0)
    quadratic: ClassVar[bool] = True
    default_start: ClassVar[Point] = (1.5, 1.0)

    eigenvalues: tuple[Annotated[Real, Field(ge=-1e6, le=1e6)], Annotated[Real, Field(ge=-1e6, le=1e6)]] = knob(
        (1.0, 10.0), label="Eigenvalues", help="Curvature along the two axes of the bowl.", page=(0.01, 100.0)
    )
    angle: Real = knob(
        0.0, label="Angle", help="Turns the axes of the bowl.", unit="degrees", ge=-360, le=360, page=(0.0, 90.0)
    )

    @property
    def minimizers(self) -> tuple[Point, ...]:
        return ((0.0, 0.0),) if min(self.eigenvalues) > 0 else ()

    @property
    def optimal_value(self) -> float | None:
        return 0.0 if min(self.eigenvalues) >= 0 else None

    @property
    def saddles(self) -> tuple[Point, ...]:
        return ((0.0, 0.0),) if min(self.eigenvalues) < 0 < max(self.eigenvalues) else ()

    def _turn(self) -> tuple[float, float]:
        # 0 and 1 exactly at no turn, so that the axes of the bowl do not mix.
        return (math.cos(math.radians(self.angle)), math.sin(math.radians(self.angle))) if self.angle else (1.0, 0.0)

    def value(self, x: "Tensor", y: "Tensor") -> "Tensor":
        c, s = self._turn()
        first, second = self.eigenvalues
        return (first * (c * x + s * y) ** 2 + second * (c * y - s * x) ** 2) * 0.5

    def gradient(self, x: "Tensor", y: "Tensor") -> "tuple[Tensor, Tensor]":
        first, second = self.eigenvalues
        if not self.angle:
            return first * x, second * y
        c, s = self._turn()
        u, v = first * (c * x + s * y), second * (c * y - s * x)
        return c * u - s * v, s * u + c * v
