"""The chains (floor 5): which tasks a job is made of. They run in the web process, the tasks in workers."""

import time
from collections.abc import Callable
from typing import Any

from mbsgd_core.jobs import tasks
from mbsgd_core.jobs.job import Chain, Job, Task
from mbsgd_core.types import Glance

BUDGET = 0.15  # seconds of training before the first picture
CHUNK = 0.2  # seconds of training a task, after it
REDRAW = 0.3  # seconds between partial pictures, at least


def training(experiment_json: str, job: Job, glance: Glance | None = None) -> Chain:
    """A run: a first round trip, then chunks lane by lane, with a new picture now and then.

    What is known of the lanes (states, traces) lives here, so a worker may die at any time.
    """
    lanes, picture = yield tasks.compare_and_picture, (experiment_json, BUDGET, glance)
    drawn, interval = time.monotonic(), REDRAW
    while (i := tasks.next_lane(lanes)) is not None:
        job.tell(progress=_progress(lanes), result=_result(lanes, picture))
        lanes[i] = lanes[i].grown((yield tasks.chunk, (lanes[i].state, CHUNK, lanes[i].pace)))
        begun = time.monotonic()
        if tasks.next_lane(lanes) is None or begun - drawn > interval:
            picture = yield _draw(experiment_json, lanes, glance)
            drawn = time.monotonic()
            interval = max(REDRAW, 3 * (drawn - begun))
    return _result(lanes, picture)


def drawing(experiment_json: str, lanes: list[tasks.LaneRun], job: Job, glance: Glance | None = None) -> Chain:
    """Another picture of a finished run."""
    return _result(lanes, (yield _draw(experiment_json, lanes, glance)))


def question(function: Callable[..., Any], args: tuple[Any, ...], job: Job) -> Chain:
    """A single task."""
    return (yield function, args)


def _draw(experiment_json: str, lanes: list[tasks.LaneRun], glance: Glance | None) -> Task:
    traces, seconds = [lane.trace for lane in lanes], [lane.seconds_per_update for lane in lanes]
    return tasks.draw, (experiment_json, traces, seconds, glance)


def _result(lanes: list[tasks.LaneRun], picture: dict[str, Any]) -> dict[str, Any]:
    done = tasks.next_lane(lanes) is None
    return {"done": done, "progress": _progress(lanes), "lanes": list(lanes), "picture": picture}


def _progress(lanes: list[tasks.LaneRun]) -> float:
    made = sum(lane.update * lane.seconds_per_update for lane in lanes)
    planned = sum(lane.updates * lane.seconds_per_update for lane in lanes)
    return made / planned if planned else 1.0
