"""NAdam: Adam with Nesterov momentum, in torch.optim.NAdam's convention."""

from typing import TYPE_CHECKING, ClassVar

from mbsgd_core.knobs import Examples, Flag, Real, knob
from mbsgd_core.rules._adam import TwoMoments
from mbsgd_core.rules.base import RuleState

if TYPE_CHECKING:
    from torch import Tensor


class NAdam(TwoMoments):
    """Adam that looks ahead: part of the step is the gradient itself, part the mean it is about to become.

    mu_t = beta1 * (1 - 0.96^(t * momentum_decay) / 2),      p_t = mu_1 * ... * mu_t
    m <- beta1 * m + (1 - beta1) * g,      s <- beta2 * s + (1 - beta2) * g^2,      q = sqrt(s / (1 - beta2^t)) + eps
    delta = -learning_rate * ((1 - mu_t) / (1 - p_t) * g + mu_(t+1) / (1 - p_(t+1)) * m) / q

    Example:
        >>> import torch
        >>> rule, theta = NAdam(momentum_decay=0), torch.ones(1, 1)
        >>> delta, state = rule.update(theta, rule.init(theta), theta, 0.1)
        >>> round(delta.item(), 4)
        -0.1056

    Reference: Dozat 2016; torch.optim.NAdam.
    Where others differ: torch keeps p_t in its default number type, so it agrees to 1e-12 only with
    torch.set_default_dtype(torch.float64); optax's nadam has no mu_t schedule.
    """

    torch_class: ClassVar[str | None] = "NAdam"
    examples: ClassVar[Examples] = (
        {},
        {"betas": (0.5, 0.9), "momentum_decay": 0.1},
        {"weight_decay": 0.1},
        {"weight_decay": 0.1, "decoupled_weight_decay": True},
    )

    weight_decay: Real = knob(0.0, label="Weight decay", help="Pulls theta towards 0.", ge=0, page=(0.0, 1.0))
    momentum_decay: Real = knob(
        4e-3, label="Momentum decay", help="How fast the momentum warms up to beta1.", ge=0, page=(0.0, 0.1)
    )
    decoupled_weight_decay: Flag = knob(
        False, label="Decoupled decay", help="Weight decay acts on theta directly, as in adamw."
    )

    def init(self, theta: "Tensor") -> RuleState:
        zeros = theta.new_zeros(theta.shape)
        return (0, 1.0, zeros, zeros)

    def _mu(self, count: int) -> float:
        mu: float = self.betas[0] * (1.0 - 0.5 * 0.96 ** (count * self.momentum_decay))
        return mu

    def update(
        self, gradient: "Tensor", state: RuleState, theta: "Tensor", learning_rate: "float | Tensor"
    ) -> "tuple[Tensor, RuleState]":
        count, product, mean, square = state
        beta1, beta2 = self.betas
        if self.weight_decay and not self.decoupled_weight_decay:
            gradient = gradient.add(theta, alpha=self.weight_decay)
        count += 1
        mu, ahead = self._mu(count), self._mu(count + 1)
        product = product * mu
        mean = mean.lerp(gradient, 1 - beta1)
        square = (square * beta2).addcmul_(gradient, gradient, value=1 - beta2)
        root = square.div(1 - beta2**count).sqrt_().add_(self.eps)
        direction = gradient * ((1 - mu) / (1 - product)) + mean * (ahead / (1 - product * ahead))
        delta = direction.mul_(-learning_rate).div_(root)
        if self.weight_decay and self.decoupled_weight_decay:
            delta = delta.sub_(theta * (learning_rate * self.weight_decay))
        return delta, (count, product, mean, square)
