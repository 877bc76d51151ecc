"""The same rate for ever."""

from typing import ClassVar

from mbsgd_core.schedules.base import Schedule, ScheduleState


class Constant(Schedule):
    """rate(t) = learning_rate."""

    changes: ClassVar[bool] = False

    def init(self, intervals: int) -> ScheduleState:
        return (0, self.learning_rate)

    def step(self, state: ScheduleState, objective: float | None = None) -> ScheduleState:
        return (state[0] + 1, state[1])
