"""Handwritten digits, 28 x 28 pixels: the real MNIST."""

from functools import lru_cache
from typing import ClassVar, Literal

import numpy as np

from mbsgd_core.knobs import Examples, knob
from mbsgd_core.problems.datasets import _mnist_files
from mbsgd_core.problems.datasets._images import DIGITS, pixel_names
from mbsgd_core.problems.datasets.base import Dataset, Progress, Table, Task, stored

NAMES = pixel_names(28, 28)
Part = Literal["train", "test"]


class Mnist(Dataset):
    """60,000 digits to learn from and 10,000 others to be tested on; a pixel is 0 (paper) to 255 (ink).

    The subset, 10,000 and 2,000 of them, comes with the app. It keeps the shares of the classes and the order of the
    rows; which ones is drawn at random, since the second half of the test set is known to be harder than the first.
    All of them need the four files: in the folder that the variable MBSGD_DATA names, or fetched.

    Pixels stay single bytes (uint8), unlike other tables: 47 MB instead of 376.

    Reference: LeCun, Bottou, Bengio, Haffner 1998, Gradient-based learning applied to document recognition.
    Where others differ: many divide the pixels by 255; mean and deviation are then .1307 and .3081.

    Example:
        >>> Mnist(rows="subset").table(0).x.shape, Mnist().counts()
        ((10000, 784), (60000, 10000))
    """

    title: ClassVar[str] = "MNIST"
    summary: ClassVar[str] = "The standard test of a first convolutional network: 70,000 handwritten digits."
    reference: ClassVar[str] = "LeCun, Bottou, Bengio, Haffner 1998"
    telling: ClassVar[tuple[str, ...]] = ("pixel_20_9", "pixel_14_13")
    task: ClassVar[Task] = "classification"
    shape: ClassVar[tuple[int, ...]] = (1, 28, 28)
    examples: ClassVar[Examples] = ({"rows": "subset"},)
    white: ClassVar[float] = 255.0
    pixel_statistics: ClassVar[tuple[float, float] | None] = (0.1307, 0.3081)  # of pixels / white

    rows: Literal["all", "subset"] = knob(
        "all",
        label="Images",
        help="all: 60,000 and 10,000 to test, for which the files are needed; subset: 10,000 and 2,000, always there.",
    )

    def preview(self, seed: int) -> Table:
        return _table("subset", "train")

    @property
    def missing(self) -> int:
        return 0 if self.rows == "subset" else sum(file.packed for file in _mnist_files.missing())

    def fetch(self, progress: Progress | None = None) -> None:
        from mbsgd_core.problems.datasets._mnist_download import fetch

        if self.missing:
            fetch(progress)

    @classmethod
    def ready(cls) -> "Mnist":
        return cls() if not cls().missing else cls(rows="subset")

    def counts(self) -> tuple[int, int]:
        return (60_000, 10_000) if self.rows == "all" else (10_000, 2_000)

    def header(self) -> Table:
        return _named(np.empty((0, len(NAMES)), np.uint8), np.empty(0, np.uint8))

    def table(self, seed: int) -> Table:
        """Raises DataError where the files are missing or not MNIST's."""
        return _table(self.rows, "train")

    def test_table(self, seed: int) -> Table:
        """The images that are held out: MNIST's own test set."""
        return _table(self.rows, "test")


@lru_cache(maxsize=4)
def _table(rows: str, part: Part) -> Table:
    if rows == "all":
        images, labels = map(_mnist_files.load, _mnist_files.TRAIN if part == "train" else _mnist_files.TEST)
    else:
        data = stored("mnist")
        images, labels = data[f"x_{part}"], data[f"y_{part}"]
    return _named(images.reshape(len(images), -1), labels)


def _named(pixels: np.ndarray, labels: np.ndarray) -> Table:
    return Table(pixels, labels.astype(np.float64), NAMES, "digit", "classification", classes=DIGITS)
