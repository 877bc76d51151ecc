"""A model judged while it learns (floor 4): when, on which rows, and what is shown of it.

Where the engine's own records are few and small, it keeps theta and the objective itself, and the model is judged
afterwards at some of them. Where theta is large or an objective dear, lanes stop at records that are fixed by the
experiment alone, never by the clock, so that a run gives the same curves however it was cut.
"""

from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from mbsgd_core import engine
from mbsgd_core.errors import LabError
from mbsgd_core.experiment import Experiment
from mbsgd_core.measures import learning
from mbsgd_core.measures.subsample import Subsample, point, subsample
from mbsgd_core.problems.base import FiniteSum
from mbsgd_core.problems.datasets.base import Table
from mbsgd_core.problems.models.base import DataProblem
from mbsgd_core.results.learning import Judged
from mbsgd_core.results.run import Evaluations, Frame, Scene

MANY, SAMPLES = 10_000, 1_000  # training rows that a train loss is a mean over, at most; of dear models
DEAR = 1e6  # operations of a sample's way through a model
MOST, LEAST = 120, 16  # records a lane, about, where it stops for them
SHARE = 0.25  # of the training's work that they may cost
CHEAP = 3e8  # operations: a model that takes fewer is judged as often as it shows
NUMBERS = 2_000_000  # that the engine's own records may hold: they cross processes and live in the web process
SIDE = 56  # points along an axis of a boundary
NOBODY = 2**32 - 1  # the label where a batch has no more images
IMAGES, FILTERS, POINTS, BATCH = 24, 32, 400, 8  # shown
STILL = ("truth", "xs", "ys")  # of what is shown: stays the same while a model learns
TRAIN_ACCURACY = "train_accuracy"  # in the last frame of a lane that stops to be judged: a number, not shown by itself


class Judgement(NamedTuple):
    """The model after some updates."""

    train_loss: float  # the objective, on at most so many training rows as `judged_rows` says
    test_loss: float  # NaN without test rows
    test_accuracy: float  # NaN for numbers and without test rows
    shown: Frame


@lru_cache(maxsize=64)
def stops(experiment: Experiment) -> bool:
    """Whether lanes stop to be judged: their theta is too large for the engine's own records."""
    problem = experiment.problem
    if not isinstance(problem, DataProblem):
        return False
    numbers = experiment.runs * (problem.parameter_count + 1) * engine.SPARSE_RECORDS
    return numbers > NUMBERS or problem.flops > DEAR


def grid(experiment: Experiment, lane: int) -> np.ndarray:
    """The updates after which a lane stops, (K,) int64: 0, the last, more of them early on.

    Example:
        >>> e = Experiment.model_validate({"problem": {"name": "mlp", "dataset": "moons"}, "budget": {"amount": 3},
        ...     "lanes": [{"sampler": "full_batch", "schedule": {"name": "constant", "learning_rate": 0.1}}]})
        >>> grid(e, 0).tolist()
        [0, 1, 2, 3]
    """
    problem, updates = experiment.problem, experiment.updates(lane)
    rows = judged_rows(experiment) + test_rows(experiment)
    training = 3 * problem.sample_count * updates / max(experiment.updates_per_epoch(lane), 1)
    dear = problem.flops * rows > CHEAP
    return spaced(updates, int(np.clip(SHARE * training / rows, LEAST, MOST)) if dear else MOST)


def spaced(last: int, most: int) -> np.ndarray:
    """About `most` whole numbers from 0 to the last one, more of them early on: int64, ascending.

    Example:
        >>> spaced(100, 8).tolist()
        [0, 1, 20, 40, 60, 80, 100]
    """
    if last < most:
        return np.arange(last + 1)
    even, early = np.linspace(0, last, most * 3 // 4), np.geomspace(1, last, most // 4)
    return np.unique(np.round(np.concatenate([even, early])).astype(np.int64))


def judged_rows(experiment: Experiment) -> int:
    """How many training rows a train loss is a mean over."""
    problem = experiment.problem
    most = (SAMPLES if problem.flops > DEAR else MANY) if stops(experiment) else problem.sample_count
    return min(most, problem.sample_count)


def test_rows(experiment: Experiment) -> int:
    """How many rows are held out."""
    problem = experiment.problem
    if not isinstance(problem, DataProblem):
        return 0
    rows, own = problem.dataset.counts()
    return own or round(rows * problem.held_out)


def kind(problem: DataProblem) -> str:
    """What can be shown of a model: "boundary" | "images" | "classes" | "numbers"."""
    if problem.learns != "classification":
        return "numbers"
    width = len(problem.header.features)
    if problem.dataset.shape and width == int(np.prod(problem.dataset.shape)):
        return "images"
    return "boundary" if width == 2 else "classes"


def scene(experiment: Experiment) -> Scene:
    """The data as they are shown."""
    import torch

    problem = experiment.data_problem
    seed, data = experiment.seed, problem.prepare(experiment.seed)
    shows, tests = kind(problem), len(data.y_test)
    arrays: dict[str, np.ndarray] = {}
    if shows == "boundary":
        x, _ = learning.rows_of(problem, seed, "train")
        arrays = {"x": (x * data.deviation + data.mean)[:POINTS], "y": data.y[:POINTS]}
    if shows == "images":
        truth = data.y_test[:IMAGES].astype(np.int64)
        unknown = np.zeros(tests, dtype=np.int64)
        blank = Judged(data.y_test.astype(np.int64), unknown, unknown + 0.0, unknown + 0.0)
        images = learning.gallery(problem, blank, seed, IMAGES).images.mean(1)
        arrays = {"images": _bytes(images), "truth": truth}
    device = engine.device_of(experiment)
    threads = torch.get_num_threads()
    words = torch.cuda.get_device_name() if device == "cuda" else f"CPU, {threads} thread{'s' * (threads > 1)}"
    table = data.table
    axes = table.features if shows == "boundary" else (table.target,)
    classes = _classes(problem, table) if problem.learns == "classification" else ()
    return Scene(shows, judged_rows(experiment), tests, classes, axes, arrays, words)


def _classes(problem: DataProblem, table: Table) -> tuple[str, ...]:
    known = tuple(str(name) for name in table.classes)
    return known + tuple(str(i) for i in range(len(known), problem.class_count))


def judge(experiment: Experiment, lane: int, update: int, theta: np.ndarray) -> Judgement:
    """The model at theta (P,), that of a lane after so many updates: its losses, its accuracy, all that is shown."""
    if not np.isfinite(theta).all():
        return Judgement(np.nan, np.nan, np.nan, {})
    problem, total, seed = experiment.data_problem, engine.finite_sum(experiment), experiment.seed
    some = subsample(total, judged_rows(experiment), seed)
    train = float(some.objective(point(total, theta)[None])[0])
    tests = test_rows(experiment) > 0
    judged = learning.judge(problem, total, theta, seed, "test" if tests else "train")
    loss = float(judged.loss.mean()) if tests else np.nan
    accuracy = judged.accuracy if tests else np.nan
    shown = _learned(problem, total, theta, seed, judged) | _batch(experiment, lane, update)
    if update == experiment.updates(lane) and problem.learns == "classification":
        shown[TRAIN_ACCURACY] = np.array([train_accuracy(experiment, theta)])
    return Judgement(train, loss, accuracy, shown)


def train_accuracy(experiment: Experiment, theta: np.ndarray) -> float:
    """The share of right training rows, of at most so many as `judged_rows` says, at theta (P,)."""
    problem, total, seed = experiment.data_problem, engine.finite_sum(experiment), experiment.seed
    some = subsample(total, judged_rows(experiment), seed)
    rows = some.rows.cpu().numpy() if isinstance(some, Subsample) else None
    return learning.judge(problem, total, theta, seed, "train", rows).accuracy


def shown(experiment: Experiment, lane: int, update: int, theta: np.ndarray) -> Frame:
    """What is shown of the model at theta (P,), that of a lane after so many updates; {} where it is not finite."""
    if not np.isfinite(theta).all():
        return {}
    problem, total, seed = experiment.data_problem, engine.finite_sum(experiment), experiment.seed
    judged = learning.judge(problem, total, theta, seed, "test" if test_rows(experiment) else "train")
    return _learned(problem, total, theta, seed, judged) | _batch(experiment, lane, update)


def evaluations(experiment: Experiment, thetas: np.ndarray, at: Sequence[int] | np.ndarray) -> Evaluations:
    """The model on the held-out rows at some records of a path.

    Args:
        experiment: of a model on data.
        thetas: (E, P), those of the records; rows that are not finite give NaN.
        at: (E,) which records these are.
    """
    if not test_rows(experiment):
        return Evaluations.none()
    total = engine.finite_sum(experiment)
    found, sound = np.full((2, len(thetas)), np.nan), np.isfinite(thetas).all(1)
    found[:, sound] = total.test_curves(point(total, thetas[sound]))
    return Evaluations(np.asarray(at, dtype=np.int64), *found)


def moving(frame: Frame) -> Frame:
    """What changes of a frame from record to record."""
    return {name: values for name, values in frame.items() if name not in (*STILL, TRAIN_ACCURACY)}


def _batch(experiment: Experiment, lane: int, update: int) -> Frame:
    """The samples of the update that led here: how many, and which of the points, or the first of them as images."""
    problem = experiment.data_problem
    shows, rows = kind(problem), np.empty(0, dtype=np.int64)
    if shows not in ("boundary", "images"):
        return {}
    for chosen in engine.batch_indices(experiment, lane, range(max(update - 1, 0), update)):
        rows = np.arange(problem.sample_count) if chosen is None else np.asarray(chosen)
    found = {"batch_rows": np.array([len(rows)], dtype=np.uint32)}
    if shows == "boundary":
        used = np.zeros(min(POINTS, problem.sample_count), dtype=np.uint8)
        used[rows[rows < POINTS]] = 1
        return found | {"batch": used}
    data, some = problem.prepare(experiment.seed), rows[:BATCH]
    images = np.zeros((BATCH, *problem.dataset.shape[1:]), dtype=np.uint8)
    labels = np.full(BATCH, NOBODY, dtype=np.uint32)
    x, y = learning.rows_of(problem, experiment.seed, "train")
    pixels = (x[some] * data.deviation + data.mean) / problem.dataset.white
    images[: len(some)] = _bytes(pixels.reshape(-1, *problem.dataset.shape).mean(1))
    labels[: len(some)] = y[some]
    return found | {"batch_images": images, "batch_labels": labels}


def _learned(problem: DataProblem, total: FiniteSum, theta: np.ndarray, seed: int, judged: Judged) -> Frame:
    shows = kind(problem)
    if shows == "numbers":
        return {"truth": judged.truth[:POINTS], "prediction": judged.prediction[:POINTS]}
    found = {"confusion": learning.confusion(judged, problem.class_count)}
    if shows == "boundary":
        field = learning.field(problem, total, theta, seed, SIDE)
        found |= {"label": _narrow(field.label), "chance": _bytes(field.values.max(-1)), "xs": field.xs, "ys": field.ys}
    if shows == "images":
        found |= {"prediction": _narrow(judged.prediction[:IMAGES])}
        with suppress(LabError):  # the first layer of some models sees no image
            weights = learning.filters(problem, total, theta)[:FILTERS].mean(1)
            found["filters"] = _bytes(0.5 + 0.5 * weights / max(np.abs(weights).max(), 1e-12))
    return found


def _bytes(shares: np.ndarray) -> np.ndarray:
    """0 ... 1 as 0 ... 255: a quarter of the memory of float32, and no eye sees the difference."""
    return np.round(255 * shares.clip(0, 1)).astype(np.uint8)


def _narrow(classes: np.ndarray) -> np.ndarray:
    """Class numbers as bytes where they fit."""
    return classes.astype(np.uint8 if classes.max(initial=0) < 256 else np.uint32)
