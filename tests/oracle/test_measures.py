"""The measures against oracles.json and naive computations.

Ids here: Q01, Q03, Q04, G03-G07, N01, N06-N08, N22, R02 (limits), R03, R04, R06.
"""

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from mbsgd_core import engine
from mbsgd_core.experiment import Experiment
from mbsgd_core.measures import noise, plane, scale, stability
from mbsgd_core.measures.lane_report import start_noise
from mbsgd_core.measures.limits import rate_limits
from mbsgd_core.rules.adam import Adam
from mbsgd_core.rules.sgd import SGD

ORACLES = {o["id"]: o for o in json.loads(Path(__file__).with_name("oracles.json").read_text())["oracles"]}
COVERS = [
    "Q01",
    "Q03",
    "Q04",
    "G03",
    "G04",
    "G05",
    "G06",
    "G07",
    "N01",
    "N06",
    "N07",
    "N08",
    "N22",
    "R02",
    "R03",
    "R04",
    "R06",
]
TEN = np.arange(1.0, 11.0)[:, None]
BOWL = {"name": "quadratic", "eigenvalues": [1, 10]}
DIABETES = {"name": "linear_regression", "dataset": "diabetes", "test_fraction": 0}


def one_lane(problem, sampler="full_batch", rule=None, rate=0.1, updates=20, **more):
    lane = {
        "sampler": sampler,
        "rule": rule or {"name": "sgd"},
        "schedule": {"name": "constant", "learning_rate": rate},
    }
    budget = {"unit": "updates", "amount": updates}
    return Experiment.model_validate({"problem": problem, "budget": budget, "lanes": [lane], **more})


def expected(id):
    return ORACLES[id]["expected"]


# --- noise


@pytest.mark.parametrize("batch_size", ORACLES["N01"]["inputs"]["b"])
def test_n01_variance_of_a_batch_mean(batch_size):
    row, variance = expected("N01")[str(batch_size)], noise.covariance(TEN).item()
    assert variance * noise.shrink(10, batch_size, True) == pytest.approx(row["with_repl"], rel=1e-12)
    assert variance * noise.shrink(10, batch_size, False) == pytest.approx(row["without"], rel=1e-12)


@pytest.mark.parametrize("replacement", [True, False])
def test_predicted_covariance_by_enumerating_all_batches(replacement):
    gradients = np.random.default_rng(0).normal(size=(6, 2))
    batches = itertools.product(range(6), repeat=3) if replacement else itertools.combinations(range(6), 3)
    means = np.array([gradients[list(b)].mean(0) for b in batches])
    predicted = noise.covariance(gradients) * noise.shrink(6, 3, replacement)
    np.testing.assert_allclose(predicted, np.cov(means.T, ddof=0), rtol=1e-12)


@pytest.mark.parametrize("replacement", [True, False])
@pytest.mark.parametrize("batch_size", [1, 8, 63])
def test_measured_covariance_is_within_five_sigma(replacement, batch_size):
    gradients = np.random.default_rng(1).normal(size=(64, 2)) @ [[1.0, 0.5], [0.0, 2.0]] + [3.0, -1.0]
    predicted = noise.covariance(gradients) * noise.shrink(64, batch_size, replacement)
    measured = noise.measured_covariance(gradients, batch_size, replacement, seed=0)
    a, b, c = predicted[0, 0], predicted[0, 1], predicted[1, 1]
    sigma = np.sqrt(np.array([[2 * a * a, a * c + b * b], [a * c + b * b, 2 * c * c]]) / noise.DRAWS)
    assert (np.abs(measured - predicted) <= 5 * sigma).all()


def test_the_full_batch_has_no_noise_at_all():
    gradients = np.random.default_rng(2).normal(size=(50, 3))
    assert noise.relative(gradients, 50, False) == 0
    assert not noise.measured_covariance(gradients, 50, False, 0).any()
    assert noise.relative(gradients, 50, True) > 0
    e = one_lane({**BOWL, "noise": 1.0})
    assert start_noise(e, 0) == 0
    # The same number of samples in every update, drawn as one batch of an epoch, is the full batch too.
    assert start_noise(one_lane({**BOWL, "noise": 1.0}, {"name": "reshuffle", "batch_size": 64}), 0) == 0


def test_rows_5_and_7_noise_falls_with_the_batch():
    """Relative noise b = 1 to b = 32 is 32 (m - 1)/(m - 32) in variance; slope -1 in log-log with replacement."""
    gradients = np.random.default_rng(3).normal(size=(442, 2)) + 1
    ratio = (noise.relative(gradients, 1, False) / noise.relative(gradients, 32, False)) ** 2
    assert ratio == pytest.approx(32 * 441 / 410, rel=1e-12)
    sizes = np.array([1, 4, 16, 64])
    squares = [noise.relative(gradients, int(b), True) ** 2 for b in sizes]
    assert np.polyfit(np.log(sizes), np.log(squares), 1)[0] == pytest.approx(-1, rel=1e-9)


def test_r03_noise_on_diabetes():
    total, oracle = engine.finite_sum(one_lane(DIABETES)), expected("R03")
    zero = noise.sample_gradients(total, np.zeros(11))
    assert np.sum(zero.mean(0) ** 2) == pytest.approx(oracle["G2_at0"], rel=1e-8)
    assert noise.trace(zero) == pytest.approx(oracle["tr_at0"], rel=1e-8)
    assert noise.simple_scale(zero) == pytest.approx(oracle["B_simple_at0"], rel=1e-8)
    assert noise.trace(zero) * noise.shrink(442, 32, False) == pytest.approx(oracle["noise_b32_without_at0"], rel=1e-8)
    best = noise.sample_gradients(total, one_lane(DIABETES).problem.solution(0).minimizers[0])
    assert noise.trace(best) == pytest.approx(oracle["tr_at_opt"], rel=1e-8)
    assert noise.simple_scale(best) == np.inf


def test_r04_noise_on_diabetes_standardised():
    data = one_lane({**DIABETES, "intercept": False}).problem.prepare(0)
    gradients = -((data.y - data.y.mean()) / data.y.std())[:, None] * data.x
    oracle = expected("R04")
    assert np.sum(gradients.mean(0) ** 2) == pytest.approx(oracle["G2"], rel=1e-9)
    assert noise.trace(gradients) == pytest.approx(oracle["tr"], rel=1e-9)
    assert noise.simple_scale(gradients) == pytest.approx(oracle["B_simple"], rel=1e-9)


def test_r06_noise_on_breast_cancer():
    problem = {"name": "logistic_regression", "dataset": "breast_cancer", "test_fraction": 0}
    total, oracle = engine.finite_sum(one_lane(problem)), expected("R06")
    assert total.objective(torch.zeros(1, 31, dtype=torch.float64)).item() == pytest.approx(oracle["f0"], rel=1e-12)
    gradients = noise.sample_gradients(total, np.zeros(31))
    assert np.sum(gradients.mean(0) ** 2) == pytest.approx(oracle["G2"], rel=1e-9)
    assert noise.trace(gradients) == pytest.approx(oracle["tr"], rel=1e-9)
    assert noise.simple_scale(gradients) == pytest.approx(oracle["B_simple"], rel=1e-9)


# --- scale


@pytest.mark.parametrize("batch_size", ORACLES["G03"]["inputs"]["B"])
def test_g03_best_step(batch_size):
    inputs, oracle = ORACLES["G03"]["inputs"], expected("G03")
    curvature, gradient, spread = np.diag(inputs["H"]), np.array(inputs["G"], float), np.diag(inputs["Sigma"])
    gain = scale.best_step(curvature, gradient, spread, batch_size)
    assert gain.rate == pytest.approx(oracle["eps_opt"][str(batch_size)], rel=1e-12)
    assert gain.share == pytest.approx(oracle["gain_fraction"][str(batch_size)], rel=1e-12)
    assert gain.noise_scale == pytest.approx(oracle["B_noise"], rel=1e-12)
    assert gain.loss == pytest.approx(oracle["dL_max"] * gain.share, rel=1e-12)
    two = np.array([gradient + 2, gradient - 2])  # B_simple of samples with covariance diag(4, 4) about G
    assert noise.simple_scale(two) == pytest.approx(8 / (gradient @ gradient), rel=1e-12)


@pytest.mark.parametrize("batch_size", ORACLES["G04"]["inputs"]["B"])
def test_g04_hyperbola(batch_size):
    inputs, row = ORACLES["G04"]["inputs"], expected("G04")[str(batch_size)]
    updates, samples = scale.cost_at(batch_size, inputs["Smin"], inputs["Emin"])
    assert (updates, samples) == pytest.approx((row["S"], row["E"]), rel=1e-12)
    assert (updates / inputs["Smin"] - 1) * (samples / inputs["Emin"] - 1) == pytest.approx(1, rel=1e-9)


def test_g05_fit_of_the_hyperbola():
    inputs, oracle = ORACLES["G05"]["inputs"], expected("G05")
    updates, samples = scale.fit_cost(np.array(inputs["B"]), np.array(inputs["S"]))
    assert (updates, samples) == pytest.approx((oracle["Smin"], oracle["Emin"]), rel=1e-8)
    assert samples / updates == pytest.approx(oracle["Bcrit"], rel=1e-8)


@pytest.mark.parametrize("batch_size", [1, 16, 256, 16384])
def test_g06_noisy_quadratic_model(batch_size):
    curvature = 1 / np.arange(1, ORACLES["G06"]["inputs"]["d"] + 1)
    rates = 2 * np.logspace(-4, -1e-4, 160)
    best, best_rate = 10**9, None
    for rate in rates:
        reached = [0, best]  # the loss falls, so bisect for the first update below the target
        if scale.expected_loss(best, rate, curvature, curvature, batch_size) > 0.01:
            continue
        while reached[1] - reached[0] > 1:
            middle = sum(reached) // 2
            below = scale.expected_loss(middle, rate, curvature, curvature, batch_size) <= 0.01
            reached[below] = middle
        if reached[1] < best:
            best, best_rate = reached[1], rate
    assert abs(best - expected("G06")["steps"][str(batch_size)]) <= 1
    assert best_rate == pytest.approx(expected("G06")["lr"][str(batch_size)], rel=1e-9)


@pytest.mark.parametrize("batch_size", ORACLES["G07"]["inputs"]["B"])
def test_g07_noise_scale(batch_size):
    inputs, row = ORACLES["G07"]["inputs"], expected("G07")[str(batch_size)]
    exact = scale.noise_scale(inputs["lr"], inputs["N"], batch_size)
    assert exact == pytest.approx(row["g"], rel=1e-12)
    # The oracle's two approximate columns leave out the -1: N/B in place of N/B - 1.
    left_out = inputs["lr"]
    assert exact + left_out == pytest.approx(row["g_approx"], rel=1e-12)
    with_momentum = scale.noise_scale(inputs["lr"], inputs["N"], batch_size, inputs["m"])
    assert with_momentum + left_out / (1 - inputs["m"]) == pytest.approx(row["g_mom"], rel=1e-12)


def test_n06_n07_n08_n22_stationary_variance():
    for case, row in zip(ORACLES["N06"]["inputs"]["list"], expected("N06").values(), strict=True):
        rate, curvature, variance, size = case
        found = scale.stationary_variance(rate, curvature, variance, size)
        assert found == pytest.approx(row["var"], rel=1e-12)
        assert curvature * found / 2 == pytest.approx(row["excess"], rel=1e-12)
    full = scale.stationary_variance(0.2, 1, 1, 1)
    assert scale.stationary_variance(0.1, 1, 1, 1) / full == pytest.approx(expected("N07")["ratio"], rel=1e-12)
    assert scale.stationary_variance(0.1, 1, 1, 1) == pytest.approx(expected("N08")["var_half_lr"], rel=1e-12)
    assert scale.stationary_variance(0.2, 1, 1, 2) == pytest.approx(expected("N08")["var_double_b"], rel=1e-12)
    base = scale.stationary_variance(0.01, 1, 1, 1)
    for k, row in expected("N22").items():
        ratio = scale.stationary_variance(0.01 * int(k), 1, 1, int(k)) / base
        assert ratio == pytest.approx(row["var_ratio"], rel=1e-10)


# --- stability


@pytest.mark.parametrize("name", ["rosenbrock", "himmelblau", "beale"])
def test_hessian_by_finite_differences(name):
    total = engine.finite_sum(one_lane({"name": name, "noise": 1.0, "noise_kind": "scale"}))
    theta, step = np.array([0.7, -0.4]), 1e-5

    def gradient(at):
        return total.gradient(torch.as_tensor(at)[None], None)[0].numpy()

    rows = [(gradient(theta + step * unit) - gradient(theta - step * unit)) / (2 * step) for unit in np.eye(2)]
    found = stability.hessian(total, theta)
    np.testing.assert_allclose(found, np.array(rows), rtol=1e-6, atol=1e-6)
    each = stability.sample_hessians(total, theta)
    np.testing.assert_allclose(each.mean(0), found, rtol=1e-10)
    np.testing.assert_allclose(each, (1 + total.draws.numpy())[:, :, None] * found, rtol=1e-10)


def test_q01_q03_q04_r02_limits():
    assert stability.rate_limit(10.0, SGD()).rate == pytest.approx(expected("Q01")["threshold"], rel=1e-12)
    for momentum, threshold in expected("Q03")["threshold"].items():
        assert stability.rate_limit(10.0, SGD(momentum=float(momentum))).rate == pytest.approx(threshold, rel=1e-12)
    averaged = stability.rate_limit(10.0, SGD(momentum=0.9, dampening=0.9)).rate
    assert averaged == pytest.approx(expected("Q04")["threshold"], rel=1e-12)
    limits = rate_limits(one_lane(DIABETES), 0)
    assert limits.rate == pytest.approx(expected("R02")["lr_max_half_mse"], rel=1e-7)
    assert stability.rate_limit(10.0, Adam()) is None


RULES = [
    {},
    {"momentum": 0.5},
    {"momentum": 0.9},
    {"momentum": 0.9, "nesterov": True},
    {"momentum": 0.9, "dampening": 0.9},
    {"weight_decay": 3.0},
    {"momentum": 0.5, "weight_decay": 3.0},
]


@pytest.mark.parametrize("knobs", RULES, ids=str)
def test_rates_below_the_limit_converge_and_above_it_grow(knobs):
    limit = stability.rate_limit(10.0, SGD(**knobs)).rate
    rule = {"name": "sgd", **knobs}
    for factor, grows in ((0.99, False), (1.01, True)):
        e = one_lane(BOWL, rule=rule, rate=factor * limit, updates=1500, start=[0.0, 1e-3])
        _, trace = engine.run(e, 0)
        late, middle = np.abs(trace.theta[0, -40:, 1]).max(), np.abs(trace.theta[0, 300:340, 1]).max()
        assert (not late <= middle) is grows  # a path that left is not a number


@pytest.mark.parametrize(("batch_size", "limit"), [(1, 0.1354), (8, 0.409), (32, 0.475), (442, 0.49699)])
def test_row_47_mean_square_limit_on_diabetes(batch_size, limit):
    spread = stability.curvature_spread(engine.finite_sum(one_lane(DIABETES)), np.zeros(11))
    assert stability.mean_square_limit(spread, batch_size, batch_size < 442) == pytest.approx(limit, rel=2e-3)


@pytest.mark.parametrize("replacement", [True, False])
def test_mean_square_limit_by_enumerating_all_batches(replacement):
    x, y = np.random.default_rng(4).normal(size=(5, 2)).tolist(), [1.0, 2.0, 3.0, 4.0, 5.0]
    inline = {"name": "inline", "x": x, "y": y}
    problem = {"name": "linear_regression", "dataset": inline, "standardize": False, "intercept": False}
    spread = stability.curvature_spread(engine.finite_sum(one_lane(problem)), np.zeros(2))
    limit = stability.mean_square_limit(spread, 2, replacement)
    pairs = itertools.product(range(5), repeat=2) if replacement else itertools.combinations(range(5), 2)
    curvatures = [np.mean([np.outer(x[i], x[i]) for i in pair], axis=0) for pair in pairs]

    def radius(rate):
        steps = [np.eye(2) - rate * h for h in curvatures]
        return np.abs(np.linalg.eigvals(np.mean([np.kron(s, s) for s in steps], axis=0))).max()

    assert radius(0.999 * limit) < 1 < radius(1.001 * limit)


def test_mean_square_limit_under_scaled_noise():
    """f_i = (1 + e_i) f: the limit is 2 / (L (1 + c var e))."""
    e = one_lane({**BOWL, "samples": 16, "noise": 1.5, "noise_kind": "scale"})
    spread = stability.curvature_spread(engine.finite_sum(e), np.array([1.0, 1.0]))
    assert stability.mean_square_limit(spread, 4, True) == pytest.approx(2 / (10 * (1 + 1.5**2 / 4)), rel=1e-9)


# --- plane


def test_pca_by_singular_values():
    draw = np.random.default_rng(5)
    paths = [np.cumsum(draw.normal(size=(30, 6)), 0), np.cumsum(draw.normal(size=(30, 6)), 0)]
    found = plane.fit(paths, paths[0][0])
    rows = np.concatenate(paths)
    _, lengths, axes = np.linalg.svd(rows - rows.mean(0))
    np.testing.assert_allclose(found.origin, rows.mean(0), rtol=1e-12)
    np.testing.assert_allclose(np.abs(np.diag(axes[:2] @ found.axes)), 1, rtol=1e-9)
    np.testing.assert_allclose(found.explained, (lengths**2 / np.sum(lengths**2))[:2], rtol=1e-9)
    shadow = rows.mean(0) + (rows - rows.mean(0)) @ axes[:2].T @ axes[:2]
    np.testing.assert_allclose(found.lift(found.project(rows)), shadow, atol=1e-9)
    np.testing.assert_allclose(found.distance(rows), np.linalg.norm(rows - shadow, axis=1), atol=1e-9)
    assert (found.project(paths[0][0]) <= 0).all()


@pytest.mark.parametrize("records", [1, 2, 3])
def test_pca_of_short_paths_is_still_a_plane(records):
    path = np.random.default_rng(6).normal(size=(records, 9))
    found = plane.fit([path], path[0])
    np.testing.assert_allclose(found.axes.T @ found.axes, np.eye(2), atol=1e-9)
    np.testing.assert_allclose(found.distance(path), 0, atol=1e-9)
    assert np.isfinite(found.explained).all()
