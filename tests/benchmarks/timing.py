"""The clock: all sides in one process, in turns, so that whatever disturbs the machine disturbs all of them."""

import gc
import itertools
import statistics
import time
from collections.abc import Sequence

from tests.benchmarks.case import Case, Line, Side

SHORTEST, MOST = 0.02, 8  # a measurement repeats its job up to MOST times to last this many seconds
CLOCKS = {"cpu": time.process_time, "wall": time.perf_counter}
_turns = itertools.count(1)


def alternate(sides: Sequence[Side], rounds: int, clock: str = "cpu") -> list[list[float]]:
    """Seconds of every side in every round, (sides, rounds); each side is warmed up once before."""
    now = CLOCKS[clock]
    repeats = []
    for side in sides:
        side(next(_turns))()
        job = side(next(_turns))
        begun = now()
        job()
        repeats.append(max(1, min(MOST, round(SHORTEST / max(now() - begun, 1e-6)))))
    seconds: list[list[float]] = [[] for _ in sides]
    for _ in range(rounds):
        for taken, side, count in zip(seconds, sides, repeats, strict=True):
            jobs = [side(next(_turns)) for _ in range(count)]
            gc.collect()
            begun = now()
            for job in jobs:
                job()
            taken.append((now() - begun) / count)
    return seconds


def measure(case: Case, rounds: int) -> list[Line]:
    """A line for each rival, and one for the seconds if they have a goal. Equality is checked before the clock runs."""
    equal = [rival.check() for rival in case.rivals]
    sides = alternate([case.ours, *(rival.side for rival in case.rivals)], rounds, case.clock)
    ours, *others = (
        [part.whole * second for second in taken] for part, taken in zip((case, *case.rivals), sides, strict=True)
    )
    median = statistics.median(ours)
    line = Line(case.row, case.what, median)
    lines = []
    if case.seconds is not None:
        note = _part(case.whole, "ours")
        lines.append(line._replace(goal=f"< {case.seconds:g} s", met=median < case.seconds, note=note))
    for rival, theirs, found in zip(case.rivals, others, equal, strict=True):
        ratios = [b / a for a, b in zip(ours, theirs, strict=True)]
        ratio = statistics.median(ratios)
        lines.append(
            line._replace(
                rival=rival.name,
                theirs=statistics.median(theirs),
                ratio=(ratio, min(ratios), max(ratios)),
                goal="" if rival.goal is None else f">= {rival.goal:,g}x",
                met=None if rival.goal is None else ratio >= rival.goal,
                note="; ".join(filter(None, (found, _part(rival.whole, "the loop")))),
            )
        )
    return lines


def _part(whole: float, side: str) -> str:
    return "" if whole == 1 else f"extrapolated: 1/{whole:,.0f} of {side} was run"
