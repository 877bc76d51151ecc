"""What an update costs (floor 0): seconds of training alone, in this engine and in a plain PyTorch loop."""

from typing import NamedTuple


class Cost(NamedTuple):
    """Seconds, and how far they may be off to either side."""

    seconds: float
    uncertainty: float

    def times(self, updates: int) -> "Cost":
        """Of so many updates.

        Example:
            >>> Cost(2.0, 0.5).times(3)
            Cost(seconds=6.0, uncertainty=1.5)
        """
        return Cost(self.seconds * updates, self.uncertainty * updates)

    def meets(self, other: "Cost") -> bool:
        """Whether the intervals overlap: then nobody can say which is less.

        Example:
            >>> Cost(2.0, 0.5).meets(Cost(3.0, 0.6)), Cost(2.0, 0.5).meets(Cost(3.0, 0.1))
            (True, False)
        """
        return abs(self.seconds - other.seconds) <= self.uncertainty + other.uncertainty


class Costs(NamedTuple):
    """Of one update of a lane, all its runs; None where there is no such update to measure."""

    engine: Cost | None
    loop: Cost | None  # None too where torch has no such rule

    def by(self, clock: str) -> Cost | None:
        """By a clock of time, one of TIMES."""
        return self.engine if clock == "seconds" else self.loop


NO_COSTS = Costs(None, None)
