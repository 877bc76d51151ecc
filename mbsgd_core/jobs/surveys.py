"""What is measured of a run afterwards, on request (floor 5): the landscape around its path, instruments along it.

Chains of short tasks as everywhere: what is known lives in the chain, and comes out while it grows.
"""

from collections.abc import Sequence
from time import perf_counter
from typing import Any, Literal, NamedTuple

import numpy as np

from mbsgd_core.experiment import Experiment
from mbsgd_core.jobs.job import Chain, Job
from mbsgd_core.jobs.run import CHUNK
from mbsgd_core.jobs.tasks import experiment_of
from mbsgd_core.results.run import LaneProgress
from mbsgd_core.types import Trace

Kind = Literal["pca", "random"]
SAMPLES = 1_000  # training rows that a landscape is a mean over, at most
RECORDS = 120  # of a path that is surveyed, about: as many as show
FINE, ROUGH = 33, 17  # points along a side; the rough one where a point takes long
DEAR = 4e10  # operations of all points, from where on it is rough
STOPS = 16  # of a lane's path where instruments are read
FEW = 500  # samples that instruments look at, at most


class Reading(NamedTuple):
    """The instruments at one place of a path; NaN where one is switched off."""

    lane: int
    update: int
    rate: float  # the learning rate there
    gradient: float  # |G|
    scale: float  # B_simple
    sharpness: float  # the largest Hessian eigenvalue
    edge: float  # the sharpness that the rate can just bear; NaN where the rule has no simple limit
    formula: str  # of the edge


def paths(lanes: Sequence[LaneProgress]) -> tuple[Trace, ...]:
    """The iterates of each lane that are surveyed, run 0 alone."""
    return tuple(_thinned(lane.path) for lane in lanes)


def _thinned(path: Trace) -> Trace:
    kept = np.unique(np.linspace(0, len(path.update) - 1, RECORDS).round().astype(int))
    return path.without_average()._replace(theta=path.theta[:1], loss=path.loss[:1]).at(kept)


def size(experiment: Experiment) -> int:
    """How many points a side of the landscape has."""
    rows = min(SAMPLES, experiment.problem.sample_count)
    return FINE if experiment.problem.flops * rows * FINE**2 <= DEAR else ROUGH


def landscape(experiment_json: str, lanes: Sequence[LaneProgress], kind: Kind, job: Job) -> Chain:
    """The loss in a plane; the job's `result` is the newest measures.landscape.Landscape."""
    job.tell(patient=True)
    found = yield survey, (experiment_json, paths(lanes), kind)
    while found.progress < 1:
        job.tell(progress=found.progress, result=found, seconds=None)
        found = yield explore, (experiment_json, found, CHUNK)
    return found


def instruments(experiment_json: str, lanes: Sequence[LaneProgress], noise: bool, curvature: bool, job: Job) -> Chain:
    """Readings along the paths, lane by lane in turn; the job's `result` is a list of them."""
    job.tell(patient=True)
    walked = paths(lanes)
    places = [(i, k) for i, path in enumerate(walked) for k in stops(path)]
    places.sort(key=lambda place: walked[place[0]].update[place[1]])
    found: list[Reading] = []
    for i, k in places:
        job.tell(progress=len(found) / len(places), result=list(found), seconds=None)
        theta, search = walked[i].theta[0, k], None
        reading, search = yield read, (experiment_json, i, int(walked[i].update[k]), theta, noise, curvature)
        while search is not None:
            job.tell(seconds=None)
            sharpness, search = yield sharpen, (experiment_json, theta, search)
            reading = reading._replace(sharpness=sharpness)
        found.append(reading)
    return found


def stops(path: Trace) -> list[int]:
    """Which of a path's records are read, the finite ones among them."""
    sound = np.flatnonzero(np.isfinite(path.theta[0]).all(1))
    return sound[np.unique(np.linspace(0, len(sound) - 1, STOPS).round().astype(int))].tolist() if len(sound) else []


def survey(experiment_json: str, paths: tuple[Trace, ...], kind: Kind) -> Any:
    """Runs in a worker: the plane, no point of it evaluated."""
    from mbsgd_core.measures import landscape as measure

    experiment = experiment_of(experiment_json)
    return measure.begin(_part(experiment, SAMPLES), paths, kind, size(experiment), experiment.seed)


def explore(experiment_json: str, found: Any, seconds: float) -> Any:
    """Runs in a worker: some more points, for about so many seconds, at least one group of them."""
    from mbsgd_core.measures import landscape as measure

    total, began = _part(experiment_of(experiment_json), SAMPLES), perf_counter()
    while found.progress < 1:
        found = measure.advance(total, found, 1)
        if perf_counter() - began > seconds:
            break
    return found


def read(
    experiment_json: str, lane: int, update: int, theta: np.ndarray, noise: bool, curvature: bool
) -> tuple[Reading, Any]:
    """Runs in a worker: a reading, and the search for the sharpness if that has to go on."""
    from mbsgd_core.measures import sharpness
    from mbsgd_core.measures.meter import meter

    experiment = experiment_of(experiment_json)
    total, method = _part(experiment, FEW), experiment.lanes[lane]
    rate = experiment.learning_rate(lane, update)
    limit = sharpness.edge(method.rule, rate)
    edge, formula = (np.nan, "") if limit is None else limit
    gauge = meter(total, theta) if noise else None
    gradient, scale = (np.nan, np.nan) if gauge is None else (gauge.gradient, gauge.scale)
    reading = Reading(lane, update, rate, gradient, scale, np.nan, edge, formula)
    return reading, sharpness.begin(total, experiment.seed) if curvature else None


def sharpen(experiment_json: str, theta: np.ndarray, search: Any) -> tuple[float, Any]:
    """Runs in a worker: some more of a search; (sharpness so far, the search or None at its end)."""
    from mbsgd_core.measures import sharpness

    total, began = _part(experiment_of(experiment_json), FEW), perf_counter()
    while not search.done:
        search = sharpness.advance(total, theta, search, 1)
        if perf_counter() - began > CHUNK:
            break
    return search.found.value, None if search.done else search


def _part(experiment: Experiment, samples: int) -> Any:
    from mbsgd_core import engine
    from mbsgd_core.measures.subsample import subsample

    return subsample(engine.finite_sum(experiment), samples, experiment.seed)
