"""A drop whenever the objective has stopped improving."""

import math
from typing import ClassVar, Literal

from mbsgd_core.knobs import Examples, Real, Whole, knob
from mbsgd_core.schedules.base import Schedule, ScheduleState


class ReduceOnPlateau(Schedule):
    """rate <- max(rate * factor, min_lr) after more than `patience` intervals in a row without an improvement.

    It watches the full objective at the end of each interval, every run its own. "Improved" means below
    best * (1 - threshold) ("rel") or below best - threshold ("abs"); mode "max" turns that round. After a drop,
    `cooldown` intervals do not count. A drop of less than eps is not made.

    Example:
        >>> schedule = ReduceOnPlateau(learning_rate=1.0, patience=0, factor=0.5)
        >>> state = schedule.step(schedule.init(9), objective=0.8)
        >>> schedule.step(state, objective=0.79995)[1]  # less than 0.01 % better: a plateau
        0.5

    Reference: torch.optim.lr_scheduler.ReduceLROnPlateau.
    """

    torch_class: ClassVar[str | None] = "ReduceLROnPlateau"
    examples: ClassVar[Examples] = (
        {"patience": 0, "factor": 0.5, "threshold": 0.1},
        {},
        {"patience": 2, "factor": 0.5},
        {"patience": 1, "cooldown": 3, "threshold": 0.05},
        {"patience": 1, "threshold": 1e-3, "threshold_mode": "abs", "min_lr": 0.01},
        {"patience": 3, "mode": "max", "factor": 0.3},
        {"patience": 0, "mode": "max", "threshold_mode": "abs", "factor": 0.3, "eps": 1e-3},
    )

    watches_objective: ClassVar[bool] = True

    mode: Literal["min", "max"] = knob("min", label="Mode", help="Whether lower or higher is better.")
    factor: Real = knob(0.1, label="Factor", help="The rate is multiplied by this.", gt=0, lt=1, page=(0.1, 0.9))
    patience: Whole = knob(10, label="Patience", help="Bad intervals that are put up with.", ge=0, page=(0, 50))
    threshold: Real = knob(
        1e-4, label="Threshold", help="How much counts as better.", ge=0, page=(1e-6, 0.1), scale="log"
    )
    threshold_mode: Literal["rel", "abs"] = knob("rel", label="Threshold is", help="A share of the best, or a number.")
    cooldown: Whole = knob(0, label="Cool-down", help="Intervals after a drop that do not count.", ge=0, page=(0, 50))
    min_lr: Real = knob(0.0, label="Least rate", help="The rate never drops below this.", ge=0, page=(0.0, 1.0))
    eps: Real = knob(
        1e-8, label="Least drop", help="Smaller drops are not made.", ge=0, page=(1e-12, 1e-2), scale="log"
    )

    def init(self, intervals: int) -> ScheduleState:
        return (0, self.learning_rate, math.inf if self.mode == "min" else -math.inf, 0, 0)

    def step(self, state: ScheduleState, objective: float | None = None) -> ScheduleState:
        assert objective is not None  # given to every schedule that watches_objective
        t, rate, best, bad, cooling = state
        if self._is_better(objective, best):
            best, bad = objective, 0
        else:
            bad += 1
        if cooling > 0:
            cooling, bad = cooling - 1, 0
        if bad > self.patience:
            lower = max(rate * self.factor, self.min_lr)
            rate = lower if rate - lower > self.eps else rate
            cooling, bad = self.cooldown, 0
        return (t + 1, rate, best, bad, cooling)

    def _is_better(self, value: float, best: float) -> bool:
        if self.mode == "min":
            return value < (best * (1.0 - self.threshold) if self.threshold_mode == "rel" else best - self.threshold)
        return value > (best * (self.threshold + 1.0) if self.threshold_mode == "rel" else best + self.threshold)
