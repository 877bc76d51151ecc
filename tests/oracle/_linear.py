"""What momentum does on lambda x^2 / 2 is a linear map: read it off the rule itself by trying the unit vectors."""

import json
from pathlib import Path

import numpy as np
import torch

from mbsgd_core import engine
from mbsgd_core.experiment import Experiment
from mbsgd_core.rules.sgd import SGD

ORACLES = {o["id"]: o for o in json.loads(Path(__file__).with_name("oracles.json").read_text())["oracles"]}


def step(rule: SGD, learning_rate: float, curvature: float, point: float, velocity: float, noise: float) -> np.ndarray:
    """(x, v) after one update with gradient curvature * x + noise."""
    theta = torch.tensor([[point]], dtype=torch.float64)
    moving = torch.tensor([[velocity]], dtype=torch.float64)
    delta, (after,) = rule.update(curvature * theta + noise, (moving,), theta, learning_rate)
    return np.array([point + delta.item(), velocity if after is None else after.item()])


def transition(rule: SGD, learning_rate: float, curvature: float) -> np.ndarray:
    """The 2 x 2 matrix of one update on (x, v)."""
    return np.stack([step(rule, learning_rate, curvature, *unit, 0.0) for unit in ((1.0, 0.0), (0.0, 1.0))], axis=1)


def radius(rule: SGD, learning_rate: float, curvature: float) -> float:
    """Spectral radius: the factor by which an update shrinks x in the long run (without momentum v is idle)."""
    matrix = transition(rule, learning_rate, curvature)
    return abs(matrix[0, 0]) if not rule.momentum else float(abs(np.linalg.eigvals(matrix)).max())


def stationary_variance(rule: SGD, learning_rate: float, curvature: float, noise: float) -> float:
    """Var x for independent gradient noise of variance `noise`: P = A P A^T + b b^T noise, solved as one system."""
    a = transition(rule, learning_rate, curvature)
    b = step(rule, learning_rate, curvature, 0.0, 0.0, 1.0)
    if not rule.momentum:
        return b[0] ** 2 * noise / (1 - a[0, 0] ** 2)
    covariance = np.linalg.solve(np.eye(4) - np.kron(a, a), np.kron(b, b) * noise)
    return float(covariance[0])


def run(problem: dict, rate: float | dict, updates: int, start=(1.0, 1.0), sampler="full_batch", rule=None, **fields):
    """(state, trace) of one lane through the engine; `rate` is a constant rate or a whole schedule."""
    every = fields.pop("every", None)
    schedule = rate if isinstance(rate, dict) else {"name": "constant", "learning_rate": rate}
    lane = {"sampler": sampler, "rule": {"name": "sgd"} | (rule or {}), "schedule": schedule}
    e = Experiment.model_validate(
        {"problem": problem, "start": start, "budget": {"unit": "updates", "amount": updates}, "lanes": [lane]} | fields
    )
    return engine.run(e, 0, every)


def bowl(*curvatures: float, **fields) -> dict:
    return {"name": "quadratic", "eigenvalues": curvatures} | fields
