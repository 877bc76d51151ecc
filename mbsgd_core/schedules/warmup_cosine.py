"""A straight warm-up, then half a cosine."""

from typing import ClassVar

from pydantic import model_validator

from mbsgd_core.knobs import Examples, Real, Whole, knob
from mbsgd_core.schedules._cosine import next_rate
from mbsgd_core.schedules.base import Schedule, ScheduleState


class WarmupCosine(Schedule):
    """Linear from start_factor * learning_rate to the full rate, then a cosine down to eta_min at `total`.

    t <= warmup:         learning_rate * (start_factor + (1 - start_factor) * t / warmup)
    then `hold` more:    learning_rate
    T = total - warmup - hold:   eta_min + (learning_rate - eta_min) * (1 + cos(pi (t - warmup - hold) / T)) / 2

    The full rate is reached at t = warmup, which is also the cosine's first interval (with hold 0): torch's
    SequentialLR([LinearLR(start_factor, total_iters=warmup), CosineAnnealingLR(T)], milestones=[warmup]), to the
    last bit; as there, the rate rises again after `total`. A budget that ends within the warm-up never meets the
    cosine.

    Example:
        >>> schedule = WarmupCosine(learning_rate=1.0, start_factor=0.5, warmup=1)
        >>> state = schedule.init(5)
        >>> state[1], schedule.step(state)[1]
        (0.5, 1.0)

    Reference: Goyal et al. 2017; Loshchilov & Hutter 2017.
    Where others differ: the form "peak * (t + 1) / W for t < W, then the cosine from t = W" is at full rate twice;
    it is start_factor = 1 / W, warmup = W - 1, hold = 1.
    """

    examples: ClassVar[Examples] = (
        {},
        {"warmup": 7, "start_factor": 0.1, "eta_min": 0.013, "total": 30},
        {"warmup": 0, "hold": 4},
    )

    start_factor: Real = knob(
        1 / 3, label="Start factor", help="Share of the rate at the start.", gt=0, le=1, page=(0.01, 1.0)
    )
    warmup: Whole = knob(5, label="Warm-up", help="Intervals until the full rate.", ge=0, page=(0, 100))
    hold: Whole = knob(0, label="Hold", help="Further intervals at the full rate.", ge=0, page=(0, 100))
    total: Whole | None = knob(
        None,
        label="Total",
        help="The interval at which the cosine ends; null: that of the budget.",
        ge=1,
        le=10_000_000,
        page=(1, 500),
    )
    eta_min: Real = knob(0.0, label="Least rate", help="The rate at the end.", ge=0, page=(0.0, 1.0))

    @model_validator(mode="after")
    def _room_for_the_cosine(self) -> "WarmupCosine":
        if self.total is not None and self.total <= self.warmup + self.hold:
            raise ValueError(f"total should be above warmup + hold = {self.warmup + self.hold}; given {self.total}")
        return self

    def init(self, intervals: int) -> ScheduleState:
        cosine = max((self.total or intervals) - self.warmup - self.hold, 1)
        return (0, self.learning_rate * self.start_factor if self.warmup else self.learning_rate, cosine)

    def step(self, state: ScheduleState, objective: float | None = None) -> ScheduleState:
        t, rate, cosine = state[0] + 1, state[1], state[2]
        top = self.warmup + self.hold
        if t < self.warmup:
            rise = 1.0 - self.start_factor
            rate = rate * (1.0 + rise / (self.warmup * self.start_factor + (t - 1) * rise))
        elif t < top:
            rate = self.learning_rate
        elif t == top:
            rate = self.eta_min + (self.learning_rate - self.eta_min)  # torch's order, to the last bit
        else:
            rate = next_rate(t - top, rate, self.learning_rate, self.eta_min, cosine)
        return (t, rate, cosine)
