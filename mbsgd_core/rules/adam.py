"""Adam, in torch.optim.Adam's convention."""

from typing import TYPE_CHECKING, ClassVar

from mbsgd_core.knobs import Examples, Real, knob
from mbsgd_core.rules._adam import Moments
from mbsgd_core.rules.base import RuleState

if TYPE_CHECKING:
    from torch import Tensor


class Adam(Moments):
    """Adaptive moments: each coordinate's step is about the learning rate, whatever the gradient's scale.

    g <- g + weight_decay * theta
    m <- beta1 * m + (1 - beta1) * g,      s <- beta2 * s + (1 - beta2) * g^2
    delta = -learning_rate * m / (1 - beta1^t) / (sqrt(s / (1 - beta2^t)) + eps)
    (amsgrad: the largest s so far in place of s)

    Example:
        >>> import torch
        >>> rule, theta = Adam(), torch.tensor([[1.0, -100.0]])
        >>> delta, state = rule.update(theta, rule.init(theta), theta, 0.1)
        >>> [round(d, 6) for d in delta[0].tolist()]
        [-0.1, 0.1]

    Reference: Kingma & Ba 2015; Reddi, Kale, Kumar 2018 (amsgrad); torch.optim.Adam.
    Where others differ: the paper's "efficient" form and Keras add eps before the bias correction of s, so their
    eps is larger by 1 / sqrt(1 - beta2^t); weight decay here is an L2 penalty that passes through the moments
    (torch's decoupled_weight_decay is the rule adamw); torch's amsgrad takes the largest s before the correction.
    """

    torch_class: ClassVar[str | None] = "Adam"
    examples: ClassVar[Examples] = (
        {},
        {"betas": (0.5, 0.9), "eps": 1e-3},
        {"betas": (0.0, 0.5), "amsgrad": True},
        {"weight_decay": 0.2},
        {"weight_decay": 0.1, "amsgrad": True},
    )

    weight_decay: Real = knob(
        0.0, label="Weight decay", help="Adds weight_decay x theta to the gradient.", ge=0, page=(0.0, 1.0)
    )

    def update(
        self, gradient: "Tensor", state: RuleState, theta: "Tensor", learning_rate: "float | Tensor"
    ) -> "tuple[Tensor, RuleState]":
        if self.weight_decay:
            gradient = gradient.add(theta, alpha=self.weight_decay)
        return self._step(gradient, state, learning_rate)
