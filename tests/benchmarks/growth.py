"""How the cost of an update grows: with the lanes that are advanced together, the batch size, and the parameters.

The updates alone: only the last one is kept and its objective evaluated.
"""

import statistics
from collections.abc import Iterator
from typing import NamedTuple

from mbsgd_core.experiment import Experiment
from tests.benchmarks.case import Side
from tests.benchmarks.ours import run_lanes
from tests.benchmarks.rows_linear import BLOBS, LINE
from tests.benchmarks.rows_nets import MLP
from tests.benchmarks.rows_sweep import plane, sweep
from tests.benchmarks.timing import alternate

LANES = (1, 4, 16, 64, 256, 1024, 4096)
SIZES = (1, 2, 8, 32, 128, 500)
FEATURES = (1, 2, 4, 8, 16, 30)
WIDTHS = (2, 4, 8, 16, 32, 64)
MOST = 2000  # updates of a lane


class Curve(NamedTuple):
    """Nanoseconds of one update of one lane against what grows."""

    what: str
    against: str
    at: tuple[int, ...]
    nanoseconds: tuple[float, ...]


def measure(rounds: int) -> list[Curve]:
    """All curves; the points of one are measured in turns."""
    curves = []
    for what, against, points in (*_lanes(), *_sizes(), *_parameters()):
        taken = alternate([side for side, _ in points.values()], rounds)
        each = (
            statistics.median(seconds) / updates * 1e9
            for seconds, (_, updates) in zip(taken, points.values(), strict=True)
        )
        curves.append(Curve(what, against, tuple(points), tuple(each)))
    return curves


# What is measured: a name, what grows, and for each of its values a side and how many updates of one lane it makes.
_Points = Iterator[tuple[str, str, dict[int, tuple[Side, int]]]]


def _lanes() -> _Points:
    """Side by side in a sweep of rates and momenta on shared batches."""
    surface = {"name": "himmelblau", "noise": 1.0, "samples": 64}
    for what, problem, size, updates in (
        ("surface, b = 8", surface, 8, 300),
        ("linear, b = 32", LINE, 32, 160),
        ("MLP 2-8-8-1, b = 32", MLP, 32, 32),
    ):
        yield what, "lanes", {n: _grid(problem, size, n, min(MOST, updates * LANES[-1] // n)) for n in LANES}


def _sizes() -> _Points:
    """One lane."""
    for what, problem in (("linear, P = 2", LINE), ("logistic, P = 3", BLOBS), ("MLP 2-8-8-1", MLP)):
        yield what, "batch size", {size: _run(problem, size) for size in SIZES}


def _parameters() -> _Points:
    """One lane, b = 32."""
    names = Experiment.model_validate({"problem": CANCER, "lanes": [LANE]}).problem.columns(0).features
    linear = {count + 1: {**CANCER, "features": names[:count]} for count in FEATURES}
    nets = {2 * w + w + w * w + w + w + 1: {**MLP, "hidden": [w, w]} for w in WIDTHS}
    yield "logistic, b = 32", "parameters", {p: _run(problem, 32) for p, problem in linear.items()}
    yield "MLP 2-w-w-1, b = 32", "parameters", {p: _run(problem, 32) for p, problem in nets.items()}


CANCER = {"name": "logistic_regression", "dataset": "breast_cancer"}
LANE = {"sampler": {"name": "reshuffle", "batch_size": 32}, "rule": "sgd", "schedule": "constant"}


def _grid(problem: dict, size: int, lanes: int, updates: int) -> tuple[Side, int]:
    axes = plane(round(lanes**0.5), most=0.003)
    return sweep(_experiment(problem, size, updates), axes, every=updates), updates * lanes


def _run(problem: dict, size: int) -> tuple[Side, int]:
    return run_lanes(_experiment(problem, size, MOST), [0], every=MOST), MOST


def _experiment(problem: dict, size: int, updates: int) -> Experiment:
    lane = {**LANE, "sampler": {"name": "reshuffle", "batch_size": size}}
    return Experiment.model_validate(
        {
            "problem": problem,
            "budget": {"unit": "updates", "amount": updates},
            "lanes": [lane | {"schedule": {"name": "constant", "learning_rate": 0.01}}],
            "dtype": "float32" if problem["name"] == "mlp" else "float64",
        }
    )
