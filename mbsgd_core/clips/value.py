"""Clipping by value: every coordinate is bounded by itself."""

from typing import TYPE_CHECKING, ClassVar

from mbsgd_core.clips.base import Clip
from mbsgd_core.knobs import Examples

if TYPE_CHECKING:
    from torch import Tensor


class Value(Clip):
    """Every coordinate of the gradient is kept between -max and max; the direction may turn.

    g_j <- min(max(g_j, -max), max)

    Args:
        max: the largest size of a coordinate, in the gradient's own unit, above 0.

    Example:
        >>> import torch
        >>> Value(max=1.0).clip(torch.tensor([[3.0, -0.5]])).tolist()
        [[1.0, -0.5]]

    Reference: torch.nn.utils.clip_grad_value_.
    """

    torch_call: ClassVar[str | None] = "clip_grad_value_"
    examples: ClassVar[Examples] = ({}, {"max": 0.1})

    def clip(self, gradient: "Tensor") -> "Tensor":
        return gradient.clamp(min=-self.max, max=self.max)
