"""Gradient descent and momentum on quadratics, where everything is known exactly.

Ids here: Q01-Q04, Q06-Q11, Q13-Q15.
"""

import cmath
import math

import numpy as np
import pytest
import torch

from mbsgd_core import engine
from mbsgd_core.experiment import Experiment
from mbsgd_core.rules.sgd import SGD
from tests.oracle._linear import ORACLES, bowl, radius, run, transition

COVERS = ["Q01", "Q02", "Q03", "Q04", "Q06", "Q07", "Q08", "Q09", "Q10", "Q11", "Q13", "Q14", "Q15"]


def inputs(identity: str) -> dict:
    return ORACLES[identity]["inputs"]


def expected(identity: str) -> dict:
    return ORACLES[identity]["expected"]


def heavy_ball(mu: float, top: float) -> tuple[float, float, float]:
    """Polyak's optimal rate and momentum, and the factor they give."""
    low, high = math.sqrt(mu), math.sqrt(top)
    rate = (high - low) / (high + low)
    return (2 / (low + high)) ** 2, rate**2, rate


@pytest.mark.parametrize("rate", inputs("Q01")["lrs"])
def test_q01_stability_threshold_of_gradient_descent(rate):
    oracle = expected("Q01")
    _, trace = run(bowl(*inputs("Q01")["lam"]), rate, inputs("Q01")["steps"], inputs("Q01")["x0"])
    path = trace.theta[0]
    # abs 1e-14: at rate 0.05 the steep coordinate is 2**-50 of its start
    np.testing.assert_allclose(path[50], oracle["x50"][str(rate)], rtol=1e-10, atol=1e-14)
    factors = abs(path[1:11] / path[:10]).max(1)
    np.testing.assert_allclose(factors, oracle["spectral_radius"][str(rate)], rtol=1e-10)
    verdict = {-1: "converges", 0: "neutral", 1: "diverges"}[int(np.sign(np.round(factors[0] - 1, 12)))]
    assert verdict == oracle["verdict"][str(rate)]
    assert (rate > oracle["threshold"]) == (verdict == "diverges")
    if rate == oracle["threshold"]:
        np.testing.assert_allclose(path[:, 1], (-1.0) ** np.arange(51), rtol=1e-10)


@pytest.mark.parametrize("kappa", inputs("Q02")["kappa"])
def test_q02_optimal_rate_of_gradient_descent(kappa):
    oracle = expected("Q02")[str(kappa)]
    rate = 2 / (inputs("Q02")["mu"] + kappa)
    assert rate == pytest.approx(oracle["lr"], rel=1e-12)
    path = run(bowl(1.0, kappa), rate, 20)[1].theta[0]
    np.testing.assert_allclose(abs(path[1:] / path[:-1]), oracle["rate"], rtol=1e-12)


def test_q03_stability_threshold_of_the_heavy_ball():
    top = inputs("Q03")["lam_max"]
    for beta, threshold in expected("Q03")["threshold"].items():
        rule = SGD(momentum=float(beta))
        assert 2 * (1 + float(beta)) / top == pytest.approx(threshold, abs=1e-9)
        assert radius(rule, threshold, top) == pytest.approx(1.0, abs=1e-9)
        assert radius(rule, 0.999 * threshold, top) < 1 < radius(rule, 1.001 * threshold, top)
    for rate, rho in expected("Q03")["rho_beta0_9"].items():
        assert radius(SGD(momentum=0.9), float(rate), top) == pytest.approx(rho, abs=1e-9)


def test_q03_through_the_engine():
    for beta, threshold in expected("Q03")["threshold"].items():
        rule = {"momentum": float(beta)}
        below = run(bowl(1.0, 10.0), 0.999 * threshold, 6000, rule=rule)[0]
        above = run(bowl(1.0, 10.0), 1.001 * threshold, 20_000, rule=rule)[0]
        assert below.diverged_at[0] == -1 and below.theta.abs().max() < 1e-2
        assert above.diverged_at[0] > 0


def test_q04_threshold_of_averaged_momentum():
    beta, top = inputs("Q04")["beta"], inputs("Q04")["lam_max"]
    threshold = expected("Q04")["threshold"]
    rule = SGD(momentum=beta)
    assert 2 * (1 + beta) / ((1 - beta) * top) == pytest.approx(threshold, rel=1e-12)
    assert threshold * top == pytest.approx(expected("Q04")["times_lam"], rel=1e-12)
    # v <- beta v + (1 - beta) g is torch's momentum at a rate of (1 - beta) times as much
    assert radius(rule, threshold * (1 - beta), top) == pytest.approx(1.0, abs=1e-9)
    assert radius(rule, 0.999 * threshold * (1 - beta), top) < 1 < radius(rule, 1.001 * threshold * (1 - beta), top)


@pytest.mark.parametrize("top", inputs("Q06")["L"])
def test_q06_optimal_heavy_ball(top):
    oracle, mu = expected("Q06")[str(top)], inputs("Q06")["mu"]
    rate, beta, factor = heavy_ball(mu, top)
    assert (rate, beta, factor) == pytest.approx((oracle["lr"], oracle["beta"], oracle["rate"]), rel=1e-12)
    for curvature in (mu, top):  # double roots: eigenvalues are good to the root of the rounding only
        assert radius(SGD(momentum=beta), rate, curvature) == pytest.approx(factor, abs=1e-6)
    for curvature in np.linspace(mu, top, 20)[1:-1]:
        assert radius(SGD(momentum=beta), rate, curvature) == pytest.approx(factor, abs=1e-9)


@pytest.mark.parametrize("kind", ["standard", "lessard"])
def test_q07_nesterov(kind):
    mu, top = inputs("Q07")["mu"], inputs("Q07")["L"]
    root = math.sqrt(3 * top / mu + 1)
    beta = (math.sqrt(top / mu) - 1) / (math.sqrt(top / mu) + 1) if kind == "standard" else (root - 2) / (root + 2)
    rate = 1 / top if kind == "standard" else 4 / (3 * top + mu)
    oracle = expected("Q07")[kind]
    assert (rate, beta) == pytest.approx((oracle["lr"], oracle["beta"]), abs=1e-6)
    rule = SGD(momentum=beta, nesterov=True)
    worst = max(radius(rule, rate, curvature) for curvature in np.linspace(mu, top, 100))
    assert worst == pytest.approx(oracle["rho"], abs=1e-6)


def test_q08_steps_to_a_millionth():
    mu, top = inputs("Q08")["lam"]
    hb_rate, hb_beta, _ = heavy_ball(mu, top)
    standard, lessard = expected("Q07")["standard"], expected("Q07")["lessard"]
    lanes = {
        "gd": (2 / (mu + top), {}),
        "hb": (hb_rate, {"momentum": hb_beta}),
        "nag": (standard["lr"], {"momentum": standard["beta"], "nesterov": True}),
        "nag_lessard": (lessard["lr"], {"momentum": lessard["beta"], "nesterov": True}),
    }
    for name, (rate, rule) in lanes.items():
        path = run(bowl(mu, top), rate, 800, inputs("Q08")["x0"], rule=rule)[1].theta[0]
        reached = int(np.argmax(np.linalg.norm(path, axis=1) <= inputs("Q08")["tol"]))
        assert abs(reached - expected("Q08")[name]) <= 1, name


def test_q09_the_oscillating_regime():
    beta, product = inputs("Q09")["beta"], inputs("Q09")["lr_lam"]
    oracle, rule = expected("Q09"), SGD(momentum=inputs("Q09")["beta"])
    first = np.linalg.eigvals(transition(rule, product, 1.0))[0]
    assert abs(first) == pytest.approx(oracle["rho"], rel=1e-10)
    angle = abs(cmath.phase(first))
    assert angle == pytest.approx(oracle["theta"], rel=1e-10)
    assert 2 * math.pi / angle == pytest.approx(oracle["period"], rel=1e-10)
    low, high = oracle["interval"]
    assert ((1 - math.sqrt(beta)) ** 2, (1 + math.sqrt(beta)) ** 2) == pytest.approx((low, high), rel=1e-10)
    for edge, inside in ((low, 1.001), (high, 0.999)):
        assert np.iscomplexobj(np.linalg.eigvals(transition(rule, edge * inside, 1.0)))
        assert not np.iscomplexobj(np.linalg.eigvals(transition(rule, edge / inside, 1.0)))
    critical = oracle["critical_beta"]
    assert (1 - math.sqrt(product)) ** 2 == pytest.approx(critical, rel=1e-10)
    assert radius(SGD(momentum=critical), product, 1.0) == pytest.approx(math.sqrt(critical), abs=1e-6)


@pytest.mark.parametrize("kind, nesterov", [("heavy_ball", False), ("nesterov_pytorch", True)])
def test_q10_exact_trajectories(kind, nesterov):
    given = inputs("Q10")
    rule = {"momentum": given["beta"], "nesterov": nesterov}
    path = run(bowl(given["lam"], 10.0), given["lr"], given["steps"], (given["x0"], 0.0), rule=rule)[1].theta[0]
    np.testing.assert_allclose(path[1:, 0], expected("Q10")[kind], rtol=0, atol=1e-12)
    # the unit vectors' map, iterated, gives the same
    matrix = transition(SGD(momentum=given["beta"], nesterov=nesterov), given["lr"], given["lam"])
    iterated = [(np.linalg.matrix_power(matrix, k) @ [1.0, 0.0])[0] for k in range(1, 11)]
    np.testing.assert_allclose(iterated, expected("Q10")[kind], rtol=0, atol=1e-12)


def test_q11_momentum_under_a_constant_gradient():
    given = inputs("Q11")
    rule, theta = SGD(momentum=given["beta"]), torch.zeros(1, 1, dtype=torch.float64)
    state, sizes = rule.init(theta), [math.nan]
    for _ in range(500):
        delta, state = rule.update(torch.full_like(theta, given["g"]), state, theta, given["lr"])
        sizes.append(-delta.item())
    for k, size in expected("Q11")["step_size"].items():
        assert sizes[int(k)] == pytest.approx(size, rel=1e-12)
    assert sizes[-1] == pytest.approx(expected("Q11")["terminal"], rel=1e-12)


def test_q13_a_steep_direction():
    given, oracle = inputs("Q13"), expected("Q13")
    nesterov = SGD(momentum=given["beta"], nesterov=True)
    assert radius(nesterov, given["lr_lam"], 1.0) == pytest.approx(oracle["nag_rho"], abs=1e-7)
    assert radius(SGD(momentum=given["beta"]), given["lr_lam"], 1.0) == pytest.approx(oracle["hb_rho"], abs=1e-7)
    path = run(bowl(1.0, 10.0), 1.0, 3, (1.0, 0.0), rule={"momentum": 0.9, "nesterov": True})[1].theta[0]
    assert abs(path[2:, 0]).max() < 1e-12  # gone after two steps


@pytest.mark.parametrize("rate", inputs("Q14")["lr"])
def test_q14_the_flow_that_gradient_descent_follows(rate):
    oracle, curvature = expected("Q14")[str(rate)], inputs("Q14")["lam"]
    trace = run(bowl(curvature, 10.0), rate, 1, (1.0, 0.0))[1]
    assert -math.log(trace.theta[0, 1, 0]) / rate == pytest.approx(oracle["exact"], rel=1e-12)
    # the modified loss f + rate / 4 |grad f|^2 at (1, 0) is half the modified curvature
    lane = {"sampler": "full_batch", "schedule": "constant"}
    problem = engine.finite_sum(Experiment.model_validate({"problem": bowl(curvature, 10.0), "lanes": [lane]}))
    point = torch.tensor([[1.0, 0.0]], dtype=torch.float64)
    modified = problem.objective(point)[0] + rate / 4 * problem.gradient(point, None).square().sum()
    assert 2 * modified.item() == pytest.approx(oracle["bea"], rel=1e-12)


def test_q15_upper_bounds():
    mu, top = inputs("Q15")["lam"]
    trace = run(bowl(mu, top), 1 / top, max(inputs("Q15")["k"]), inputs("Q15")["x0"])[1]
    loss, distance = trace.loss[0], 2.0
    for k in inputs("Q15")["k"]:
        oracle = expected("Q15")[str(k)]
        assert loss[k] == pytest.approx(oracle["f"], rel=1e-10)
        assert top * distance / (2 * k) == pytest.approx(oracle["bound_convex"], rel=1e-12)
        assert (1 - mu / top) ** k * loss[0] == pytest.approx(oracle["bound_sc"], rel=1e-12)
    k = np.arange(1, len(loss))
    assert (loss[1:] <= top * distance / (2 * k)).all()
    assert (loss[1:] <= (1 - mu / top) ** k * loss[0]).all()
