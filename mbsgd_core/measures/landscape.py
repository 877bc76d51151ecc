"""The loss landscape in a plane through parameter space, computed piece by piece (floor 4).

`begin` chooses the plane and costs next to nothing; every `advance` evaluates some more points and returns a new
Landscape, so that a job can show what there is, report progress, and stop between two pieces. Like a run it does not
depend on how it is cut: points are evaluated in the same groups whatever the pieces are. The web process may hold a
Landscape: torch is imported where points are evaluated, and not before.
"""

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import numpy as np

from mbsgd_core.errors import LabError
from mbsgd_core.format import share
from mbsgd_core.measures import plane
from mbsgd_core.measures.directions import filter_normalised
from mbsgd_core.measures.ensemble import thin
from mbsgd_core.measures.plane import Plane
from mbsgd_core.problems.base import FiniteSum
from mbsgd_core.types import Trace

Kind = Literal["pca", "random"]
GRID = 33  # one more than a power of two: a coarse grid is part of every finer one
SHADOWS = 64  # records a path whose shadow is evaluated
REACH = 1.0  # of random directions, in lengths of theta's filters


class Landscape(NamedTuple):
    """The objective on a plane, as far as it is computed; and the paths, as they fall onto it."""

    plane: Plane  # its axes are orthonormal: lengths in the picture are lengths in parameter space
    labels: tuple[str, str]  # of the axes
    text: str  # what is seen, and what is not
    xs: np.ndarray  # (S,)
    ys: np.ndarray  # (S,)
    paths: tuple[np.ndarray, ...]  # (K, 2) of each lane: the nearest points of the plane
    distances: tuple[np.ndarray, ...]  # (K,) how far the path is from the plane
    path_losses: tuple[np.ndarray, ...]  # (K,) the true objective on the path itself
    values: np.ndarray  # the objective at `points`, NaN from `done` on
    done: int  # points computed

    @property
    def progress(self) -> float:
        """0 ... 1."""
        return self.done / len(self.values)

    @property
    def points(self) -> np.ndarray:
        """Where the objective is evaluated, in this order: the grid, coarse points first, then shadows, (n, 2)."""
        order = _order(len(self.xs))
        grid = np.stack([self.xs[order[:, 1]], self.ys[order[:, 0]]], axis=1)
        return np.concatenate([grid, *(path[rows] for path, rows in zip(self.paths, self._shaded(), strict=True))])

    @property
    def z(self) -> np.ndarray:
        """The objective on the grid, (S, S), row i at ys[i]; NaN where it is not computed yet."""
        size = len(self.xs)
        found, order = np.full((size, size), np.nan), _order(size)
        found[order[:, 0], order[:, 1]] = self.values[: size**2]
        return found

    @property
    def coarse(self) -> np.ndarray:
        """z with the nearest coarser point in place of every point to come: something to look at meanwhile."""
        size = len(self.xs)
        order, found = _order(size), self.z
        missing = order[self.done :]
        if not self.done or not len(missing):
            return found
        known = np.zeros((size, size), dtype=bool)
        known[order[: self.done, 0], order[: self.done, 1]] = True
        for i, j in missing:
            step = 2
            while not known[i - i % step, j - j % step]:
                step *= 2
            found[i, j] = found[i - i % step, j - j % step]
        return found

    @property
    def shadow_losses(self) -> tuple[np.ndarray, ...]:
        """The objective at the path's shadow in the plane, (K,) of each lane; NaN where not (yet) computed.

        Against `path_losses` it says how far the surface can be trusted as a picture of the path.
        """
        found, first = [], len(self.xs) ** 2
        for path, rows in zip(self.paths, self._shaded(), strict=True):
            values = np.full(len(path), np.nan)
            values[rows] = self.values[first : first + len(rows)]
            first += len(rows)
            found.append(values)
        return tuple(found)

    def _shaded(self) -> list[np.ndarray]:
        """The records of each path whose shadow is evaluated."""
        finite = [np.flatnonzero(np.isfinite(path).all(1)) for path in self.paths]
        return [rows[thin(len(rows), SHADOWS)] for rows in finite]


def begin(
    total: FiniteSum, traces: Sequence[Trace], kind: Kind = "pca", size: int = GRID, seed: int = 0, centre: int = 0
) -> Landscape:
    """The plane, its window and the paths in it; no point is evaluated yet.

    Args:
        total: the objective, or a `subsample` of it. An evaluation is a pass over all its samples in evaluation mode.
        traces: one a lane, with record 0; the first run counts. Thin the records of large nets before.
        kind: "pca": the plane that holds most of the paths' variance; "random": two filter-normalised directions
            around the end of one lane, which show its surroundings and little of the path.
        size: the grid is size x size, 2 ...; one more than a power of two refines evenly.
        seed: of the random directions.
        centre: the lane whose end is the middle of a random plane.

    Two parameters or one are their own plane, whatever the kind.

    Reference: Li et al. 2018, "Visualizing the loss landscape of neural nets", sections 4 and 7.
    Where others differ: Li et al. take the PCA of theta_i - theta_end; ours is about the mean, and weighs lanes
    alike. Their random directions are drawn as they fall; ours are made orthogonal, so that lengths are true.
    """
    if kind not in ("pca", "random"):
        raise LabError(f"the plane is {kind!r}; give 'pca' or 'random'")
    if size < 2:
        raise LabError(f"a landscape of {size} x {size} points; give at least 2 (33 refines evenly)")
    close = [plane.near(trace) for trace in traces]
    if not any(map(len, close)):
        raise LabError("no lane has a finite record; a landscape needs a path or at least a start")
    if total.parameters <= 2:
        drawn, view = plane.whole(total.parameters), None
    elif kind == "pca":
        drawn, view = plane.fit(close, close[0][0] if len(close[0]) else np.concatenate(close)[0]), None
    else:
        ends = close[centre] if len(close[centre]) else np.concatenate(close)
        drawn, view = _random(total, ends[-1], close, seed)
    paths = tuple(_in_pieces(drawn.project, trace.theta[0]) for trace in traces)
    x0, x1, y0, y1 = view or plane.window(np.concatenate([_in_pieces(drawn.project, path) for path in close]))
    shadows = sum(len(thin(int(np.isfinite(path).all(1).sum()), SHADOWS)) for path in paths)
    return Landscape(
        drawn,
        _labels(drawn, kind),
        _text(total, drawn, kind),
        np.linspace(x0, x1, size),
        np.linspace(y0, y1, size),
        paths,
        tuple(_in_pieces(drawn.distance, trace.theta[0]) for trace in traces),
        tuple(trace.loss[0].astype(np.float64) for trace in traces),
        np.full(size**2 + shadows, np.nan),
        0,
    )


def advance(total: FiniteSum, landscape: Landscape, points: int) -> Landscape:
    """Evaluate about so many more points, at least one; the same values whatever the pieces.

    Args:
        total: what `begin` was given.
        landscape: from `begin` or an earlier call; it is not changed.
        points: rounded up to whole groups of points that are evaluated together.
    """
    from mbsgd_core.measures.path_gradients import plane_losses, together

    group = together(total)
    last = min(len(landscape.values), landscape.done + -(-max(points, 1) // group) * group)
    values = landscape.values.copy()
    values[landscape.done : last] = plane_losses(total, landscape.plane, landscape.points[landscape.done : last])
    return landscape._replace(values=values, done=last)


def _order(size: int) -> np.ndarray:
    """All (row, column) of a grid, those of coarse grids first, (size^2, 2): strides ..., 4, 2, 1."""
    index = np.arange(size)
    stride = np.where(index == 0, size, index & -index)  # the largest power of two that divides it
    rows, columns = (axis.ravel() for axis in np.meshgrid(index, index, indexing="ij"))
    coarsest = np.minimum(stride[rows], stride[columns])
    return np.stack([rows, columns], axis=1)[np.argsort(-coarsest, kind="stable")]


def _random(total: FiniteSum, centre: np.ndarray, paths: Sequence[np.ndarray], seed: int) -> tuple[Plane, plane.Window]:
    """The plane of two filter-normalised directions and its window, one filter length to every side."""
    middle = centre.astype(np.float64)
    first, second = (filter_normalised(middle, total.shapes, seed, number) for number in range(2))
    length = np.linalg.norm(first)
    unit = first / length
    second -= (second @ unit) * unit
    if np.linalg.norm(second) < 1e-9 * length:  # filters of one weight each may leave no second direction
        second = length * filter_normalised(np.zeros_like(middle), total.shapes, seed, 2)
        second -= (second @ unit) * unit
    x, y = REACH * length, REACH * np.linalg.norm(second)
    axes = np.stack([unit, second / np.linalg.norm(second)], axis=1)
    drawn = Plane(middle, axes, None)
    return drawn._replace(explained=_explained(drawn, paths)), (-float(x), float(x), -float(y), float(y))


def _explained(drawn: Plane, paths: Sequence[np.ndarray]) -> tuple[float, float]:
    """The shares of the paths' variance along the plane's axes, every path of the same weight."""
    paths = [path for path in paths if len(path)]
    mean = np.mean([path.mean(0, dtype=np.float64) for path in paths], axis=0)
    about = drawn._replace(origin=mean)
    inside = sum(np.square(_in_pieces(about.project, path)).mean(0) for path in paths)
    outside = sum(np.square(_in_pieces(about.distance, path)).mean() for path in paths)
    whole = float(np.sum(inside) + outside)
    first, second = inside / whole if whole > 0 else (0.0, 0.0)
    return float(first), float(second)


def _in_pieces(function: Callable[[np.ndarray], np.ndarray], theta: np.ndarray) -> np.ndarray:
    """function(theta) over the records (K, P), a few at a time: copies of a net's path are large."""
    return np.concatenate([function(some) for some in np.split(theta, range(_few(theta), len(theta), _few(theta)))])


def _few(theta: np.ndarray) -> int:
    return max(1, plane.COLUMNS // int(theta.shape[1]))


def _labels(drawn: Plane, kind: Kind) -> tuple[str, str]:
    if drawn.explained is None:
        return ("first parameter", "second parameter")
    name = "direction" if kind == "pca" else "random direction"
    first, second = (f"{name} {i + 1} ({share(part)} of the paths)" for i, part in enumerate(drawn.explained))
    return first, second


def _text(total: FiniteSum, drawn: Plane, kind: Kind) -> str:
    from mbsgd_core.measures.subsample import Subsample

    whole = total.whole.samples if isinstance(total, Subsample) else total.samples
    samples = (
        f"{total.samples:,} of {whole:,} samples, drawn once" if total.samples < whole else f"all {whole:,} samples"
    )
    surface = f"The surface is the mean loss over {samples}, without dropout."
    if drawn.explained is None:
        return surface
    which = "through the paths (PCA)" if kind == "pca" else "of two filter-normalised random directions"
    return (
        f"A projection: the plane {which} holds {share(sum(drawn.explained))} of the paths' variance in "
        f"{len(drawn.origin):,} dimensions. {surface} A path runs above or below it: its own loss is the true one."
    )
