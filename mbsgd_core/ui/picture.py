"""From an experiment and its job to the player's payload (floor 6)."""

from typing import Any

from mbsgd_core import share
from mbsgd_core.errors import JobError
from mbsgd_core.experiment import Experiment
from mbsgd_core.figures.payload import message
from mbsgd_core.jobs.job import Job
from mbsgd_core.ui import live

LONGEST = 20.0  # seconds until the first picture
_STATUS = {"queued": "running", "running": "running", "done": "done", "failed": "failed", "cancelled": "failed"}


def payload(experiment: Experiment, job: Job, patience: float, take: int = 0, **rest: Any) -> bytes:
    """What the player shows: the finished run if it ends in time, else what there is of it.

    Args:
        experiment: what was asked for.
        job: its run.
        patience: seconds to wait for a result; without any, up to LONGEST.
        take: changes when the picture is a new one, to be played from its start.
        rest: what `message` takes besides.
    """
    if not job.wait(patience, partial_result=True):
        job.wait(LONGEST, partial_result=True)
    if job.result is None:
        raise JobError(job.message)
    picture, samples = job.result["picture"], experiment.problem.sample_count
    return message(
        picture,
        experiment,
        key=f"{picture['key']}-{take}",
        status={"state": _STATUS[job.state], "progress": job.progress, "message": job.message},
        link=share.to_query(experiment),
        knobs=live.headers(samples),
        lane_knobs=[live.values(lane, samples) for lane in experiment.lanes],
        **rest,
    )
