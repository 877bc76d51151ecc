"""Training in the background (floor 5): a chain of short tasks, lane by lane, whose partial results stream in.

What is known of the lanes lives in the chain, on the web process's side: a worker may die at any time, and a run that
was stopped can go on from its result. Nothing measured here moves the run: looks are made beside it.
"""

import json
import pickle
from collections.abc import Callable
from functools import lru_cache
from time import perf_counter
from typing import NamedTuple

import numpy as np

from mbsgd_core.errors import JobError
from mbsgd_core.experiment import Experiment
from mbsgd_core.jobs.job import Chain, Job
from mbsgd_core.jobs.looks import Look, Scene, grid, look, scene

CHUNK = 0.1  # seconds of work a task: others wait no longer for their turn
PATH_BYTES = 16e6  # of a lane's iterates that are kept, for the picture of its path
FILM_BYTES = 600_000  # of what was seen of a lane that is kept, to be shown again
STILL = ("truth", "xs", "ys")  # of what is seen: stays the same, and is shown with the newest look
DIVERGED = 1e9  # times the loss at the start, as in the engine


class Course(NamedTuple):
    """A lane as far as it has come, or one more piece of it."""

    state: bytes | None  # to go on from; None: finished
    update: int  # updates made since the start
    updates: int  # ... and planned
    samples: int  # gradients of single samples spent
    seconds: float  # spent in training alone
    pace: float  # seconds an update, looks included
    diverged_at: int  # the update after which it was seen, -1: it is sound
    looks: np.ndarray  # (K, 6): update, samples, seconds, train loss, test loss, test accuracy
    path: np.ndarray  # (k, P): the iterates at some of the looks
    at: np.ndarray  # (k,) int64: which looks these are
    learned: dict[str, np.ndarray]  # of the newest look
    film: tuple[dict[str, np.ndarray], ...]  # what was learned by some of the looks
    film_at: tuple[int, ...]  # which looks these are
    memory: tuple[int, ...] | None = None  # bytes: data, parameters, gradient, optimizer, activations
    why: str | None = None  # of a lane that diverged: why, and what to try

    def grown(self, piece: "Course") -> "Course":
        """This lane with the next piece at its end."""
        looks = np.concatenate([self.looks, piece.looks])
        looks[len(self.looks) :, 2] += self.seconds
        return piece._replace(
            seconds=self.seconds + piece.seconds,
            looks=looks,
            path=np.concatenate([self.path, piece.path]),
            at=np.concatenate([self.at, piece.at]),
            learned=piece.learned or self.learned,
            film=self.film + piece.film,
            film_at=self.film_at + piece.film_at,
            memory=self.memory,
            why=self.why,
        )

    @property
    def over(self) -> bool:
        """Whether nothing is left to train."""
        return self.state is None

    @property
    def left(self) -> float:
        """Seconds of work to come, about."""
        return 0.0 if self.over else (self.updates - self.update) * self.pace


class Training(NamedTuple):
    """A run as far as it has come; equal parts are shared between versions, so don't change them."""

    scene: Scene
    lanes: tuple[Course, ...]

    @property
    def done(self) -> bool:
        return all(lane.over for lane in self.lanes)

    @property
    def progress(self) -> float:
        """0 ... 1, in seconds of work."""
        made = sum(lane.update * lane.pace for lane in self.lanes)
        left = sum(lane.left for lane in self.lanes)
        return made / (made + left) if made + left else float(self.done)


def training(experiment_json: str, known: Training | None, alive: Callable[[], bool], job: Job) -> Chain:
    """A run, from its start or from what is known of it.

    Args:
        experiment_json: what to train.
        known: the result of an earlier job for the same experiment that was stopped before its end.
        alive: whether somebody still wants it; asked between two tasks.
        job: the run's; its `result` is the newest Training.
    """
    job.tell(patient=True)
    if known is None:
        stage, lanes = (yield prepare, (experiment_json,)), []
        for i in range(len(json.loads(experiment_json)["lanes"])):
            job.tell(seconds=None)  # no task of a run foretells how long the next takes
            lanes.append((yield begin, (experiment_json, i)))
    else:
        stage, lanes = known.scene, list(known.lanes)
    while True:
        now = Training(stage, tuple(lanes))
        lost = next((i for i, lane in enumerate(lanes) if lane.diverged_at >= 0 and lane.why is None), None)
        if now.done and all(lane.memory for lane in lanes) and lost is None:
            return now
        job.tell(progress=now.progress, result=now, seconds=None)
        if not alive():
            raise JobError("The page was closed, so its run was stopped.")
        if lost is not None:
            lane = lanes[lost]
            about = (experiment_json, lost, lane.diverged_at, lane.looks[:, 3])
            lanes[lost] = lane._replace(why=(yield explain, about))
            continue
        heavy = _unmeasured(lanes)
        if heavy is not None:
            lanes[heavy] = lanes[heavy]._replace(memory=(yield weigh, (experiment_json, heavy)))
            continue
        i = min((i for i, lane in enumerate(lanes) if not lane.over), key=lambda i: lanes[i].update / lanes[i].updates)
        lanes[i] = lanes[i].grown((yield go_on, (lanes[i].state, CHUNK, lanes[i].pace)))


def _unmeasured(lanes: list[Course]) -> int | None:
    """The lane whose memory is measured next; first all lanes show something."""
    if any(lane.update == 0 and not lane.over for lane in lanes):
        return None
    return next((i for i, lane in enumerate(lanes) if lane.memory is None), None)


def prepare(experiment_json: str) -> Scene:
    """Runs in a worker: the data as the page shows them."""
    return scene(experiment_of(experiment_json))


def begin(experiment_json: str, lane: int) -> Course:
    """Runs in a worker: a lane at its start, and the look at it."""
    from mbsgd_core import engine

    experiment = experiment_of(experiment_json)
    state = engine.init(experiment, lane)
    updates, seen = experiment.updates(lane), look(state)
    theta = state.theta[:1].cpu().numpy().copy()
    lost = int(state.diverged_at[0])
    row = [0, 0, 0.0, seen.train_loss, seen.test_loss, seen.test_accuracy]
    packed = pickle.dumps(state) if updates and lost < 0 else None
    zero = np.zeros(1, dtype=np.int64)
    film = (_frame(seen),) if seen.learned else ()
    first = (0,) * len(film)
    return Course(packed, 0, updates, 0, 0.0, 0.0, lost, np.array([row]), theta, zero, seen.learned, film, first)


def go_on(packed: bytes, seconds: float, pace: float) -> Course:
    """Runs in a worker: the next piece of a lane, about so many seconds of wall time, at least one update.

    Args:
        packed: the state, as an earlier task returned it.
        seconds: how long.
        pace: seconds an update, as an earlier task measured it; 0 if none did.
    """
    from mbsgd_core import engine

    state = pickle.loads(packed)
    experiment, first = state.experiment, state.update
    updates, when = experiment.updates(state.lane), grid(experiment, state.lane)
    sizes = experiment.lanes[state.lane].sampler.sizes(experiment.problem.sample_count)
    stride, began, spent = _stride(experiment, len(when)), perf_counter(), 0.0
    rows: list[list[float]] = []
    path, at, seen, lost = [], [], Look(np.nan, np.nan, np.nan, {}), -1
    film, film_at = [], []
    while state.update < updates and lost < 0:
        k = int(np.searchsorted(when, state.update, side="right"))  # the next look
        n = int(when[k]) - state.update
        left = seconds - (perf_counter() - began)
        n = min(n, max(1, int(left / pace) if pace else 1))
        before, tick = state.update, perf_counter()
        state, _ = engine.advance(state, n, every=updates, evaluate=False)
        took = perf_counter() - tick
        spent, pace = spent + took, took / (state.update - before)
        lost = int(state.diverged_at[0])
        if state.update == when[k]:
            seen = look(state)
            samples = int(engine.samples_spent(sizes, np.array(state.update)))
            rows.append([state.update, samples, spent, seen.train_loss, seen.test_loss, seen.test_accuracy])
            if lost < 0 and not abs(seen.train_loss) / DIVERGED <= max(1.0, abs(float(state.first_loss[0]))):
                lost = state.update
            if k % stride == 0 or state.update == updates:
                path.append(state.theta[0].cpu().numpy())
                at.append(k)
            if seen.learned and (k % _film_stride(seen, len(when)) == 0 or state.update == updates):
                film.append(_frame(seen))
                film_at.append(k)
        if perf_counter() - began > seconds:
            break
    over = lost >= 0 or state.update == updates
    samples = int(engine.samples_spent(sizes, np.array(state.update)))
    return Course(
        None if over else pickle.dumps(state),
        state.update,
        updates,
        samples,
        spent,
        (perf_counter() - began) / (state.update - first),
        lost,
        np.array(rows).reshape(-1, 6),
        np.array(path).reshape(-1, state.theta.shape[1]).astype(state.theta.cpu().numpy().dtype),
        np.array(at, dtype=np.int64),
        seen.learned,
        tuple(film),
        tuple(film_at),
    )


def weigh(experiment_json: str, lane: int) -> tuple[int, ...]:
    """Runs in a worker: the bytes that a lane occupies, split."""
    from mbsgd_core.measures.cost import memory

    return tuple(memory(experiment_of(experiment_json), lane))


def explain(experiment_json: str, lane: int, update: int, losses: np.ndarray) -> str:
    """Runs in a worker: why a lane diverged."""
    from mbsgd_core.measures.divergence import why

    return why(experiment_of(experiment_json), lane, update, losses)


def _stride(experiment: Experiment, looks: int) -> int:
    """Every which look's iterate is kept."""
    most = max(2, int(PATH_BYTES // (experiment.problem.parameter_count * np.dtype(experiment.dtype).itemsize)))
    return -(-looks // most)


def _frame(seen: Look) -> dict[str, np.ndarray]:
    """What changes from look to look."""
    return {name: values for name, values in seen.learned.items() if name not in STILL}


def _film_stride(seen: Look, looks: int) -> int:
    """Every which look is kept to be shown again."""
    size = sum(values.nbytes for values in _frame(seen).values())
    return -(-looks // max(2, FILM_BYTES // size))


@lru_cache(maxsize=4)
def experiment_of(experiment_json: str) -> Experiment:
    """The experiment that a task is about; the last few are kept."""
    return Experiment.model_validate(json.loads(experiment_json))
