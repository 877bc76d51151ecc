"""What a data set is (floor 1): a table of numbers with names, units and a task."""

from abc import abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar, Literal, NamedTuple

import numpy as np

from mbsgd_core.knobs import NamedItem

CORE = Path(__file__).resolve().parents[2]
INSTALLED = CORE / "data"  # where pyproject.toml puts assets/data of the checkout
FOLDER = INSTALLED if INSTALLED.is_dir() else CORE.parent / "assets" / "data"

Task = Literal["regression", "classification", "any"]
Progress = Callable[[int, int], None]  # is told (bytes so far, bytes in all); what it raises ends a download


class Table(NamedTuple):
    """N rows in original units."""

    x: np.ndarray  # (N, D) float64; images may be uint8, which models read as float32
    y: np.ndarray  # (N,) float64: a target, or the class 0, 1, 2 ...
    features: tuple[str, ...]  # D names
    target: str  # what y is, with its unit
    task: Task
    units: tuple[str, ...] = ()  # of the features, D, or () where unknown
    classes: tuple[str, ...] = ()  # names of the classes, for classification


class Dataset(NamedItem):
    """The settings of a data set; `table` is the data, in original units."""

    title: ClassVar[str]
    summary: ClassVar[str]  # one sentence: what it teaches
    reference: ClassVar[str] = ""
    task: ClassVar[Task]  # "any": the model decides what y means
    telling: ClassVar[tuple[str, ...]] = ()  # features whose two-parameter picture is worth a look; () = the first
    generated: ClassVar[bool] = False  # True: its values are drawn from the seed
    own_split: ClassVar[bool] = True  # False: no part is held out unless test_fraction says so
    shape: ClassVar[tuple[int, ...]] = ()  # of an image: (channels, height, width), D numbers row by row; () = columns
    white: ClassVar[float] = 1.0  # the largest value of a pixel: models see pixels / white
    pixel_statistics: ClassVar[tuple[float, float] | None] = None  # mean and deviation of pixels / white, if published

    @abstractmethod
    def table(self, seed: int) -> Table:
        """The rows; only generated data depend on the seed, and only in their values, never in their number."""

    def test_table(self, seed: int) -> Table | None:
        """The test rows of a data set that comes with its own; None where a part of `table` is held out."""
        return None

    def counts(self) -> tuple[int, int]:
        """(rows of `table`, rows of `test_table` or 0), for any seed; large data know them without being read."""
        test = self.test_table(0)
        return len(self.table(0).y), 0 if test is None else len(test.y)

    def header(self) -> Table:
        """`table` without its rows, for any seed; large data know it without being read."""
        table = self.table(0)
        return table._replace(x=table.x[:0].copy(), y=table.y[:0].copy())  # a view would hold on to all rows

    def preview(self, seed: int) -> Table:
        """A table with some of its rows: enough to be looked at, at hand whatever is missing."""
        return self.table(seed)

    @property
    def missing(self) -> int:
        """Bytes that have to be fetched before there is a table; 0: it is at hand."""
        return 0

    def fetch(self, progress: Progress | None = None) -> None:
        """Fetch what is missing. Only ever called because somebody asked for it."""

    @classmethod
    def ready(cls) -> "Dataset":
        """The data set as it is first shown: with its defaults, or in a version that is at hand."""
        return cls()


def stored(name: str) -> dict[str, np.ndarray]:
    """The arrays of assets/data/<name>.npz; never unpickles."""
    with np.load(FOLDER / f"{name}.npz", allow_pickle=False) as data:
        return dict(data)
