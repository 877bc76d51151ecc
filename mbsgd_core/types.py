"""State, Trace, Outcome and ViewBudget (floor 0), and the letters of every shape in the core.

R runs, L lanes, K records, N samples, B batch, P parameters, D features, U updates an epoch,
C cells of a sweep, X and Y its axes.
"""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor

    from mbsgd_core.averages.base import Averaged
    from mbsgd_core.experiment import Experiment


class Watch(NamedTuple):
    """What a lane's patience has seen so far: the watched loss at the ends of its epochs."""

    best: float = math.inf  # the loss that the next ones are compared with
    best_at: int = -1  # the update after which it was seen, -1: none was
    waited: int = 0  # epochs since
    stopped_at: int = -1  # the update after which patience was at its end, -1: it is not


class State(NamedTuple):
    """What the next update needs, and nothing else. Picklable; advance() never changes it in place."""

    experiment: "Experiment"
    lane: int
    update: int  # updates made so far
    theta: "Tensor"  # (R, P); NaN in runs that diverged
    rule_state: tuple["Tensor", ...]  # each (R, P) or (R, 1)
    schedule_state: tuple[Any, ...]  # one a run where the schedule watches the objective, else one
    diverged_at: np.ndarray  # (R,) int64: the first bad update, -1 while the run is sound
    first_loss: np.ndarray  # (R,) float64: the objective at the start, the yardstick of divergence
    compiled: bool  # whether compiled lanes make its updates: a run stays with what it began on
    averaged: "Averaged | None" = None  # the second iterate of a lane that has one; NaN in runs that diverged
    watch: Watch = Watch()

    @property
    def over(self) -> bool:
        """Whether no update is left: the budget is spent, or patience is at its end."""
        return self.watch.stopped_at >= 0 or self.update >= self.experiment.updates(self.lane)


class Trace(NamedTuple):
    """What was seen on the way: records 0 (the start), then the kept updates."""

    update: np.ndarray  # (K,) int64
    samples: np.ndarray  # (K,) int64: gradients of samples spent so far
    learning_rate: np.ndarray  # (K,) float64: of the update that led here (run 0); the first rate at record 0
    theta: np.ndarray  # (R, K, P)
    loss: np.ndarray  # (R, K): the full objective at theta
    average: np.ndarray = np.empty((0, 0, 0))  # (R, K, P): the second iterate; of a lane that has none, no runs ...
    average_loss: np.ndarray = np.empty((0, 0))  # (R, K): ... and the full objective there

    @property
    def averages(self) -> bool:
        """Whether there is a second iterate."""
        return len(self.average_loss) > 0

    def without_average(self) -> "Trace":
        """The run itself."""
        return Trace(*self[:5])

    def at(self, kept: np.ndarray) -> "Trace":
        """The trace of these records alone."""
        axis = [min(values.ndim - 1, 1) for values in self]
        return Trace(*(np.take(v, kept if v.shape[a] else kept[:0], a) for v, a in zip(self, axis, strict=True)))

    @staticmethod
    def joined(traces: "Sequence[Trace]") -> "Trace":
        """Traces end to end: records are the first axis of update, samples and rate, the second of all others."""
        if len(traces) == 1:
            return traces[0]
        return Trace(*(np.concatenate(c, axis=min(c[0].ndim - 1, 1)) for c in zip(*traces, strict=True)))


class Outcome(NamedTuple):
    """What runs came to, judged by their records; all arrays have one shape: (R,), (C, R), a sweep's (Y, X, R)."""

    final_loss: np.ndarray  # float64: of the last record; NaN where the run diverged
    best_loss: np.ndarray  # float64: the least of all records, those before a divergence too
    steps_to_target: np.ndarray  # int64: the first recorded update with a loss <= the target, -1: never
    diverged_at: np.ndarray  # int64: the first bad update, -1 where there is none


Clock = Literal["updates", "samples", "epochs", "seconds", "pytorch_seconds"]
CLOCKS: tuple[Clock, ...] = get_args(Clock)
TIMES: tuple[Clock, ...] = ("seconds", "pytorch_seconds")  # updates times what one costs, here and in a PyTorch loop


class ViewBudget(NamedTuple):
    """How much of a run a moving picture takes in: about `most` records of a lane, and one of them closely."""

    most: int
    clock: Clock = "updates"
    time: float = math.inf  # by this clock; the cursor is at the last record that is not later
