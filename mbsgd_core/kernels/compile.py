"""Everything that is to be compiled (floor 3)."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from mbsgd_core.experiment import problems
from mbsgd_core.kernels.descents import descent_of
from mbsgd_core.kernels.judge import judge
from mbsgd_core.kernels.registers import Epochs, Registers, tape_of
from mbsgd_core.kernels.shuffle import permutations
from mbsgd_core.random import key
from mbsgd_core.rules.adam import Adam

ROWS = {"name": "inline", "x": [[0.0], [1.0], [3.0]], "y": [0, 1, 1]}
EXAMPLES: tuple[Mapping[str, Any], ...] = (
    {"name": "booth", "samples": 3, "noise": 1.0},
    {"name": "linear_regression", "dataset": ROWS},
    {"name": "logistic_regression", "dataset": ROWS},
    {"name": "mlp", "dataset": ROWS},
)


def run_once(example: Mapping[str, Any], dtype: str) -> None:
    """Run every body that such a problem needs; numba loads each from its cache, or compiles it and keeps it there."""
    orders = np.empty((1, 1, 3), dtype=np.int64)
    permutations(*key(0, "order"), 1, 0, orders)
    problem = problems()[example["name"]].model_validate({k: v for k, v in example.items() if k != "name"})
    total = problem.realize(0, getattr(torch, dtype), "cpu")
    descent, start = descent_of(total), total.start().numpy()
    tape = tape_of(Adam())
    assert descent is not None and tape is not None
    registers = Registers(tape, len(start), 1, start.dtype)
    registers.begin(start[:, None])
    trace = np.empty((1, len(start)), dtype=start.dtype)
    update = np.zeros(1, dtype=np.int64)
    epochs = Epochs(3, 1, 3, 0)
    descent.descend(registers, np.ones((1, 1)), epochs, orders[0], update, trace, 1, update.copy())
    descent.objective(trace)
    losses = descent.objective_of_lanes(trace, 1)
    judge(losses, update, update.copy(), 0.0, 1.0, 0.0, np.empty(1), np.empty(1), update.copy())
