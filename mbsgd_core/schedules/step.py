"""A drop every so many intervals."""

from typing import ClassVar

from mbsgd_core.knobs import Examples, Real, Whole, knob
from mbsgd_core.schedules.base import Schedule, ScheduleState


class Step(Schedule):
    """rate(t) = learning_rate * gamma^floor(t / step_size).

    Example:
        >>> schedule = Step(learning_rate=0.1, step_size=2, gamma=0.5)
        >>> state = schedule.init(4)
        >>> schedule.step(schedule.step(state))
        (2, 0.05)

    Reference: torch.optim.lr_scheduler.StepLR.
    """

    torch_class: ClassVar[str | None] = "StepLR"
    examples: ClassVar[Examples] = (
        {"step_size": 3, "gamma": 0.5},
        {"step_size": 7},
    )

    step_size: Whole = knob(
        suggest=5, label="Step size", help="Intervals between two drops.", ge=1, page=(1, 500), scale="log"
    )
    gamma: Real = knob(0.1, label="Gamma", help="The rate is multiplied by this.", gt=0, le=10, page=(0.01, 1.0))

    def init(self, intervals: int) -> ScheduleState:
        return (0, self.learning_rate)

    def step(self, state: ScheduleState, objective: float | None = None) -> ScheduleState:
        t, rate = state[0] + 1, state[1]
        return (t, rate if t % self.step_size else rate * self.gamma)
