"""Decay as 1/t: the classic rate of stochastic approximation."""

from typing import ClassVar

from mbsgd_core.knobs import Real, knob
from mbsgd_core.schedules.base import Schedule, ScheduleState, Start


class InverseTime(Schedule):
    """rate(t) = learning_rate / (1 + decay * t): the sum diverges, the sum of squares does not.

    With learning_rate 1, decay 1 and single samples of the mean problem, theta is the running mean of the samples.

    Example:
        >>> schedule = InverseTime(learning_rate=1.0, decay=1.0)
        >>> schedule.step(schedule.init(2))
        (1, 0.5)

    Reference: Robbins & Monro 1951; Bottou 2010.
    """

    starts_from: ClassVar[Start] = "base"

    decay: Real = knob(0.1, label="Decay", help="How fast: the rate is halved after 1 / decay.", ge=0, page=(0.0, 10.0))

    def init(self, intervals: int) -> ScheduleState:
        return (0, self.learning_rate)

    def step(self, state: ScheduleState, objective: float | None = None) -> ScheduleState:
        t = state[0] + 1
        return (t, self.learning_rate / (1 + self.decay * t))
