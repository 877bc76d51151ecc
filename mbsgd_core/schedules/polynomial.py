"""A power of a straight line down to zero."""

from typing import ClassVar

from mbsgd_core.knobs import Examples, Real, Whole, knob
from mbsgd_core.schedules.base import Schedule, ScheduleState


class Polynomial(Schedule):
    """rate(t) = learning_rate * (1 - min(t, total_iters) / total_iters)^power.

    Example:
        >>> schedule = Polynomial(learning_rate=1.0, total_iters=2, power=2.0)
        >>> schedule.step(schedule.init(2))
        (1, 0.25)

    Reference: torch.optim.lr_scheduler.PolynomialLR.
    """

    torch_class: ClassVar[str | None] = "PolynomialLR"
    examples: ClassVar[Examples] = (
        {},
        {"total_iters": 31, "power": 2.0},
        {"total_iters": 90, "power": 0.5},
    )

    total_iters: Whole = knob(5, label="Length", help="Intervals down to zero.", ge=1, page=(1, 500), scale="log")
    power: Real = knob(1.0, label="Power", help="1 is a straight line.", ge=0, page=(0.1, 5.0))

    def init(self, intervals: int) -> ScheduleState:
        return (0, self.learning_rate)

    def step(self, state: ScheduleState, objective: float | None = None) -> ScheduleState:
        t, rate = state[0] + 1, state[1]
        if t > self.total_iters:
            return (t, rate)
        left = (1.0 - t / self.total_iters) / (1.0 - (t - 1) / self.total_iters)
        return (t, rate * left**self.power)
