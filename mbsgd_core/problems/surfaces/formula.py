"""The user's own surface, typed as a formula."""

from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field, field_validator

from mbsgd_core.knobs import Real, Text, knob
from mbsgd_core.problems.surfaces._formula import LENGTH, parse
from mbsgd_core.problems.surfaces.base import Point, Surface, Window

if TYPE_CHECKING:
    from torch import Tensor

Edge = Annotated[Real, Field(ge=-1e12, le=1e12)]


class Formula(Surface):
    """f(x, y) as typed, e.g. "x^2 + 3*y^2"; its gradient comes from automatic differentiation.

    Nothing is known about it in advance: no minimizers, no optimal value. Where it is not finite, runs diverge, and
    say so. Where it is finite but its slope is not (the tip of sqrt(x^2 + y^2), the edge of sqrt(x)), the gradient is
    0, as at ackley's cone.

    Example:
        >>> import torch
        >>> surface = Formula(formula="sin(x) + y²")
        >>> x, y = torch.zeros(1), torch.ones(1)
        >>> surface.value(x, y).item(), [slope.item() for slope in surface.gradient(x, y)]
        (1.0, [1.0, 2.0])
    """

    title: ClassVar[str] = "Your own formula"
    summary: ClassVar[str] = (
        "Any surface you can type: try a valley, a ridge or a hole, and see what descent makes of it."
    )

    automatic: ClassVar[bool] = True

    formula: Text = knob(
        "x^2 + 3*y^2",
        label="f(x, y)",
        help="In x and y, with + - * / ^, pi, e, sin, exp, sqrt, min(a, b) ...",
        max_length=LENGTH,
    )
    domain: tuple[Edge, Edge, Edge, Edge] = knob(  # type: ignore[misc]
        (-2.0, 2.0, -2.0, 2.0), label="Window", help="Least x, greatest x, least y, greatest y: the part that is shown."
    )

    @field_validator("formula")
    @classmethod
    def _can_be_read(cls, text: str) -> str:
        parse(text)
        return text

    @field_validator("domain")
    @classmethod
    def _in_order(cls, window: Window) -> Window:
        x0, x1, y0, y1 = window
        if not (x0 < x1 and y0 < y1):
            given = ", ".join(f"{edge:g}" for edge in window)
            raise ValueError(f"given ({given}); expected (x0, x1, y0, y1) with x0 < x1 and y0 < y1")
        return window

    @property
    def default_start(self) -> Point:
        x0, x1, y0, y1 = self.domain
        return 0.15 * x0 + 0.85 * x1, 0.2 * y0 + 0.8 * y1

    def value(self, x: "Tensor", y: "Tensor") -> "Tensor":
        value = parse(self.formula)(x, y)
        return value if value.dim() else value.expand_as(x)

    def gradient(self, x: "Tensor", y: "Tensor") -> "tuple[Tensor, Tensor]":
        import torch

        x, y = x.detach().requires_grad_(), y.detach().requires_grad_()
        with torch.enable_grad():
            value = self.value(x, y)
        if not value.requires_grad:  # a constant
            return torch.zeros_like(x), torch.zeros_like(y)
        along_x, along_y = torch.autograd.grad(value, (x, y), torch.ones_like(value), materialize_grads=True)
        # 0 * inf and 1 / 0 on finite ground: a tip, a cusp or a vertical edge.
        ground = value.isfinite()
        return (
            along_x.masked_fill(ground & ~along_x.isfinite(), 0.0),
            along_y.masked_fill(ground & ~along_y.isfinite(), 0.0),
        )
