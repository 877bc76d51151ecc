"""What a clip is (floor 1): a bound on each run's batch gradient, before the rule sees it."""

from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar

from mbsgd_core.knobs import NamedItem, Real, knob

if TYPE_CHECKING:
    from torch import Tensor


class Clip(NamedItem):
    """A gradient in, one that is nowhere longer out; each run by itself. A bound has no state and draws nothing."""

    torch_call: ClassVar[str | None] = None  # the name in torch.nn.utils, called with the parameters and the bound

    max: Real = knob(
        1.0,
        label="Largest",
        help="What is larger is cut to this, before the optimizer.",
        gt=0,
        page=(1e-6, 1e6),
        scale="log",
    )

    @abstractmethod
    def clip(self, gradient: "Tensor") -> "Tensor":
        """The gradient that the rule gets, (..., P); what is given, (..., P), is not changed in place."""
