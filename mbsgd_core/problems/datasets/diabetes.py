"""Diabetes progression of 442 patients."""

from functools import cache
from typing import ClassVar

import numpy as np

from mbsgd_core.knobs import Flag, knob
from mbsgd_core.problems.datasets.base import Dataset, Table, Task, stored


class Diabetes(Dataset):
    """Ten measurements a patient and a score of the disease a year later (Efron et al. 2004).

    Where others differ: scikit-learn's load_diabetes() ships the columns centred and of unit norm, which is `scaled`.
    Curvatures are then m times smaller than for standardised columns, and the useful learning rates m times larger;
    the problem's `standardize` undoes it.
    """

    title: ClassVar[str] = "Diabetes"
    summary: ClassVar[str] = "Real, noisy and redundant: 442 patients, of which a few predict the rest."
    reference: ClassVar[str] = "Efron, Hastie, Johnstone, Tibshirani 2004, Least angle regression"
    telling: ClassVar[tuple[str, ...]] = ("bmi",)
    task: ClassVar[Task] = "regression"

    scaled: Flag = knob(
        False, label="Unit-norm columns", help="Columns centred and of norm 1, as scikit-learn ships them; else raw."
    )

    def table(self, seed: int) -> Table:
        return _table(self.scaled)


@cache
def _table(scaled: bool) -> Table:
    data = stored("diabetes")
    x, units = data["x"], tuple(data["units"].tolist())
    if scaled:
        x, units = (x - x.mean(0)) / (x.std(0) * np.sqrt(len(x))), ()
    return Table(x, data["y"], tuple(data["features"].tolist()), str(data["target"]), "regression", units)
