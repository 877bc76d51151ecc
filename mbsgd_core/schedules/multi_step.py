"""A drop at each of the given intervals."""

from typing import Annotated, ClassVar

from pydantic import Field

from mbsgd_core.knobs import Examples, Real, Whole, knob
from mbsgd_core.schedules.base import Schedule, ScheduleState


class MultiStep(Schedule):
    """rate(t) = learning_rate * gamma^(number of milestones <= t); a milestone named twice counts twice.

    Example:
        >>> schedule = MultiStep(learning_rate=0.1, milestones=[1], gamma=0.5)
        >>> schedule.step(schedule.init(2))
        (1, 0.05)

    Reference: torch.optim.lr_scheduler.MultiStepLR.
    """

    torch_class: ClassVar[str | None] = "MultiStepLR"
    examples: ClassVar[Examples] = (
        {"milestones": (3, 9)},
        {"milestones": (20, 5, 5), "gamma": 0.3},
        {"milestones": (0, 30)},
    )

    milestones: tuple[Annotated[Whole, Field(ge=0)], ...] = knob(
        suggest=(5, 10), label="Milestones", help="The intervals at which the rate drops.", max_length=256
    )
    gamma: Real = knob(0.1, label="Gamma", help="The rate is multiplied by this.", gt=0, le=10, page=(0.01, 1.0))

    def init(self, intervals: int) -> ScheduleState:
        return (0, self._rate(0, self.learning_rate))

    def step(self, state: ScheduleState, objective: float | None = None) -> ScheduleState:
        return (state[0] + 1, self._rate(state[0] + 1, state[1]))

    def _rate(self, t: int, rate: float) -> float:
        drops = self.milestones.count(t)
        return rate * self.gamma**drops if drops else rate
