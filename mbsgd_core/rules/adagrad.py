"""Adagrad, in torch.optim.Adagrad's convention."""

from typing import TYPE_CHECKING, ClassVar

from mbsgd_core.knobs import Examples, Real, knob
from mbsgd_core.rules.base import Rule, RuleState

if TYPE_CHECKING:
    from torch import Tensor


class Adagrad(Rule):
    """Each coordinate's rate falls with the gradients it has already seen: rare features keep large steps.

    g <- g + weight_decay * theta
    s <- s + g^2                          (s starts at initial_accumulator_value)
    delta = -learning_rate / (1 + (t - 1) * lr_decay) * g / (sqrt(s) + eps)

    Example:
        >>> import torch
        >>> rule, theta = Adagrad(), torch.ones(1, 1)
        >>> first, state = rule.update(5 * theta, rule.init(theta), theta, 0.1)
        >>> second, state = rule.update(5 * theta, state, theta, 0.1)
        >>> round(first.item(), 4), round(second.item(), 4)
        (-0.1, -0.0707)

    Reference: Duchi, Hazan, Singer 2011; torch.optim.Adagrad.
    Where others differ: Keras and optax start s at 0.1 and put eps inside the root (Keras: also outside).
    """

    torch_class: ClassVar[str | None] = "Adagrad"
    rate_hint: ClassVar[float] = 0.05
    examples: ClassVar[Examples] = (
        {},
        {"lr_decay": 0.1, "weight_decay": 0.1},
        {"initial_accumulator_value": 0.5, "eps": 1e-3},
        {"initial_accumulator_value": 0.1, "lr_decay": 0.1},
    )

    lr_decay: Real = knob(
        0.0, label="Rate decay", help="Divides the rate by 1 + (t - 1) x this at update t.", ge=0, page=(0.0, 1.0)
    )
    weight_decay: Real = knob(
        0.0, label="Weight decay", help="Adds weight_decay x theta to the gradient.", ge=0, page=(0.0, 1.0)
    )
    initial_accumulator_value: Real = knob(
        0.0, label="Initial accumulator", help="Where the sum of squares starts.", ge=0, page=(0.0, 1.0)
    )
    eps: Real = knob(
        1e-10,
        label="Epsilon",
        help="Added to the denominator, against division by 0.",
        gt=0,
        page=(1e-12, 1),
        scale="log",
    )

    def init(self, theta: "Tensor") -> RuleState:
        return (0, theta.new_full(theta.shape, self.initial_accumulator_value))

    def update(
        self, gradient: "Tensor", state: RuleState, theta: "Tensor", learning_rate: "float | Tensor"
    ) -> "tuple[Tensor, RuleState]":
        count, total = state
        if self.weight_decay:
            gradient = gradient.add(theta, alpha=self.weight_decay)
        rate = learning_rate / (1 + count * self.lr_decay)
        total = total.addcmul(gradient, gradient)
        return (gradient * -rate).div_(total.sqrt().add_(self.eps)), (count + 1, total)
