"""Half a cosine from the rate to its minimum."""

from typing import ClassVar

from mbsgd_core.knobs import Examples, Real, Whole, knob
from mbsgd_core.schedules._cosine import next_rate
from mbsgd_core.schedules.base import Schedule, ScheduleState


class Cosine(Schedule):
    """rate(t) = eta_min + (learning_rate - eta_min) * (1 + cos(pi t / T_max)) / 2.

    After T_max the rate rises again, back to learning_rate at 2 T_max: torch does that too. Set T_max to the
    intervals of the budget to stop at the bottom.

    Example:
        >>> schedule = Cosine(learning_rate=1.0, T_max=2)
        >>> t, rate = schedule.step(schedule.init(2))
        >>> t, round(rate, 12)
        (1, 0.5)

    Reference: Loshchilov & Hutter 2017; torch.optim.lr_scheduler.CosineAnnealingLR.
    """

    torch_class: ClassVar[str | None] = "CosineAnnealingLR"
    examples: ClassVar[Examples] = (
        {"T_max": 20},
        {"T_max": 60},
        {"T_max": 13, "eta_min": 0.01},
        {"T_max": 1},
        {"T_max": 2, "eta_min": 0.3},
    )

    T_max: Whole = knob(
        suggest=20,
        label="T max",
        help="Intervals from the top to the bottom.",
        ge=1,
        le=10_000_000,
        page=(1, 500),
        scale="log",
    )
    eta_min: Real = knob(0.0, label="Least rate", help="The rate at the bottom.", ge=0, page=(0.0, 1.0))

    def init(self, intervals: int) -> ScheduleState:
        return (0, self.learning_rate)

    def begin(self, intervals: int) -> ScheduleState:
        return (0, self.eta_min + (self.learning_rate - self.eta_min))  # torch's order, to the last bit

    def step(self, state: ScheduleState, objective: float | None = None) -> ScheduleState:
        t = state[0] + 1
        return (t, next_rate(t, state[1], self.learning_rate, self.eta_min, self.T_max))
