"""The plainest saddle."""

from typing import TYPE_CHECKING, ClassVar

from mbsgd_core.problems.surfaces.base import Point, Surface, Window

if TYPE_CHECKING:
    from torch import Tensor


class Saddle(Surface):
    """f = x^2 - y^2.

    Gradient descent multiplies x by 1 - 2 rate and y by 1 + 2 rate an update; from y = 0 it ends at the saddle, and
    only noise leads away. There is no minimum: every run that leaves goes on for ever.

    Example:
        >>> import torch
        >>> Saddle().value(torch.tensor(1.0), torch.tensor(1.0)).item()
        0.0

    Reference: Lee et al. 2016, "Gradient descent only converges to minimizers".
    """

    title: ClassVar[str] = "Saddle"
    summary: ClassVar[str] = "The gradient leads to the saddle and lingers there; noise finds the way down."
    reference: ClassVar[str] = "Lee et al. 2016"
    domain: ClassVar[Window] = (-2.0, 2.0, -2.0, 2.0)
    quadratic: ClassVar[bool] = True
    default_start: ClassVar[Point] = (1.5, 0.001)
    saddles: ClassVar[tuple[Point, ...]] = ((0.0, 0.0),)

    def value(self, x: "Tensor", y: "Tensor") -> "Tensor":
        return x * x - y * y

    def gradient(self, x: "Tensor", y: "Tensor") -> "tuple[Tensor, Tensor]":
        return 2 * x, -2 * y
