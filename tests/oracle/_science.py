"""What the tests of the textbook claims share: short ways to say a comparison and to read it."""

import numpy as np

from mbsgd_core import engine
from mbsgd_core.experiment import Experiment

DIABETES = {"name": "linear_regression", "dataset": "diabetes", "test_fraction": 0}


def lane(batch_size, rate, sampler="reshuffle", schedule=None, drop_last=False, **rule):
    """A lane; batch_size None is the full batch."""
    drawn = (
        {"name": "full_batch"}
        if batch_size is None
        else {"name": sampler, "batch_size": batch_size, "drop_last": drop_last}
    )
    schedule = {"name": "constant"} | (schedule or {}) | {"learning_rate": rate}
    return {"sampler": drawn, "rule": {"name": "sgd"} | rule, "schedule": schedule}


def go(problem, lanes, amount, unit="epochs", start=None, **more):
    """(experiment, traces) of a comparison."""
    e = Experiment.model_validate(
        {"problem": problem, "lanes": lanes, "budget": {"unit": unit, "amount": amount}, "start": start} | more
    )
    return e, [engine.run(e, i)[1] for i in range(len(lanes))]


def least(e):
    """The least value of the objective."""
    return e.problem.solution(e.seed).value


def first(trace, level, floor=0.0):
    """Updates until the mean loss is at most `level` above `floor`; None for never."""
    hit = np.flatnonzero(trace.loss.mean(0) - floor <= level)
    return int(trace.update[hit[0]]) if len(hit) else None


def bowl(*eigenvalues, **more):
    return {"name": "quadratic", "eigenvalues": eigenvalues} | more
