"""What Adam and its kin share (floor 1): two running moments of the gradient, corrected for their start at zero."""

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from mbsgd_core.knobs import Flag, Real, knob
from mbsgd_core.rules.base import Rule, RuleState

if TYPE_CHECKING:
    from torch import Tensor

Decay = Annotated[Real, Field(ge=0, lt=1)]


class TwoMoments(Rule):
    """The knobs of rules that keep a running mean of the gradient and of its square."""

    betas: tuple[Decay, Decay] = knob(
        (0.9, 0.999),
        label="Betas",
        help="Share kept of the running mean of the gradient, and of its square.",
        page=(0.0, 0.9999),
    )
    eps: Real = knob(
        1e-8,
        label="Epsilon",
        help="Added to the denominator, against division by 0.",
        gt=0,
        page=(1e-12, 1),
        scale="log",
    )


class Moments(TwoMoments):
    """m <- beta1 m + (1 - beta1) g;  s <- beta2 s + (1 - beta2) g^2;  step = lr m^ / (sqrt(s^) + eps)."""

    amsgrad: Flag = knob(False, label="AMSGrad", help="Divide by the largest second moment seen so far.")

    def init(self, theta: "Tensor") -> RuleState:
        zeros = theta.new_zeros(theta.shape)
        return (0, zeros, zeros, zeros) if self.amsgrad else (0, zeros, zeros)

    def _step(
        self, gradient: "Tensor", state: RuleState, learning_rate: "float | Tensor"
    ) -> "tuple[Tensor, RuleState]":
        """The increment without weight decay, in torch's order of operations."""
        beta1, beta2 = self.betas
        count = state[0] + 1
        mean = state[1].lerp(gradient, 1 - beta1)
        square = (state[2] * beta2).addcmul_(gradient, gradient, value=1 - beta2)
        later: RuleState = (count, mean, square)
        if self.amsgrad:
            square = state[3].maximum(square)
            later = (*later, square)
        denominator = square.sqrt().div_((1 - beta2**count) ** 0.5).add_(self.eps)
        return (mean * -(learning_rate / (1 - beta1**count))).div_(denominator), later
