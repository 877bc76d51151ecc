"""Stochastic gradient descent with momentum, in torch.optim.SGD's convention."""

from typing import TYPE_CHECKING, ClassVar

from pydantic import model_validator

from mbsgd_core.knobs import Examples, Flag, Real, knob
from mbsgd_core.rules.base import Rule, RuleState

if TYPE_CHECKING:
    from torch import Tensor


class SGD(Rule):
    """Gradient descent on the batch gradient, with heavy-ball or Nesterov momentum and L2 weight decay.

    g <- g + weight_decay * theta
    v <- momentum * v + (1 - dampening) * g        (v <- g at the first update)
    delta = -learning_rate * v                     (Nesterov: -learning_rate * (g + momentum * v))

    Example:
        >>> import torch
        >>> rule, theta = SGD(momentum=0.9), torch.ones(1, 1)
        >>> delta, state = rule.update(theta, rule.init(theta), theta, 0.1)
        >>> round(delta.item(), 3)
        -0.1

    Reference: Polyak 1964; Sutskever et al. 2013; torch.optim.SGD.
    Where others differ: Sutskever and scikit-learn put the learning rate inside v (equal while the rate is
    constant); Keras' and the textbooks' "exponential average" form is this one with dampening = momentum, but
    torch does not dampen the first step.
    """

    torch_class: ClassVar[str | None] = "SGD"
    examples: ClassVar[Examples] = (
        {},
        {"momentum": 0.9},
        {"momentum": 0.9, "nesterov": True},
        {"momentum": 0.5, "dampening": 0.3, "weight_decay": 0.05},
        {"momentum": 0.9, "dampening": 1.0},
        {"weight_decay": 0.1},
        {"momentum": 0.8, "nesterov": True, "weight_decay": 0.1},
    )

    momentum: Real = knob(
        0.0,
        label="Momentum",
        help="Share of the last velocity that is kept; 0 is plain gradient descent.",
        ge=0,
        lt=1,
        page=(0.0, 0.99),
        live=True,
    )
    dampening: Real = knob(
        0.0, label="Dampening", help="Share of the new gradient left out of the velocity.", ge=0, le=1, page=(0.0, 1.0)
    )
    nesterov: Flag = knob(False, label="Nesterov", help="LaneStyle ahead: needs momentum above 0 and dampening 0.")
    weight_decay: Real = knob(
        0.0, label="Weight decay", help="Adds weight_decay x theta to the gradient.", ge=0, page=(0.0, 1.0)
    )

    @model_validator(mode="after")
    def _nesterov_needs_momentum(self) -> "SGD":
        if self.nesterov and (self.momentum == 0 or self.dampening != 0):
            raise ValueError("nesterov needs a momentum above 0 and a dampening of 0; set them or turn nesterov off")
        return self

    def init(self, theta: "Tensor") -> RuleState:
        return (None,)

    def update(
        self, gradient: "Tensor", state: RuleState, theta: "Tensor", learning_rate: "float | Tensor"
    ) -> "tuple[Tensor, RuleState]":
        (velocity,) = state
        if self.weight_decay:
            gradient = gradient.add(theta, alpha=self.weight_decay)
        if not self.momentum:
            return gradient * -learning_rate, state
        if velocity is None:
            velocity = gradient.clone()
        else:
            velocity = (velocity * self.momentum).add_(gradient, alpha=1 - self.dampening)
        step = gradient.add(velocity, alpha=self.momentum) if self.nesterov else velocity
        return step * -learning_rate, (velocity,)
