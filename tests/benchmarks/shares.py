"""What share of the machine's limits our side uses."""

import statistics
from typing import NamedTuple

from mbsgd_core.experiment import Experiment
from tests.benchmarks import limits, rows_nets
from tests.benchmarks.case import Side
from tests.benchmarks.ours import run_lanes
from tests.benchmarks.timing import alternate

RUNS, UPDATES = 4096, 300


class Share(NamedTuple):
    """A job held against the limit that it comes closest to."""

    what: str
    used: float  # bytes or operations a second
    limit: float
    unit: str


def measure(rounds: int) -> list[Share]:
    """The trace of many lanes against the memory's bandwidth; networks against a large matrix product."""
    bandwidth, arithmetic = limits.bandwidth(), limits.arithmetic()
    jobs: list[tuple[str, Side, float, float, str]] = [
        ("trace written, surface, 4,096 runs, b = m", *_trace(), bandwidth, "B/s"),
        ("MLP 2-8-8-1, b = m", *_network(), arithmetic, "FLOP/s"),
        ("CNN 28 x 28, b = 64, Adam", *_images(), arithmetic, "FLOP/s"),
    ]
    taken = alternate([side for _, side, *_ in jobs], rounds)
    return [
        Share(what, amount / statistics.median(seconds), limit, unit)
        for seconds, (what, _, amount, limit, unit) in zip(taken, jobs, strict=True)
    ]


def _trace() -> tuple[Side, float]:
    """theta and loss of every update: (P + 1) numbers."""
    experiment = Experiment.model_validate(
        {
            "problem": {"name": "himmelblau", "noise": 1.0, "samples": 64},
            "budget": {"unit": "updates", "amount": UPDATES},
            "runs": RUNS,
            "lanes": [{"sampler": "full_batch", "schedule": {"name": "constant", "learning_rate": 0.001}}],
        }
    )
    return run_lanes(experiment, [0]), RUNS * UPDATES * 3 * 8


def _network() -> tuple[Side, float]:
    """Forward, and back to weights and units: 2 operations a weight and sample each, the first layer's inputs apart."""
    experiment = rows_nets.methods(epochs=100, sizes=(rows_nets.SAMPLES,))
    weights, first = 2 * 8 + 8 * 8 + 8, 2 * 8
    return run_lanes(experiment, [0]), 100 * rows_nets.SAMPLES * 2 * (3 * weights - first)


def _images() -> tuple[Side, float]:
    """The same with every weight of a filter used at each place of its output."""
    layers = (9 * 32 * 28 * 28, 9 * 32 * 64 * 14 * 14, 3136 * 128, 128 * 10)
    return rows_nets.block(rows_nets.images(0.25)), rows_nets.BLOCK * 64 * 2 * (3 * sum(layers) - layers[0])
