"""What is compared: our side, its rivals, and the goals they are held against."""

from collections.abc import Callable
from typing import Literal, NamedTuple

# side(turn) makes ready, untimed, and returns what the clock is put on. No two turns are equal: a side that draws
# takes the turn as its seed, so that nothing drawn in one turn can be remembered in another.
Side = Callable[[int], Callable[[], object]]


class Unequal(Exception):
    """The two sides do not compute the same: their times say nothing."""


def within(apart: float) -> str:
    """How equal two results are that are so far apart."""
    return f"equal within {apart:.0e}" if apart else "equal to the last bit"


class Rival(NamedTuple):
    """The other side."""

    name: str
    side: Side
    check: Callable[[], str]  # runs both sides untimed; says what was found equal, or raises Unequal
    goal: float | None = None  # the least ratio rival / ours
    whole: float = 1.0  # the whole job is so many times the measured piece


class Case(NamedTuple):
    """One job for our side and for each of its rivals."""

    row: str  # of the goals
    what: str
    ours: Side
    rivals: tuple[Rival, ...] = ()
    seconds: float | None = None  # the most that our side may take
    clock: Literal["cpu", "wall"] = "cpu"
    whole: float = 1.0  # as a rival's


class Line(NamedTuple):
    """A row of the table."""

    row: str
    what: str
    ours: float  # seconds, median
    rival: str = ""
    theirs: float | None = None  # seconds of the whole job, median
    ratio: tuple[float, float, float] | None = None  # median, least and greatest of the rounds
    goal: str = ""
    met: bool | None = None
    note: str = ""  # what was equal, what was extrapolated
