"""Linear and logistic regression on real data against reference values computed elsewhere (ids R01 ... R12)."""

import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.optimize import minimize, root
from sklearn.linear_model import LogisticRegression as Sklearn

from mbsgd_core import engine
from mbsgd_core.experiment import Experiment
from mbsgd_core.samplers.reshuffle import Reshuffle

ORACLES = json.loads((Path(__file__).parent / "oracles.json").read_text())["oracles"]
EXPECTED = {oracle["id"]: oracle["expected"] for oracle in ORACLES}
COVERS = ["H03", "R01", "R02", "R03", "R04", "R06", "R08", "R10", "R11", "R12"]
LEVELS = {
    "R08": (0.3, 0.1, 0.03, 0.01, 0.001),  # excess as a share of the optimum's loss
    "R10": (0.1, 0.01, 0.001, 0.0001, 1e-06),  # excess loss
}
DIABETES = {"name": "linear_regression", "dataset": "diabetes", "test_fraction": 0}
CANCER = {"name": "logistic_regression", "dataset": "breast_cancer", "test_fraction": 0}


def problem(given: dict):
    return experiment(given, []).problem


def experiment(given: dict, lanes: list[dict], unit: str = "updates", amount: int = 0, **more) -> Experiment:
    idle = [{"sampler": "full_batch", "schedule": "constant"}]
    budget = {"unit": unit, "amount": amount}
    return Experiment.model_validate({"problem": given, "budget": budget, "lanes": lanes or idle, **more})


def bgd(learning_rate: float, **rule) -> dict:
    rate = {"name": "constant", "learning_rate": learning_rate}
    return {"sampler": "full_batch", "rule": {"name": "sgd", **rule}, "schedule": rate}


def noise_at(given: dict, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(mean, variance with ddof 0) of the samples' gradients."""
    each = problem(given).realize(0, torch.float64, "cpu").sample_gradients(torch.tensor(theta)).numpy()
    return each.mean(0), each.var(0)


def test_r01_least_squares_on_the_columns_as_scikit_learn_ships_them():
    expected = EXPECTED["R01"]
    p = problem(DIABETES | {"dataset": {"name": "diabetes", "scaled": True}, "standardize": False})
    theta, y = p.optimum(0), p.prepare(0).y
    np.testing.assert_allclose(theta[:-1], expected["coef"], rtol=1e-6)
    assert theta[-1] == pytest.approx(expected["intercept"], rel=1e-6)
    mse = 2 * p.solution(0).value
    assert mse == pytest.approx(expected["mse"], rel=1e-8)
    assert p.solution(0).value == pytest.approx(expected["half_mse"], rel=1e-8)
    assert (y.mean(), y.var()) == pytest.approx((expected["y_mean"], expected["y_var"]), rel=1e-8)
    assert 1 - mse / y.var() == pytest.approx(expected["r2"], rel=1e-8)


def test_r02_curvature_and_rate_limits_of_standardised_columns():
    expected = EXPECTED["R02"]
    p = problem(DIABETES)
    theta = p.optimum(0)
    np.testing.assert_allclose(theta[:-1], expected["coef"], rtol=1e-7)
    assert theta[-1] == pytest.approx(expected["bias"], rel=1e-7)
    hessian = p.hessian(theta, 0)
    np.testing.assert_allclose(hessian[-1], [0] * 10 + [1], atol=1e-12)
    curvature = np.linalg.eigvalsh(hessian[:-1, :-1])
    np.testing.assert_allclose(curvature, expected["eigs"], rtol=1e-7)
    kappa = curvature[-1] / curvature[0]
    assert kappa == pytest.approx(expected["kappa"], rel=1e-7)
    assert 2 / curvature[-1] == pytest.approx(expected["lr_max_half_mse"], rel=1e-7)
    assert 1 / curvature[-1] == pytest.approx(expected["lr_max_mse"], rel=1e-7)
    assert (kappa - 1) / (kappa + 1) == pytest.approx(expected["gd_rate_opt"], rel=1e-7)
    assert (p.prepare(0).x ** 2).sum(1).max() == pytest.approx(expected["max_row_norm2_with_bias"], rel=1e-7)


def test_r03_gradient_noise_at_the_start_and_at_the_optimum():
    expected = EXPECTED["R03"]
    mean, variance = noise_at(DIABETES, np.zeros(11))
    assert mean @ mean == pytest.approx(expected["G2_at0"], rel=1e-8)
    assert variance.sum() == pytest.approx(expected["tr_at0"], rel=1e-8)
    assert variance.sum() / (mean @ mean) == pytest.approx(expected["B_simple_at0"], rel=1e-8)
    without_replacement = variance.sum() / 32 * (442 - 32) / (442 - 1)
    assert without_replacement == pytest.approx(expected["noise_b32_without_at0"], rel=1e-8)
    mean, variance = noise_at(DIABETES, problem(DIABETES).optimum(0))
    assert mean @ mean < expected["G2_at_opt_max"]
    assert variance.sum() == pytest.approx(expected["tr_at_opt"], rel=1e-8)


def test_r04_gradient_noise_with_a_standardised_target():
    # With the intercept at the mean of y, the weights' part is the model without intercept on the centred target;
    # dividing gradients by the target's deviation and losses by its variance standardises it.
    expected, p = EXPECTED["R04"], problem(DIABETES)
    y = p.prepare(0).y
    mean, variance = (part[:-1] for part in noise_at(DIABETES, np.append(np.zeros(10), y.mean())))
    assert mean @ mean / y.var() == pytest.approx(expected["G2"], rel=1e-9)
    assert variance.sum() / y.var() == pytest.approx(expected["tr"], rel=1e-9)
    assert variance.sum() / (mean @ mean) == pytest.approx(expected["B_simple"], rel=1e-9)
    assert p.solution(0).value / y.var() == pytest.approx(expected["opt_half_mse"], rel=1e-9)


def test_r06_log_loss_and_noise_at_zero():
    expected = EXPECTED["R06"]
    mean, variance = noise_at(CANCER, np.zeros(31))
    assert problem(CANCER).value(np.zeros(31), 0) == pytest.approx(expected["f0"], rel=1e-9)
    assert mean @ mean == pytest.approx(expected["G2"], rel=1e-9)
    assert variance.sum() == pytest.approx(expected["tr"], rel=1e-9)
    assert variance.sum() / (mean @ mean) == pytest.approx(expected["B_simple"], rel=1e-9)


def test_h03_updates_in_five_epochs_of_sixty_thousand():
    sizes, expected = Reshuffle(batch_size=64).sizes(60_000), EXPECTED["H03"]
    assert (len(sizes), 5 * len(sizes), sizes[-1]) == tuple(expected[k] for k in ("per_epoch", "total", "last_batch"))


def first_below(excess: np.ndarray, levels) -> list:
    """The first record at or below each level, None where there is none; excess (K,)."""
    return [int((excess <= level).argmax()) if (excess <= level).any() else None for level in levels]


def assert_reached(given: list, expected: list, slack) -> None:
    for found, wanted in zip(given, expected, strict=True):
        assert (found is None) == (wanted is None)
        assert found is None or abs(found - wanted) <= slack(wanted)


def test_r08_full_batch_epochs_to_an_excess_on_diabetes():
    table, levels = EXPECTED["R08"]["bgd"], LEVELS["R08"]
    e = experiment(DIABETES, [bgd(float(rate)) for rate in table], amount=3000)
    least = e.problem.solution(0).value
    for lane, wanted in enumerate(table.values()):
        _, trace = engine.run(e, lane)
        assert_reached(first_below(trace.loss[0] / least - 1, levels), [wanted[str(v)] for v in levels], lambda w: 1)


def test_r10_full_batch_epochs_to_an_excess_on_breast_cancer():
    table, levels = EXPECTED["R10"]["bgd"], LEVELS["R10"]
    e = experiment(CANCER | {"l2": 0.01}, [bgd(float(rate)) for rate in table], amount=600)
    least = e.problem.solution(0).value
    for lane, wanted in enumerate(table.values()):
        _, trace = engine.run(e, lane)
        assert_reached(first_below(trace.loss[0] - least, levels), [wanted[str(v)] for v in levels], lambda w: 1)


TUNED = [  # oracle, entry, batch size, decay of the rate an epoch, rates (the winners of a wider grid), epochs
    ("R08", "sgd_b1_const", 1, 0.0, [2**-5, 2**-7, 2**-9], 8),
    ("R08", "sgd_b1_decay", 1, 0.5, [2**-4, 2**-7], 52),
    ("R08", "sgd_b8_decay", 8, 0.5, [2**-3, 2**-4, 2**-5], 12),
    ("R08", "sgd_b32_decay", 32, 0.5, [2**-1, 2**-2, 2**-3], 12),
    ("R08", "sgd_b128_const", 128, 0.0, [2**-1, 2**-2, 2**-3], 14),
    ("R10", "sgd_b64_decay", 64, 0.5, [2**-1, 2, 2**3], 26),
    ("R10", "sgd_b8_decay", 8, 0.5, [2**-3, 2**-2, 2**-1], 20),
    ("R10", "sgd_b1_decay", 1, 0.5, [2**-6, 2**-4], 12),
    ("R10", "sgd_b1_const", 1, 0.0, [2**-6], 20),
]


@pytest.mark.parametrize(("oracle", "entry", "size", "decay", "rates", "epochs"), TUNED)
def test_r08_r10_tuned_mini_batches_reach_it_in_as_many_epochs(oracle, entry, size, decay, rates, epochs):
    """Medians of three runs, the best rate for each level, within a factor of 2 (the orders are our own)."""
    given = DIABETES if oracle == "R08" else CANCER | {"l2": 0.01}
    levels = np.array(LEVELS[oracle])
    lanes = [
        {
            "sampler": {"name": "reshuffle", "batch_size": size},
            "schedule": {"name": "inverse_time", "learning_rate": float(rate), "decay": decay},
        }
        for rate in rates
    ]
    e = experiment(given, lanes, unit="epochs", amount=epochs, runs=3)
    least = e.problem.solution(0).value
    medians = []
    for lane in range(len(lanes)):
        _, trace = engine.run(e, lane, every=e.updates_per_epoch(lane))
        excess = (trace.loss - least) / (least if oracle == "R08" else 1.0)
        below = excess[:, None, :] <= levels[:, None]
        medians.append(np.median(np.where(below.any(-1), below.argmax(-1), np.inf), axis=0))
    best = [None if np.isinf(v) else float(v) for v in np.min(medians, axis=0)]
    for found, wanted in zip(best, EXPECTED[oracle][entry], strict=True):
        if wanted is None:
            assert found is None
        else:
            assert found is not None and min(wanted / 2, wanted - 1) <= found <= max(wanted * 2, wanted + 1)


def test_r11_momentum_pays_on_real_data():
    expected, p = EXPECTED["R11"], problem(DIABETES)
    best = p.optimum(0)
    curvature = np.linalg.eigvalsh(p.hessian(best, 0)[:-1, :-1])
    least, most = curvature[0], curvature[-1]
    root = np.sqrt(most / least)
    lanes = {
        "gd": bgd(2 / (least + most)),
        "hb": bgd(4 / (np.sqrt(least) + np.sqrt(most)) ** 2, momentum=((root - 1) / (root + 1)) ** 2),
        "nag": bgd(1 / most, momentum=(root - 1) / (root + 1), nesterov=True),
    }
    e = experiment(DIABETES, list(lanes.values()), amount=3100)
    for lane, name in enumerate(lanes):
        distance = np.linalg.norm(engine.run(e, lane)[1].theta[0] - best, axis=1) / np.linalg.norm(best)
        assert abs(first_below(distance, [1e-6])[0] - expected[name]) <= 2


def test_r12_the_rate_threshold_is_where_two_over_the_curvature_says():
    expected = EXPECTED["R12"]
    e = experiment(DIABETES, [bgd(float(rate)) for rate in expected], amount=200)
    for lane, loss in enumerate(expected.values()):
        assert 2 * engine.run(e, lane)[1].loss[0, -1] == pytest.approx(loss, rel=1e-5)
    limit = EXPECTED["R02"]["lr_max_half_mse"]
    e = experiment(DIABETES, [bgd(limit * 0.998), bgd(limit * 1.002)], amount=5_000)
    (below, settled), (above, _) = (engine.run(e, lane, every=5_000) for lane in range(2))
    assert below.diverged_at == [-1] and settled.loss[0, -1] == pytest.approx(e.problem.solution(0).value, rel=1e-6)
    assert above.diverged_at > 0


@pytest.mark.parametrize(
    ("features", "updates", "rate"), [(["bmi"], 300, 0.5), (["bmi", "s5"], 300, 0.5), (None, 6000, 0.45)]
)
def test_full_batches_reach_the_least_squares_optimum(features, updates, rate):
    e = experiment(DIABETES | {"features": features}, [bgd(rate)], amount=updates)
    x, y = np.array(e.problem.prepare(0).x), e.problem.prepare(0).y
    expected = np.linalg.solve(x.T @ x, x.T @ y)
    _, trace = engine.run(e, 0)
    np.testing.assert_allclose(trace.theta[0, -1], expected, rtol=0, atol=1e-8 * np.abs(expected).max())
    assert trace.loss[0, -1] == pytest.approx(((x @ expected - y) ** 2).mean() / 2, rel=1e-12)


@cache
def by_lbfgs(l2: float) -> np.ndarray:
    """The penalised optimum by scipy, from data prepared here, independently of the problem's code."""
    from sklearn.datasets import load_breast_cancer

    raw = load_breast_cancer()
    x = np.hstack([(raw.data - raw.data.mean(0)) / raw.data.std(0), np.ones((569, 1))])
    penalty = np.append(np.full(30, l2), 0.0)

    def value(theta):
        z = x @ theta
        gradient = x.T @ (1 / (1 + np.exp(-z)) - raw.target) / 569 + penalty * theta
        return (np.logaddexp(0, z) - raw.target * z).mean() + penalty @ theta**2 / 2, gradient

    options = {"ftol": 0, "gtol": 1e-11, "maxiter": 9999}
    theta = minimize(value, np.zeros(31), jac=True, method="L-BFGS-B", options=options).x
    # It stops where the value no longer falls, 1e-8 from the optimum; a root of the gradient is found to rounding.
    return root(lambda t: value(t)[1], theta, tol=1e-14).x


def test_logistic_full_batches_reach_another_solvers_optimum():
    e = experiment(CANCER | {"l2": 0.01}, [bgd(4.0, momentum=0.8)], amount=1500)
    _, trace = engine.run(e, 0)
    np.testing.assert_allclose(trace.theta[0, -1], by_lbfgs(0.01), rtol=0, atol=1e-8)
    np.testing.assert_allclose(e.problem.optimum(0), by_lbfgs(0.01), rtol=0, atol=1e-8)
    assert trace.loss[0, -1] == pytest.approx(e.problem.solution(0).value, rel=1e-12)


@pytest.mark.parametrize(
    "features", [["mean radius", "mean texture"], ["worst area", "worst smoothness", "mean radius"]]
)
def test_the_newton_optimum_is_scikit_learns(features):
    p = problem(CANCER | {"features": features})
    data = p.prepare(0)
    theirs = Sklearn(C=np.inf, tol=1e-12, max_iter=10_000, solver="newton-cholesky").fit(data.x[:, :-1], data.y)
    np.testing.assert_allclose(p.optimum(0), np.append(theirs.coef_[0], theirs.intercept_), rtol=1e-7)
    gradient = data.x.T @ (1 / (1 + np.exp(-data.x @ p.optimum(0))) - data.y) / len(data.y)
    assert np.abs(gradient).max() < 1e-12


@pytest.mark.parametrize(
    ("x", "y", "more", "exists"),
    [
        ([[0], [1], [2], [3]], [0, 0, 1, 1], {}, False),  # a point between 1 and 2 separates the classes
        ([[0], [1], [1], [2]], [0, 0, 1, 1], {}, False),  # ... and here all but the points at 1
        ([[0], [1], [2], [3]], [0, 1, 0, 1], {}, True),
        ([[0], [1], [2], [3]], [0, 0, 1, 1], {"l2": 1e-3}, True),
        ([[0], [1]], [1, 1], {"l2": 0.1}, False),  # one class: nothing holds the intercept back
        ([[1, 2], [2, 4], [3, 6], [4, 8]], [0, 1, 0, 1], {}, True),  # collinear: many optima, ours the shortest
        ([[5]], [1], {"intercept": False}, True),  # the one column is constant: no theta matters
    ],
)
def test_an_optimum_is_claimed_only_where_there_is_one(x, y, more, exists):
    p = problem({"name": "logistic_regression", "dataset": {"name": "inline", "x": x, "y": y}, **more})
    assert (p.solution(0) is not None) == (p.optimum(0) is not None) == exists
    if exists:
        sum_ = p.realize(0, torch.float64, "cpu")
        assert sum_.gradient(torch.tensor(p.optimum(0))[None], None).abs().max() < 1e-12


def test_all_thirty_columns_separate_breast_cancer():
    assert problem(CANCER).optimum(0) is None
    assert problem(CANCER | {"l2": 0.01}).optimum(0) is not None


def test_log_losses_stay_exact_where_they_are_tiny_or_huge():
    data = {"name": "inline", "x": [[1.0], [-1.0]], "y": [1, 1]}
    given = {"name": "logistic_regression", "dataset": data, "standardize": False, "intercept": False}
    sum_ = problem(given).realize(0, torch.float64, "cpu")
    losses = sum_.losses(torch.tensor([[50.0], [800.0]]), torch.tensor([[0, 1], [0, 1]]))
    np.testing.assert_allclose(losses, [[np.exp(-50.0), 50.0], [0.0, 800.0]], rtol=1e-15)


def test_held_out_rows_are_scored():
    for name, data, keys in [
        ("linear_regression", "diabetes", {"test_loss"}),
        ("logistic_regression", "breast_cancer", {"test_loss", "test_accuracy"}),
    ]:
        p = problem({"name": name, "dataset": data, "l2": 0.01})
        theta, held = p.optimum(2), p.prepare(2)
        seen = p.realize(2, torch.float64, "cpu").test_metrics(torch.tensor(theta))
        z = held.x_test @ theta
        assert set(seen) == keys
        if name == "linear_regression":
            assert seen["test_loss"] == pytest.approx(((z - held.y_test) ** 2).mean() / 2)
        else:
            assert seen["test_loss"] == pytest.approx((np.logaddexp(0, z) - held.y_test * z).mean())
            assert seen["test_accuracy"] == pytest.approx(((z > 0) == held.y_test).mean())
            assert seen["test_accuracy"] > 0.9
    assert problem(DIABETES).realize(0, torch.float64, "cpu").test_metrics(torch.zeros(11).double()) == {}


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("standardize", [True, False])
@pytest.mark.parametrize("features", [["bmi"], ["bmi", "s5"], None])
def test_original_units_predict_the_same_and_come_back(features, standardize, intercept):
    p = problem(DIABETES | {"features": features, "standardize": standardize, "intercept": intercept})
    data, theta = p.prepare(0), np.random.default_rng(0).normal(size=(4, p.parameter_count)) * 30
    raw = p.original_units(theta, 0)
    assert raw.shape == (4, len(data.table.features) + 1)
    np.testing.assert_allclose(data.table.x @ raw[:, :-1].T + raw[:, -1], data.x @ theta.T, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(p.own_units(raw, 0), theta, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(p.original_units(theta[0], 0), raw[0], rtol=1e-12)


def test_axis_labels_say_what_and_per_what():
    assert problem(DIABETES | {"features": ["bmi"]}).axis_labels == (
        "slope of bmi (per standard deviation)",
        "intercept",
    )
    raw = problem(DIABETES | {"features": ["bmi", "s1"], "standardize": False, "intercept": False})
    assert raw.axis_labels == ("slope of bmi (per kg/m²)", "slope of s1 (per mg/dl)")
    two = problem(CANCER | {"features": ["mean radius"], "standardize": False})
    assert two.axis_labels == ("weight of mean radius", "intercept")


@pytest.mark.parametrize(
    "given",
    [
        DIABETES | {"features": ["bmi"]},
        DIABETES | {"features": ["bmi"], "standardize": False},
        DIABETES | {"features": ["s1", "s2"], "intercept": False},
        {"name": "linear_regression", "dataset": {"name": "inline", "x": [[1], [2]], "y": [0, 0]}},
        CANCER | {"features": ["mean radius", "mean texture"], "intercept": False},
        {"name": "logistic_regression", "dataset": {"name": "blobs", "distance": 9}, "intercept": False},
    ],
)
def test_the_window_holds_start_and_optimum_with_a_margin(given):
    p = problem(given)
    x0, x1, y0, y1 = p.window(0)
    points = np.array([np.zeros(2), np.zeros(2) if p.optimum(0) is None else p.optimum(0)])
    margin = 0.05 * np.array([x1 - x0, y1 - y0])
    assert (points > np.array([x0, y0]) + margin).all() and (points < np.array([x1, y1]) - margin).all()
    assert problem(CANCER).window(0) is None
