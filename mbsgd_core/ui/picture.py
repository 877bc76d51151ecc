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


def payload(
    experiment: Experiment,
    job: Job,
    patience: float,
    take: int = 0,
    shown: tuple[Experiment, str] | None = None,
    **rest: Any,
) -> bytes:
    """What the player shows: the finished run if it ends in time, else what there is of it.

    Args:
        experiment: what was asked for.
        job: its run.
        patience: seconds to wait for a result; without any, up to LONGEST.
        take: changes when the picture is a new one, to be played from its start.
        shown: the experiment and the key of the picture that the player has, to send only what is new.
        rest: what `message` takes besides.
    """
    if not job.wait(patience, partial_result=True):
        job.wait(LONGEST, partial_result=True)
    if job.result is None:
        raise JobError(job.message)
    picture, samples = job.result["picture"], experiment.problem.sample_count
    key = f"{picture['key']}-{take}"
    return message(
        picture,
        experiment,
        key=key,
        status={"state": _STATUS[job.state], "progress": job.progress, "message": job.message},
        link=share.to_query(experiment),
        knobs=live.headers(samples),
        lane_knobs=[live.values(lane, samples) for lane in experiment.lanes],
        kept=_kept(picture, experiment, shown[0]) if shown is not None and shown[1] == key else (),
        **rest,
    )


def _kept(picture: dict[str, Any], experiment: Experiment, before: Experiment) -> set[str]:
    """The arrays that a drag leaves as they are: surface and data of one key, and the batches of an equal sampler."""
    names = {"data/x", "data/y"}
    if picture["problem"]["projection"] is None:  # else the plane follows the paths
        names |= {"z", "xs", "ys"}
    pairs = enumerate(zip(before.lanes, experiment.lanes, strict=True))
    names |= {f"lane{i}/batch" for i, (old, new) in pairs if old.sampler == new.sampler}
    return names & set(picture["arrays"])
