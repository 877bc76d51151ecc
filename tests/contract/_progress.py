"""Lanes that have come as far as their traces, and what is reported of them."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from mbsgd_core import engine
from mbsgd_core.experiment import Experiment
from mbsgd_core.jobs import tasks
from mbsgd_core.measures.report import report
from mbsgd_core.results.cost import Cost, Costs
from mbsgd_core.results.run import Evaluations, LaneProgress, Replay, View
from mbsgd_core.types import Trace, ViewBudget

SECONDS = 1e-5  # an update
COSTS = Costs(Cost(SECONDS, SECONDS / 10), Cost(30 * SECONDS, SECONDS))


def traced(e: Experiment) -> list[Trace]:
    """The engine's own trace of each lane."""
    return [engine.run(e, i)[1] for i in range(len(e.lanes))]


def progress(e: Experiment, traces: Sequence[Trace]) -> list[LaneProgress]:
    """Lanes whose records the engine has kept, all theta with them."""
    found = []
    for i, trace in enumerate(traces):
        made, updates = int(trace.update[-1]), e.updates(i)
        lost = trace.update[~np.isfinite(trace.loss).all(0)].min(initial=updates + 1)
        at = int(lost) if lost <= updates else -1
        nothing = Evaluations.none(), Replay(), {}
        state = None if made >= updates else b"state"
        kept = np.arange(len(trace.update))
        found.append(LaneProgress(state, trace, kept, made, updates, made * SECONDS, at, *nothing, COSTS))
    return found


def trained(e: Experiment) -> list[LaneProgress]:
    """Lanes as the run trains them, judged on the way where they are."""
    text = e.to_json()
    lanes = list(tasks.begin(text, 0.0, View()).lanes)
    for i, lane in enumerate(lanes):
        while lane.state is not None:
            lane = lane.grown(tasks.advance(lane.state, 60.0, 0.0))
        lanes[i] = lane
    return lanes


def drawn(
    e: Experiment,
    traces: Sequence[Trace] | None = None,
    view_budget: ViewBudget | None = None,
    panels: tuple[str, ...] = ("path",),
    size: int = 16,
) -> dict[str, Any]:
    """The report on some traces, or on the whole run."""
    return report(e, progress(e, traced(e) if traces is None else traces), View(panels, view_budget), size)
