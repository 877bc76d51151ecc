"""Half the rate every so many intervals."""

from mbsgd_core.knobs import Whole, knob
from mbsgd_core.schedules.base import Schedule, ScheduleState


class Halving(Schedule):
    """rate(t) = learning_rate / 2^floor(t / every).

    Example:
        >>> schedule = Halving(learning_rate=1.0, every=1)
        >>> schedule.step(schedule.init(4))
        (1, 0.5)
    """

    every: Whole = knob(suggest=5, label="Every", help="Intervals between two halvings.", ge=1, page=(1, 500))

    def init(self, intervals: int) -> ScheduleState:
        return (0, self.learning_rate)

    def step(self, state: ScheduleState, objective: float | None = None) -> ScheduleState:
        t = state[0] + 1
        return (t, self.learning_rate * 0.5 ** (t // self.every))
