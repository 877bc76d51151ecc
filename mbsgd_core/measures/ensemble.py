"""Many runs of one lane (floor 4): the band of their losses, their paths, where they end."""

from typing import Any

import numpy as np

from mbsgd_core.measures.plane import Plane
from mbsgd_core.types import Trace

BAND, PATHS, PATH_POINTS = 1_000, 24, 200


def thin(count: int, most: int) -> np.ndarray:
    """At most so many indices 0 ... count - 1, even, with the first and the last."""
    if count <= most:
        return np.arange(count)
    return np.unique(np.linspace(0, count - 1, most).round().astype(int))


def band(trace: Trace) -> tuple[np.ndarray, np.ndarray]:
    """(updates (T,), 10 %, 50 % and 90 % quantiles of the loss over the runs (T, 3)).

    A diverged run counts as infinitely high, so a band that reaches it is NaN: leaving it out would flatter the lane.
    """
    kept = thin(len(trace.update), BAND)
    loss = np.sort(np.where(np.isfinite(trace.loss[:, kept]), trace.loss[:, kept], np.inf), axis=0)
    at = np.array([0.1, 0.5, 0.9]) * (len(loss) - 1)
    low, high = np.floor(at).astype(int), np.ceil(at).astype(int)
    share = (at - low)[:, None]
    with np.errstate(invalid="ignore"):
        mixed = np.where(share == 0, loss[low], (1 - share) * loss[low] + share * loss[high])
    return trace.update[kept], np.where(np.isfinite(mixed), mixed, np.nan).T


def ellipse(ends: np.ndarray) -> dict[str, Any] | None:
    """The 2-sigma ellipse of the sound end points (R, 2): its centre and semi-axes; None for fewer than three."""
    sound = ends[np.isfinite(ends).all(1)]
    if len(sound) < 3:
        return None
    centre = sound.mean(0)
    variances, axes = np.linalg.eigh(np.cov(sound.T))
    semi = 2 * np.sqrt(np.clip(variances, 0, None)) * axes
    return {"centre": centre.tolist(), "axes": semi.T[::-1].tolist()}


def spread(trace: Trace, plane: Plane) -> dict[str, np.ndarray]:
    """The arrays that show R > 1 runs: cloud (C, T, 2), ends (R, 2), band (T, 3), band_update (T,)."""
    runs, records = trace.loss.shape
    kept = thin(records, PATH_POINTS)
    updates, quantiles = band(trace)
    return {
        "cloud": plane.project(trace.theta[thin(runs, PATHS)][:, kept]),
        "ends": plane.project(trace.theta[:, -1]),
        "band": quantiles,
        "band_update": updates,
    }
