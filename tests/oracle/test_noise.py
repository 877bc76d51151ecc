"""Gradient noise: what samplers draw, what SGD makes of it, exactly and by Monte Carlo through the engine.

Ids here: N01, N03, N05-N08, N10, N11, N19-N22.
Monte Carlo tolerances are five standard errors of what is estimated; seeds are fixed.
"""

import itertools
import math

import numpy as np
import pytest
import torch

from mbsgd_core import engine
from mbsgd_core.experiment import Experiment
from mbsgd_core.registry import discover
from mbsgd_core.rules.sgd import SGD
from mbsgd_core.samplers.base import Sampler
from tests.oracle._linear import ORACLES, bowl, run, stationary_variance

COVERS = ["N01", "N03", "N05", "N06", "N07", "N08", "N10", "N11", "N19", "N20", "N21", "N22"]

TEN = np.array(ORACLES["N01"]["inputs"]["g"])
SAMPLES = 256  # of the noisy bowls; their draws have exactly the stated variance


def inputs(identity: str) -> dict:
    return ORACLES[identity]["inputs"]


def expected(identity: str) -> dict:
    return ORACLES[identity]["expected"]


def mean_problem(values) -> dict:
    """f_i = (w - a_i)^2 / 2."""
    data = {"name": "inline", "x": [[1.0]] * len(values), "y": [float(v) for v in values]}
    return {"name": "linear_regression", "dataset": data, "intercept": False, "standardize": False}


def batch_gradients(values, batches) -> np.ndarray:
    """The gradient at w = 0 of the mean problem over each batch: minus the mean of its values."""
    lane = {"sampler": "full_batch", "schedule": "constant"}
    problem = engine.finite_sum(Experiment.model_validate({"problem": mean_problem(values), "lanes": [lane]}))
    (batch,) = problem.gather(torch.as_tensor(np.array(batches))[None])
    return problem.gradient(torch.zeros(len(batches), 1, dtype=torch.float64), batch)[:, 0].numpy()


def batch_means(name: str, runs: int, size: int) -> list[np.ndarray]:
    """The means of TEN over each whole batch of an epoch, a run each."""
    sampler = discover("mbsgd_core.samplers", Sampler)[name].model_validate({"batch_size": size})
    order = TEN[sampler.orders(0, runs, 0, len(TEN))]
    return [order[:, at : at + size].mean(1) for at in range(0, len(TEN) - size + 1, size)]


@pytest.mark.parametrize("size", inputs("N01")["b"])
def test_n01_variance_of_a_batch_gradient(size):
    oracle, runs = expected("N01")[str(size)], 20_000
    subsets = list(itertools.combinations(range(10), size))
    assert batch_gradients(TEN, subsets).var() == pytest.approx(oracle["enumerated_without"], rel=1e-10, abs=1e-12)
    if size <= 4:
        draws = list(itertools.product(range(10), repeat=size))
        assert batch_gradients(TEN, draws).var() == pytest.approx(oracle["with_repl"], rel=1e-10)
    tolerance = 5 * math.sqrt(2 / runs)
    for name, kind in (("with_replacement", "with_repl"), ("reshuffle", "without"), ("shuffle_once", "without")):
        means = batch_means(name, runs, size)[0]
        assert means.var() == pytest.approx(oracle[kind], rel=tolerance, abs=1e-12)
        assert means.mean() == pytest.approx(5.5, abs=5 * math.sqrt(oracle[kind] / runs) + 1e-12)


def test_n03_covariance_of_two_batches_of_an_epoch():
    size, runs = inputs("N03")["b"], 20_000
    pairs = [(a, b) for a in itertools.combinations(range(10), size) for b in itertools.combinations(range(10), size)]
    disjoint = [(a, b) for a, b in pairs if not set(a) & set(b)]
    first, second = (batch_gradients(TEN, [pair[i] for pair in disjoint]) for i in range(2))
    assert np.cov(first, second, ddof=0)[0, 1] == pytest.approx(expected("N03")["cov"], rel=1e-10)
    for name, covariance in (("reshuffle", expected("N03")["cov"]), ("with_replacement", 0.0)):
        first, second, *_ = batch_means(name, runs, size)
        error = math.sqrt((first.var() * second.var() + covariance**2) / runs)
        assert np.cov(first, second, ddof=0)[0, 1] == pytest.approx(covariance, abs=5 * error)


@pytest.mark.parametrize("sampler", ["reshuffle", "in_order", "shuffle_once"])
def test_n05_a_rate_of_one_over_t_is_the_running_mean(sampler):
    values = np.array(inputs("N05")["a"])
    schedule = {"name": "inverse_time", "learning_rate": 1.0, "decay": 1.0, "interval": "update"}
    start = (inputs("N05")["x0"],)
    fields = {"sampler": {"name": sampler, "batch_size": 1}, "runs": 5}
    state, trace = run(mean_problem(values), schedule, len(values), start, **fields)
    for i in range(5):
        order = np.concatenate(list(engine.batch_indices(state.experiment, 0, range(len(values)), i)))
        means = np.cumsum(values[order]) / np.arange(1, len(values) + 1)
        np.testing.assert_allclose(trace.theta[i, 1:, 0], means, rtol=0, atol=1e-12)
    np.testing.assert_allclose(trace.theta[:, -1, 0], expected("N05")["x_end"], rtol=0, atol=1e-12)
    # Bottou's form: one epoch lands on the optimum whatever the order; the loss there is the least possible
    np.testing.assert_allclose(trace.loss[:, -1], values.var() / 2, rtol=1e-12)


def simulate(rate, curvature, noise, size=1, rule=None, burn=200, gap=100, looks=4, runs=2500) -> np.ndarray:
    """theta of a noisy bowl at some late times, (runs * looks * 2,): nearly independent draws of the stationary law."""
    problem = bowl(curvature, curvature, noise=math.sqrt(noise), samples=SAMPLES)
    sampler = {"name": "with_replacement", "batch_size": size}
    updates = -(-burn // gap) * gap + (looks - 1) * gap
    trace = run(problem, rate, updates, (0.0, 0.0), sampler, rule, runs=runs, every=gap)[1]
    return trace.theta[:, -looks:].ravel()


def assert_variance(draws: np.ndarray, variance: float, correlation: float = 0.0) -> None:
    """Five standard errors; `correlation` between neighbouring looks inflates them."""
    inflation = (1 + correlation**2) / (1 - correlation**2)
    assert draws.var() == pytest.approx(variance, rel=5 * math.sqrt(2 * inflation / len(draws)))
    assert abs(draws.mean()) < 5 * math.sqrt(variance * (1 + correlation) / (1 - correlation) / len(draws))


@pytest.mark.parametrize("case", inputs("N06")["list"])
def test_n06_stationary_variance_of_sgd(case):
    rate, curvature, noise, size = case
    oracle = expected("N06")[str(tuple(case))]
    exact = stationary_variance(SGD(), rate, curvature, noise / size)
    assert exact == pytest.approx(oracle["var"], rel=1e-12)
    assert curvature * exact / 2 == pytest.approx(oracle["excess"], rel=1e-12)
    assert_variance(simulate(*case), oracle["var"], abs(1 - rate * curvature) ** 100)


def test_n06_the_recorded_loss_shows_the_excess():
    problem = bowl(1.0, 1.0, noise=1.0, samples=SAMPLES)
    trace = run(problem, 0.1, 200, (0.0, 0.0), {"name": "with_replacement", "batch_size": 1}, runs=5000, every=200)[1]
    # two coordinates, an excess of curvature * variance / 2 each; their sum has a relative deviation of 1
    excess = 2 * expected("N06")["(0.1, 1, 1, 1)"]["excess"]
    assert trace.loss[:, -1].mean() == pytest.approx(excess, rel=5 / math.sqrt(5000))


def test_n07_halving_the_rate_halves_the_noise():
    rate, curvature = inputs("N07")["lr"], inputs("N07")["lam"]
    exact = stationary_variance(SGD(), rate / 2, curvature, 1) / stationary_variance(SGD(), rate, curvature, 1)
    assert exact == pytest.approx(expected("N07")["ratio"], rel=1e-12)
    draws = simulate(rate / 2, curvature, 1), simulate(rate, curvature, 1)
    tolerance = 5 * math.sqrt(2 / len(draws[0]) + 2 / len(draws[1]))
    assert draws[0].var() / draws[1].var() == pytest.approx(expected("N07")["ratio"], rel=tolerance)
    for r, relaxation in zip((rate, rate / 2), expected("N07")["relax_steps"], strict=True):
        path = run(bowl(curvature, 1.0), r, 1)[1].theta[0, :, 0]
        assert -1 / math.log(path[1] / path[0]) == pytest.approx(relaxation, rel=1e-12)


def test_n08_halving_the_rate_or_doubling_the_batch():
    rate, curvature, oracle = inputs("N08")["lr"], inputs("N08")["lam"], expected("N08")
    assert stationary_variance(SGD(), rate / 2, curvature, 1) == pytest.approx(oracle["var_half_lr"], rel=1e-12)
    assert stationary_variance(SGD(), rate, curvature, 1 / 2) == pytest.approx(oracle["var_double_b"], rel=1e-12)
    assert_variance(simulate(rate / 2, curvature, 1), oracle["var_half_lr"])
    assert_variance(simulate(rate, curvature, 1, size=2), oracle["var_double_b"])


def test_n10_nesterov_and_heavy_ball():
    given, oracle = inputs("N10"), expected("N10")
    for nesterov, variance in ((True, oracle["var"]), (False, oracle["hb_same"])):
        rule = SGD(momentum=given["beta"], nesterov=nesterov)
        exact = stationary_variance(rule, given["lr"], given["lam"], given["s2"])
        assert exact == pytest.approx(variance, rel=1e-9)
        draws = simulate(given["lr"], given["lam"], given["s2"], rule=rule.model_dump(), burn=300)
        assert_variance(draws, variance, 0.95**100)


@pytest.mark.parametrize("rate", inputs("N11")["lr"])
def test_n11_momentum_and_sgd_at_the_same_effective_rate(rate):
    beta, oracle = inputs("N11")["beta"], expected("N11")[str(rate)]
    rule = SGD(momentum=beta)
    assert stationary_variance(rule, rate, 1, 1) == pytest.approx(oracle["hb"], rel=1e-10)
    effective = rate / (1 - beta)
    assert stationary_variance(SGD(), effective, 1, 1) == pytest.approx(oracle["sgd"], rel=1e-10)
    late = {"burn": 200, "gap": 100} if rate > 0.001 else {"burn": 800, "gap": 200, "looks": 3}
    correlation = abs(1 - effective) ** late["gap"]
    assert_variance(simulate(rate, 1, 1, rule=rule.model_dump(), **late), oracle["hb"], max(correlation, 0.06))
    assert_variance(simulate(effective, 1, 1, **late), oracle["sgd"], correlation)


@pytest.mark.parametrize("rate", inputs("N19")["lr"])
def test_n19_averaging_the_iterates(rate):
    steps, oracle, runs = inputs("N19")["T"], expected("N19")[str(rate)], 2000
    factor = run(bowl(1.0, 1.0), rate, 1)[1].theta[0, 1, 0]
    weights = 1 - factor ** np.arange(1, steps + 1)
    assert (weights**2).sum() / steps**2 == pytest.approx(oracle["avg"], rel=1e-9)
    assert stationary_variance(SGD(), rate, 1, 1) == pytest.approx(oracle["last"], rel=1e-9)
    problem = bowl(1.0, 1.0, noise=1.0, samples=SAMPLES)
    trace = run(problem, rate, steps, (0.0, 0.0), {"name": "with_replacement", "batch_size": 1}, runs=runs)[1]
    assert_variance(trace.theta[:, 1:].mean(1).ravel(), oracle["avg"])
    assert_variance(trace.theta[:, -1].ravel(), oracle["last"])


def test_n20_noise_leaves_the_saddle_and_gradient_descent_does_not():
    given, oracle, runs = inputs("N20"), expected("N20"), 5000
    saddle, steps = bowl(1.0, -1.0), max(given["k"])
    exact = run(saddle, given["lr"], steps, (1.0, 0.0))[1].theta[0, :, 1]
    assert (exact == oracle["gd_from_0"]).all()
    nudged = run(saddle, given["lr"], steps, (1.0, given["y0"]))[1].theta[0, :, 1]
    noisy = saddle | {"noise": math.sqrt(given["s2"]), "samples": SAMPLES}
    sampler = {"name": "with_replacement", "batch_size": 1}
    y = run(noisy, given["lr"], steps, (0.0, 0.0), sampler, runs=runs)[1].theta[:, :, 1]
    for k in given["k"]:
        assert nudged[k] == pytest.approx(oracle["gd_y"][str(k)], rel=1e-10)
        assert (y[:, k] ** 2).mean() == pytest.approx(oracle["sgd_Ey2"][str(k)], rel=5 * math.sqrt(2 / runs))


def test_n21_shards_must_be_equal_or_weighted():
    oracle = expected("N21")

    def of(shards) -> np.ndarray:
        return np.array([batch_gradients(-TEN, [np.array(shard) - 1])[0] for shard in shards])

    equal, ragged = inputs("N21")["shards"], inputs("N21")["ragged"]
    assert of(equal).mean() == pytest.approx(oracle["equal"], rel=1e-12)
    assert of([range(1, 11)])[0] == pytest.approx(oracle["equal"], rel=1e-12)
    assert of(ragged).mean() == pytest.approx(oracle["ragged_plain"], rel=1e-12)
    weights = [len(shard) for shard in ragged]
    assert np.average(of(ragged), weights=weights) == pytest.approx(oracle["ragged_weighted"], rel=1e-12)


@pytest.mark.parametrize("k", inputs("N22")["k"])
def test_n22_the_linear_scaling_rule(k):
    rate, oracle = inputs("N22")["lr_lam"], expected("N22")[str(k)]
    assert run(bowl(1.0, 1.0), rate, k)[1].theta[0, -1, 0] == pytest.approx(oracle["small"], rel=1e-12)
    assert run(bowl(1.0, 1.0), k * rate, 1)[1].theta[0, -1, 0] == pytest.approx(oracle["big"], rel=1e-12)
    ratio = stationary_variance(SGD(), k * rate, 1, 1 / k) / stationary_variance(SGD(), rate, 1, 1)
    assert ratio == pytest.approx(oracle["var_ratio"], rel=1e-11)
