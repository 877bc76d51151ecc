"""The run (floor 5): the one chain of short tasks that trains and reports, and the question that is a single task.

Chains run in the web process, their tasks in workers. What is known of the lanes lives in the chain, so that a worker
may die at any time, a run may pause between two tasks, and whoever comes back finds it as far as it has come.
"""

import time
from collections.abc import Callable
from typing import Any

from mbsgd_core.jobs import tasks
from mbsgd_core.jobs.job import Chain, Job
from mbsgd_core.jobs.results import holds, unweighed
from mbsgd_core.results.run import LaneProgress, RunProgress, furthest_behind

BUDGET = 0.15  # seconds of training before the first report
CHUNK = 0.1  # seconds of training a task, after it: others wait no longer for their turn
REDRAW = 0.3  # seconds between partial reports, at least
TIMED = 3  # lanes whose costs are measured in one task, in turns ...
LATER = 2.0  # seconds: a run that takes longer is timed on its way, else when it is over
SLOW = 5e-3  # seconds an update: ... where each takes no more than that, else one


def run(experiment_json: str, known: RunProgress | None, job: Job) -> Chain:
    """A run, from its start or from what is known of it; the job's `result` is the newest RunProgress.

    Args:
        experiment_json: what to train.
        known: an earlier result for the same experiment; of a finished one only the report is made anew.
        job: the run's. `view` says what the next report is to hold; a job that is `held` makes its start alone (a
            moving picture its first report), and then waits until somebody lets it go on.
    """
    if known is None:
        budget = 0.0 if job.held and job.view.view_budget is None else BUDGET
        known = yield tasks.begin, (experiment_json, budget, job.view)
    lanes, report = list(known.lanes), known.report
    started = drawn = time.monotonic()
    interval, stale = REDRAW, False
    while True:
        now, begun = RunProgress(tuple(lanes), report), time.monotonic()
        i, heavy, whole = furthest_behind(lanes), unweighed(now, job.view), holds(report, job.view)
        untimed = [k for k, lane in enumerate(lanes) if lane.costs is None and job.view.view_budget is None]
        untimed = untimed[: TIMED if all(lane.pace < SLOW for lane in lanes) else 1]
        if i is None and not heavy and not untimed and whole and not stale:
            return now
        if whole:
            # Who has been here for longer steps back for who has just come; no task foretells how long the next is.
            job.tell(progress=max(job.progress, now.progress), result=now, patient=True, seconds=None)
        if whole and untimed and (i is None or begun - started > LATER):  # until then it says: not measured yet
            for k, costs in zip(untimed, (yield tasks.calibrate, (experiment_json, untimed)), strict=True):
                lanes[k], stale = lanes[k]._replace(costs=costs), True
        elif not whole or (stale and (i is None or begun - drawn > interval)):
            report, stale = (yield tasks.report, (experiment_json, lanes, job.view)), False
            drawn = time.monotonic()
            interval = max(REDRAW, 3 * (drawn - begun))
        elif i is not None:
            lanes[i], stale = lanes[i].grown((yield tasks.advance, (lanes[i].state, CHUNK, lanes[i].pace))), True
        else:
            lanes[heavy[0]] = lanes[heavy[0]]._replace(memory=(yield tasks.weigh, (experiment_json, heavy[0])))
            report = _with_memory(report, lanes)


def _with_memory(report: dict[str, Any], lanes: list[LaneProgress]) -> dict[str, Any]:
    """A report with the bytes of its lanes; nothing else in it depends on them."""
    memory = [None if lane.memory is None else list(lane.memory) for lane in lanes]
    return report | {"lanes": [told | {"memory": own} for told, own in zip(report["lanes"], memory, strict=True)]}


def question(function: Callable[..., Any], args: tuple[Any, ...], job: Job) -> Chain:
    """A single task."""
    return (yield function, args)
