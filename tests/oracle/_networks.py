"""What the tests of the networks' claims share: train over some seeds, and judge the net on the way."""

import hashlib
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from mbsgd_core import engine
from mbsgd_core.experiment import Experiment
from mbsgd_core.measures import learning
from mbsgd_core.problems.datasets.digits import Digits

DIGITS_NETWORK = {"name": "mlp", "hidden": [64], "activation": "relu", "standardize": False}


@contextmanager
def centred_digits(folder: Path, rows: np.ndarray | slice = slice(None)) -> Iterator[dict]:
    """The reference's digits while it lasts, some rows in some order: pixels / 16, each less its mean, as a CSV."""
    table = Digits().table(0)
    x, y = table.x[rows] / 16, table.y[rows]
    numbers = np.column_stack([x - x.mean(0), y])
    lines = [",".join([*table.features, "digit"]), *(",".join(f"{value:.6g}" for value in row) for row in numbers)]
    content = "\n".join(lines).encode()
    (folder / "digits.csv").write_bytes(content)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MBSGD_DATA", str(folder))
        yield {"name": "csv", "sha256": hashlib.sha256(content).hexdigest(), "labels": True}


class Ends(NamedTuple):
    """What nets have learned, a row for each seed and a column for each moment: (S, K)."""

    theta: np.ndarray  # (S, K, P)
    train_loss: np.ndarray
    train_accuracy: np.ndarray
    test_loss: np.ndarray
    test_accuracy: np.ndarray

    def at(self, moment: int) -> "Ends":
        """One of the moments."""
        return Ends(*(values[:, [moment]] for values in self))


def experiment(problem, lanes, amount, unit="epochs", seed=0) -> Experiment:
    """A comparison in float32, as networks are trained."""
    budget = {"unit": unit, "amount": amount}
    given = {"problem": problem, "lanes": lanes, "budget": budget, "seed": seed, "dtype": "float32"}
    return Experiment.model_validate(given)


def ends(problem, lane, *at, unit="epochs", seeds=(0, 1, 2)) -> Ends:
    """One lane, judged after so many epochs or updates. The seed draws the split, the start and the order."""
    found = []
    for seed in seeds:
        e = experiment(problem, [lane], max(at), unit, seed)
        updates = [n * e.updates_per_epoch(0) if unit == "epochs" else n for n in at]
        trace = engine.run(e, 0, every=math.gcd(*updates), evaluate=False)[1]
        thetas = trace.theta[0, np.searchsorted(trace.update, updates)]
        total, row = engine.finite_sum(e), []
        for theta in thetas:
            for which in ("train", "test"):
                judged = learning.judge(e.problem, total, theta, seed, which)
                row += [judged.loss.mean(), judged.accuracy]
        found.append((thetas, *np.reshape(row, (-1, 4)).T))
    return Ends(*map(np.array, zip(*found, strict=True)))
