"""The cost of one more (floor 4): what some pieces of work take each, as the slope of the time of many.

A call of n pieces takes a + c n. Only c is wanted, so two lengths are timed in turns, the longer one for LONG at least.
What a length takes is the median of its ROUNDS. The least of many would be no better: some processors run half as fast
again for a few tenths of a second now and then (measured: 145 ns an update as a rule, 92 in one round of six). One
thread's work is timed by the time that it has the processor, which others on the machine lengthen least. A time is
never divided by its n: that would charge the call to the pieces.
"""

from collections.abc import Callable, Sequence
from statistics import median_low
from time import process_time

from mbsgd_core.results.cost import Cost

LONG = 0.006  # seconds that the longer length takes at least
APART = 8  # times the shorter one is the longer one, where pieces are short
ROUNDS, FEW = 31, 5  # of both lengths: as a rule, and where they take longer than BUDGET ...
LEAST = 3  # ... or than twice that
BUDGET = 0.4  # seconds of rounds
TRIES = 3  # where the longer length did not take longer
SURE = 0.1  # of the cost: never called more certain than that, since it differs so much from process to process

Work = Callable[[int], object]


def slopes(works: Sequence[Work], now: Callable[[], float] = process_time) -> list[Cost | None]:
    """Seconds a piece of each work, and the half width; None where the longer length did not take longer.

    The works are timed in turns too, so that a slow while of the machine is shared by all that is compared. The half
    width is how far apart the even and the odd rounds put the slope, at least SURE of it.

    Args:
        works: each is called with a number of pieces, 1 ..., and does them.
        now: the clock, in seconds; perf_counter where several threads or a GPU do the work.

    Example:
        >>> time = [0.0]
        >>> def work(n):
        ...     time[0] += 0.5 + 0.002 * n  # the call, and two milliseconds a piece
        >>> [tuple(round(part, 6) for part in cost) for cost in slopes([work], lambda: time[0])]
        [(0.002, 0.0002)]
    """
    lengths = [_lengths(work, now) for work in works]
    costs = _measured(works, lengths, now)
    for _ in range(TRIES):  # what a call takes has swamped some: once more, with many more pieces
        again = [i for i, cost in enumerate(costs) if cost is None]
        lengths = [(n, 4 * long) for n, long in lengths]
        for i, cost in zip(again, _measured([works[i] for i in again], [lengths[i] for i in again], now), strict=True):
            costs[i] = cost
    return costs


def _measured(works: Sequence[Work], lengths: Sequence[tuple[int, int]], now: Callable[[], float]) -> list[Cost | None]:
    """The works' costs from so many pieces each, timed in turns."""
    found: list[list[tuple[float, float]]] = [[] for _ in works]
    for i in range(ROUNDS):
        for work, (short, long), times in zip(works, lengths, found, strict=True):
            spent = sum(a + b for a, b in times)
            if i < LEAST or (i < FEW and spent < 2 * BUDGET) or spent < BUDGET:
                times.append((_timed(work, short, now), _timed(work, long, now)))
    return [_cost(times, long - short) for times, (short, long) in zip(found, lengths, strict=True)]


def _lengths(work: Work, now: Callable[[], float]) -> tuple[int, int]:
    """The two numbers of pieces. The longer one takes LONG beyond what a call of one takes."""
    first = _timed(work, 1, now)  # the very first call also pays for what is made once: tensors, orders, kernels
    one, n = min(first, _timed(work, 1, now)), 2
    while (beyond := _beyond(work, n, one, now)) < LONG:
        most = 2 if one > LONG else 8
        n = max(n + 1, int(n * min(most, 1.3 * LONG / max(beyond, 1e-9))))
    return max(1, n // APART), n


def _beyond(work: Work, n: int, one: float, now: Callable[[], float]) -> float:
    """What n pieces take more than one; what seems just long enough may have been disturbed, and is timed again."""
    took = _timed(work, n, now) - one
    if LONG <= took < 10 * LONG:
        took = min(took, *(_timed(work, n, now) - one for _ in range(2)))
    return took


def _timed(work: Work, n: int, now: Callable[[], float]) -> float:
    begun = now()
    work(n)
    return now() - begun


def _cost(times: Sequence[tuple[float, float]], pieces: int) -> Cost | None:
    seconds = _slope(times, pieces)
    if seconds <= 0:
        return None
    return Cost(seconds, max(SURE * seconds, abs(_slope(times[::2], pieces) - _slope(times[1::2], pieces))))


def _slope(times: Sequence[tuple[float, float]], pieces: int) -> float:
    short, long = (median_low([pair[i] for pair in times]) for i in (0, 1))
    return (long - short) / pieces
