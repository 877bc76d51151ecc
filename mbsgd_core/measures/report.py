"""Everything that the bench shows of a run, from its lanes as far as they have come (floor 4; runs in a worker).

Plain Python values and numpy arrays only: the result travels to the web process, which has no torch.
"""

import hashlib
import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from mbsgd_core.experiment import Experiment
from mbsgd_core.measures import evaluation, verdict
from mbsgd_core.measures.cost_work import timing
from mbsgd_core.measures.diagnosis import bottomless
from mbsgd_core.measures.lane_report import lane_report
from mbsgd_core.measures.limits import start_of
from mbsgd_core.measures.panels import data, first_panels, learned, panels
from mbsgd_core.measures.scores import baselines
from mbsgd_core.measures.surface import GRID, DrawnSurface
from mbsgd_core.measures.truth import Truth, truth
from mbsgd_core.problems.models.base import DataProblem
from mbsgd_core.results.run import EVERYTHING, LaneProgress, View
from mbsgd_core.results.verdict import Target


def report(
    experiment: Experiment, lanes: Sequence[LaneProgress], view: View = EVERYTHING, size: int = GRID
) -> dict[str, Any]:
    """What is shown of a finished or unfinished run.

    Args:
        experiment: what was run.
        lanes: as far as they have come, with record 0.
        view: the panels that somebody looks at, and how closely: with a budget the report holds few records, and
            gradients at the cursor alone. What is said of a lane is said of all its records.
        size: the grid of the surface is size x size.

    Returns:
        {"key", "problem", "data", "scene", "panels", "shown", "lanes", "target", "headline", "ranking", "columns",
        "best", "finished", "thinned", "timing", "plane", "arrays"}; all but "plane", "arrays", "thinned" and "scene"
        are strict JSON values. Pass "plane" on to `at_cursor`; "thinned" is the view budget that left something out,
        None where all is there.
    """
    view_budget, offered = view.view_budget, panels(experiment)
    chosen = tuple(name for name in view.panels if name in offered) or first_panels(experiment)
    if view_budget is not None and all(len(lane.trace.update) <= view_budget.most for lane in lanes):
        view_budget = None
    known = truth(experiment)
    arrays: dict[str, np.ndarray] = {}
    drawn = whole = None
    if "path" in chosen:
        whole = DrawnSurface(experiment, [lane.path for lane in lanes], known, size)
        drawn, arrays = whole.plane, {"z": whole.z, "xs": whole.xs, "ys": whole.ys}
    finished = all(lane.over for lane in lanes)
    goal = _target(experiment, lanes, known)
    told, rows = [], []
    for i, lane in enumerate(lanes):
        header, own, row = lane_report(experiment, i, lane, drawn, known, goal.loss, view_budget)
        told.append(header)
        rows.append(row)
        arrays |= {f"lane{i}/{name}": value for name, value in own.items()}
        if isinstance(experiment.problem, DataProblem):
            shown = learned(experiment, i, lane, chosen, view.view_budget)
            arrays |= {f"lane{i}/{name}": value for name, value in shown.items()}
    said = verdict.verdict(rows, goal)
    for header, cells in zip(told, said.cells, strict=True):
        header["cells"] = dict(cells)
    rows_behind, points = data(experiment) if {"fit", "path"} & set(chosen) else (None, {})
    scene = evaluation.scene(experiment) if isinstance(experiment.problem, DataProblem) else None
    if scene is not None:
        points |= {f"scene/{name}": values for name, values in scene.arrays.items()}
    return {
        "key": _key(experiment),
        "problem": _problem(experiment, whole, known),
        "data": rows_behind,
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
        "thinned": view_budget,
        "timing": timing(experiment),
        "plane": drawn,
        "arrays": arrays | points,
    }


def _target(experiment: Experiment, lanes: Sequence[LaneProgress], known: Truth) -> Target:
    """The loss to be reached; networks, whose lowest loss nobody knows, are judged by their test rows instead."""
    if known.value is None and isinstance(experiment.problem, DataProblem):
        return Target(None, "no target: the lowest loss is not known")
    if bottomless(experiment):
        return Target(None, "no target: the surface has no lowest point")
    return verdict.target([lane.trace for lane in lanes], known.value)


def _remark(experiment: Experiment) -> str:
    """What has to be known where the spreads of several lanes are compared; "" where nothing has."""
    kinds = [type(lane.sampler) for lane in experiment.lanes if lane.sampler.draws and lane.sampler.random]
    if experiment.runs == 1 or len(set(kinds)) == len(kinds):
        return ""
    return (
        "Lanes that draw in the same way walk the same orders, so their runs come in pairs: a difference between two "
        "lanes is surer than their spreads look, and the spreads are not independent of each other."
    )


def _key(experiment: Experiment) -> str:
    """Changes when zoom and cursor are to begin anew: with the problem, and with a start that widens its window."""
    problem, own = experiment.problem, experiment.problem.window(experiment.seed)
    start = start_of(experiment) if own is not None else None
    if own is not None and start is not None:
        x0, x1, y0, y1 = own
        start = None if x0 <= start[0] <= x1 and y0 <= start[-1] <= y1 else start
    what = [problem.model_dump(mode="json"), experiment.seed, start]
    return hashlib.blake2b(json.dumps(what).encode(), digest_size=8).hexdigest()


def _problem(experiment: Experiment, whole: DrawnSurface | None, known: Truth) -> dict[str, Any]:
    problem = experiment.problem
    title = f"{problem.title} on {problem.dataset.title}" if isinstance(problem, DataProblem) else problem.title
    header = {
        "title": title,
        "summary": problem.summary,
        "optimal_value": known.value,
        "samples": problem.sample_count,
        "parameters": problem.parameter_count,
        "levels": [level._asdict() for level in baselines(experiment)],
        "remark": _remark(experiment),
    }
    return header if whole is None else header | whole.header()
