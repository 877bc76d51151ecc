"""What an update rule is (floor 1): a pair of pure functions on arrays with any leading axes."""

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Self

from mbsgd_core.knobs import NamedItem

if TYPE_CHECKING:
    from torch import Tensor

RuleState = tuple[Any, ...]


class Rule(NamedItem):
    """theta <- theta + delta, with delta from the gradient, the rule's state and the learning rate.

    Where torch has the rule (`torch_class`), knobs, defaults and every update are torch's; the docstring says where
    the textbook, scikit-learn or optax differ. All arithmetic is elementwise, so runs and grids of settings are leading
    axes. Write with tensor methods only: a rule never imports torch.
    """

    torch_class: ClassVar[str | None] = None  # the name in torch.optim; None: torch has no such rule
    mistake: ClassVar[bool] = False  # True: what a wrong program does, to be recognised; it need not get anywhere
    compiled: ClassVar[bool] = True  # False: does more than arithmetic (a branch on a value), and so runs on torch
    rate_hint: ClassVar[float] = 0.01  # a rate that moves theta and does not leap, of a rule that sets its own length

    @property
    def has_momentum(self) -> bool:
        """Whether a schedule can move its momentum, or beta1: torch asks for either name, and takes the betas first."""
        return not type(self).model_fields.keys().isdisjoint(("betas", "momentum"))

    def with_momentum(self, value: float) -> Self:
        """The rule with another momentum, or beta1; nobody checks it."""
        betas: tuple[float, ...] = getattr(self, "betas", ())
        return self.model_copy(update={"betas": (value, *betas[1:])} if betas else {"momentum": value})

    @abstractmethod
    def init(self, theta: "Tensor") -> RuleState:
        """The state before the first update; tensors in it have theta's shape."""

    @abstractmethod
    def update(
        self, gradient: "Tensor", state: RuleState, theta: "Tensor", learning_rate: "float | Tensor"
    ) -> "tuple[Tensor, RuleState]":
        """One step.

        Args:
            gradient: mean gradient over the batch at theta, (..., P).
            state: what init or the previous update returned; never changed in place.
            theta: the iterate, (..., P); never changed in place.
            learning_rate: a number, or a tensor that broadcasts against theta, e.g. (R, 1).

        Returns:
            (delta, state): the increment that is *added* to theta, and the state for the next update.
        """
