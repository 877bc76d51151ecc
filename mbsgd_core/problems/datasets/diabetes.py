"""Diabetes progression of 442 patients."""

from functools import cache
from typing import ClassVar

import numpy as np

from mbsgd_core.problems.datasets.base import ASSETS, Dataset, Table


class Diabetes(Dataset):
    """Ten measurements a patient and a score of the disease a year later (Efron et al. 2004)."""

    title: ClassVar[str] = "Diabetes"
    summary: ClassVar[str] = "Real, noisy and redundant: 442 patients, of which a few predict the rest."
    reference: ClassVar[str] = "Efron, Hastie, Johnstone, Tibshirani 2004, Least angle regression"

    def table(self, seed: int) -> Table:
        return _table()


@cache
def _table() -> Table:
    with np.load(ASSETS / "diabetes.npz") as data:
        return Table(
            data["x"], data["y"], tuple(data["features"].tolist()), str(data["target"]), "regression",
            tuple(data["units"].tolist()),
        )
