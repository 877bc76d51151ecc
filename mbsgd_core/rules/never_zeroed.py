"""SGD in a loop that forgets zero_grad: the mistake, as a rule of its own."""

from typing import TYPE_CHECKING, ClassVar

from mbsgd_core.rules.base import Rule, RuleState

if TYPE_CHECKING:
    from torch import Tensor


class NeverZeroed(Rule):
    """SGD without zero_grad: every step is made of all gradients so far.

    a <- a + g                  (a starts at 0: what .grad holds when nobody empties it)
    delta = -learning_rate * a

    It is momentum that forgets nothing, and so it has no friction. Of full batches on a bowl each coordinate swings for
    ever as theta' = 2 theta - theta'' - rate * curvature * theta, neither growing nor shrinking while rate * curvature
    is below 4; noise only adds to the swing.

    Example:
        >>> import torch
        >>> rule, theta = NeverZeroed(), torch.ones(1, 1)
        >>> first, state = rule.update(theta, rule.init(theta), theta, 0.1)
        >>> second, state = rule.update(theta, state, theta, 0.1)
        >>> round(first.item(), 4), round(second.item(), 4)
        (-0.1, -0.2)

    Reference: torch.optim.SGD, in a training loop that never calls zero_grad.
    """

    mistake: ClassVar[bool] = True

    def init(self, theta: "Tensor") -> RuleState:
        return (theta.new_zeros(theta.shape),)

    def update(
        self, gradient: "Tensor", state: RuleState, theta: "Tensor", learning_rate: "float | Tensor"
    ) -> "tuple[Tensor, RuleState]":
        total = state[0] + gradient
        return total * -learning_rate, (total,)
