"""Problems made of a data set and a model (floor 1): which rows and columns, in which units, split how."""

import difflib
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from pydantic import SerializeAsAny, field_validator, model_validator

from mbsgd_core.errors import ExperimentError
from mbsgd_core.knobs import Flag, Real, Text, Whole, knob
from mbsgd_core.memory_cache import byte_lru
from mbsgd_core.problems.base import Problem
from mbsgd_core.problems.datasets.base import Dataset, Table, Task
from mbsgd_core.problems.models import _rows
from mbsgd_core.problems.models._rows import Prepared, held_out_rows
from mbsgd_core.registry import discover, pick

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["DataProblem", "Prepared", "dataset_names", "held_out_rows"]

MOST_NUMBERS = 20_000_000  # that copies of the training rows may hold


class DataProblem(Problem):
    """A model on a data set. theta holds the weights first, the intercept last."""

    task: ClassVar[Task]  # "any": the data decide, see `learns`
    ones: ClassVar[bool] = True  # whether the intercept is a last column of ones
    rate_hint: ClassVar[float] = 0.05  # a rate at which plain descent on standardised columns moves and does not leap

    dataset: SerializeAsAny[Dataset] = knob(label="Data set", help="Where the rows come from.")
    features: tuple[Text, ...] | None = knob(
        None, label="Features", help="The columns used; null takes all of them.", min_length=1
    )
    standardize: Flag = knob(
        True,
        label="Standardise",
        help="Give every column mean 0 and standard deviation 1 (training rows, ddof 0); images: all pixels together.",
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
    train_rows: Whole | None = knob(
        None,
        label="Training rows",
        help="Train on so many rows only, the same share of every class; null: on all. The test rows stay.",
        ge=1,
        page=(1, 60_000),
    )
    copies: Whole = knob(
        1,
        label="Copies",
        help="Every training row stands so many times: redundant data, with the same loss. The test rows stay.",
        ge=1,
        page=(1, 16),
    )
    imbalance: Real = knob(
        0.0,
        label="Imbalance",
        help="Share of the last class's training rows that is left out; 0: none. The test rows stay.",
        ge=0,
        lt=1,
        page=(0.0, 0.99),
    )
    label_noise: Real = knob(
        0.0,
        label="Label noise",
        help="Share of the training labels that is replaced by another class at random; test labels stay right.",
        ge=0,
        le=1,
        page=(0.0, 0.9),
    )

    @field_validator("dataset", mode="before")
    @classmethod
    def _find_dataset(cls, given: Any) -> Any:
        return pick("mbsgd_core.problems.datasets", Dataset, given, "data set")

    @model_validator(mode="after")
    def _fits(self) -> "DataProblem":
        if "any" not in (self.task, self.dataset.task) and self.task != self.dataset.task:
            fitting = ", ".join(dataset_names(self.task))
            raise ExperimentError(
                f"{self.dataset.title} is for {self.dataset.task}; {self.title} needs data for {self.task}: {fitting}",
                ("dataset",),
            )
        header = self.header
        if "any" not in (self.task, header.task) and self.task != header.task:
            raise ExperimentError(
                f"{header.target} is for {header.task}; {self.title} needs a target for {self.task}; choose another",
                ("dataset", "target"),
            )
        self._rows_fit()
        if self.dataset.shape:
            return self
        table = self.columns(0)
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

    def _rows_fit(self) -> None:
        """Whether the knobs that choose rows and labels leave something to train on."""
        if self.test_fraction is not None and self.dataset.counts()[1]:
            raise ExperimentError(
                f"given {self.test_fraction}; {self.dataset.title} has test rows of its own; leave it null",
                ("test_fraction",),
            )
        if self._untouched < 1:
            raise ExperimentError(
                f"given {self.test_fraction}; of {self.dataset.counts()[0]} rows none is left to train on; lower it",
                ("test_fraction",),
            )
        for name in ("imbalance", "label_noise"):
            if getattr(self, name) and self.learns != "classification":
                raise ExperimentError(
                    f"given {getattr(self, name)}; {self.title} predicts a number here and there are no classes; "
                    "leave it 0",
                    (name,),
                )
        available = self._untouched - self._left_out
        if available < 1:
            raise ExperimentError(f"given {self.imbalance}; no row is left to train on; lower it", ("imbalance",))
        if self.train_rows is not None and self.train_rows > available:
            raise ExperimentError(
                f"given {self.train_rows}; there are {available} rows to train on, so it should be 1 to {available}",
                ("train_rows",),
            )
        rows, columns = self._distinct, len(self.header.features)
        most = max(1, MOST_NUMBERS // (rows * columns))
        if self.copies > most:
            raise ExperimentError(
                f"given {self.copies}; {rows:,} rows of {columns:,} numbers are large, so it should be 1 to {most}",
                ("copies",),
                nearest=most,
            )

    @classmethod
    def plane_settings(cls, dataset: Dataset) -> dict[str, Any]:
        """The settings that leave two parameters: slope and intercept of one feature, or the weights of two."""
        features = dataset.telling or dataset.header().features
        line = cls.task == "regression"
        return {"features": list(features[: 1 if line else 2]), "intercept": line}

    @property
    def learns(self) -> Task:
        """What y is to this model on these data: "regression" or "classification"."""
        return self.task

    @property
    def numbers_classes(self) -> bool:
        """Whether it numbers the classes of data that do not name them: 0, 1 ... by the sorted labels that occur."""
        return False

    @property
    def class_count(self) -> int:
        """Classes of the data, at least 2; labels are 0 ... class_count - 1."""
        return _class_count(self.dataset, self.numbers_classes)

    @property
    def header(self) -> Table:
        """The chosen features of the data set's table, without rows."""
        return _header(self.dataset, self.features, self.numbers_classes)

    def columns(self, seed: int) -> Table:
        """The data set's table with the chosen features only."""
        return _columns(self.dataset, self.features, seed, self.numbers_classes)

    def log_chances(self, z: "Tensor") -> "Tensor":
        """Log-probabilities of the classes, (n, C), that outputs (n, outputs) stand for: a single one is a log-odds."""
        import torch

        return (torch.cat([torch.zeros_like(z), z], -1) if z.shape[-1] == 1 else z).log_softmax(-1)

    def row_losses(self, z: "Tensor", y: "Tensor") -> "Tensor":
        """What each row adds to the loss, (n,), from outputs (n, outputs) and classes (n,)."""
        return -self.log_chances(z).gather(-1, y[:, None])[:, 0]

    def own_test(self, seed: int) -> Table | None:
        """The data set's own test rows with the chosen features only, if it has such rows."""
        table = self.dataset.test_table(seed)
        return None if table is None else _chosen(table, self.features)

    @property
    def held_out(self) -> float:
        """The test share that is in force; 0 where the data set has test rows of its own."""
        if self.test_fraction is not None:
            return self.test_fraction
        if self.dataset.counts()[1]:
            return 0.0
        return 0.2 if self.dataset.own_split and self.parameter_count > 2 else 0.0

    @property
    def sample_count(self) -> int:
        return _sample_count(self)

    @property
    def _distinct(self) -> int:
        """Training rows before they are copied."""
        return self.train_rows if self.train_rows is not None else self._untouched - self._left_out

    @property
    def _untouched(self) -> int:
        """Training rows before any is left out."""
        rows, _ = self.dataset.counts()
        return rows - round(rows * self.held_out)

    @property
    def _left_out(self) -> int:
        return _rows.left_out(self) if self.imbalance else 0

    def prepare(self, seed: int) -> Prepared:
        """Split, thin out, relabel, standardise, for linear models add the intercept's column, copy; cached."""
        return _rows.prepare(self, seed)


@lru_cache(maxsize=64)
def _sample_count(problem: DataProblem) -> int:
    """Kept: a report asks a hundred times, and a net counts its parameters for it."""
    return problem._distinct * problem.copies


@lru_cache(maxsize=64)
def _class_count(dataset: Dataset, numbered: bool) -> int:
    if numbered and not dataset.header().classes:
        return max(2, len(_labels(dataset)))
    return max(2, len(dataset.header().classes) or int(dataset.table(0).y.max()) + 1)


@lru_cache(maxsize=64)
def _labels(dataset: Dataset) -> tuple[float, ...]:
    """The sorted labels of data that do not name their classes."""
    return tuple(np.unique(dataset.table(0).y).tolist())


@lru_cache(maxsize=64)
def _header(dataset: Dataset, features: tuple[str, ...] | None, numbered: bool) -> Table:
    header = _chosen(dataset.header(), features)
    return _numbered(dataset, header) if numbered else header


@byte_lru(most=64)
def _columns(dataset: Dataset, features: tuple[str, ...] | None, seed: int, numbered: bool) -> Table:
    table = _chosen(dataset.table(seed), features)
    return _numbered(dataset, table) if numbered else table


def _numbered(dataset: Dataset, table: Table) -> Table:
    """The table with classes 0, 1 ... in place of its labels; itself where it names its classes, or has just these."""
    if table.classes or _labels(dataset) == tuple(range(len(_labels(dataset)))):
        return table
    labels = np.array(_labels(dataset))
    names = tuple(f"{label:.17g}" for label in labels)
    return table._replace(y=np.searchsorted(labels, table.y).astype(float), classes=names)


def _chosen(table: Table, features: tuple[str, ...] | None) -> Table:
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


def dataset_names(task: Task = "any") -> list[str]:
    """The names of all data sets, or of those that suit a task."""
    known = discover("mbsgd_core.problems.datasets", Dataset)
    return [name for name, cls in known.items() if "any" in (task, cls.task) or cls.task == task]
