"""The plain mean of the iterates: Polyak-Ruppert averaging, and stochastic weight averaging."""

from typing import TYPE_CHECKING, ClassVar

from mbsgd_core.averages.base import Average, Averaged
from mbsgd_core.knobs import Examples, Whole, knob

if TYPE_CHECKING:
    from torch import Tensor


class Polyak(Average):
    """The mean of all iterates from one update on; until then it is the start.

    a_t = a_(t-1) + (theta_t - a_(t-1)) / n,    n = 1, 2, 3 ... at t = begin, begin + 1, ...

    Args:
        begin: the first update whose iterate is taken in; 0 and 1 are the same, since the start is never taken in.

    Example:
        >>> import torch
        >>> average, found = Polyak(begin=2), Averaged(torch.zeros(1, 1))
        >>> for update in (1, 2, 3):
        ...     found = average.after(found, torch.full((1, 1), float(update)), update)
        >>> found.value.item(), found.taken
        (2.5, 2)

    Reference: Polyak & Juditsky 1992, "Acceleration of stochastic approximation by averaging"; torch.optim.swa_utils.
    Where others differ: on a GPU torch rounds 1/n to single precision, whatever the parameters' type; here, as there
    on a CPU, it is divided by n.
    """

    examples: ClassVar[Examples] = ({}, {"begin": 20})

    begin: Whole = knob(
        0,
        label="Begins at update",
        help="The first update whose iterate is taken into the mean; earlier ones would remember the way.",
        ge=0,
        le=10**9,
        page=(0, 200_000),
    )

    def takes(self, update: int) -> bool:
        return update >= self.begin

    def moved(self, averaged: Averaged, theta: "Tensor") -> "Tensor":
        return averaged.value + (theta - averaged.value) / (averaged.taken + 1)
