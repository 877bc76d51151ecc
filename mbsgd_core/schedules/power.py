"""Decay as a power of time: the square root is the rate of the classic regret bounds."""

from typing import ClassVar

from mbsgd_core.knobs import Examples, Real, knob
from mbsgd_core.schedules.base import Schedule, ScheduleState, Start


class Power(Schedule):
    """rate(t) = learning_rate / (1 + t)^power.

    Above 1/2 and up to 1 the sum diverges and the sum of squares does not: the noise is averaged out in the end.

    Example:
        >>> schedule = Power(learning_rate=1.0, power=1.0)
        >>> schedule.step(schedule.init(2))
        (1, 0.5)

    Reference: Robbins & Monro 1951; Polyak & Juditsky 1992 (powers below 1, with averaging); Zinkevich 2003 (1/2).
    Where others differ: torch has it as LambdaLR with this factor; scikit-learn's "invscaling" is eta0 / t^power_t
    from t = 1, the same numbers.
    """

    starts_from: ClassVar[Start] = "base"
    examples: ClassVar[Examples] = ({}, {"power": 1.0}, {"power": 0.75, "interval": "update"})

    power: Real = knob(
        0.5, label="Power", help="1/2 is the square root, 1 the classic 1/t, 0 constant.", ge=0, le=10, page=(0.0, 2.0)
    )

    def init(self, intervals: int) -> ScheduleState:
        return (0, self.learning_rate)

    def step(self, state: ScheduleState, objective: float | None = None) -> ScheduleState:
        t = state[0] + 1
        return (t, self.learning_rate / (1 + t) ** self.power)
