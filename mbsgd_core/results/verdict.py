"""The verdict's values (floor 0): how each lane ended, who got where at what cost, who is ahead by which clock."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from mbsgd_core.format import setting
from mbsgd_core.results.cost import Cost, Costs
from mbsgd_core.types import Clock

BadgeName = Literal[
    "settled", "bouncing", "too slow", "unstable", "diverged", "flat", "escaping", "still falling", "unfinished"
]


class Remedy(NamedTuple):
    """One change of one knob that is worth a try."""

    key: str  # of the knob: "learning_rate" or "momentum"
    value: float
    text: str

    @classmethod
    def of(cls, key: str, value: float) -> "Remedy":
        """With two digits, and its text.

        Example:
            >>> Remedy.of("learning_rate", 0.246)
            Remedy(key='learning_rate', value=0.25, text='Try rate 0.25')
        """
        tidy = float(f"{value:.1e}")  # what a person would set
        return cls(key, tidy, f"Try {'rate' if key == 'learning_rate' else key} {setting(tidy)}")


class Badge(NamedTuple):
    """What became of a lane, in a word, why, and what to try."""

    name: BadgeName
    why: str  # a sentence, or two
    remedy: Remedy | None = None

    @property
    def text(self) -> str:
        """Why, and what to try, in sentences."""
        return f"{self.why} {self.remedy.text}." if self.remedy else self.why

    def header(self) -> dict[str, Any]:
        """As the payload's header has it."""
        return {"name": self.name, "why": self.why, "try": self.remedy and self.remedy._asdict()}


class Diagnosis(NamedTuple):
    """A lane judged by its records."""

    badge: Badge
    diverged_at: int | None  # the first update that was lost, the earliest over the runs
    rate: float  # the largest that it used
    limit: float | None  # the rate above which errors grow, where one is known


class Spent(NamedTuple):
    """What some updates cost, by each clock; times are None where they are not known."""

    updates: int
    samples: int
    epochs: float
    seconds: float | None
    seconds_uncertainty: float = 0.0  # half width
    pytorch_seconds: float | None = None
    pytorch_uncertainty: float = 0.0

    @classmethod
    def of(cls, updates: int, samples: int, epochs: float, costs: Costs | None) -> "Spent":
        """With the times that follow from what an update costs."""
        here, loop = (cost and cost.times(updates) for cost in costs or (None, None))
        return cls(
            updates, samples, epochs, here and here.seconds, here.uncertainty if here else 0.0,
            loop and loop.seconds, loop.uncertainty if loop else 0.0,
        )  # fmt: skip

    def by(self, clock: str) -> float:
        """By one of CLOCKS; infinite where that is not known."""
        value = getattr(self, clock)
        return math.inf if value is None else float(value)

    def time(self, clock: str) -> Cost:
        """By one of TIMES, with its half width."""
        return Cost(self.by(clock), self.seconds_uncertainty if clock == "seconds" else self.pytorch_uncertainty)


class Passages(NamedTuple):
    """When a lane came to the target. Of several runs: when half of them had, each judged by its own losses."""

    first: Spent | None = None  # the first record at or below it; None: not reached, or not by half of the runs
    stays: Spent | None = None  # from where on no record is above it; None: the last one is, or those of half the runs
    reached: int = 0  # runs that came to it
    stayed: int = 0  # ... and were there at the end
    runs: int = 1


class Row(NamedTuple):
    """One lane in the verdict; losses are means over the runs that did not diverge, None where there are none."""

    label: str
    updates_per_epoch: int
    spent: Spent  # by the last update, or by the one that was lost
    passages: Passages
    start_loss: float | None
    final_loss: float | None
    best_loss: float | None
    excess: float | None  # the final loss above the optimum, where that is known
    diagnosis: Diagnosis
    floor: float | None = None  # the mean excess of the last half of the updates
    noise: float | None = None  # the relative noise of a batch gradient at the start
    test_loss: float | None = None
    test_accuracy: float | None = None  # 0 ... 1
    train_accuracy: float | None = None  # 0 ... 1
    rmse: float | None = None  # in the target's own units
    r2: float | None = None
    average_loss: float | None = None  # of the second iterate, of a lane that has one
    average_test_accuracy: float | None = None

    @property
    def to_target(self) -> Spent | None:
        """What the first passage cost; None: not reached."""
        return self.passages.first

    @property
    def lost(self) -> bool:
        """Whether it has no end that could be ranked."""
        return self.final_loss is None or self.diagnosis.badge.name == "escaping"


class Target(NamedTuple):
    """The loss to be reached; None where there is none to be named."""

    loss: float | None
    text: str


class Headline(NamedTuple):
    """Who is ahead by one clock; the winner's lane, None where nobody is alone in front."""

    text: str
    winner: int | None


class Column(NamedTuple):
    """A column of the verdict table."""

    key: str
    label: str
    title: str


class Verdict(NamedTuple):
    """All that is said of lanes beside each other."""

    ranking: Mapping[Clock, Sequence[int]]  # lanes, best first
    headline: Mapping[Clock, Headline]
    columns: Sequence[Column]
    cells: Sequence[Mapping[str, str]]  # of each lane: a text for every column's key
    best: Mapping[str, int | None]  # the one lane that is best in a column
