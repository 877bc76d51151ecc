"""What a picture needs that moves while a knob is dragged: few records that draw like many (floor 4)."""

import numpy as np

from mbsgd_core.results.cost import NO_COSTS, Costs
from mbsgd_core.types import TIMES, Trace, ViewBudget

SHARE = 4  # 1 / SHARE of what is kept are the first records, all of them: there a path runs, later it jitters


def cursor(view_budget: ViewBudget, trace: Trace, per_epoch: int, costs: Costs | None) -> int:
    """The record at the cursor.

    Args:
        trace: the lane's.
        per_epoch: updates an epoch.
        costs: of an update; by a clock that nobody knows no time passes.
    """
    clock, unit = view_budget.clock, 1 / max(per_epoch, 1) if view_budget.clock == "epochs" else 1.0
    if clock in TIMES:
        cost = (costs or NO_COSTS).by(clock)
        unit = cost.seconds if cost else 0.0
    times = (trace.samples if clock == "samples" else trace.update) * unit
    return max(0, int(np.searchsorted(times, view_budget.time * (1 + 1e-9), side="right")) - 1)


def outline(curves: np.ndarray, most: int) -> np.ndarray:
    """Which records to draw, ascending: the first ones, then in every piece of equal length the extremes of each curve.

    So a zigzag keeps its width and a loss its spikes, whatever their period; an even thinning would fold them. The
    last record is among them, and those on both sides of a divergence.

    Args:
        curves: (K, C), what is drawn of the records; what is not finite has diverged.
        most: about so many are kept, at least 4C.

    Returns:
        Indices (k,), k <= most + 3; all K where they are no more than `most`.

    Example:
        >>> outline(np.array([[0.0], [3], [1], [2], [5], [4], [6], [6]]), 4).tolist()
        [0, 2, 6, 7]
    """
    count, width = curves.shape
    if count <= most:
        return np.arange(count)
    head = most // SHARE
    length = -(-(count - head) // max(1, (most - head) // (2 * width)))
    pieces = -(-(count - head) // length)
    padded = np.concatenate([curves[head:], np.repeat(curves[-1:], head + pieces * length - count, axis=0)])
    parted = padded.reshape(pieces, length, width)
    lost = ~np.isfinite(parted)
    low, high = np.where(lost, np.inf, parted).argmin(1), np.where(lost, -np.inf, parted).argmax(1)
    extremes = head + np.arange(pieces)[:, None] * length + np.hstack([low, high])
    last = last_sound(curves)
    return np.unique(np.concatenate([np.arange(head), [last, min(last + 1, count - 1), count - 1], extremes.ravel()]))


def last_sound(curves: np.ndarray) -> int:
    """The last record before a divergence; the last one where there is none, 0 where nothing is finite."""
    sound = np.isfinite(curves).all(1)
    return len(sound) - 1 if sound.all() else max(0, int(sound.argmin()) - 1)
