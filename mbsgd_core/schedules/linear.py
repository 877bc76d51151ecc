"""A straight line from one share of the rate to another."""

from typing import ClassVar

from mbsgd_core.knobs import Examples, Real, Whole, knob
from mbsgd_core.schedules.base import Schedule, ScheduleState


class Linear(Schedule):
    """rate(t) = learning_rate * (start_factor + (end_factor - start_factor) * min(t, total_iters) / total_iters).

    Example:
        >>> schedule = Linear(learning_rate=1.0, start_factor=0.5, total_iters=1)
        >>> schedule.step(schedule.init(2))
        (1, 1.0)

    Reference: torch.optim.lr_scheduler.LinearLR.
    """

    torch_class: ClassVar[str | None] = "LinearLR"
    examples: ClassVar[Examples] = (
        {},
        {"start_factor": 0.2, "end_factor": 0.7, "total_iters": 17},
        {"end_factor": 0.0},
    )

    start_factor: Real = knob(
        1 / 3, label="Start factor", help="Share of the rate at the start.", gt=0, le=1, page=(0.01, 1.0)
    )
    end_factor: Real = knob(1.0, label="End factor", help="Share of the rate at the end.", ge=0, le=1, page=(0.0, 1.0))
    total_iters: Whole = knob(5, label="Length", help="Intervals from start to end.", ge=1, page=(1, 500), scale="log")

    def init(self, intervals: int) -> ScheduleState:
        return (0, self.learning_rate * self.start_factor)

    def step(self, state: ScheduleState, objective: float | None = None) -> ScheduleState:
        t, rate = state[0] + 1, state[1]
        if t > self.total_iters:
            return (t, rate)
        rise = self.end_factor - self.start_factor
        return (t, rate * (1.0 + rise / (self.total_iters * self.start_factor + (t - 1) * rise)))
