"""Digits drawn as curves: MNIST-1D."""

from functools import cache
from typing import ClassVar, Literal

from mbsgd_core.problems.datasets._images import DIGITS
from mbsgd_core.problems.datasets.base import Dataset, Table, Task, stored


class Mnist1d(Dataset):
    """4,000 curves of 40 points and 1,000 others to be tested on: a digit's template, stretched, shifted and noisy.

    What a network is, shows more clearly than on MNIST: linear models reach 32 %, fully connected ones 68 %,
    convolutions 94 %. The numbers are what the authors' generator gives with its own settings, seed 42, to single
    precision.

    Reference: Greydanus 2020, Scaling down deep learning (arXiv:2011.14439).

    Example:
        >>> Mnist1d().table(0).x.shape, Mnist1d().test_table(0).x.shape
        ((4000, 40), (1000, 40))
    """

    title: ClassVar[str] = "MNIST-1D"
    summary: ClassVar[str] = "Small and hard enough to overfit: where batch size, rate and generalisation part ways."
    reference: ClassVar[str] = "Greydanus 2020"
    telling: ClassVar[tuple[str, ...]] = ("point 21", "point 25")
    task: ClassVar[Task] = "classification"

    def table(self, seed: int) -> Table:
        return _table("train")

    def test_table(self, seed: int) -> Table:
        """The curves that are held out: the generator's own test set."""
        return _table("test")


@cache
def _table(part: Literal["train", "test"]) -> Table:
    data = stored("mnist_1d")
    x, y = data[f"x_{part}"].astype(float), data[f"y_{part}"].astype(float)
    names = tuple(f"point {i + 1}" for i in range(x.shape[1]))
    return Table(x, y, names, "digit", "classification", classes=DIGITS)
