"""Accuracy on the training rows, errors in the target's units, and what predicting the mean would cost."""

import numpy as np
import pytest
from sklearn import metrics

from mbsgd_core import engine
from mbsgd_core.experiment import Experiment
from mbsgd_core.measures import evaluation, learning
from mbsgd_core.measures.scores import baselines, scores


def experiment(problem: dict, rate: float = 0.1) -> Experiment:
    sampler = {"name": "reshuffle", "batch_size": 16}
    lane = {"sampler": sampler, "schedule": {"name": "constant", "learning_rate": rate}}
    return Experiment.model_validate({"problem": problem, "budget": {"amount": 3}, "lanes": [lane]})


def theta_of(e: Experiment) -> np.ndarray:
    return engine.run(e, 0)[1].theta[0, -1]


@pytest.mark.parametrize("held_out", [0.0, 0.25])
def test_errors_are_scikit_learns(held_out):
    e = experiment({"name": "linear_regression", "dataset": "diabetes", "test_fraction": held_out})
    theta, data = theta_of(e), e.data_problem.prepare(0)
    x, y = (data.x_test, data.y_test) if held_out else (data.x, data.y)
    found = scores(e, theta, {})
    assert found.rmse == pytest.approx(metrics.root_mean_squared_error(y, x @ theta), rel=1e-12)
    assert found.r2 == pytest.approx(metrics.r2_score(y, x @ theta), rel=1e-12)
    levels = {level.curve: level.value for level in baselines(e)}
    assert set(levels) == {"loss", "test_loss"} if held_out else {"loss"}
    rows = {"loss": data.y, "test_loss": data.y_test}
    for curve, value in levels.items():
        dull = np.full(len(rows[curve]), data.y.mean())
        assert 2 * value == pytest.approx(metrics.mean_squared_error(rows[curve], dull), rel=1e-12)


@pytest.mark.parametrize("name", ["softmax_regression", "mlp", "logistic_regression"])
def test_accuracy_on_the_training_rows_by_counting(name):
    dataset = "breast_cancer" if name == "logistic_regression" else "iris"
    e = experiment({"name": name, "dataset": dataset})
    theta, problem = theta_of(e), e.data_problem
    data = problem.prepare(0)
    says = learning.predict(problem, engine.finite_sum(e), theta, data.x[:, : len(data.mean)])
    assert scores(e, theta, {}) == (np.mean(says.argmax(1) == data.y), None, None) and not baselines(e)


def test_a_dear_model_is_counted_once_at_its_end(monkeypatch):
    monkeypatch.setattr(evaluation, "stops", lambda experiment: True)
    e = experiment({"name": "mlp", "dataset": "moons"})
    theta, end = theta_of(e), e.updates(0)
    on_the_way, last = (evaluation.judge(e, 0, update, theta).shown for update in (end - 1, end))
    assert scores(e, theta, on_the_way) == (None, None, None)
    assert scores(e, theta, last).train_accuracy == evaluation.train_accuracy(e, theta)
    assert evaluation.TRAIN_ACCURACY not in evaluation.moving(last)


def test_what_is_lost_has_no_score():
    e = experiment({"name": "linear_regression", "dataset": "diabetes"}, 9.0)
    assert scores(e, np.full(11, np.nan), {}) == (None, None, None)
