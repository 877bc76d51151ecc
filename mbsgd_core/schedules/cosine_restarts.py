"""Half cosines that start anew."""

import math
from typing import ClassVar

from mbsgd_core.knobs import Examples, Real, Whole, knob
from mbsgd_core.schedules.base import Schedule, ScheduleState, Start


class CosineRestarts(Schedule):
    """rate(t) = eta_min + (learning_rate - eta_min) * (1 + cos(pi t_i / T_i)) / 2, t_i counted from the last restart.

    The first cycle lasts T_0 intervals, each later one T_mult times the one before.

    Example:
        >>> schedule = CosineRestarts(learning_rate=1.0, T_0=1, T_mult=2)
        >>> state = schedule.step(schedule.init(4))
        >>> state  # restarted: now 0 of 2 intervals
        (1, 1.0, 0, 2)

    Reference: Loshchilov & Hutter 2017 (SGDR); torch.optim.lr_scheduler.CosineAnnealingWarmRestarts.
    """

    torch_class: ClassVar[str | None] = "CosineAnnealingWarmRestarts"
    starts_from: ClassVar[Start] = "base"
    examples: ClassVar[Examples] = (
        {"T_0": 5},
        {"T_0": 4, "T_mult": 2, "eta_min": 0.01},
        {"T_0": 1, "T_mult": 3},
    )

    T_0: Whole = knob(
        suggest=5, label="T 0", help="Intervals of the first cycle.", ge=1, le=10**9, page=(1, 500), scale="log"
    )
    T_mult: Whole = knob(1, label="T mult", help="Each cycle is this many times longer.", ge=1, le=1000, page=(1, 4))
    eta_min: Real = knob(0.0, label="Least rate", help="What each cycle falls towards.", ge=0, page=(0.0, 1.0))

    def init(self, intervals: int) -> ScheduleState:
        return (0, self._rate(0, self.T_0), 0, self.T_0)

    def step(self, state: ScheduleState, objective: float | None = None) -> ScheduleState:
        t, _, inside, length = state
        inside += 1
        if inside >= length:
            inside, length = 0, length * self.T_mult
        return (t + 1, self._rate(inside, length), inside, length)

    def _rate(self, inside: int, length: int) -> float:
        return self.eta_min + (self.learning_rate - self.eta_min) * (1 + math.cos(math.pi * inside / length)) / 2
