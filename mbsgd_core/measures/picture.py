"""Everything that one Compare page shows, from the traces of its lanes (floor 4; runs in a worker).

Plain Python values and numpy arrays only: the result travels to the web process, which has no torch.
"""

import hashlib
import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from mbsgd_core import engine
from mbsgd_core.experiment import Experiment
from mbsgd_core.kept import beside
from mbsgd_core.measures import along, ensemble, noise, plane, verdict
from mbsgd_core.measures.diagnosis import Diagnosis, diagnose, start_of
from mbsgd_core.measures.glance import at, cursor, last_sound, outline
from mbsgd_core.measures.plane import Plane, Window
from mbsgd_core.measures.text import number, point, share
from mbsgd_core.measures.truth import Truth, truth
from mbsgd_core.problems.base import FiniteSum
from mbsgd_core.problems.models._linear import LinearModel
from mbsgd_core.problems.models.base import DataProblem
from mbsgd_core.problems.surfaces.base import Surface
from mbsgd_core.types import Glance, Trace

GRID, MOVING_GRID = 80, 56  # a plane that follows the paths is computed anew for every picture
GRID_WORK = 2_000_000_000  # the grid becomes coarser where an evaluation is dear
DATA_ROWS = SIZES = 20_000  # longer lists do not travel; of batch sizes the first and last then stand for all
DECADES = 1_000  # heights that span more than this ratio are drawn on a log scale


def picture(
    experiment: Experiment,
    traces: Sequence[Trace],
    seconds_per_update: Sequence[float],
    size: int = GRID,
    glance: Glance | None = None,
) -> dict[str, Any]:
    """What the page shows of a finished or unfinished comparison.

    Args:
        experiment: what was run.
        traces: one a lane, with record 0.
        seconds_per_update: measured, one a lane.
        size: the grid of the surface is size x size.
        glance: for a picture of few records, and of gradients at the cursor alone; all by default, and where there are
            few anyway. What is said of a lane is said of all its records.

    Returns:
        {"key", "problem", "data", "lanes", "target", "sentence", "finished", "thinned", "plane", "arrays"}; all but
        "plane", "arrays" and "thinned" are strict JSON values. Pass "plane" on to `at_cursor`; "thinned" is the glance
        that left something out, None where all is there.
    """
    if glance is not None and all(len(trace.update) <= glance.most for trace in traces):
        glance = None
    known, total = truth(experiment), engine.finite_sum(experiment)
    drawn = _plane(experiment, traces)
    view = _window(experiment, traces, drawn, known)
    xs, ys, z = _grid(total, drawn, view, min(size, MOVING_GRID)) if drawn.explained else _still_grid(total, view, size)
    arrays: dict[str, np.ndarray] = {"z": z, "xs": xs, "ys": ys}
    finished = all(t.update[-1] >= experiment.updates(i) for i, t in enumerate(traces))
    goal = verdict.target(list(traces), known.value)
    lanes = []
    for i, (trace, seconds) in enumerate(zip(traces, seconds_per_update, strict=True)):
        lane, own = _lane(experiment, i, trace, float(seconds), drawn, known, goal.loss, glance)
        lanes.append(lane)
        arrays |= {f"lane{i}/{name}": value for name, value in own.items()}
    rows, labels = [lane["verdict"] for lane in lanes], [lane["label"] for lane in lanes]
    data, points = _data(experiment)
    return {
        "key": _key(experiment, view),
        "problem": _problem(experiment, drawn, view, known, z),
        "data": data,
        "lanes": lanes,
        "target": {"loss": goal.loss, "text": goal.text},
        "sentence": {c: verdict.sentence(c, labels, rows, finished) for c in verdict.CLOCKS},
        "finished": finished,
        "thinned": glance,
        "plane": drawn,
        "arrays": arrays | points,
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


@beside(most=8)
def _still_grid(total: FiniteSum, view: Window, size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return _grid(total, plane.whole(total.parameters), view, size)


def _grid(total: FiniteSum, drawn: Plane, view: Window, size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(xs, ys, z (ny, nx)): the objective on the plane."""
    size = int(max(12, min(size, (GRID_WORK / along.width(total)) ** 0.5)))
    xs, ys = np.linspace(*view[:2], size), np.linspace(*view[2:], size)
    points = np.stack(np.meshgrid(xs, ys), -1).reshape(-1, 2)
    return xs, ys, along.plane_losses(total, drawn, points).reshape(size, size)


def _key(experiment: Experiment, view: Window) -> str:
    what = [experiment.problem.model_dump(mode="json"), experiment.seed, view]
    return hashlib.blake2b(json.dumps(what).encode(), digest_size=8).hexdigest()


def _problem(experiment: Experiment, drawn: Plane, view: Window, known: Truth, z: np.ndarray) -> dict[str, Any]:
    problem = experiment.problem
    finite = np.isfinite(z)
    title = f"{problem.title} on {problem.dataset.title}" if isinstance(problem, DataProblem) else problem.title
    return {
        "title": title,
        "summary": problem.summary,
        "axes": _axes(experiment, drawn),
        "view": list(view),
        "optimal_value": known.value,
        "minimizers": drawn.project(np.array(known.minimizers)).tolist() if known.minimizers else [],
        "saddles": [list(p) for p in problem.saddles] if isinstance(problem, Surface) else [],
        "samples": problem.sample_count,
        "log_levels": _steep(z[finite], known.value),
        "finite_share": float(finite.mean()),
        "projection": _projection(drawn),
    }


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


def _lane(
    experiment: Experiment,
    i: int,
    trace: Trace,
    seconds: float,
    drawn: Plane,
    known: Truth,
    goal: float | None,
    glance: Glance | None,
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """A lane's header values and its arrays."""
    lane, samples = experiment.lanes[i], experiment.problem.sample_count
    found = diagnose(experiment, i, trace, known.value)
    row = verdict.verdict(experiment, i, trace, seconds, known.value, goal, start_noise(experiment, i), found)
    path, runs = drawn.project(trace.theta[0]), trace.loss.shape[0]
    few = near = trace
    looked_at = None
    if glance is not None:
        curves = np.column_stack([path, trace.loss[0]])
        here = cursor(glance, trace, experiment.updates_per_epoch(i), seconds)
        close = np.unique([here, min(here, last_sound(curves))])
        kept = np.union1d(outline(curves, glance.most), close)
        path, few, near, looked_at = path[kept], at(trace, kept), at(trace, close), np.searchsorted(kept, close)
    theta = few.theta[0]
    arrays = {
        "theta": path,
        "loss": few.loss[0],
        "update": few.update,
        "samples": few.samples,
        "rate": few.learning_rate,
        "gradient": drawn.turn(along.gradients(engine.finite_sum(experiment), near.theta[0])),
        "batch_gradient": drawn.turn(along.next_batch_gradients(experiment, i, near)),
    }
    batch = along.all_batches(experiment, i, int(trace.update[-1]))
    if batch is not None:
        arrays["batch"] = batch
    if drawn.explained is not None:
        arrays["out_of_plane"] = drawn.distance(theta)
        arrays["plane_loss"] = along.path_losses(engine.finite_sum(experiment), drawn.lift(path))
    spread = ensemble.spread(trace, drawn) if runs > 1 else {}
    sizes = lane.sampler.sizes(samples)
    header = {
        "label": lane.label,
        "samples": samples,
        "sizes": sizes if len(sizes) <= SIZES else [sizes[0], sizes[-1]],
        "updates": experiment.updates(i),
        "updates_per_epoch": len(sizes),
        "seconds_per_update": seconds,
        "records": len(few.update),
        "looked_at": None if looked_at is None else looked_at.tolist(),  # the records of the gradients; all if None
        "runs": runs,
        "diverged_at": found.diverged_at,
        "summary": _summary(lane.label, trace, row, found),
        "ellipse": ensemble.ellipse(spread["ends"]) if spread else None,
        "verdict": row,
    }
    return header, arrays | spread


def _summary(label: str, trace: Trace, row: dict[str, Any], found: Diagnosis) -> str:
    """A lane's picture in words."""
    epochs = number(row["epochs"])
    made = f"{label}: {row['updates']:,} updates, {epochs} {'epoch' if epochs == '1' else 'epochs'}."
    runs = trace.loss.shape[0]
    lost = int((~np.isfinite(trace.loss)).any(1).sum())
    of_runs = f" {lost} of {runs} runs diverged." if runs > 1 and lost else ""
    if row["final_loss"] is None:
        return f"{made}{of_runs} {found.why}"
    mean = "mean loss" if runs > 1 else "loss"
    first, last = float(trace.loss[0, 0]), row["final_loss"]
    verb = "falls" if last < first else "rises" if last > first else "stays"
    ends = trace.theta[0, -1]
    there = f", ending at {point(ends.tolist())}" if np.isfinite(ends).all() else ""
    return (
        f"{made}{of_runs} The {mean} {verb} from {number(first)} to {number(last)}, the lowest is "
        f"{number(row['best_loss'])}; the path starts at {point(trace.theta[0, 0].tolist())}{there}. {found.why}"
    )


def start_noise(experiment: Experiment, lane: int) -> float | None:
    """The relative noise of this lane's batch gradients at the start; None where the gradient is zero or no number."""
    samples, sampler = experiment.problem.sample_count, experiment.lanes[lane].sampler
    factor = noise.shrink(samples, sampler.size(samples), sampler.draws_with_replacement)
    if not factor:
        return 0.0
    scale = _start_scale(engine.finite_sum(experiment), start_of(experiment))
    return None if scale is None else (factor * scale) ** 0.5


@beside(most=32)
def _start_scale(total: FiniteSum, start: tuple[float, ...]) -> float | None:
    if total.samples * total.parameters > noise.SAMPLE_WORK:
        return None
    scale = noise.simple_scale(noise.sample_gradients(total, np.array(start)))
    return scale if np.isfinite(scale) else None


def _data(experiment: Experiment) -> tuple[dict[str, Any] | None, dict[str, np.ndarray]]:
    """The rows behind a model of one feature, or of two features and two classes, in original units."""
    problem = experiment.problem
    if not isinstance(problem, LinearModel) or problem.sample_count > DATA_ROWS:
        return None, {}
    prepared = problem.prepare(experiment.seed)
    table = prepared.table
    width = 1 if problem.task == "regression" else 2
    if table.x.shape[1] != width:
        return None, {}
    units = table.units or ("",) * width
    labels = [f"{name} ({unit})" if unit else name for name, unit in zip(table.features, units, strict=True)]
    header = {
        "kind": problem.task,
        "x_label": labels[0],
        "y_label": table.target if width == 1 else labels[1],
        "classes": None if width == 1 else list(table.classes or ("0", "1")),
        "mean": prepared.mean.tolist(),
        "deviation": prepared.deviation.tolist(),
        "intercept": problem.intercept,
    }
    return header, {"data/x": table.x[prepared.rows], "data/y": prepared.y}
