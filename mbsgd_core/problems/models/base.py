"""Problems made of a data set and a model (floor 1): which rows and columns, in which units, split how."""

from functools import lru_cache
from typing import Any, ClassVar, NamedTuple

import numpy as np
from pydantic import SerializeAsAny, field_validator, model_validator

from mbsgd_core.errors import DataError
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
        table = self.columns(0)
        if table.task not in (self.task, "any"):
            raise DataError(f"{self.title} needs data for {self.task}; {self.dataset.title} is for {table.task}")
        if not (0 < self.sample_count):
            raise DataError("no training row is left; lower test_fraction")
        return self

    def columns(self, seed: int) -> Table:
        """The data set's table with the chosen features only."""
        table = self.dataset.table(seed)
        if self.features is None:
            return table
        unknown = [f for f in self.features if f not in table.features]
        if unknown:
            raise DataError(f"no feature is called {unknown[0]!r}; the data set has {', '.join(table.features)}")
        at = [table.features.index(f) for f in self.features]
        units = tuple(table.units[i] for i in at) if table.units else ()
        return table._replace(x=table.x[:, at], features=self.features, units=units)

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


@lru_cache(maxsize=32)
def _prepare(problem: DataProblem, seed: int) -> Prepared:
    table = problem.columns(seed)
    rows = np.arange(len(table.y))
    test = _held_out_rows(table, problem.held_out, seed)
    train = np.setdiff1d(rows, test)
    x = table.x[train]
    mean, deviation = np.zeros(x.shape[1]), np.ones(x.shape[1])
    if problem.standardize:
        mean, deviation = x.mean(0), x.std(0)
        deviation[deviation == 0] = 1.0  # a constant column is only centred

    def seen(part: np.ndarray) -> np.ndarray:
        scaled = (part - mean) / deviation
        return np.hstack([scaled, np.ones((len(scaled), 1))]) if problem.intercept else scaled

    return Prepared(seen(x), table.y[train], seen(table.x[test]), table.y[test], mean, deviation, table, train)


def _held_out_rows(table: Table, share: float, seed: int) -> np.ndarray:
    """Sorted rows of the test split; stratified by class, largest remainders first, for classification."""
    total = round(len(table.y) * share)
    if not total:
        return np.array([], dtype=int)
    order = stream(seed, "split").permutation(len(table.y))
    if table.task == "regression":
        return np.sort(order[:total])
    groups = [order[table.y[order] == c] for c in np.unique(table.y)]
    exact = np.array([len(g) * share for g in groups])
    counts = np.floor(exact).astype(int)
    for i in np.argsort(counts - exact, kind="stable")[: total - counts.sum()]:
        counts[i] += 1
    return np.sort(np.concatenate([g[:n] for g, n in zip(groups, counts, strict=True)]))


def dataset_names() -> list[str]:
    """The names of all data sets."""
    return list(discover("mbsgd_core.problems.datasets", Dataset))
