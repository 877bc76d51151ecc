"""Adadelta, in torch.optim.Adadelta's convention."""

from typing import TYPE_CHECKING, ClassVar

from mbsgd_core.knobs import Examples, Real, knob
from mbsgd_core.rules.base import Rule, RuleState

if TYPE_CHECKING:
    from torch import Tensor


class Adadelta(Rule):
    """Scales each gradient by how far that coordinate has moved lately: steps in the units of theta.

    g <- g + weight_decay * theta
    s <- rho * s + (1 - rho) * g^2
    d = sqrt(a + eps) / sqrt(s + eps) * g,     a <- rho * a + (1 - rho) * d^2
    delta = -learning_rate * d

    Example:
        >>> import torch
        >>> rule, theta = Adadelta(), torch.ones(1, 1)
        >>> delta, state = rule.update(theta, rule.init(theta), theta, 1.0)
        >>> round(delta.item(), 5)
        -0.00316

    Reference: Zeiler 2012; torch.optim.Adadelta.
    Where others differ: the paper has no learning rate: here that is a rate of 1, torch's default; Keras' is 0.001.
    """

    torch_class: ClassVar[str | None] = "Adadelta"
    rate_hint: ClassVar[float] = 1.0
    examples: ClassVar[Examples] = (
        {},
        {"eps": 1e-2},
        {"rho": 1.0},
        {"rho": 0.5, "weight_decay": 0.1},
    )

    rho: Real = knob(0.9, label="Rho", help="Share kept of the running mean squares.", ge=0, le=1, page=(0.0, 0.9999))
    eps: Real = knob(
        1e-6,
        label="Epsilon",
        help="Added inside both roots; it sets the first steps.",
        gt=0,
        page=(1e-12, 1),
        scale="log",
    )
    weight_decay: Real = knob(
        0.0, label="Weight decay", help="Adds weight_decay x theta to the gradient.", ge=0, page=(0.0, 1.0)
    )

    def init(self, theta: "Tensor") -> RuleState:
        zeros = theta.new_zeros(theta.shape)
        return (zeros, zeros)

    def update(
        self, gradient: "Tensor", state: RuleState, theta: "Tensor", learning_rate: "float | Tensor"
    ) -> "tuple[Tensor, RuleState]":
        square, moved = state
        if self.weight_decay:
            gradient = gradient.add(theta, alpha=self.weight_decay)
        square = (square * self.rho).addcmul_(gradient, gradient, value=1 - self.rho)
        step = moved.add(self.eps).sqrt_().div_(square.add(self.eps).sqrt_()).mul_(gradient)
        moved = (moved * self.rho).addcmul_(step, step, value=1 - self.rho)
        return step * -learning_rate, (square, moved)
