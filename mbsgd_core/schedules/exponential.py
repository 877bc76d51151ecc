"""A constant factor an interval."""

from typing import ClassVar

from mbsgd_core.knobs import Examples, Real, knob
from mbsgd_core.schedules.base import Schedule, ScheduleState


class Exponential(Schedule):
    """rate(t) = learning_rate * gamma^t; a gamma above 1 grows (a learning-rate range test).

    Example:
        >>> schedule = Exponential(learning_rate=0.5, gamma=0.5)
        >>> schedule.step(schedule.init(2))
        (1, 0.25)

    Reference: torch.optim.lr_scheduler.ExponentialLR; Smith 2017 (range test).
    """

    torch_class: ClassVar[str | None] = "ExponentialLR"
    examples: ClassVar[Examples] = (
        {"gamma": 0.93},
        {"gamma": 1.1},
    )

    gamma: Real = knob(
        suggest=0.95, label="Gamma", help="The rate is multiplied by this.", gt=0, le=10, page=(0.5, 1.0)
    )

    def init(self, intervals: int) -> ScheduleState:
        return (0, self.learning_rate)

    def step(self, state: ScheduleState, objective: float | None = None) -> ScheduleState:
        return (state[0] + 1, state[1] * self.gamma)
