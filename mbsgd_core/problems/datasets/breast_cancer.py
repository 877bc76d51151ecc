"""Benign or malignant: 569 tumours."""

from functools import cache
from typing import ClassVar

from mbsgd_core.problems.datasets.base import Dataset, Table, Task, stored


class BreastCancer(Dataset):
    """Thirty measurements of cell nuclei in an image, and the diagnosis: 0 malignant (212), 1 benign (357).

    All thirty columns together separate the classes by a plane: unpenalised logistic regression then has no optimum.

    Reference: Street, Wolberg, Mangasarian 1993 (Wisconsin Diagnostic Breast Cancer).
    Where others differ: the UCI file says M and B; 0 and 1 are scikit-learn's.
    """

    title: ClassVar[str] = "Breast cancer"
    summary: ClassVar[str] = "Real and nearly separable: 569 tumours, benign or malignant."
    reference: ClassVar[str] = "Street, Wolberg, Mangasarian 1993"
    telling: ClassVar[tuple[str, ...]] = ("mean radius", "mean concave points")
    task: ClassVar[Task] = "classification"

    def table(self, seed: int) -> Table:
        return _table()


@cache
def _table() -> Table:
    data = stored("breast_cancer")
    names = tuple(data["features"].tolist())
    return Table(
        data["x"], data["y"], names, str(data["target"]), "classification", classes=tuple(data["classes"].tolist())
    )
