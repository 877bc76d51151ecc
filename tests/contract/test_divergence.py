"""Why a training run diverged: the sentence names the limit by an independent computation, and its advice helps."""

import re

import numpy as np
import pytest
import torch
from mbsgd_core.measures.divergence import why

from mbsgd_core import engine
from mbsgd_core.experiment import Experiment

DIABETES = {"name": "linear_regression", "dataset": "diabetes"}
NET = {"name": "mlp", "dataset": "diabetes", "hidden": [20, 20]}


def of(problem, rate, sampler="full_batch", rule="sgd", updates=60):
    lane = {"sampler": sampler, "rule": rule, "schedule": {"name": "constant", "learning_rate": rate}}
    return Experiment.model_validate(
        {"problem": problem, "budget": {"unit": "updates", "amount": updates}, "lanes": [lane]}
    )


def run(e):
    """(diverged_at, losses) of its lane."""
    state, trace = engine.run(e, 0, every=1)
    return int(state.diverged_at[0]), trace.loss[0]


@pytest.mark.parametrize("problem", [DIABETES, NET], ids=["linear", "net"])
@pytest.mark.parametrize("rule", ["sgd", {"name": "sgd", "momentum": 0.9}], ids=["plain", "momentum"])
def test_the_limit_is_that_of_a_dense_hessian_and_half_of_it_does_not_diverge(problem, rule):
    e = of(problem, 30.0, rule=rule)
    lost, losses = run(e)
    assert lost > 0
    words = why(e, 0, lost, losses)
    assert words.startswith(f"Diverged at update {lost}: the train loss grew from")
    total = engine.finite_sum(e)
    everyone = torch.arange(total.samples)[None]
    second = torch.autograd.functional.hessian(lambda t: total.losses(t[None], everyone).mean(), total.start())
    largest = np.linalg.eigvalsh(second.numpy())[-1]
    said = float(re.search(r"largest curvature ([\d.,e+]+)\)", words)[1].replace(",", ""))
    assert said == pytest.approx(largest, rel=0.06)
    tried = float(re.search(r"Try ([\d.e-]+)\.$", words)[1])
    again, _ = run(of(problem, tried, rule=rule))
    assert again == -1


def test_small_batches_have_a_limit_of_their_own():
    two = {"name": "linear_regression", "dataset": "diabetes", "features": ["bmi", "bp"]}
    e = of(two, 0.6, {"name": "reshuffle", "batch_size": 1}, updates=4000)
    words = why(e, 0, 17, np.array([14000.0, np.nan, 2e13]))
    assert re.search(r"With batches of 1, rates above 0\.\d+ grow here, although the limit without noise is 2/L", words)


def test_without_a_simple_limit_a_smaller_rate_is_advised():
    words = why(of(NET, 50.0, rule="adam"), 0, 3, np.array([1.0, np.inf]))
    assert words == "Diverged at update 3. Adam has no simple limit here. Try 5."
    below = why(of(NET, 1e-6), 0, 3, np.array([1.0, 2.0]))
    assert "The rate is below 2/L" in below and below.endswith("Try 1e-07.")
