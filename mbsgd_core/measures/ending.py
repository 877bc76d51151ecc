"""How a run of losses ends: at rest, swinging, still falling or growing (floor 4). Plain numbers; needs no torch."""

from math import inf, log
from typing import Literal, NamedTuple

import numpy as np

TAIL = 0.25  # of the updates: by the last quarter an ending is judged
SHARE = 0.01  # of the start's excess: what the target leaves, so a swing that is wider never settles at it
GROWTH = 10  # times the start's excess: a loss that is above it has grown, whatever the rate
STRAIGHT = 0.15  # of all its fall in the last quarter (a straight line has 0.25): the end came on the way down
DRIFT = 0.02  # of all its fall in the last quarter, where the lowest loss is not known: with less it has come to rest
REST = 1e-3  # of all its fall in the last quarter: with less it has come to rest, wherever that is
DEEP = 10  # times the start's size: a loss that fell so far below it, and falls ever faster, has no bottom


class Ending(NamedTuple):
    """The shape of the end of a lane."""

    kind: Literal["growing", "escaping", "swinging", "falling", "drifting", "resting"]
    first: float
    last: float  # the last loss
    low: float  # of the last quarter
    high: float
    excess: float | None  # the mean of its last eighth above the optimum, as a share of the start's; None: unknown
    late: float  # share of all its fall that came in the last quarter
    budgets: float | None  # that it would need to come to SHARE at its last pace, where it falls and that is known


def ending(
    update: np.ndarray, loss: np.ndarray, lowest: float | None = None, above: bool = False, bottomless: bool = False
) -> Ending:
    """Judge one run.

    Args:
        update: (K,) of the records, 0 first.
        loss: (K,) finite.
        lowest: the least value of the objective, where known.
        above: whether its rate is above a known limit, so that any growth is the rate's.
        bottomless: whether the surface is known to have no lowest point.

    Example:
        >>> k = np.arange(101)
        >>> ending(k, 0.9**k, 0.0).kind, ending(k, 1 - 1e-4 * k, 0.0).kind, ending(k, 1.1**k, 0.0).kind
        ('resting', 'falling', 'growing')
        >>> ending(k, 0.3 + 0.2 * (-1.0) ** k, 0.0).kind, round(ending(k, 0.999**k, 0.0).budgets)
        ('swinging', 46)
    """
    first, floor = float(loss[0]), min(float(loss.min()), inf if lowest is None else lowest)
    count = max(4, int((update >= (1 - TAIL) * update[-1]).sum()))  # of few records the last four
    tail, when = loss[-count:], update[-count:]
    half = len(tail) // 2
    early, late = float(tail[:half].mean()) if half else first, float(tail[half:].mean())
    span, swing, drift = first - floor, float(tail.max() - tail.min()), early - late
    excess = None if lowest is None or first <= lowest else (late - lowest) / (first - lowest)
    part = (tail[0] - late) / (first - late) if first > late else 0.0
    said = Ending("resting", first, float(loss[-1]), float(tail.min()), float(tail.max()), excess, float(part), None)
    if loss[-1] > first and (above or loss[-1] - floor > GROWTH * span > 0):
        return said._replace(kind="growing")
    if lowest is None and (_fell_deep(update, loss) or (bottomless and _falls_faster(tail))):
        return said._replace(kind="escaping")
    if lowest is not None and tail[half:].max() - lowest <= SHARE * (first - lowest):
        return said  # it is there, and stays there
    steps = np.diff(tail)
    rises, falls = float(steps[steps > 0].sum()), float(-steps[steps < 0].sum())
    if swing > SHARE * span and rises > falls / 3 and drift < swing / 4:
        return said._replace(kind="swinging")
    falling = drift > swing / 4 or rises == 0
    if not falling or part < (DRIFT if excess is None else REST) or (excess is not None and excess <= SHARE):
        return said
    if excess is None and part < STRAIGHT:
        return said._replace(kind="drifting")
    budgets = None
    if lowest is not None and early > late > lowest:  # by the exponential through both halves of the tail
        middle, pace = when[half:].mean(), log((early - lowest) / (late - lowest))
        left = log((late - lowest) / (SHARE * (first - lowest))) / pace * (middle - when[:half].mean())
        budgets = float(middle + left) / float(update[-1])
    return said._replace(kind="falling", budgets=budgets)


def _falls_faster(tail: np.ndarray) -> bool:
    if len(tail) < 3:
        return False
    early, middle, late = tail[-(len(tail) // 3 * 3) :].reshape(3, -1).mean(1)
    return bool(middle - late > max(early - middle, 0.0))


def _fell_deep(update: np.ndarray, loss: np.ndarray) -> bool:
    """Whether it fell far below its start, and as fast in its second half as in its first."""
    first, last = float(loss[0]), float(loss[-1])
    middle = float(np.interp(update[-1] / 2, update, loss))
    return first - last > DEEP * max(abs(first), 1.0) and middle - last >= 0.99 * (first - middle)
