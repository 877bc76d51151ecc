"""Schedule-free SGD: an average in place of a falling rate."""

from typing import TYPE_CHECKING, ClassVar

from mbsgd_core.knobs import Examples, Real, knob
from mbsgd_core.rules.base import Rule, RuleState

if TYPE_CHECKING:
    from torch import Tensor


class ScheduleFree(Rule):
    """SGD that needs no schedule: the gradient is taken between its iterate z and the mean x of all of these.

    z <- z - learning_rate * g(y)                         (g + weight_decay * y, with weight decay)
    x <- (1 - c) x + c z,   c = rate_t^2 / (rate_1^2 + ... + rate_t^2)    (1/t at a constant rate)
    y = (1 - momentum) z + momentum x

    theta is y, where the gradient is taken: what is reported is the loss at y, as of the reference program in training
    mode. That program switches to x in order to test; y closes in on x as the steps of x shrink.

    Example:
        >>> import torch
        >>> rule, theta = ScheduleFree(momentum=0.5), torch.ones(1, 1)
        >>> delta, state = rule.update(theta, rule.init(theta), theta, 0.1)  # the first mean is z itself
        >>> round(delta.item(), 6), [round(part.item(), 6) for part in state[1:]]
        (-0.1, [0.9, 0.9])

    Reference: Defazio et al. 2024, "The road less scheduled", equations 1-3; facebookresearch/schedule_free, SGD
    without warm-up; torch has no such rule.
    """

    examples: ClassVar[Examples] = (
        {},
        {"momentum": 0.5},
        {"weight_decay": 0.1},
    )

    momentum: Real = knob(
        0.9,
        label="Momentum",
        help="Share of the mean in the point where the gradient is taken; 0 is plain descent.",
        ge=0,
        lt=1,
        page=(0.0, 0.99),
        live=True,
    )
    weight_decay: Real = knob(
        0.0, label="Weight decay", help="Adds weight_decay x theta to the gradient.", ge=0, page=(0.0, 1.0)
    )

    def init(self, theta: "Tensor") -> RuleState:
        return (theta.new_zeros(theta.shape), None, None)  # of every run: a plateau may give each its own rate

    def update(
        self, gradient: "Tensor", state: RuleState, theta: "Tensor", learning_rate: "float | Tensor"
    ) -> "tuple[Tensor, RuleState]":
        weights, z, x = state
        z, x = (theta.clone(), theta.clone()) if z is None else (z, x)
        if self.weight_decay:
            gradient = gradient.add(theta, alpha=self.weight_decay)
        weight = learning_rate * learning_rate
        weights = weights + weight
        step = gradient * -learning_rate
        z = z + step
        pull = (z - x) * (weight / weights)
        return pull * self.momentum + step * (1 - self.momentum), (weights, z, x + pull)
