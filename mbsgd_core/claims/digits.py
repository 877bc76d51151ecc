"""The reference's digits network: 64-64-10 with ReLU on pixels / 16, each less its mean, sorted by class (floor 4).

The app's digits are standardised all pixels together, so these come as a table of their own.
"""

import hashlib
import math
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from mbsgd_core import engine
from mbsgd_core.claims import lanes as measured_lanes
from mbsgd_core.claims.base import Ending
from mbsgd_core.experiment import Experiment
from mbsgd_core.measures import scale
from mbsgd_core.problems.datasets.digits import Digits

NETWORK = {"name": "mlp", "hidden": [64], "activation": "relu", "standardize": False}
# Steps to a train loss of 0.1 that the reference needs: a budget for the search.
STEPS = {1: 1380, 4: 340, 16: 84, 64: 27, 256: 19, 1437: 19}
RATES = np.geomspace(0.08, 10.24, 13)
HOME = "MBSGD_DATA"


def tuned_steps() -> list[float | None]:
    """Updates to a train loss of 0.1 at the best rate for b = 1, 4, 16, 64, 256, 1437: medians of three runs."""
    return [steps for steps, _ in _tuned().values()]


def tuned_rates() -> list[float | None]:
    """Those rates, of 13 from 0.08 to 10.24."""
    return [rate for _, rate in _tuned().values()]


def saved_per_doubling() -> list[float | None]:
    """The factor by which each doubling of b lowers the steps, between neighbours of these b."""
    found = _tuned()
    return [(found[a][0] / found[b][0]) ** (1 / math.log2(b / a)) for a, b in pairwise(found)]


def critical_batch() -> float:
    """B_crit = E_min / S_min of the hyperbola through these steps."""
    least_steps, least_samples = _fit()
    return least_samples / least_steps


def worst_residual() -> float:
    """The largest share by which that hyperbola misses a measured number of steps."""
    sizes, steps = np.array(list(STEPS)), np.array(tuned_steps())
    modelled, _ = scale.cost_at(sizes, *_fit())
    return float(abs(modelled / steps - 1).max())


def digits_ends(
    what: str,
    sizes: Sequence[int | None],
    rates: Sequence[float],
    amount: int,
    unit: str = "epochs",
    draws: int = 3,
    sampler: str = "reshuffle",
    by_class: bool = True,
    held_out: bool = True,
) -> list[float | None]:
    """What a lane of each size (None: all) at its rate comes to, a mean over so many seeds.

    Args:
        what: a measurement of a lane, such as "train_loss".
        held_out: whether a fifth of the rows are test rows.
    """
    order = np.argsort(Digits().table(0).y, kind="stable") if by_class else slice(1437)
    with centred_digits(order) as problem:
        found = []
        for size, rate in zip(sizes, rates, strict=True):
            drawn: dict[str, Any] = {"name": "full_batch"} if size is None else {"name": sampler, "batch_size": size}
            given = {
                "problem": problem | ({} if held_out else {"test_fraction": 0}),
                "lanes": [{"sampler": drawn, "schedule": {"name": "constant", "learning_rate": rate}}],
                "budget": {"unit": unit, "amount": amount},
                "dtype": "float32",
            }
            each = [Ending(Experiment.model_validate(given | {"seed": seed}), 0) for seed in range(draws)]
            found.append(float(np.mean([getattr(measured_lanes, what)(ending) for ending in each])))
    return [*found]


@contextmanager
def centred_digits(rows: np.ndarray | slice = slice(None)) -> Iterator[dict[str, Any]]:
    """The problem while its table lasts: some rows of the digits in some order."""
    table = Digits().table(0)
    x, y = table.x[rows] / 16, table.y[rows]
    numbers = np.column_stack([x - x.mean(0), y])
    lines = [",".join([*table.features, "digit"]), *(",".join(f"{value:.6g}" for value in row) for row in numbers)]
    content, before = "\n".join(lines).encode(), os.environ.get(HOME)
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "digits.csv").write_bytes(content)
        os.environ[HOME] = folder
        try:
            dataset = {"name": "csv", "sha256": hashlib.sha256(content).hexdigest(), "labels": True}
            yield NETWORK | {"dataset": dataset}
        finally:
            os.environ.pop(HOME)
            if before is not None:
                os.environ[HOME] = before


@cache
def _tuned() -> dict[int, tuple[float, float]]:
    """{b: (steps to 0.1 at the best rate, that rate)}."""
    found = {}
    with centred_digits(slice(1437)) as problem:
        for size, steps in STEPS.items():
            given = {
                "problem": problem | {"test_fraction": 0},
                "lanes": [{"sampler": {"name": "reshuffle", "batch_size": size}, "schedule": "constant"}],
                "budget": {"unit": "updates", "amount": int(1.6 * steps) + 10},
                "runs": 3,
                "dtype": "float32",
            }
            e = Experiment.model_validate(given)
            (grid,) = engine.sweep(e, {"learning_rate": RATES}, target=0.1, every=max(1, steps // 40)).lanes
            each = np.median(np.where(grid.steps_to_target < 0, np.inf, grid.steps_to_target), axis=-1)
            found[size] = float(each.min()), float(RATES[each.argmin()])
    return found


def _fit() -> tuple[float, float]:
    return scale.fit_cost(np.array(list(STEPS)), np.array(tuned_steps()))
