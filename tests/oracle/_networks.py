"""What the tests of the networks' claims share: train over some seeds, and judge the net on the way."""

import math
from typing import NamedTuple

import numpy as np

from mbsgd_core import engine
from mbsgd_core.experiment import Experiment
from mbsgd_core.measures import learning


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
