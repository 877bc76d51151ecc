"""What an average is (floor 1): a second iterate, made of those of the run, that never moves the run."""

from abc import abstractmethod
from typing import TYPE_CHECKING, NamedTuple

from mbsgd_core.knobs import NamedItem

if TYPE_CHECKING:
    from torch import Tensor


class Averaged(NamedTuple):
    """An average as far as it has come."""

    value: "Tensor"  # (R, P); the start, until the first iterate is taken in
    taken: int = 0  # iterates taken in


class Average(NamedItem):
    """The average after every update, with the arithmetic of torch.optim.swa_utils.AveragedModel.

    It begins as a copy of the start; the first iterate that is taken in replaces it.
    """

    @abstractmethod
    def moved(self, averaged: Averaged, theta: "Tensor") -> "Tensor":
        """The average once theta (R, P) is taken in too; not the first."""

    def takes(self, update: int) -> bool:
        """Whether the iterate of this update is taken in."""
        return True

    def after(self, averaged: Averaged, theta: "Tensor", update: int) -> Averaged:
        """The average after this update, which led to theta (R, P); neither is changed in place."""
        if not self.takes(update):
            return averaged
        value = self.moved(averaged, theta) if averaged.taken else theta
        return Averaged(value, averaged.taken + 1)
