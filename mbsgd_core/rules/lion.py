"""Lion: the sign of a running mean."""

from typing import TYPE_CHECKING, ClassVar

from mbsgd_core.knobs import Examples, Real, knob
from mbsgd_core.rules._adam import Decay
from mbsgd_core.rules.base import Rule, RuleState

if TYPE_CHECKING:
    from torch import Tensor


class Lion(Rule):
    """Every coordinate moves by the learning rate alone; the gradient only says which way.

    delta = -learning_rate * (sign(beta1 * m + (1 - beta1) * g) + weight_decay * theta)
    m <- beta2 * m + (1 - beta2) * g

    Example:
        >>> import torch
        >>> rule, theta = Lion(), torch.ones(1, 1)
        >>> delta, state = rule.update(5 * theta, rule.init(theta), theta, 0.5)
        >>> delta.item()
        -0.5

    Every step is of one length, so at a constant rate it never comes to rest: it ends up swinging about the minimum by
    about the rate.

    Reference: Chen et al. 2023, "Symbolic discovery of optimization algorithms", program 1; torch has no such rule.
    Where others differ: optax's lion has the weight decay 1e-3 by default; the paper takes a tenth of Adam's rate and
    ten times its weight decay.
    """

    rate_hint: ClassVar[float] = 0.003
    examples: ClassVar[Examples] = (
        {},
        {"betas": (0.5, 0.9)},
        {"betas": (0.0, 0.0)},
        {"weight_decay": 0.1},
    )

    betas: tuple[Decay, Decay] = knob(
        (0.9, 0.99), label="Betas", help="Share kept of the mean: in the step, and in what is kept.", page=(0.0, 0.9999)
    )
    weight_decay: Real = knob(0.0, label="Weight decay", help="Pulls theta towards 0.", ge=0, page=(0.0, 1.0))

    def init(self, theta: "Tensor") -> RuleState:
        return (theta.new_zeros(theta.shape),)

    def update(
        self, gradient: "Tensor", state: RuleState, theta: "Tensor", learning_rate: "float | Tensor"
    ) -> "tuple[Tensor, RuleState]":
        (mean,) = state
        beta1, beta2 = self.betas
        direction = mean.lerp(gradient, 1 - beta1).sign()
        if self.weight_decay:
            direction = direction.add(theta, alpha=self.weight_decay)
        return direction * -learning_rate, (mean.lerp(gradient, 1 - beta2),)
