"""Compiled lanes lose a run at the same update as the torch definition, and keep the others."""

import importlib

import numpy as np
import pytest

from mbsgd_core import engine
from mbsgd_core.experiment import Experiment
from mbsgd_core.types import State
from tests.contract import _items as items
from tests.contract import _lanes as lanes

pytestmark = pytest.mark.usefixtures("compiled_lanes")

STEEP = {"name": "quadratic", "noise": 0.7, "noise_kind": "scale"}


def experiment(problem: dict, rule, schedule: dict, updates: int, **fields) -> Experiment:
    """Single samples, drawn with replacement."""
    sampler = {"name": "with_replacement", "batch_size": 1}
    schedule = {"name": "constant", "learning_rate": 0.1} | schedule
    budget = {"unit": "updates", "amount": updates}
    described = {
        "problem": problem,
        "budget": budget,
        "lanes": [{"sampler": sampler, "rule": rule, "schedule": schedule}],
    }
    return Experiment.model_validate(described | fields)


def assert_lost_alike(e: Experiment, every: int | None = None) -> np.ndarray:
    """Where each run is lost, the same in both ways; its records are not a number from there on."""
    fast, slow = lanes.both(e, every)
    lanes.assert_parity(e, fast, slow)
    lost = fast[0].diverged_at
    late = (lost[:, None] >= 0) & (fast[1].update >= lost[:, None])
    assert np.array_equal(np.isnan(fast[1].loss), late)
    assert np.array_equal(np.isnan(fast[1].theta).all(-1), late) and not np.isinf(fast[1].theta).any()
    assert np.array_equal(np.isnan(fast[0].theta.numpy()).all(-1), lost >= 0)
    return lost


@pytest.mark.parametrize("runs", [1, 3, 70])
def test_runs_of_a_surface(runs):
    """y is multiplied by 1 - 10 rate (1 + e_i): a random product, which grows in some runs and falls in others."""
    lost = {}
    for rate in (0.05, 0.28, 0.6):
        e = experiment(STEEP, "sgd", {"learning_rate": rate}, 60, runs=runs)
        lost[rate] = assert_lost_alike(e)
    assert (lost[0.05] == -1).all() and (lost[0.6] > 0).all()
    if runs == 70:
        assert 0 < (lost[0.28] > 0).sum() < 70 and len(set(lost[0.28])) > 5


def test_runs_of_a_surface_that_leave_the_numbers_one_by_one():
    """Side by side, while the others go on; nobody looks at the loss."""
    e = experiment(STEEP, "sgd", {"learning_rate": 0.6}, 700, runs=9)
    state, trace = engine.run(e, 0, evaluate=False)
    expected, slow = lanes.on_torch(e, lambda: engine.run(e, 0, evaluate=False))
    assert np.array_equal(state.diverged_at, expected.diverged_at) and (state.diverged_at > 256).all()
    assert len(set(state.diverged_at)) > 5 and np.array_equal(np.isnan(trace.theta), np.isnan(slow.theta))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_the_loss_is_lost_long_before_theta(dtype):
    """y <- -15 y: the loss passes 1e9 times the first at update 4, y leaves the numbers after log(max) / log(15)."""
    fields = {"start": [0.0, 1.0], "runs": 2, "dtype": dtype}
    e = experiment({"name": "quadratic"}, "sgd", {"learning_rate": 1.6}, 300, **fields)
    assert (assert_lost_alike(e) == 4).all()
    state, _ = engine.run(e, 0, evaluate=False)
    unseen, _ = lanes.on_torch(e, lambda: engine.run(e, 0, evaluate=False))
    expected = int(np.log(np.finfo(dtype).max) / np.log(15)) + 1
    assert (state.diverged_at == expected).all() and (unseen.diverged_at == expected).all()


@pytest.mark.parametrize("schedule", [{}, {"name": "reduce_on_plateau", "patience": 0}], ids=["constant", "plateau"])
@pytest.mark.parametrize("model", ["linear_regression", "mlp"])
def test_a_loss_that_is_too_large(model, schedule):
    """Sample 0 multiplies theta by 1 - 0.1 * 10,000^2, every other one by 0.9."""
    data = {"name": "inline", "x": [[10_000.0]] + [[1.0]] * 19, "y": [0.0] * 20}
    problem = {"name": model, "dataset": data, "intercept": False, "standardize": False}
    problem |= {"hidden": [], "target": "number"} if model == "mlp" else {}
    for every in (None, 6):
        lost = assert_lost_alike(experiment(problem, "sgd", schedule, 30, runs=12, start=[1.0]), every)
        assert 0 < (lost > 0).sum() < 12
        assert every is None or (lost[lost > 0] % every == 0).all()  # nobody looked in between


def overflowing(rule, seed: int) -> Experiment:
    """Sample 0 makes theta infinite, or not a number."""
    data = {"name": "inline", "x": [[1e200]] + [[1.0]] * 19, "y": [0.0] + [1.0] * 19}
    problem = {"name": "linear_regression", "dataset": data, "intercept": False, "standardize": False}
    return experiment(problem, rule, {}, 20, runs=12, start=[0.0], seed=seed)


def numbers_of(state: State) -> list[float]:
    return [part for part in state.rule_state if isinstance(part, (int, float))]


@pytest.mark.parametrize("rule", lanes.compiled_rules(), ids=items.name_of)
def test_a_theta_that_is_not_finite_where_nobody_looks_at_the_loss(rule):
    """What a rule counts is every run's: the number must not be that of a run which ended early."""
    for seed in range(6):  # in some the last run is lost, in some the first
        e = overflowing(rule, seed)
        state, trace = engine.run(e, 0, evaluate=False)
        expected, slow = lanes.on_torch(e, lambda e=e: engine.run(e, 0, evaluate=False))
        assert np.array_equal(state.diverged_at, expected.diverged_at)
        lost = (state.diverged_at > 0).sum()
        assert lost < 12 and (lost or np.isfinite(lanes.first_step(rule, np.inf)))
        lanes.assert_near(trace.theta, slow.theta, 1e-12, "theta")
        assert np.isnan(trace.loss[:, 1:]).all()
        assert numbers_of(state) == pytest.approx(numbers_of(expected), rel=1e-14)
        for sizes in ([1] * 20, [13, 7]):
            again = engine.init(e, 0)
            for n in sizes:
                again, _ = engine.advance(again, n, evaluate=False)
            assert np.array_equal(again.theta, state.theta, equal_nan=True)
            assert np.array_equal(again.diverged_at, state.diverged_at)
            assert numbers_of(again) == numbers_of(state)


# The name engine.sweep is the function.
SWEEP = importlib.import_module("mbsgd_core.engine.sweep")


@pytest.mark.parametrize("start", [[1e200, 0.0], [1e150, 1e150], [1.0, 1.0]])
@pytest.mark.parametrize("problem", [{"name": "quadratic"}, STEEP])
def test_cells_of_a_sweep_are_lost_like_runs(problem, start, monkeypatch):
    """From where the loss is no number, from where 1e9 times the loss is none, and from anywhere."""
    e = experiment(problem, "sgd", {}, 40, runs=3, start=start)
    grid = {"learning_rate": [0.01, 0.1, 0.3, 3.0], "momentum": [0, 0.5]}
    (found,) = engine.sweep(e, grid, target=1.0).lanes
    monkeypatch.setattr(SWEEP, "advance_together", lambda *_: None)
    (expected,) = engine.sweep(e, grid, target=1.0).lanes
    for one, two in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-12)
    assert (expected.diverged_at >= 0).any() and (start[0] == 1e200 or (expected.diverged_at < 0).any())


def test_a_start_that_is_not_finite():
    for runs in (1, 70):
        fast, slow = lanes.both(experiment(STEEP, "adam", {}, 9, runs=runs, start=[1e200, 0.0]))
        for state, trace in (fast, slow):
            assert (state.diverged_at == 0).all() and np.isinf(trace.loss[:, 0]).all()
            assert np.isnan(trace.loss[:, 1:]).all() and np.isnan(trace.theta[:, 1:]).all()
