"""Which rows a model trains on and is tested on, and how it sees them (floor 1).

In this order: the test rows are taken out, then training rows are left out (imbalance, train_rows), then some of the
training labels are replaced (label_noise), then columns or pixels are standardised by what is left for training, and
last the training rows are copied (copies), end to end.
"""

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mbsgd_core.memory_cache import byte_lru
from mbsgd_core.problems.datasets.base import Dataset, Table
from mbsgd_core.random import stream

if TYPE_CHECKING:
    from mbsgd_core.problems.models.base import DataProblem

BLOCK = 4096  # images whose pixels are widened to float64 at once


class Prepared(NamedTuple):
    """The rows as the model sees them: standardised, for linear models with a column of ones last (the intercept)."""

    x: np.ndarray  # (N, P or D) training rows: float64, float32 where the table holds bytes
    y: np.ndarray  # (N,) with the label noise
    x_test: np.ndarray  # (T, ...) held-out rows, T may be 0
    y_test: np.ndarray
    mean: np.ndarray  # (D,) what is subtracted from the table's columns; zeros if not standardised
    deviation: np.ndarray  # (D,) what they are divided by then; ones where a column is constant or not standardised
    table: Table  # the chosen columns in original units
    rows: np.ndarray  # (N,) the table's row of each training sample


@byte_lru(most=32)
def prepare(problem: "DataProblem", seed: int) -> Prepared:
    """Split, thin out, relabel, standardise, copy; kept."""
    table, train = problem.columns(seed), training_rows(problem, seed)
    own = problem.own_test(seed)
    if own is None:
        rest = held_out(problem, seed) if problem.held_out else np.empty(0, dtype=np.int64)
        x_test, y_test = table.x[rest], table.y[rest]
    else:
        x_test, y_test = own.x, own.y
    x = table.x if len(train) == len(table.y) else table.x[train]
    mean, deviation = _scale(x, problem.dataset, problem.standardize)

    def seen(part: np.ndarray) -> np.ndarray:
        white = problem.dataset.white
        if problem.dataset.shape and part.dtype == np.uint8:  # one copy, then in place: many images are large
            scaled = part.astype(np.float32)
            scaled /= white
            scaled -= float(mean[0] / white)
            scaled /= float(deviation[0] / white)
        else:
            scaled = (part - mean) / deviation
        return np.hstack([scaled, np.ones((len(scaled), 1))]) if problem.ones and problem.intercept else scaled

    def copied(part: np.ndarray) -> np.ndarray:
        return np.concatenate([part] * problem.copies) if problem.copies > 1 else part

    y = _relabelled(table.y[train], problem.label_noise, problem.class_count, seed)
    shown = copied(seen(x)), copied(y), seen(x_test), y_test
    return Prepared(*shown, mean, deviation, table, copied(train))


def _scale(x: np.ndarray, dataset: Dataset, standardize: bool) -> tuple[np.ndarray, np.ndarray]:
    """(mean, deviation) of every column; of all pixels together for images."""
    width = x.shape[1]
    if dataset.shape:
        mean, deviation = (dataset.pixel_statistics or pixel_statistics(x, dataset.white)) if standardize else (0, 1)
        return np.full(width, mean * dataset.white), np.full(width, deviation * dataset.white)
    if not standardize:
        return np.zeros(width), np.ones(width)
    mean, deviation = x.mean(0), x.std(0)
    # A constant column is only centred. Its computed deviation may be 1e-17 instead of 0, so compare the values.
    constant = (x == x[0]).all(0)
    mean[constant] = x[0, constant]
    deviation[constant | (deviation == 0)] = 1.0
    return mean, deviation


def pixel_statistics(x: np.ndarray, white: float) -> tuple[float, float]:
    """(mean, deviation) of all pixels / white, ddof 0; the deviation of equal pixels is 1.

    Example:
        >>> pixel_statistics(np.array([[0, 255], [255, 0]], dtype=np.uint8), 255.0)
        (0.5, 0.5)
    """
    mean = float(x.mean(dtype=np.float64))
    parts = (x[i : i + BLOCK].astype(np.float64) - mean for i in range(0, len(x), BLOCK))
    variance = sum(float(np.square(part).sum()) for part in parts) / x.size
    return mean / white, variance**0.5 / white or 1.0


def training_rows(problem: "DataProblem", seed: int) -> np.ndarray:
    """The table's rows that are trained on, (N,), sorted."""
    table = problem.columns(seed)
    train = np.arange(len(table.y))
    if problem.held_out:
        train = np.setdiff1d(train, held_out(problem, seed))
    if problem.imbalance:
        # How many go is fixed by seed 0, so that N never depends on the seed.
        train = _without_last_class(train, table.y, left_out(problem), seed)
    if problem.train_rows is not None and problem.train_rows < len(train):
        share = problem.train_rows / len(train)
        stratify = problem.learns == "classification"
        chosen = _choose(table.y[train], problem.train_rows, share, stream(seed, "subset"), stratify)
        train = train[chosen]
    return train


def held_out(problem: "DataProblem", seed: int) -> np.ndarray:
    """The table's rows that are kept for the test, sorted."""
    return held_out_rows(problem.columns(seed).y, problem.held_out, seed, stratify=problem.learns == "classification")


@lru_cache(maxsize=64)
def left_out(problem: "DataProblem") -> int:
    """How many training rows the imbalance leaves out."""
    y = problem.columns(0).y
    train = np.setdiff1d(np.arange(len(y)), held_out(problem, 0))
    return round(int((y[train] == y.max()).sum()) * problem.imbalance)


def _without_last_class(train: np.ndarray, y: np.ndarray, count: int, seed: int) -> np.ndarray:
    """The rows without so many of the last class's (and of others, should it hold fewer at this seed)."""
    mixed = stream(seed, "imbalance").permutation(train)
    mixed = mixed[np.argsort(y[mixed] != y.max(), kind="stable")]
    return np.sort(mixed[count:])


def _relabelled(y: np.ndarray, share: float, classes: int, seed: int) -> np.ndarray:
    """y with round(N share) labels replaced, each by any of the other classes alike."""
    count = round(len(y) * share)
    if not count:
        return y
    draws, y = stream(seed, "label noise"), y.copy()
    wrong = draws.permutation(len(y))[:count]
    y[wrong] = (y[wrong] + draws.integers(1, classes, count)) % classes
    return y


def held_out_rows(y: np.ndarray, share: float, seed: int, stratify: bool) -> np.ndarray:
    """The rows of the test split, sorted: round(N share) of them, drawn by the seed.

    Args:
        y: (N,) targets or classes.
        share: of the rows, 0 ... 1.
        seed: the experiment's.
        stratify: take the same share of every class, up to rounding (largest remainders first).

    Example:
        >>> y = np.array([0, 0, 0, 0, 1, 1, 1, 1])
        >>> y[held_out_rows(y, 0.5, seed=0, stratify=True)]
        array([0, 0, 1, 1])
    """
    return _choose(y, round(len(y) * share), share, stream(seed, "split"), stratify)


def _choose(y: np.ndarray, total: int, share: float, draws: np.random.Generator, stratify: bool) -> np.ndarray:
    """`total` = round(N share) of the rows, sorted."""
    order = draws.permutation(len(y))
    if not stratify:
        return np.sort(order[:total])
    groups = [order[y[order] == c] for c in np.unique(y)]
    exact = np.array([len(g) * share for g in groups])
    counts = np.floor(exact).astype(int)
    for i in np.argsort(counts - exact, kind="stable")[: total - counts.sum()]:
        counts[i] += 1
    return np.sort(np.concatenate([g[:n] for g, n in zip(groups, counts, strict=True)]))
