"""Everything that the bench shows of a run, from its lanes as far as they have come (floor 4; runs in a worker).

Plain Python values and numpy arrays only: the result travels to the web process, which has no torch.
"""

import hashlib
import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from mbsgd_core import engine
from mbsgd_core.experiment import Experiment
from mbsgd_core.format import number, plural, point, share
from mbsgd_core.kept import beside
from mbsgd_core.measures import along, ensemble, evaluation, noise, plane, verdict
from mbsgd_core.measures.diagnosis import bottomless, diagnose
from mbsgd_core.measures.glance import at, cursor, last_sound, outline
from mbsgd_core.measures.limits import start_of
from mbsgd_core.measures.plane import Plane, Window
from mbsgd_core.measures.truth import Truth, truth
from mbsgd_core.problems.base import FiniteSum
from mbsgd_core.problems.models._linear import LinearModel
from mbsgd_core.problems.models.base import DataProblem
from mbsgd_core.problems.surfaces.base import Surface
from mbsgd_core.results.run import EVERYTHING, Evaluations, LaneProgress, Replay, View
from mbsgd_core.results.verdict import Row, Target
from mbsgd_core.types import Glance, Trace

GRID, MOVING_GRID = 80, 56  # a plane that follows the paths is computed anew for every picture
GRID_WORK = 2_000_000_000  # the grid becomes coarser where an evaluation is dear
DATA_ROWS = SIZES = 20_000  # longer lists do not travel; of batch sizes the first and last then stand for all
FEW, MANY = 16, 120  # records where a model is judged on the held-out rows: while a knob is dragged, at rest
FRAMES = 40  # records of a lane whose frames are kept to be seen again
WORDY = 10  # parameters: longer points are not put into words
DECADES = 1_000  # heights that span more than this ratio are drawn on a log scale


def panels(experiment: Experiment) -> tuple[str, ...]:
    """The panels that a problem offers, the one that is shown first in front."""
    problem = experiment.problem
    if not isinstance(problem, DataProblem):
        return ("path",)
    path = () if evaluation.stops(experiment) else ("path",)
    fit = ("fit",) if _fits_a_picture(experiment) else ()
    learned = {
        "boundary": ("boundary", "confusion"),
        "images": ("images", "confusion", "filters"),
        "classes": ("confusion",),
        "numbers": ("numbers",),
    }[evaluation.kind(problem)]
    return (*path, *fit, *learned) if problem.planar else (*learned, *path)


def first_panels(experiment: Experiment) -> tuple[str, ...]:
    """The panels that stand side by side at first: path and fit where both can be drawn whole."""
    offered = panels(experiment)
    both = experiment.problem.parameter_count <= 2 and "fit" in offered
    return ("path", "fit") if both else offered[:1]


def report(
    experiment: Experiment, lanes: Sequence[LaneProgress], view: View = EVERYTHING, size: int = GRID
) -> dict[str, Any]:
    """What is shown of a finished or unfinished run.

    Args:
        experiment: what was run.
        lanes: as far as they have come, with record 0.
        view: the panels that somebody looks at, and how closely: with a glance the report holds few records, and
            gradients at the cursor alone. What is said of a lane is said of all its records.
        size: the grid of the surface is size x size.

    Returns:
        {"key", "problem", "data", "scene", "panels", "shown", "lanes", "target", "headline", "ranking", "columns",
        "best", "finished", "thinned", "plane", "arrays"}; all but "plane", "arrays", "thinned" and "scene" are strict
        JSON values. Pass "plane" on to `at_cursor`; "thinned" is the glance that left something out, None where all is
        there.
    """
    glance, offered = view.glance, panels(experiment)
    chosen = tuple(name for name in view.panels if name in offered) or first_panels(experiment)
    if glance is not None and all(len(lane.trace.update) <= glance.most for lane in lanes):
        glance = None
    known = truth(experiment)
    arrays: dict[str, np.ndarray] = {}
    drawn = whole = None
    if "path" in chosen:
        whole = _Surface(experiment, [lane.path for lane in lanes], known, size)
        drawn, arrays = whole.plane, {"z": whole.z, "xs": whole.xs, "ys": whole.ys}
    finished = all(lane.over for lane in lanes)
    goal = _target(experiment, lanes, known)
    told, rows = [], []
    for i, lane in enumerate(lanes):
        header, own, row = _lane(experiment, i, lane, drawn, known, goal.loss, glance)
        told.append(header)
        rows.append(row)
        arrays |= {f"lane{i}/{name}": value for name, value in own.items()}
        if isinstance(experiment.problem, DataProblem):
            learned = _learned(experiment, i, lane, chosen, view.glance)
            arrays |= {f"lane{i}/{name}": value for name, value in learned.items()}
    said = verdict.verdict(rows, goal)
    for header, cells in zip(told, said.cells, strict=True):
        header["cells"] = dict(cells)
    data, points = _data(experiment) if {"fit", "path"} & set(chosen) else (None, {})
    scene = evaluation.scene(experiment) if isinstance(experiment.problem, DataProblem) else None
    if scene is not None:
        points |= {f"scene/{name}": values for name, values in scene.arrays.items()}
    return {
        "key": _key(experiment, None if whole is None else whole.view),
        "problem": _problem(experiment, whole, known),
        "data": data,
        "scene": scene,
        "panels": offered,
        "first_panels": first_panels(experiment),
        "shown": chosen,
        "lanes": told,
        "target": {"loss": goal.loss, "text": goal.text},
        "headline": {clock: line._asdict() for clock, line in said.headline.items()},
        "ranking": {clock: list(order) for clock, order in said.ranking.items()},
        "columns": [column._asdict() for column in said.columns],
        "best": dict(said.best),
        "finished": finished,
        "thinned": glance,
        "plane": drawn,
        "arrays": arrays | points,
    }


class _Surface:
    """The plane that is drawn, its window, and the objective on it."""

    def __init__(self, experiment: Experiment, paths: Sequence[Trace], known: Truth, size: int):
        total = engine.finite_sum(experiment)
        self.plane = _plane(experiment, paths)
        self.view = _window(experiment, paths, self.plane, known)
        if self.plane.explained is not None:
            self.xs, self.ys, self.z = _grid(total, self.plane, self.view, min(size, MOVING_GRID))
        else:
            self.xs, self.ys, self.z = _still_grid(total, self.view, size)


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


def _key(experiment: Experiment, view: Window | None) -> str:
    what = [experiment.problem.model_dump(mode="json"), experiment.seed, view]
    return hashlib.blake2b(json.dumps(what).encode(), digest_size=8).hexdigest()


def _problem(experiment: Experiment, whole: _Surface | None, known: Truth) -> dict[str, Any]:
    problem = experiment.problem
    title = f"{problem.title} on {problem.dataset.title}" if isinstance(problem, DataProblem) else problem.title
    header = {
        "title": title,
        "summary": problem.summary,
        "optimal_value": known.value,
        "samples": problem.sample_count,
        "parameters": problem.parameter_count,
    }
    if whole is None:
        return header
    finite = np.isfinite(whole.z)
    return header | {
        "axes": _axes(experiment, whole.plane),
        "view": list(whole.view),
        "minimizers": whole.plane.project(np.array(known.minimizers)).tolist() if known.minimizers else [],
        "saddles": [list(p) for p in problem.saddles] if isinstance(problem, Surface) else [],
        "log_levels": _steep(whole.z[finite], known.value),
        "finite_share": float(finite.mean()),
        "projection": _projection(whole.plane),
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
    lane: LaneProgress,
    drawn: Plane | None,
    known: Truth,
    goal: float | None,
    glance: Glance | None,
) -> tuple[dict[str, Any], dict[str, np.ndarray], Row]:
    """A lane's header values, its arrays, and its row of the verdict."""
    method, samples, trace = experiment.lanes[i], experiment.problem.sample_count, lane.trace
    seconds = lane.seconds_per_update
    found = diagnose(experiment, i, trace, known.value, lane.newest)
    runs = trace.loss.shape[0]
    curves = (
        trace.loss[0][:, None] if drawn is None else np.column_stack([drawn.project(trace.theta[0]), trace.loss[0]])
    )
    kept, close = np.arange(len(curves)), np.arange(len(curves))
    if glance is not None:
        here = cursor(glance, trace, experiment.updates_per_epoch(i), seconds)
        close = np.unique([here, min(here, last_sound(curves))])
        kept = np.union1d(outline(curves, glance.most), close)
    arrays = {
        "loss": trace.loss[0, kept],
        "update": trace.update[kept],
        "samples": trace.samples[kept],
        "rate": trace.learning_rate[kept],
    }
    batch = along.all_batches(experiment, i, int(trace.update[-1]))
    if batch is not None:
        arrays["batch"] = batch
    spread: dict[str, Any] = {}
    if drawn is not None:
        total, path, near = engine.finite_sum(experiment), curves[kept, :2], at(trace, close)
        arrays |= {
            "theta": path,
            "gradient": drawn.turn(along.gradients(total, near.theta[0])),
            "batch_gradient": drawn.turn(along.next_batch_gradients(experiment, i, near)),
        }
        if drawn.explained is not None:
            arrays["out_of_plane"] = drawn.distance(trace.theta[0, kept])
            arrays["plane_loss"] = along.path_losses(total, drawn.lift(path))
        spread = ensemble.spread(trace, drawn) if runs > 1 else {}
    if isinstance(experiment.problem, DataProblem) and evaluation.test_rows(experiment):
        seen = _evaluations(experiment, lane, kept)
        arrays |= {"seen": seen.at, "test_loss": seen.test_loss, "test_accuracy": seen.test_accuracy}
    tested = {name: arrays[name][-1] for name in ("test_loss", "test_accuracy") if name in arrays}
    noise = start_noise(experiment, i)
    row = verdict.row(experiment, i, trace, seconds, found, goal=goal, lowest=known.value, noise=noise, **tested)
    sizes = method.sampler.sizes(samples)
    header = {
        "label": method.label,
        "samples": samples,
        "sizes": sizes if len(sizes) <= SIZES else [sizes[0], sizes[-1]],
        "updates": experiment.updates(i),
        "updates_per_epoch": len(sizes),
        "seconds_per_update": seconds,
        "records": len(kept),
        # The records of the gradients; all if None.
        "looked_at": None if glance is None else np.searchsorted(kept, close).tolist(),
        "runs": runs,
        "diverged_at": found.diverged_at,
        "badge": found.badge.header(),
        "summary": _summary(lane, row),
        "ellipse": ensemble.ellipse(spread["ends"]) if spread else None,
        "memory": None if lane.memory is None else list(lane.memory),
    }
    return header, arrays | spread, row


def _target(experiment: Experiment, lanes: Sequence[LaneProgress], known: Truth) -> Target:
    """The loss to be reached; networks, whose lowest loss nobody knows, are judged by their test rows instead."""
    if known.value is None and isinstance(experiment.problem, DataProblem):
        return Target(None, "no target: the lowest loss is not known")
    if bottomless(experiment):
        return Target(None, "no target: the surface has no lowest point")
    return verdict.target([lane.trace for lane in lanes], known.value)


def _evaluations(experiment: Experiment, lane: LaneProgress, records: np.ndarray) -> Evaluations:
    """The model on the held-out rows, at some of the records that are shown; `at` counts these."""
    if evaluation.stops(experiment):
        return lane.evaluations
    most = FEW if len(records) < len(lane.trace.update) else MANY
    some = evaluation.spaced(len(records) - 1, most)
    return evaluation.evaluations(experiment, lane.trace.theta[0, records[some]], some)


def _learned(
    experiment: Experiment, i: int, lane: LaneProgress, chosen: Sequence[str], glance: Glance | None
) -> dict[str, np.ndarray]:
    """The newest frame, and at rest those on the way."""
    if not set(chosen) - {"path", "fit"}:
        return {}
    newest, replay = lane.newest, lane.replay
    if not evaluation.stops(experiment):
        trace = lane.trace
        newest = evaluation.shown(experiment, i, int(trace.update[-1]), trace.theta[0, -1])
        if glance is None and lane.over:
            replay = _frames(experiment, i, trace)
    found = {f"learned/{name}": values for name, values in newest.items()}
    if glance is None and lane.over and replay.frames:
        found["replay/at"] = np.array(replay.at, dtype=np.uint32)
        names = replay.frames[0]
        found |= {f"replay/{name}": np.stack([frame[name] for frame in replay.frames]) for name in names}
    return found


def _frames(experiment: Experiment, i: int, trace: Trace) -> Replay:
    """What was learned at some records of a path that is kept whole."""
    sound = last_sound(trace.loss[0][:, None])
    places = [int(k) for k in evaluation.spaced(sound, FRAMES)]
    frames = [evaluation.shown(experiment, i, int(trace.update[k]), trace.theta[0, k]) for k in places]
    pairs = [(k, evaluation.moving(frame)) for k, frame in zip(places, frames, strict=True) if frame]
    return Replay(tuple(k for k, _ in pairs), tuple(frame for _, frame in pairs))


def _summary(lane: LaneProgress, row: Row) -> str:
    """A lane's picture in words."""
    trace, path, why = lane.trace, lane.path, row.diagnosis.badge.text
    epochs = number(row.spent.epochs)
    made = f"{row.label}: {plural(row.spent.updates, 'update')}, {epochs} {'epoch' if epochs == '1' else 'epochs'}."
    runs = trace.loss.shape[0]
    lost = int((~np.isfinite(trace.loss)).any(1).sum())
    of_runs = f" {lost} of {runs} runs diverged." if runs > 1 and lost else ""
    if row.final_loss is None:
        return f"{made}{of_runs} {why}"
    mean = "mean loss" if runs > 1 else "loss"
    first, last = float(trace.loss[0, 0]), row.final_loss
    verb = "falls" if last < first else "rises" if last > first else "stays"
    way = ""
    if path.theta.shape[2] <= WORDY:
        ends = path.theta[0, -1]
        there = f", ending at {point(ends.tolist())}" if np.isfinite(ends).all() else ""
        way = f"; the path starts at {point(path.theta[0, 0].tolist())}{there}"
    return (
        f"{made}{of_runs} The {mean} {verb} from {number(first)} to {number(last)}, the lowest is "
        f"{number(row.best_loss)}{way}. {why}"
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


def _fits_a_picture(experiment: Experiment) -> bool:
    """Whether the rows behind a model can be drawn with its fit: one feature, or two features and two classes."""
    problem = experiment.problem
    if not isinstance(problem, LinearModel) or problem.sample_count > DATA_ROWS:
        return False
    return len(problem.header.features) == (1 if problem.task == "regression" else 2)


def _data(experiment: Experiment) -> tuple[dict[str, Any] | None, dict[str, np.ndarray]]:
    """The rows behind a model of one feature, or of two features and two classes, in original units."""
    problem = experiment.problem
    if not isinstance(problem, LinearModel) or not _fits_a_picture(experiment):
        return None, {}
    prepared = problem.prepare(experiment.seed)
    table, width = prepared.table, 1 if problem.task == "regression" else 2
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
