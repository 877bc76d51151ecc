"""The run (floor 5): the one chain of short tasks that trains and reports, and the question that is a single task.

Chains run in the web process, their tasks in workers. What is known of the lanes lives in the chain, so that a worker
may die at any time, a run may pause between two tasks, and whoever comes back finds it as far as it has come.
"""

import time
from collections.abc import Callable
from typing import Any

from mbsgd_core.jobs import tasks
from mbsgd_core.jobs.job import Chain, Job
from mbsgd_core.results.run import RunProgress, furthest_behind

BUDGET = 0.15  # seconds of training before the first report
CHUNK = 0.1  # seconds of training a task, after it: others wait no longer for their turn
REDRAW = 0.3  # seconds between partial reports, at least


def run(experiment_json: str, known: RunProgress | None, job: Job) -> Chain:
    """A run, from its start or from what is known of it; the job's `result` is the newest RunProgress.

    Args:
        experiment_json: what to train.
        known: an earlier result for the same experiment; of a finished one only the report is made anew.
        job: the run's. `view` says what the next report is to hold; a job that is `held` makes its start alone, and
            then waits until somebody lets it go on.
    """
    if known is None:
        now = yield tasks.begin, (experiment_json, 0.0 if job.held else BUDGET, job.view)
        lanes, report = list(now.lanes), now.report
    else:
        lanes, report = list(known.lanes), (yield tasks.report, (experiment_json, known.lanes, job.view))
    drawn, interval, view = time.monotonic(), REDRAW, job.view
    while (i := furthest_behind(lanes)) is not None:
        now = RunProgress(tuple(lanes), report)
        # Who has been here for longer steps back for those who have just come; no task foretells how long the next is.
        job.tell(progress=now.progress, result=now, patient=True, seconds=None)
        lanes[i] = lanes[i].grown((yield tasks.advance, (lanes[i].state, CHUNK, lanes[i].pace)))
        begun = time.monotonic()
        if furthest_behind(lanes) is None or begun - drawn > interval or job.view != view:
            view = job.view
            report = yield tasks.report, (experiment_json, lanes, view)
            drawn = time.monotonic()
            interval = max(REDRAW, 3 * (drawn - begun))
    return RunProgress(tuple(lanes), report)


def question(function: Callable[..., Any], args: tuple[Any, ...], job: Job) -> Chain:
    """A single task."""
    return (yield function, args)
