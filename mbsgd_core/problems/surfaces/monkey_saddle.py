"""A saddle with three ways down: two legs and a tail."""

from typing import TYPE_CHECKING, ClassVar

from mbsgd_core.problems.surfaces.base import Point, Surface, Window

if TYPE_CHECKING:
    from torch import Tensor


class MonkeySaddle(Surface):
    """f = x^3 - 3xy^2.

    All second derivatives vanish at the saddle: the curvature says nothing there, and runs slow down far more than at
    a plain saddle.

    Example:
        >>> import torch
        >>> MonkeySaddle().value(torch.tensor(1.0), torch.tensor(1.0)).item()
        -2.0

    Reference: Hilbert & Cohn-Vossen 1932, "Geometry and the imagination".
    """

    title: ClassVar[str] = "Monkey saddle"
    summary: ClassVar[str] = (
        "At a saddle without curvature even the eigenvalues are silent: noise picks one of three ways down."
    )
    reference: ClassVar[str] = "Hilbert & Cohn-Vossen 1932"
    domain: ClassVar[Window] = (-2.0, 2.0, -2.0, 2.0)
    default_start: ClassVar[Point] = (1.5, 0.01)
    saddles: ClassVar[tuple[Point, ...]] = ((0.0, 0.0),)

    def value(self, x: "Tensor", y: "Tensor") -> "Tensor":
        return x * (x * x - 3 * y * y)

    def gradient(self, x: "Tensor", y: "Tensor") -> "tuple[Tensor, Tensor]":
        return 3 * (x * x - y * y), -6 * x * y
