"""Copies of the training rows: more samples that say the same, and not one number of the loss changes."""

import numpy as np
import pytest
import torch

from mbsgd_core import engine
from mbsgd_core.axes import find
from mbsgd_core.catalogue import catalogue
from mbsgd_core.errors import ExperimentError
from mbsgd_core.experiment import Experiment, problems
from mbsgd_core.problems.models.base import DataProblem
from mbsgd_core.share import from_query, to_query

CANCER = {"name": "logistic_regression", "dataset": "breast_cancer"}
MNIST = {"name": "softmax_regression", "dataset": {"name": "mnist", "rows": "subset"}}
PROBLEMS = {
    "labels that are wrong": CANCER | {"train_rows": 60, "label_noise": 0.2},
    "numbers": {"name": "linear_regression", "dataset": "diabetes", "train_rows": 50, "l2": 0.1},
    "a class thinned out": {"name": "mlp", "dataset": {"name": "moons", "samples": 60}, "imbalance": 0.3},
    "images": {"name": "cnn", "dataset": "digits", "train_rows": 40, "channels": [2], "hidden": 3, "dropout": 0},
    "images of bytes": MNIST | {"train_rows": 30},
}


def experiment(given: dict, sampler="full_batch", updates: int = 0) -> Experiment:
    lane = {"sampler": sampler, "schedule": "constant"}
    budget = {"unit": "updates", "amount": updates}
    return Experiment.model_validate({"problem": given, "lanes": [lane], "budget": budget, "seed": 5})


@pytest.mark.parametrize("name", PROBLEMS)
def test_the_training_rows_stand_there_again_and_nothing_else_changes(name):
    one, three = (experiment(PROBLEMS[name] | {"copies": copies}).problem for copies in (1, 3))
    data, copied = one.prepare(5), three.prepare(5)
    assert three.sample_count == 3 * one.sample_count == len(copied.y)
    for part in ("x", "y", "rows"):
        before, after = getattr(data, part), getattr(copied, part)
        assert np.array_equal(after, np.concatenate([before] * 3)) and after.dtype == before.dtype
    for part in ("mean", "deviation", "x_test", "y_test"):
        assert np.array_equal(getattr(copied, part), getattr(data, part))
    assert (three.held_out, three.parameter_count) == (one.held_out, one.parameter_count)


@pytest.mark.parametrize("name", PROBLEMS)
def test_the_loss_and_its_gradient_are_the_same(name):
    one, three = (
        experiment(PROBLEMS[name] | {"copies": copies}).problem.realize(5, torch.float64, "cpu") for copies in (1, 3)
    )
    theta = one.start() + 0.1 * torch.tensor(np.random.default_rng(2).normal(size=(2, one.parameters)))
    torch.testing.assert_close(three.objective(theta), one.objective(theta), rtol=1e-12, atol=0)
    gradient = one.gradient(theta, None)
    assert (three.gradient(theta, None) - gradient).abs().max() <= 1e-12 * gradient.abs().max()
    assert three.samples == 3 * one.samples and three.test_metrics(theta[0]) == one.test_metrics(theta[0])


def test_a_full_batch_pays_for_every_copy_and_gains_nothing():
    copied = CANCER | {"train_rows": 40, "copies": 5}
    alone = engine.run(experiment(CANCER | {"train_rows": 40}, updates=3), 0)[1]
    for sampler in ("full_batch", {"name": "reshuffle", "batch_size": 200}):
        e = experiment(copied, sampler, 3)
        trace = engine.run(e, 0)[1]
        np.testing.assert_allclose(trace.theta, alone.theta, rtol=1e-11, atol=1e-13)
        assert trace.samples.tolist() == (5 * alone.samples).tolist() and e.updates_per_epoch(0) == 1
    (batch,) = engine.batch_indices(e, 0, range(1))
    assert np.array_equal(np.sort(batch), np.arange(200))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (CANCER | {"copies": 0}, "copies: given 0"),
        (CANCER | {"copies": 1.5}, "copies: given 1.5"),
        (CANCER | {"copies": 10**9}, "455 rows of 30 numbers are large, so it should be 1 to 1465"),
        (MNIST | {"copies": 3}, "copies: given 3; 10,000 rows of 784 numbers are large, so it should be 1 to 2"),
        (CANCER | {"train_rows": 456, "copies": 2}, "train_rows: given 456; there are 455 rows to train on"),
    ],
)
def test_what_does_not_fit_is_refused_with_a_sentence(given, words):
    with pytest.raises(ExperimentError) as error:
        experiment(given)
    assert words in str(error.value)


def test_links_carry_the_copies_and_clamp_them_on_the_page():
    e = experiment(CANCER | {"copies": 4})
    assert from_query(to_query(e)) == (e, [])
    again, notices = from_query(to_query(e).replace("copies=4", "copies=99"), page=True, fallback=e)
    assert again.problem.copies == 16 and len(notices) == 1
    large = experiment(MNIST)
    again, notices = from_query(to_query(large).replace("copies=1", "copies=9"), page=True, fallback=large)
    assert again == large and "1 to 2. 1 is used" in str(notices[0])


def test_every_model_on_data_has_the_knob_and_a_sweep_can_vary_it():
    listed = catalogue()["problems"]
    for name, cls in problems().items():
        assert ("copies" in listed[name]["knobs"]) == issubclass(cls, DataProblem)
    e = experiment(CANCER | {"train_rows": 40}, updates=2)
    assert find(e, "copies").whole
    (grid,) = engine.sweep(e, {"copies": [1, 4]}).lanes
    np.testing.assert_allclose(grid.final_loss[1], grid.final_loss[0], rtol=1e-12)
