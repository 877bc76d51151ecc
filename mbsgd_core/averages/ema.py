"""The exponential moving average of the iterates."""

from typing import TYPE_CHECKING, ClassVar

from mbsgd_core.averages.base import Average, Averaged
from mbsgd_core.knobs import Examples, Real, knob

if TYPE_CHECKING:
    from torch import Tensor


class EMA(Average):
    """Old iterates are forgotten at a constant pace: about the last 1 / (1 - decay) count.

    a_1 = theta_1,    a_t = decay a_(t-1) + (1 - decay) theta_t

    On a quadratic, with r = 1 - rate x curvature, the variance of a is that of theta times
    (1 - decay)/(1 + decay) x (1 + r decay)/(1 - r decay).

    Args:
        decay: share of the average that is kept at an update, 0 (the iterate itself) ... 1 (the first iterate).

    Example:
        >>> import torch
        >>> average = EMA(decay=0.75)
        >>> first = average.after(Averaged(torch.zeros(1, 1)), torch.ones(1, 1), 1)
        >>> first.value.item(), average.after(first, torch.zeros(1, 1), 2).value.item()
        (1.0, 0.75)

    Reference: torch.optim.swa_utils.get_ema_multi_avg_fn; Izmailov et al. 2018, "Averaging weights leads to wider
    optima and better generalization".
    Where others differ: optax and TensorFlow begin at the start or at 0 and correct for it.
    """

    examples: ClassVar[Examples] = ({}, {"decay": 0.5})

    decay: Real = knob(
        0.99,
        label="Decay",
        help="Share of the average that is kept at an update: about the last 1 / (1 - decay) iterates count.",
        ge=0,
        le=1,
    )

    def moved(self, averaged: Averaged, theta: "Tensor") -> "Tensor":
        return averaged.value.lerp(theta, 1 - self.decay)
