"""The plane that is drawn (floor 4): theta itself for two parameters, a PCA of the paths for more.

With one parameter the second axis is empty: the objective does not change along it and every path stays on 0.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mbsgd_core.types import Trace

COLUMNS = 1_000_000  # numbers of the paths that are looked at at once
Window = tuple[float, float, float, float]


class Plane(NamedTuple):
    """theta = origin + axes @ (x, y)."""

    origin: np.ndarray  # (P,)
    axes: np.ndarray  # (P, 2), orthonormal columns (for P = 1 the second is zero)
    explained: tuple[float, float] | None  # shares of the paths' variance; None where the plane is all there is

    def project(self, theta: np.ndarray) -> np.ndarray:
        """(..., P) -> (..., 2): coordinates of the nearest point of the plane."""
        return np.asarray((theta - self.origin) @ self.axes)

    def turn(self, vectors: np.ndarray) -> np.ndarray:
        """(..., P) -> (..., 2): the part of vectors (gradients) that lies in the plane."""
        return np.asarray(vectors @ self.axes)

    def lift(self, points: np.ndarray) -> np.ndarray:
        """(..., 2) -> (..., P)."""
        return np.asarray(self.origin + points @ self.axes.T)

    def distance(self, theta: np.ndarray) -> np.ndarray:
        """How far theta lies outside the plane, (..., P) -> (...)."""
        return np.asarray(np.linalg.norm(theta - self.lift(self.project(theta)), axis=-1))


def whole(parameters: int) -> Plane:
    """The plane of one or two parameters: theta as it is."""
    return Plane(np.zeros(parameters), np.eye(2)[:parameters], None)


def fit(paths: Sequence[np.ndarray], start: np.ndarray) -> Plane:
    """The plane through the mean of all paths along their two directions of largest variance.

    Every path has the same weight, however many records it has. The axes point so that the start lies at the lower
    left, so that the picture does not flip while a knob is dragged.

    Args:
        paths: finite iterates of each lane, (K_i, P).
        start: (P,).

    Reference: Li et al. 2018, "Visualizing the loss landscape of neural nets", section 7.
    """
    paths = [path for path in paths if len(path)] or [start[None]]
    origin = np.mean([path.mean(0, dtype=np.float64) for path in paths], axis=0)
    variances, axes = _principal(paths, origin)
    total = variances.sum()
    axes = axes[:, :2] * np.where((start - origin) @ axes[:, :2] > 0, -1.0, 1.0)
    first, second = variances[:2] / total if total > 0 else (0.0, 0.0)
    return Plane(origin, axes, (float(first), float(second)))


def _principal(paths: Sequence[np.ndarray], origin: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(variances, directions) of the paths about the origin, largest first, at least two: (>= 2,), (P, >= 2).

    Long vectors are taken a few columns at a time, since the paths of a net are large and their copies would be too.
    """
    count, parameters = sum(len(path) for path in paths), len(origin)

    def rows(columns: slice) -> np.ndarray:
        return np.concatenate([(path[:, columns] - origin[columns]) / np.sqrt(len(path)) for path in paths])

    if parameters <= count:
        every = rows(slice(None))
        variances, axes = np.linalg.eigh(every.T @ every)
        return np.clip(variances[::-1], 0, None), axes[:, ::-1]
    step = max(1, COLUMNS // count)
    blocks = [slice(first, first + step) for first in range(0, parameters, step)]
    variances, mixes = np.linalg.eigh(sum(block @ block.T for block in map(rows, blocks)))
    axes = np.concatenate([rows(columns).T @ mixes[:, :-3:-1] for columns in blocks])
    # A second direction without length, or one that a single point lacks, becomes any that is orthogonal to the first.
    axes = np.linalg.qr(np.hstack([axes, np.zeros((parameters, 2 - axes.shape[1]))]))[0]
    return np.append(np.clip(variances[::-1], 0, None), 0.0), axes


def near(trace: Trace) -> np.ndarray:
    """The iterates of the first run that are not on their way to infinity, (k, P)."""
    loss = trace.loss[0]
    with np.errstate(invalid="ignore"):
        return np.asarray(trace.theta[0][loss <= loss[0] + 10 * max(abs(loss[0]), 1e-300)])


def window(points: np.ndarray, margin: float = 0.15, slimmest: float = 0.4) -> Window:
    """A view around points (n, 2): margins, neither side shorter than `slimmest` of the other, rounded outwards.

    Example:
        >>> window(np.array([[0.0, 0.0], [10.0, 4.0]]))
        (-1.5, 11.5, -0.6, 4.6)
    """
    low, high = points.min(0), points.max(0)
    half = (high - low) / 2 * (1 + 2 * margin)
    middle = (high + low) / 2
    longest = half.max() if half.max() > 0 else max(1.0, float(np.abs(middle).max()) * 0.5)
    half = np.maximum(half, slimmest * longest)
    # Round outwards to hundredths of the size: the window then rests while a knob is dragged a little.
    step = 10.0 ** (np.floor(np.log10(longest)) - 1)
    low, high = np.floor((middle - half) / step + 1e-9) * step, np.ceil((middle + half) / step - 1e-9) * step
    x0, x1, y0, y1 = (float(f"{v:.12g}") for v in (low[0], high[0], low[1], high[1]))
    return (x0, x1, y0, y1)
