"""What a lane in training is looked at for, and when (floor 5): plain values that cross processes.

A look measures the model as it stands: losses, accuracy, and what the page shows of it. Looks fall on updates that
are fixed by the experiment alone, never by the clock, so that a run gives the same curves however it was cut.
"""

from contextlib import suppress
from typing import Any, NamedTuple

import numpy as np

from mbsgd_core.errors import LabError
from mbsgd_core.experiment import Experiment
from mbsgd_core.types import State

MANY, SAMPLES = 10_000, 1_000  # training rows that the train loss of a look is a mean over, at most; of dear models
DEAR = 1e6  # operations of a sample's way through a model
MOST, LEAST = 120, 16  # looks a lane, about
SHARE = 0.25  # of the training's work that looks may cost
CHEAP = 3e8  # operations: a look that takes fewer is made as often as it shows
SIDE = 56  # points along an axis of a boundary
NOBODY = 2**32 - 1  # the label where a batch has no more images
IMAGES, FILTERS, POINTS, BATCH = 24, 32, 400, 8  # shown


class Look(NamedTuple):
    """The model after some updates."""

    train_loss: float  # the objective, on at most so many training rows as `judged_rows` says
    test_loss: float  # NaN without test rows
    test_accuracy: float  # NaN for numbers and without test rows
    learned: dict[str, np.ndarray]  # what the page shows; its names depend on the scene's kind


class Scene(NamedTuple):
    """What stays the same while a model learns."""

    kind: str  # "boundary" | "images" | "classes" | "numbers"
    train_rows: int  # that a train loss is a mean over
    test_rows: int
    classes: tuple[str, ...]
    axes: tuple[str, ...]  # the features, or the target
    arrays: dict[str, np.ndarray]
    device: str  # in words


def grid(experiment: Experiment, lane: int) -> np.ndarray:
    """The updates after which a lane is looked at, (K,) int64: 0, the last, more of them early on.

    Example:
        >>> e = Experiment.model_validate({"problem": {"name": "mlp", "dataset": "moons"}, "budget": {"amount": 3},
        ...     "lanes": [{"sampler": "full_batch", "schedule": {"name": "constant", "learning_rate": 0.1}}]})
        >>> grid(e, 0).tolist()
        [0, 1, 2, 3]
    """
    problem, updates = experiment.problem, experiment.updates(lane)
    rows = judged_rows(experiment) + _test_rows(experiment)
    training = 3 * problem.sample_count * updates / max(experiment.updates_per_epoch(lane), 1)
    dear = problem.flops * rows > CHEAP
    most = int(np.clip(SHARE * training / rows, LEAST, MOST)) if dear else MOST
    if updates < most:
        return np.arange(updates + 1)
    even, early = np.linspace(0, updates, most * 3 // 4), np.geomspace(1, updates, most // 4)
    return np.unique(np.round(np.concatenate([even, early])).astype(np.int64))


def judged_rows(experiment: Experiment) -> int:
    """How many training rows the train loss of a look is a mean over."""
    problem = experiment.problem
    return min(SAMPLES if problem.flops > DEAR else MANY, problem.sample_count)


def _test_rows(experiment: Experiment) -> int:
    problem: Any = experiment.problem
    rows, own = problem.dataset.counts()
    return own or round(rows * problem.held_out)


def scene(experiment: Experiment) -> Scene:
    """Runs in a worker: the data as the page shows them."""
    import torch

    from mbsgd_core import engine
    from mbsgd_core.measures import learning

    problem: Any = experiment.problem
    seed, data = experiment.seed, problem.prepare(experiment.seed)
    kind, tests = _kind(problem), len(data.y_test)
    arrays: dict[str, np.ndarray] = {}
    if kind == "boundary":
        x, _ = learning.rows_of(problem, seed, "train")
        arrays = {"x": (x * data.deviation + data.mean)[:POINTS], "y": data.y[:POINTS]}
    if kind == "images":
        truth = data.y_test[:IMAGES].astype(np.int64)
        unknown = np.zeros(tests, dtype=np.int64)
        blank = learning.Judged(data.y_test.astype(np.int64), unknown, unknown + 0.0, unknown + 0.0)
        images = learning.gallery(problem, blank, seed, IMAGES).images.mean(1)
        arrays = {"images": _bytes(images), "truth": truth}
    device = engine.device_of(experiment)
    threads = torch.get_num_threads()
    words = torch.cuda.get_device_name() if device == "cuda" else f"CPU, {threads} thread{'s' * (threads > 1)}"
    table = data.table
    axes = table.features if kind == "boundary" else (table.target,)
    classes = _classes(problem, table) if problem.learns == "classification" else ()
    return Scene(kind, judged_rows(experiment), tests, classes, axes, arrays, words)


def _classes(problem: Any, table: Any) -> tuple[str, ...]:
    known = tuple(str(name) for name in table.classes)
    return known + tuple(str(i) for i in range(len(known), problem.class_count))


def _kind(problem: Any) -> str:
    if problem.learns != "classification":
        return "numbers"
    width = len(problem.header.features)
    if problem.dataset.shape and width == int(np.prod(problem.dataset.shape)):
        return "images"
    return "boundary" if width == 2 else "classes"


def look(state: State) -> Look:
    """Runs in a worker: what the model of a state's first run is like."""
    from mbsgd_core import engine
    from mbsgd_core.measures import learning
    from mbsgd_core.measures.part import part, point

    experiment, total = state.experiment, engine.finite_sum(state.experiment)
    problem: Any = experiment.problem
    seed, theta = experiment.seed, state.theta[0].cpu().numpy()
    if not np.isfinite(theta).all():
        return Look(np.nan, np.nan, np.nan, {})
    some = part(total, judged_rows(experiment), seed)
    train = float(some.objective(point(total, theta)[None])[0])
    tests = _test_rows(experiment) > 0
    judged = learning.judge(problem, total, theta, seed, "test" if tests else "train")
    loss = float(judged.loss.mean()) if tests else np.nan
    accuracy = judged.accuracy if tests else np.nan
    return Look(train, loss, accuracy, _learned(problem, total, theta, seed, judged) | _batch(state))


def _batch(state: State) -> dict[str, np.ndarray]:
    """The samples of the update that led here: how many, and which of the points, or the first of them as images."""
    from mbsgd_core import engine
    from mbsgd_core.measures import learning

    experiment = state.experiment
    problem: Any = experiment.problem
    kind, rows = _kind(problem), np.empty(0, dtype=np.int64)
    if kind not in ("boundary", "images"):
        return {}
    for chosen in engine.batch_indices(experiment, state.lane, range(max(state.update - 1, 0), state.update)):
        rows = np.arange(problem.sample_count) if chosen is None else np.asarray(chosen)
    found = {"batch_rows": np.array([len(rows)], dtype=np.uint32)}
    if kind == "boundary":
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


def _learned(problem: Any, total: Any, theta: np.ndarray, seed: int, judged: Any) -> dict[str, np.ndarray]:
    from mbsgd_core.measures import learning

    kind = _kind(problem)
    if kind == "numbers":
        return {"truth": judged.truth[:POINTS], "prediction": judged.prediction[:POINTS]}
    found = {"confusion": learning.confusion(judged, problem.class_count)}
    if kind == "boundary":
        field = learning.field(problem, total, theta, seed, SIDE)
        found |= {"label": _narrow(field.label), "chance": _bytes(field.values.max(-1)), "xs": field.xs, "ys": field.ys}
    if kind == "images":
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
