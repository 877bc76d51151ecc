"""Up and down between two rates."""

import math
from typing import ClassVar, Literal

from mbsgd_core.knobs import Examples, Real, Whole, knob
from mbsgd_core.schedules.base import Schedule, ScheduleState, Start


class Cyclic(Schedule):
    """Straight up from learning_rate to max_lr in step_size_up intervals, and down in step_size_down.

    learning_rate is torch's base_lr. The height is max_lr - learning_rate ("triangular"), halved every cycle
    ("triangular2"), or times gamma^t ("exp_range").

    Example:
        >>> schedule = Cyclic(learning_rate=1.0, max_lr=2.0, step_size_up=2)
        >>> schedule.step(schedule.init(4))
        (1, 1.5)

    Reference: Smith 2017; torch.optim.lr_scheduler.CyclicLR.
    Where others differ: torch also cycles the momentum unless cycle_momentum=False; here it stays the rule's.
    """

    starts_from: ClassVar[Start] = "own"
    examples: ClassVar[Examples] = (
        {"max_lr": 0.6, "step_size_up": 4},
        {"max_lr": 0.6, "step_size_up": 3, "step_size_down": 7, "mode": "triangular2"},
        {"max_lr": 0.6, "step_size_up": 5, "mode": "exp_range", "gamma": 0.97},
        {"max_lr": 0.6},
    )

    max_lr: Real = knob(
        suggest=0.2, label="Highest rate", help="The top of the first cycle.", gt=0, page=(1e-4, 10.0), scale="log"
    )
    step_size_up: Whole = knob(
        2000, label="Intervals up", help="From the bottom to the top.", ge=1, page=(1, 5000), scale="log"
    )
    step_size_down: Whole | None = knob(
        None, label="Intervals down", help="From the top to the bottom; null: as many as up.", ge=1
    )
    mode: Literal["triangular", "triangular2", "exp_range"] = knob(
        "triangular", label="Mode", help="How the height changes: not, halved every cycle, or by gamma every interval."
    )
    gamma: Real = knob(1.0, label="Gamma", help="The factor of exp_range.", gt=0, le=1, page=(0.9, 1.0))

    def init(self, intervals: int) -> ScheduleState:
        return (0, self._rate(0))

    def step(self, state: ScheduleState, objective: float | None = None) -> ScheduleState:
        return (state[0] + 1, self._rate(state[0] + 1))

    def _rate(self, t: int) -> float:
        up = float(self.step_size_up)
        period = up + float(self.step_size_down or self.step_size_up)
        cycle = math.floor(1 + t / period)
        x = 1.0 + t / period - cycle
        share = up / period
        height = (self.max_lr - self.learning_rate) * (x / share if x <= share else (x - 1) / (share - 1))
        if self.mode == "triangular2":
            height *= math.ldexp(1.0, 1 - cycle)  # torch's 1 / 2.0**(cycle - 1), without its overflow
        elif self.mode == "exp_range":
            height *= self.gamma**t
        return self.learning_rate + height
