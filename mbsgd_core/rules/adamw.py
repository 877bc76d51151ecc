"""Adam with decoupled weight decay, in torch.optim.AdamW's convention."""

from typing import TYPE_CHECKING, ClassVar

from mbsgd_core.knobs import Examples, Real, knob
from mbsgd_core.rules._adam import Moments
from mbsgd_core.rules.base import RuleState

if TYPE_CHECKING:
    from torch import Tensor


class AdamW(Moments):
    """Adam whose weight decay acts on theta directly and never enters the moments.

    delta = -learning_rate * weight_decay * theta + (delta of Adam without weight decay)

    Example:
        >>> import torch
        >>> rule, theta = AdamW(weight_decay=0.5), torch.ones(1, 1)
        >>> delta, state = rule.update(0 * theta, rule.init(theta), theta, 0.1)
        >>> round(delta.item(), 6)
        -0.05

    Reference: Loshchilov & Hutter 2019; torch.optim.AdamW.
    Where others differ: the paper's decay is weight_decay alone, times a schedule multiplier; torch, optax and
    Keras multiply it by the learning rate, as here.
    """

    torch_class: ClassVar[str | None] = "AdamW"
    examples: ClassVar[Examples] = (
        {},
        {"weight_decay": 0.0},
        {"weight_decay": 0.3, "betas": (0.8, 0.95)},
        {"amsgrad": True, "eps": 1e-2},
    )

    weight_decay: Real = knob(
        0.01,
        label="Weight decay",
        help="Shrinks theta by learning rate x weight_decay at every update.",
        ge=0,
        page=(0.0, 1.0),
    )

    def update(
        self, gradient: "Tensor", state: RuleState, theta: "Tensor", learning_rate: "float | Tensor"
    ) -> "tuple[Tensor, RuleState]":
        delta, later = self._step(gradient, state, learning_rate)
        if self.weight_decay:
            delta = delta.add_(theta * -(learning_rate * self.weight_decay))
        return delta, later
