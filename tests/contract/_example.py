"""The experiment that the contract writes out, and the same with something else in one place."""

import copy
from typing import Any

EXAMPLE: dict[str, Any] = {
    "version": 1,
    "problem": {"name": "linear_regression", "dataset": "diabetes", "features": ["bmi"]},
    "start": None,
    "budget": {"unit": "epochs", "amount": 20},
    "seed": 0,
    "runs": 1,
    "dtype": "float64",
    "device": "auto",
    "lanes": [
        {
            "label": "BGD",
            "sampler": {"name": "full_batch"},
            "rule": {"name": "sgd", "momentum": 0.0, "nesterov": False, "weight_decay": 0.0},
            "schedule": {"name": "constant", "learning_rate": 0.1},
        },
        {
            "label": "SGD",
            "sampler": {"name": "reshuffle", "batch_size": 1},
            "rule": {"name": "sgd"},
            "schedule": {"name": "constant", "learning_rate": 0.01},
        },
        {
            "label": "Mini-batch",
            "sampler": {"name": "reshuffle", "batch_size": 32},
            "rule": {"name": "sgd", "momentum": 0.9},
            "schedule": {"name": "constant", "learning_rate": 0.02},
        },
    ],
}


def changed(path: str, value: Any, base: dict[str, Any] = EXAMPLE) -> dict[str, Any]:
    """The example with something else at a dotted path."""
    draft = copy.deepcopy(base)
    *parents, last = (int(part) if part.isdigit() else part for part in path.split("."))
    place: Any = draft
    for part in parents:
        place = place[part]
    place[last] = value
    return draft
