"""Signum: the sign of the velocity; torch has no such rule."""

from typing import TYPE_CHECKING

from mbsgd_core.knobs import Real, knob
from mbsgd_core.rules.base import Rule, RuleState

if TYPE_CHECKING:
    from torch import Tensor


class Signum(Rule):
    """Every coordinate moves by the learning rate alone; the velocity only says which way.

    m <- momentum * m + (1 - momentum) * g
    delta = -learning_rate * sign(m)

    Example:
        >>> import torch
        >>> rule, theta = Signum(), torch.ones(1, 1)
        >>> delta, state = rule.update(5 * theta, rule.init(theta), theta, 0.5)
        >>> delta.item()
        -0.5

    Reference: Bernstein et al. 2018, "signSGD: compressed optimisation for non-convex problems".
    """

    momentum: Real = knob(0.9, label="Momentum", help="Share kept of the running mean.", ge=0, lt=1, page=(0.0, 0.99))

    def init(self, theta: "Tensor") -> RuleState:
        return (theta.new_zeros(theta.shape),)

    def update(
        self, gradient: "Tensor", state: RuleState, theta: "Tensor", learning_rate: "float | Tensor"
    ) -> "tuple[Tensor, RuleState]":
        mean = state[0].lerp(gradient, 1 - self.momentum)
        return mean.sign() * -learning_rate, (mean,)
