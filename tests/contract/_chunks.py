"""Runs made in pieces: an experiment of one lane, and whether its pieces make up the whole to the last bit."""

import numpy as np
import torch

from mbsgd_core import engine
from mbsgd_core.experiment import Experiment
from tests.contract import _items as items

MOMENTUM = {"name": "sgd", "momentum": 0.9}
PROBLEMS = {
    "bowl": {"name": "quadratic", "noise": 1.0, "angle": 30.0},
    "one feature": {"name": "linear_regression", "dataset": "diabetes", "features": ["bmi"]},
    "all features": {"name": "linear_regression", "dataset": "diabetes", "l2": 0.1},
}
UPDATES = 400


def experiment(problem="bowl", sampler="reshuffle", rule="sgd", schedule="constant", size=7, **fields) -> Experiment:
    """A one-lane experiment of 400 updates; the knobs that an item needs are filled in."""
    if isinstance(sampler, str):
        sampler = items.sampler(sampler, size)
    own = {"name": schedule} if isinstance(schedule, str) else schedule
    schedule = items.schedule(own["name"], own.get("learning_rate", 0.01)) | own
    return Experiment.model_validate(
        {
            "problem": PROBLEMS[problem] if isinstance(problem, str) else problem,
            "budget": {"unit": "updates", "amount": UPDATES},
            "lanes": [{"sampler": sampler, "rule": rule, "schedule": schedule}],
        }
        | fields
    )


def bits(value) -> object:
    """Anything in a State or Trace as something that == compares to the last bit."""
    if isinstance(value, torch.Tensor):
        value = value.numpy()
    if isinstance(value, np.ndarray):
        return value.dtype.str, value.shape, np.ascontiguousarray(value).tobytes()
    if isinstance(value, tuple):
        return tuple(bits(part) for part in value)
    return value


def in_chunks(e: Experiment, sizes: list[int], every=None, between=lambda state: state):
    state = engine.init(e, 0)
    traces = [engine.snapshot(state)]
    for n in sizes:
        state, trace = engine.advance(between(state), n, every)
        traces.append(trace)
    return state, engine.join(traces)


def assert_chunk_invariant(e: Experiment) -> None:
    whole = bits(in_chunks(e, [UPDATES]))
    assert bits(in_chunks(e, [50] * 8)) == whole
    assert bits(in_chunks(e, [1, 2, 0, 61, 3, 130, 1, 999])) == whole
