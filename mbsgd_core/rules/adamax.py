"""Adamax, in torch.optim.Adamax's convention."""

from typing import TYPE_CHECKING, ClassVar

from mbsgd_core.knobs import Examples, Real, knob
from mbsgd_core.rules._adam import Decay
from mbsgd_core.rules.base import Rule, RuleState

if TYPE_CHECKING:
    from torch import Tensor


class Adamax(Rule):
    """Adam with a running maximum in place of the running mean square.

    g <- g + weight_decay * theta
    m <- beta1 * m + (1 - beta1) * g,      u <- max(beta2 * u, |g| + eps)
    delta = -learning_rate / (1 - beta1^t) * m / u

    Example:
        >>> import torch
        >>> rule, theta = Adamax(), torch.ones(1, 1)
        >>> delta, state = rule.update(7 * theta, rule.init(theta), theta, 0.1)
        >>> round(delta.item(), 6)
        -0.1

    Reference: Kingma & Ba 2015, section 7.1; torch.optim.Adamax.
    Where others differ: the paper has no eps (0/0 while every gradient is 0); Keras and optax add it to u when
    dividing, not inside the maximum.
    """

    torch_class: ClassVar[str | None] = "Adamax"
    examples: ClassVar[Examples] = ({}, {"eps": 1e-2}, {"betas": (0.5, 0.9), "weight_decay": 0.1})

    betas: tuple[Decay, Decay] = knob(
        (0.9, 0.999),
        label="Betas",
        help="Share kept of the running mean of the gradient, and of its running maximum.",
        page=(0.0, 0.9999),
    )
    eps: Real = knob(
        1e-8,
        label="Epsilon",
        help="Added to the gradient's size, against division by 0.",
        gt=0,
        page=(1e-12, 1),
        scale="log",
    )
    weight_decay: Real = knob(
        0.0, label="Weight decay", help="Adds weight_decay x theta to the gradient.", ge=0, page=(0.0, 1.0)
    )

    def init(self, theta: "Tensor") -> RuleState:
        zeros = theta.new_zeros(theta.shape)
        return (0, zeros, zeros)

    def update(
        self, gradient: "Tensor", state: RuleState, theta: "Tensor", learning_rate: "float | Tensor"
    ) -> "tuple[Tensor, RuleState]":
        count, mean, largest = state
        beta1, beta2 = self.betas
        if self.weight_decay:
            gradient = gradient.add(theta, alpha=self.weight_decay)
        count += 1
        mean = mean.lerp(gradient, 1 - beta1)
        largest = (largest * beta2).maximum(gradient.abs().add_(self.eps))
        return (mean * -(learning_rate / (1 - beta1**count))).div_(largest), (count, mean, largest)
