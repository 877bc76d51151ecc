"""The surface under the paths (floor 4): the plane that is drawn, its window, and the objective on it."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from mbsgd_core import engine
from mbsgd_core.experiment import Experiment
from mbsgd_core.format import share
from mbsgd_core.measures import path_gradients, plane
from mbsgd_core.measures.limits import start_of
from mbsgd_core.measures.plane import Plane, Window
from mbsgd_core.measures.truth import Truth
from mbsgd_core.memory_cache import derived_cache
from mbsgd_core.problems.base import FiniteSum
from mbsgd_core.problems.surfaces.base import Surface
from mbsgd_core.types import Trace

GRID, MOVING_GRID = 80, 56  # a plane that follows the paths is computed anew for every picture
GRID_WORK = 2_000_000_000  # the grid becomes coarser where an evaluation is dear
DECADES = 1_000  # heights that span more than this ratio are drawn on a log scale


class DrawnSurface:
    """The plane that is drawn, its window, and the objective on it.

    Args:
        experiment: whose objective it is.
        paths: of the lanes, each with record 0.
        known: what is known of the optimum.
        size: the grid is size x size.
    """

    def __init__(self, experiment: Experiment, paths: Sequence[Trace], known: Truth, size: int = GRID):
        total = engine.finite_sum(experiment)
        self._experiment, self._known = experiment, known
        self.plane = _plane(experiment, paths)
        self.view = _window(experiment, paths, self.plane, known)
        if self.plane.explained is not None:
            self.xs, self.ys, self.z = _grid(total, self.plane, self.view, min(size, MOVING_GRID))
        else:
            self.xs, self.ys, self.z = _still_grid(total, self.view, size)

    def header(self) -> dict[str, Any]:
        """What is said of it, in plain JSON values."""
        problem, known, finite = self._experiment.problem, self._known, np.isfinite(self.z)
        return {
            "axes": _axes(self._experiment, self.plane),
            "view": list(self.view),
            "minimizers": self.plane.project(np.array(known.minimizers)).tolist() if known.minimizers else [],
            "saddles": [list(p) for p in problem.saddles] if isinstance(problem, Surface) else [],
            "log_levels": _steep(self.z[finite], known.value),
            "finite_share": float(finite.mean()),
            "projection": _projection(self.plane),
        }


def _plane(experiment: Experiment, traces: Sequence[Trace]) -> Plane:
    parameters = experiment.problem.parameter_count
    if parameters <= 2:
        return plane.whole(parameters)
    return plane.fit([plane.near(t) for t in traces], np.array(start_of(experiment)))


def _window(experiment: Experiment, traces: Sequence[Trace], drawn: Plane, known: Truth) -> Window:
    """The view: the problem's own, widened to hold the start; else around start and optimum, or the paths."""
    start = drawn.project(np.array(start_of(experiment)))
    own = experiment.problem.window(experiment.seed)
    if own is not None:
        x0, x1, y0, y1 = own
        if x0 <= start[0] <= x1 and y0 <= start[1] <= y1:
            return own
        return plane.window(np.array([[x0, y0], [x1, y1], start]), margin=0.05, slimmest=0.0)
    if drawn.explained is None and known.minimizers:
        best = drawn.project(np.array(known.minimizers))
        return plane.window(np.concatenate([start[None], best, 2 * best - start]))
    return plane.window(np.concatenate([start[None], *(drawn.project(plane.near(t)) for t in traces)]))


@derived_cache(most=8)
def _still_grid(total: FiniteSum, view: Window, size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return _grid(total, plane.whole(total.parameters), view, size)


def _grid(total: FiniteSum, drawn: Plane, view: Window, size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(xs, ys, z (ny, nx)): the objective on the plane."""
    size = int(max(12, min(size, (GRID_WORK / path_gradients.width(total)) ** 0.5)))
    xs, ys = np.linspace(*view[:2], size), np.linspace(*view[2:], size)
    points = np.stack(np.meshgrid(xs, ys), -1).reshape(-1, 2)
    return xs, ys, path_gradients.plane_losses(total, drawn, points).reshape(size, size)


def _axes(experiment: Experiment, drawn: Plane) -> list[str]:
    if drawn.explained is not None:
        return [f"direction {i + 1} ({share(part)} of the paths)" for i, part in enumerate(drawn.explained)]
    return [*experiment.problem.axis_labels, "(one parameter only)"][:2]


def _projection(drawn: Plane) -> dict[str, Any] | None:
    if drawn.explained is None:
        return None
    both = sum(drawn.explained)
    parameters = len(drawn.origin)
    if not both:
        text = "The paths have no length yet; the plane's directions mean nothing."
    else:
        text = (
            f"The plane holds {share(both)} of the variance of all paths in {parameters} dimensions. Its surface is "
            "the objective on the plane; the loss on a path is the true one, beside it the plane's at its shadow."
        )
    return {"explained": list(drawn.explained), "text": text}


def _steep(heights: np.ndarray, lowest: float | None) -> bool:
    """Whether the heights span more than three decades above the minimum, the deepest hundredth left out."""
    if not len(heights):
        return False
    above = heights - min(heights.min(), heights.min() if lowest is None else lowest)
    return bool(above.max() > DECADES * np.quantile(above, 0.01) and above.max() > 0)
