"""Clipping by norm: the direction stays, the length is bounded."""

from typing import TYPE_CHECKING, ClassVar

from mbsgd_core.clips.base import Clip
from mbsgd_core.knobs import Examples

if TYPE_CHECKING:
    from torch import Tensor


class Norm(Clip):
    """A gradient longer than the bound is scaled down to it.

    g <- g min(1, max / (|g| + 1e-6))

    Args:
        max: the largest length, in the gradient's own unit, above 0.

    Example:
        >>> import torch
        >>> Norm(max=1.0).clip(torch.tensor([[3.0, 4.0], [0.3, 0.4]])).round(decimals=3).tolist()
        [[0.6000000238418579, 0.800000011920929], [0.30000001192092896, 0.4000000059604645]]

    Reference: Pascanu et al. 2013, "On the difficulty of training recurrent neural networks"; Zhang et al. 2020, "Why
    gradient clipping accelerates training"; torch.nn.utils.clip_grad_norm_.
    Where others differ: optax and Keras divide by |g| alone, without torch's 1e-6; a norm that overflows makes the
    whole gradient 0 in torch, and so here.
    """

    torch_call: ClassVar[str | None] = "clip_grad_norm_"
    examples: ClassVar[Examples] = ({}, {"max": 0.1})

    def clip(self, gradient: "Tensor") -> "Tensor":
        norm: Tensor = gradient.norm(dim=-1, keepdim=True)
        return gradient * (self.max / (norm + 1e-6)).clamp(max=1.0)
