"""A lane of the bench with other values: at its best rate, with dropout, with fewer rows (floor 4)."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from mbsgd_core.claims import lanes
from mbsgd_core.claims.base import Ending
from mbsgd_core.experiment import Experiment


def best_of_rates(ending: Ending, rates: Sequence[float]) -> float:
    """Excess at the end at the best of these rates."""
    return min(lanes.final(_changed(ending, rate=rate)) for rate in rates)


def best_rate(ending: Ending, rates: Sequence[float], target: float) -> list[float | None]:
    """The rate that first brings the excess to `target` times the start's, and the updates it takes."""
    found = [(steps, rate) for rate in rates if (steps := lanes.updates_to(_changed(ending, rate=rate), target))]
    steps, rate = min(found)
    return [rate, steps]


def with_dropout(
    ending: Ending, dropout: float, decays: Sequence[float], draws: int, rows: int = 500, noise: float = 0.3
) -> list[float | None]:
    """Test accuracy with this dropout and each weight decay, a mean over the seeds."""
    problem = {"dropout": dropout, "train_rows": rows, "label_noise": noise}
    return [
        float(np.mean([lanes.test_accuracy(_changed(ending, problem, seed, decay=decay)) for seed in range(draws)]))
        for decay in decays
    ]


def _changed(
    ending: Ending,
    problem: dict[str, Any] | None = None,
    seed: int | None = None,
    rate: float | None = None,
    decay: float | None = None,
) -> Ending:
    given = ending.experiment.model_dump(mode="json")
    given["problem"] |= problem or {}
    lane = given["lanes"][ending.lane]
    lane["rule"] |= {} if decay is None else {"weight_decay": decay}
    lane["schedule"] |= {} if rate is None else {"learning_rate": rate}
    own = {"lanes": [lane], "seed": ending.experiment.seed if seed is None else seed}
    return Ending(Experiment.model_validate(given | own), 0)
