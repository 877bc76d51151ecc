"""RMSprop, in torch.optim.RMSprop's convention."""

from typing import TYPE_CHECKING, ClassVar

from mbsgd_core.knobs import Examples, Flag, Real, knob
from mbsgd_core.rules.base import Rule, RuleState

if TYPE_CHECKING:
    from torch import Tensor


class RMSprop(Rule):
    """Divides the gradient by a running root mean square of itself.

    g <- g + weight_decay * theta
    s <- alpha * s + (1 - alpha) * g^2
    q = sqrt(s) + eps                      (centered: sqrt(s - a^2) + eps, a the running mean of g)
    delta = -learning_rate * g / q         (momentum: v <- momentum * v + g / q; delta = -learning_rate * v)

    Nothing corrects for s = 0 at the start, so the first step is 1 / sqrt(1 - alpha) = 10 learning rates long.

    Example:
        >>> import torch
        >>> rule, theta = RMSprop(), torch.ones(1, 1)
        >>> delta, state = rule.update(2 * theta, rule.init(theta), theta, 0.01)
        >>> round(delta.item(), 6)
        -0.1

    Reference: Tieleman & Hinton 2012, lecture 6e; Graves 2013 (centered); torch.optim.RMSprop.
    Where others differ: TensorFlow and Keras put eps inside the root; optax too unless told otherwise.
    """

    torch_class: ClassVar[str | None] = "RMSprop"
    rate_hint: ClassVar[float] = 0.002
    examples: ClassVar[Examples] = (
        {},
        {"alpha": 0.9, "eps": 1e-4},
        {"centered": True, "weight_decay": 0.1},
        {"momentum": 0.9},
        {"alpha": 0.8, "momentum": 0.5, "centered": True},
        {"momentum": 0.5, "centered": True, "weight_decay": 0.1},
    )

    alpha: Real = knob(
        0.99, label="Alpha", help="Share kept of the running mean square.", ge=0, le=1, page=(0.0, 0.9999)
    )
    eps: Real = knob(
        1e-8,
        label="Epsilon",
        help="Added to the denominator, against division by 0.",
        gt=0,
        page=(1e-12, 1),
        scale="log",
    )
    weight_decay: Real = knob(
        0.0, label="Weight decay", help="Adds weight_decay x theta to the gradient.", ge=0, page=(0.0, 1.0)
    )
    momentum: Real = knob(
        0.0, label="Momentum", help="Share of the last velocity that is kept.", ge=0, lt=1, page=(0.0, 0.99), live=True
    )
    centered: Flag = knob(
        False, label="Centred", help="Divide by the standard deviation in place of the root mean square."
    )

    def init(self, theta: "Tensor") -> RuleState:
        zeros = theta.new_zeros(theta.shape)
        return (zeros, zeros if self.centered else None, zeros if self.momentum else None)

    def update(
        self, gradient: "Tensor", state: RuleState, theta: "Tensor", learning_rate: "float | Tensor"
    ) -> "tuple[Tensor, RuleState]":
        square, mean, velocity = state
        if self.weight_decay:
            gradient = gradient.add(theta, alpha=self.weight_decay)
        square = (square * self.alpha).addcmul_(gradient, gradient, value=1 - self.alpha)
        if self.centered:
            mean = mean.lerp(gradient, 1 - self.alpha)
            root = square.addcmul(mean, mean, value=-1).sqrt_().add_(self.eps)
        else:
            root = square.sqrt().add_(self.eps)
        if self.momentum:
            velocity = (velocity * self.momentum).addcdiv_(gradient, root)
            delta = velocity * -learning_rate
        else:
            delta = (gradient * -learning_rate).div_(root)
        return delta, (square, mean, velocity)
