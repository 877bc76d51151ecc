"""What there is to see of a problem beside its loss: its panels, and what they show of rows and models (floor 4)."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from mbsgd_core.experiment import Experiment
from mbsgd_core.measures import evaluation
from mbsgd_core.measures.decimation import last_sound
from mbsgd_core.problems.models._linear import LinearModel
from mbsgd_core.problems.models.base import DataProblem
from mbsgd_core.results.run import LaneProgress, Replay
from mbsgd_core.types import Trace, ViewBudget

DATA_ROWS = 20_000  # longer lists do not travel
FRAMES = 40  # records of a lane whose frames are kept to be seen again


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


def _fits_a_picture(experiment: Experiment) -> bool:
    """Whether the rows behind a model can be drawn with its fit: one feature, or two features and two classes."""
    problem = experiment.problem
    if not isinstance(problem, LinearModel) or problem.sample_count > DATA_ROWS:
        return False
    return len(problem.header.features) == (1 if problem.task == "regression" else 2)


def data(experiment: Experiment) -> tuple[dict[str, Any] | None, dict[str, np.ndarray]]:
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


def learned(
    experiment: Experiment, i: int, lane: LaneProgress, chosen: Sequence[str], view_budget: ViewBudget | None
) -> dict[str, np.ndarray]:
    """The newest frame, and at rest those on the way."""
    if not set(chosen) - {"path", "fit"}:
        return {}
    newest, replay = lane.newest, lane.replay
    if not evaluation.stops(experiment):
        trace = lane.trace
        newest = evaluation.shown(experiment, i, int(trace.update[-1]), trace.theta[0, -1])
        if view_budget is None and lane.over:
            replay = _frames(experiment, i, trace)
    found = {f"learned/{name}": values for name, values in newest.items() if name != evaluation.TRAIN_ACCURACY}
    if view_budget is None and lane.over and replay.frames:
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
