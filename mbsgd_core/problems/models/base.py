"""Problems made of a data set and a model (floor 1): which rows and columns, in which units, split how."""

import difflib
from functools import lru_cache
from typing import Any, ClassVar, NamedTuple

import numpy as np
from pydantic import SerializeAsAny, field_validator, model_validator

from mbsgd_core.errors import ExperimentError
from mbsgd_core.knobs import Flag, Real, Text, knob
from mbsgd_core.problems.base import Problem
from mbsgd_core.problems.datasets.base import Dataset, Table, Task
from mbsgd_core.random import stream
from mbsgd_core.registry import discover, pick


class Prepared(NamedTuple):
    """The rows as the model sees them: standardised columns, a column of ones last if there is an intercept."""

    x: np.ndarray  # (N, P or D) training rows
    y: np.ndarray  # (N,)
    x_test: np.ndarray  # (T, ...) held-out rows, T may be 0
    y_test: np.ndarray
    mean: np.ndarray  # (D,) of the training rows; zeros if not standardised
    deviation: np.ndarray  # (D,) ddof 0; ones where a column is constant or not standardised
    table: Table  # the chosen columns in original units
    rows: np.ndarray  # (N,) the table's row of each training sample


class DataProblem(Problem):
    """A model on a data set. theta holds the weights first, the intercept last."""

    task: ClassVar[Task]

    dataset: SerializeAsAny[Dataset] = knob(label="Data set", help="Where the rows come from.")
    features: tuple[Text, ...] | None = knob(
        None, label="Features", help="The columns used; null takes all of them.", min_length=1
    )
    standardize: Flag = knob(
        True, label="Standardise", help="Give every column mean 0 and standard deviation 1 (training rows, ddof 0)."
    )
    intercept: Flag = knob(True, label="Intercept", help="Add a constant term, the last of theta; never penalised.")
    l2: Real = knob(
        0.0, label="L2 penalty", help="Adds l2/2 x the squared norm of the weights to the loss.", ge=0, page=(0.0, 1.0)
    )
    test_fraction: Real | None = knob(
        None,
        label="Test share",
        help="Share of the rows held out; null: 0 for inline data and for two parameters or fewer, else 0.2.",
        ge=0,
        lt=1,
        page=(0.0, 0.5),
    )

    @field_validator("dataset", mode="before")
    @classmethod
    def _find_dataset(cls, given: Any) -> Any:
        return pick("mbsgd_core.problems.datasets", Dataset, given, "data set")

    @model_validator(mode="after")
    def _fits(self) -> "DataProblem":
        if self.dataset.task not in (self.task, "any"):
            fitting = ", ".join(dataset_names(self.task))
            raise ExperimentError(
                f"{self.dataset.title} is for {self.dataset.task}; {self.title} needs data for {self.task}: {fitting}",
                ("dataset",),
            )
        table = self.columns(0)
        if self.sample_count < 1:
            raise ExperimentError(
                f"given {self.test_fraction}; of {len(table.y)} rows none is left to train on; lower it",
                ("test_fraction",),
            )
        with np.errstate(over="ignore", invalid="ignore"):
            spread = table.x.std(0)
        if self.standardize and not np.isfinite(spread).all():
            name = table.features[int(np.argmin(np.isfinite(spread)))]
            raise ExperimentError(
                f"{name} is too large to standardise: its squares overflow; divide it by a constant, or turn "
                "standardize off",
                ("dataset",),
            )
        return self

    @classmethod
    def plane_settings(cls, dataset: Dataset) -> dict[str, Any]:
        """The settings that leave two parameters: slope and intercept of one feature, or the weights of two."""
        features = dataset.telling or dataset.table(0).features
        line = cls.task == "regression"
        return {"features": list(features[: 1 if line else 2]), "intercept": line}

    def columns(self, seed: int) -> Table:
        """The data set's table with the chosen features only."""
        return _columns(self.dataset, self.features, seed)

    @property
    def held_out(self) -> float:
        """The test share that is in force."""
        if self.test_fraction is not None:
            return self.test_fraction
        return 0.2 if self.dataset.own_split and self.parameter_count > 2 else 0.0

    @property
    def sample_count(self) -> int:
        rows = len(self.columns(0).y)
        return rows - round(rows * self.held_out)

    def prepare(self, seed: int) -> Prepared:
        """Split, standardise and add the intercept's column; cached."""
        return _prepare(self, seed)


@lru_cache(maxsize=64)
def _columns(dataset: Dataset, features: tuple[str, ...] | None, seed: int) -> Table:
    table = dataset.table(seed)
    if features is None:
        return table
    for name in features:
        if name not in table.features:
            near = difflib.get_close_matches(name[:60], table.features, 3)
            hint = f"did you mean {' or '.join(map(repr, near))}?" if near else f"known: {', '.join(table.features)}"
            raise ExperimentError(f"no feature is called {name[:60]!r}; {hint}", ("features",))
        if features.count(name) > 1:
            raise ExperimentError(f"{name!r} is given more than once; name each feature once", ("features",))
    at = [table.features.index(name) for name in features]
    units = tuple(table.units[i] for i in at) if table.units else ()
    return table._replace(x=table.x[:, at], features=features, units=units)


@lru_cache(maxsize=32)
def _prepare(problem: DataProblem, seed: int) -> Prepared:
    table = problem.columns(seed)
    rows = np.arange(len(table.y))
    test = held_out_rows(table.y, problem.held_out, seed, stratify=problem.task == "classification")
    train = np.setdiff1d(rows, test)
    x = table.x[train]
    mean, deviation = np.zeros(x.shape[1]), np.ones(x.shape[1])
    if problem.standardize:
        mean, deviation = x.mean(0), x.std(0)
        # A constant column is only centred. Its computed deviation may be 1e-17 instead of 0, so compare the values.
        constant = (x == x[0]).all(0)
        mean[constant] = x[0, constant]
        deviation[constant | (deviation == 0)] = 1.0

    def seen(part: np.ndarray) -> np.ndarray:
        scaled = (part - mean) / deviation
        return np.hstack([scaled, np.ones((len(scaled), 1))]) if problem.intercept else scaled

    return Prepared(seen(x), table.y[train], seen(table.x[test]), table.y[test], mean, deviation, table, train)


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
    total = round(len(y) * share)
    order = stream(seed, "split").permutation(len(y))
    if not stratify:
        return np.sort(order[:total])
    groups = [order[y[order] == c] for c in np.unique(y)]
    exact = np.array([len(g) * share for g in groups])
    counts = np.floor(exact).astype(int)
    for i in np.argsort(counts - exact, kind="stable")[: total - counts.sum()]:
        counts[i] += 1
    return np.sort(np.concatenate([g[:n] for g, n in zip(groups, counts, strict=True)]))


def dataset_names(task: Task = "any") -> list[str]:
    """The names of all data sets, or of those that suit a task."""
    known = discover("mbsgd_core.problems.datasets", Dataset)
    return [name for name, cls in known.items() if "any" in (task, cls.task) or cls.task == task]
