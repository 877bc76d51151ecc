"""Up to a peak and far down again, within the budget."""

import math
from typing import ClassVar, Literal

from mbsgd_core.knobs import Examples, Flag, Real, Whole, knob
from mbsgd_core.schedules.base import Schedule, ScheduleState


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
    Where others differ: torch also cycles the momentum unless cycle_momentum=False; here the momentum is the
    rule's and stays. The paper's form is three_phase.
    """

    examples: ClassVar[Examples] = (
        {},
        {"anneal_strategy": "linear", "pct_start": 0.5},
        {"three_phase": True, "div_factor": 10.0, "final_div_factor": 100.0},
        {"three_phase": True, "anneal_strategy": "linear", "pct_start": 0.25},
        {"pct_start": 1.0},
        {"pct_start": 0.0},
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

    def _rate(self, t: int, total: int) -> float:
        first = self.learning_rate / self.div_factor
        last = first / self.final_div_factor
        phases = [(float(self.pct_start * total) - 1, first, self.learning_rate)]
        if self.three_phase:
            phases.append((float(2 * self.pct_start * total) - 2, self.learning_rate, first))
        phases.append((total - 1, phases[-1][2], last))
        begin = 0.0
        for end, low, high in phases[:-1]:
            if t <= end:
                return self._between(low, high, begin, end, t)
            begin = end
        end, low, high = phases[-1]
        return self._between(low, high, begin, end, t)

    def _between(self, start: float, stop: float, begin: float, end: float, t: int) -> float:
        # torch divides 0 by 0 where a phase is a single interval; it is over then.
        part = (t - begin) / (end - begin) if end != begin else 1.0
        if self.anneal_strategy == "cos":
            return stop + (start - stop) / 2.0 * (math.cos(math.pi * part) + 1)
        return (stop - start) * part + start
