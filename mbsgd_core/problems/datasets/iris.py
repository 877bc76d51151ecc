"""Three kinds of iris: 150 flowers."""

from functools import cache
from typing import ClassVar

from mbsgd_core.problems.datasets.base import Dataset, Table, Task, stored


class Iris(Dataset):
    """Length and width of sepals and petals of 50 flowers of each kind: setosa, versicolor, virginica.

    A line tells setosa from the rest; the other two overlap.

    Reference: Fisher 1936, The use of multiple measurements in taxonomic problems (measured by Anderson).
    Where others differ: the UCI file has two wrong flowers; these numbers are scikit-learn's, which agree with Fisher.
    """

    title: ClassVar[str] = "Iris"
    summary: ClassVar[str] = "Real and tiny: one of three kinds is easy to tell, the other two overlap."
    reference: ClassVar[str] = "Fisher 1936"
    telling: ClassVar[tuple[str, ...]] = ("petal length", "petal width")
    task: ClassVar[Task] = "classification"

    def table(self, seed: int) -> Table:
        return _table()


@cache
def _table() -> Table:
    data = stored("iris")
    names, units, classes = (tuple(data[key].tolist()) for key in ("features", "units", "classes"))
    return Table(data["x"], data["y"], names, "kind", "classification", units, classes)
