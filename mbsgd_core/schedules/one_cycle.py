"""Up to a peak and far down again, within the budget."""

import math
from typing import ClassVar, Literal, Self

from mbsgd_core.knobs import Examples, Flag, Real, Whole, knob
from mbsgd_core.schedules.base import Schedule, ScheduleState, Start


class OneCycle(Schedule):
    """learning_rate / div_factor up to learning_rate, then down to learning_rate / div_factor / final_div_factor.

    learning_rate is torch's max_lr. The first phase ends at pct_start * total_steps - 1, the last at
    total_steps - 1; with three_phase the way down first mirrors the way up.

    Example:
        >>> schedule = OneCycle(learning_rate=1.0, pct_start=0.5, anneal_strategy="linear")
        >>> state = schedule.init(4)
        >>> state[1], schedule.step(state)[1]
        (0.04, 1.0)

    Reference: Smith & Topin 2019 (super-convergence); torch.optim.lr_scheduler.OneCycleLR.
    With cycle_momentum the rule's momentum, or its beta1, runs against the rate: from max_momentum down to
    base_momentum at the peak, and up again. The rule's own value is then never used.

    Where others differ: torch cycles the momentum unless told otherwise; here it stays the rule's unless told
    otherwise. The paper's form is three_phase.
    """

    starts_from: ClassVar[Start] = "own"
    examples: ClassVar[Examples] = (
        {},
        {"anneal_strategy": "linear", "pct_start": 0.5},
        {"three_phase": True, "div_factor": 10.0, "final_div_factor": 100.0},
        {"three_phase": True, "anneal_strategy": "linear", "pct_start": 0.25},
        {"pct_start": 1.0},
        {"pct_start": 0.0},
        {"cycle_momentum": True},
        {"cycle_momentum": True, "three_phase": True, "base_momentum": 0.0, "anneal_strategy": "linear"},
    )

    total_steps: Whole | None = knob(
        None, label="Total steps", help="Intervals of the cycle; null: those of the budget.", ge=1
    )
    pct_start: Real = knob(0.3, label="Rising share", help="Share of the cycle that rises.", ge=0, le=1, page=(0, 1))
    anneal_strategy: Literal["cos", "linear"] = knob("cos", label="Shape", help="Half cosines or straight lines.")
    div_factor: Real = knob(
        25.0, label="First divisor", help="Peak over the first rate.", gt=0, page=(1, 100), scale="log"
    )
    final_div_factor: Real = knob(
        1e4, label="Last divisor", help="First rate over the last.", gt=0, page=(1, 1e6), scale="log"
    )
    three_phase: Flag = knob(False, label="Three phases", help="Fall to the first rate, then to the last.")
    cycle_momentum: Flag = knob(
        False, label="Cycle the momentum", help="Move the rule's momentum, or beta1, against the rate."
    )
    base_momentum: Real = knob(
        0.85, label="Least momentum", help="At the peak of the rate, if it is cycled.", ge=0, lt=1, page=(0.0, 0.99)
    )
    max_momentum: Real = knob(
        0.95, label="Greatest momentum", help="At both ends, if it is cycled.", ge=0, lt=1, page=(0.0, 0.99)
    )

    def endless(self) -> Self:
        return self.model_copy(update={"total_steps": None})

    @property
    def moves_momentum(self) -> bool:
        return self.cycle_momentum

    def leaves_base(self, rate: float, own: float) -> float:
        return own / self.div_factor

    def init(self, intervals: int) -> ScheduleState:
        if self.total_steps is not None and self.total_steps < intervals:
            raise ValueError(
                f"total_steps: given {self.total_steps}, but the budget has {intervals} intervals; raise total_steps "
                "to at least that, or leave it out"
            )
        total = self.total_steps or intervals
        return (0, self._rate(0, total), total)

    def step(self, state: ScheduleState, objective: float | None = None) -> ScheduleState:
        t, total = state[0] + 1, state[2]
        return (t, self._rate(t, total), total)

    def momentum(self, state: ScheduleState) -> float:
        low, high = self.base_momentum, self.max_momentum
        return self._at(state[0], state[2], (high, low, high, high) if self.three_phase else (high, low, high))

    def _rate(self, t: int, total: int) -> float:
        first = self.learning_rate / self.div_factor
        last = first / self.final_div_factor
        between = (self.learning_rate, first) if self.three_phase else (self.learning_rate,)
        return self._at(t, total, (first, *between, last))

    def _at(self, t: int, total: int, corners: tuple[float, ...]) -> float:
        """The value at interval t of what runs from corner to corner, a phase each."""
        ends = [float(self.pct_start * total) - 1]
        if self.three_phase:
            ends.append(float(2 * self.pct_start * total) - 2)
        begin = 0.0
        for end, low, high in zip(ends, corners, corners[1:], strict=False):
            if t <= end:
                return self._between(low, high, begin, end, t)
            begin = end
        return self._between(corners[-2], corners[-1], begin, total - 1, t)

    def _between(self, start: float, stop: float, begin: float, end: float, t: int) -> float:
        # torch divides 0 by 0 where a phase is a single interval; it is over then.
        part = (t - begin) / (end - begin) if end != begin else 1.0
        if self.anneal_strategy == "cos":
            return stop + (start - stop) / 2.0 * (math.cos(math.pi * part) + 1)
        return (stop - start) * part + start
