"""`rate_limit` against dense operators on all second moments of (error, velocity), and against runs."""

import itertools
import json
import math

import numpy as np
import pytest

from mbsgd_core import engine
from mbsgd_core.cli.run import report
from mbsgd_core.experiment import Experiment
from mbsgd_core.measures.diagnosis import diagnose
from mbsgd_core.measures.limits import rate_limit, rate_limits
from mbsgd_core.measures.suggestion import suggestion
from mbsgd_core.measures.truth import truth
from mbsgd_core.results.cost import NO_COSTS

DIABETES = {"name": "linear_regression", "dataset": "diabetes", "test_fraction": 0}  # m = 442
ONE = DIABETES | {"features": ["bmi"]}
CANCER = {"name": "logistic_regression", "dataset": "breast_cancer", "l2": 0.01}  # m = 455
SIX = CANCER | {"features": ["mean radius", "mean texture", "mean area", "worst area", "worst smoothness"]}
SCALED = {"name": "quadratic", "samples": 24, "noise": 0.7, "noise_kind": "scale"}
BOWLS = [
    SCALED,
    {"name": "booth", "samples": 24, "noise": 1.5, "noise_kind": "scale"},
    {"name": "quadratic", "samples": 24, "noise": 0.7, "noise_kind": "scale", "eigenvalues": [0, 4], "angle": 30},
]
FRESH, DRAWN = "reshuffle", "with_replacement"
PLAIN, HALF, HEAVY = {}, {"momentum": 0.5}, {"momentum": 0.9}
NESTEROV, DECAY = HEAVY | {"nesterov": True}, HEAVY | {"weight_decay": 0.05}
DAMPED = HEAVY | {"dampening": 0.4}


def lane(problem, batch, rule, drawn=FRESH, rate=0.01, epochs=1.0, **more):
    sampler = "full_batch" if batch is None else {"name": drawn, "batch_size": batch}
    given = {"sampler": sampler, "rule": {"name": "sgd", **rule}}
    given["schedule"] = {"name": "constant", "learning_rate": rate}
    budget = {"unit": "epochs", "amount": epochs}
    return Experiment.model_validate({"problem": problem, "budget": budget, "lanes": [given]} | more)


def curvatures(e):
    """The Hessian of every sample where the lane comes to rest, (m, P, P), by textbook formulas."""
    problem, total = e.problem, engine.finite_sum(e)
    if hasattr(total, "draws"):
        slopes = total.gradient(total.start().new_tensor(np.vstack([np.eye(2), np.zeros(2)])), None).numpy()
        mean = slopes[:2] - slopes[2]
        return (1 + total.draws.numpy()[:, :1, None]) * mean
    rows = problem.prepare(e.seed)
    x, y, ridge = rows.x, rows.y, np.diag(problem.penalty())
    if problem.task == "regression":
        return x[:, :, None] * x[:, None, :] + ridge
    decay, theta = e.lanes[0].rule.weight_decay, np.zeros(x.shape[1])
    held = ridge + decay * np.eye(len(theta))
    for _ in range(60):  # Newton's method; here it needs no line search
        chance = 1 / (1 + np.exp(-x @ theta))
        each = (chance * (1 - chance))[:, None, None] * x[:, :, None] * x[:, None, :]
        theta = theta - np.linalg.solve(each.mean(0) + held, x.T @ (chance - y) / len(y) + held @ theta)
    return each + ridge


def step(h, rate, rule):
    """z' = A z for z = (e, v), written from torch's update, for one curvature (..., P, P)."""
    momentum, one = rule.get("momentum", 0.0), np.eye(h.shape[-1])
    slope = h + rule.get("weight_decay", 0.0) * one  # g = slope e
    if not momentum:
        return one - rate * slope
    velocity = np.concatenate([(1 - rule.get("dampening", 0.0)) * slope, momentum * np.broadcast_to(one, h.shape)], -1)
    used = velocity
    if rule.get("nesterov"):
        used = np.concatenate([slope, np.zeros_like(slope)], -1) + momentum * velocity
    error = np.concatenate([np.broadcast_to(one, h.shape), np.zeros_like(h)], -1) - rate * used
    return np.concatenate([error, velocity], -2)


def moments(each, rate, rule, size, replacement):
    """E[A (x) A] over batches of this size, a dense matrix."""
    samples, turns = len(each), step(each, rate, rule)
    mean = turns.mean(0)
    off = (turns - mean).reshape(samples, -1)
    width = mean.shape[0]
    spread = (off.T @ off / samples).reshape(width, width, width, width).transpose(0, 2, 1, 3).reshape(width**2, -1)
    left = 1 / size if replacement else (samples - size) / (size * (samples - 1))
    return np.kron(mean, mean) + left * spread


def radius(matrix):
    return np.abs(np.linalg.eigvals(matrix)).max()


def moving(each):
    """The same curvatures without the directions that nobody bends."""
    values, axes = np.linalg.eigh(each.mean(0))
    axes = axes[:, values > 1e-9 * values[-1]]
    return axes.T @ each @ axes


def epoch(each, rate, rule, sizes, replacement):
    """The operators of an epoch's batches, one after the other; only the last may be of another size."""
    many, last = (moments(each, rate, rule, size, replacement) for size in (sizes[0], sizes[-1]))
    return radius(last @ np.linalg.matrix_power(many, len(sizes) - 1))


CELLS = [
    *((ONE, b, rule, drawn) for b in (1, 8, 32, 442) for rule in (PLAIN, HALF, HEAVY) for drawn in (FRESH, DRAWN)),
    *((ONE, b, rule, drawn) for b in (1, 8) for rule in (NESTEROV, DECAY, DAMPED) for drawn in (FRESH, DRAWN)),
    *((DIABETES, 1, rule, FRESH) for rule in (PLAIN, HALF, NESTEROV, DECAY)),
    *((DIABETES, 32, HEAVY, drawn) for drawn in (FRESH, DRAWN)),
    (DIABETES, 8, NESTEROV, DRAWN),
    (CANCER, 1, PLAIN, FRESH),
    *((SIX, b, rule, FRESH) for b, rule in ((1, HEAVY), (8, DECAY), (8, NESTEROV), (455, HEAVY))),
    *((bowl, b, rule, FRESH) for bowl in BOWLS for b in (1, 8, 24) for rule in (PLAIN, HALF, HEAVY)),
    *((bowl, b, HEAVY, DRAWN) for bowl in BOWLS for b in (8, 24)),
    *((bowl, 8, rule, FRESH) for bowl in BOWLS for rule in (NESTEROV, DECAY, DAMPED)),
]  # fmt: skip


@pytest.mark.parametrize("number", range(len(CELLS)))
def test_the_dense_operator_has_the_same_limit(number):
    problem, batch, rule, drawn = CELLS[number]
    e = lane(problem, batch, rule, drawn)
    each = curvatures(e)
    each = each if rule.get("weight_decay") else moving(each)
    limit, sizes = rate_limit(e, 0), e.lanes[0].sampler.sizes(len(each))
    below, above = (epoch(each, factor * limit, rule, sizes, drawn == DRAWN) for factor in (0.99, 1.01))
    assert below < 1 < above


def test_the_numbers_that_are_promised():
    for batch, rule, drawn, limit in (
        (1, HEAVY, FRESH, 0.0162), (32, HEAVY, FRESH, 0.410), (32, HEAVY, DRAWN, 0.390), (1, PLAIN, FRESH, 0.1354),
        (None, PLAIN, FRESH, 0.49699), (None, HEAVY, FRESH, 0.49699 * 1.9),
    ):  # fmt: skip
        e = lane(DIABETES, batch, rule, drawn)
        state, trace = engine.run(e, 0)
        line = json.loads(json.dumps(report(state, trace, NO_COSTS, 0.0)))
        assert line["rate_limit"] == pytest.approx(limit, rel=0.01)


@pytest.mark.parametrize("rule", [PLAIN, HEAVY, NESTEROV, DECAY, DAMPED], ids=str)
@pytest.mark.parametrize("drawn", [FRESH, DRAWN])
def test_by_enumerating_all_batches(rule, drawn):
    x = np.random.default_rng(4).normal(size=(4, 2))
    inline = {"name": "inline", "x": x.tolist(), "y": [1.0, 2.0, 3.0, 4.0]}
    problem = {"name": "linear_regression", "dataset": inline, "standardize": False, "intercept": False}
    limit = rate_limit(lane(problem, 2, rule, drawn), 0)
    pairs = itertools.product(range(4), repeat=2) if drawn == DRAWN else itertools.combinations(range(4), 2)
    batches = np.array([np.mean([np.outer(x[i], x[i]) for i in pair], axis=0) for pair in pairs])

    def of(rate):
        return radius(np.mean([np.kron(a, a) for a in step(batches, rate, rule)], axis=0))

    assert of(0.9999 * limit) < 1 < of(1.0001 * limit)


@pytest.mark.parametrize(("problem", "batch", "rule"), [(ONE, 63, HEAVY), (ONE, 441, HALF), (DIABETES, 55, HEAVY)])
def test_a_ragged_last_batch_has_its_own_noise(problem, batch, rule):
    """442 = 7 x 63 + 1 = 441 + 1 = 8 x 55 + 2: the epoch is a product, and it bears far less than whole batches do."""
    e, whole = (lane(problem | more, batch, rule) for more in ({}, {"train_rows": 442 // batch * batch}))
    limit, each = rate_limit(e, 0), curvatures(e)

    sizes = e.lanes[0].sampler.sizes(442)
    assert epoch(each, 0.998 * limit, rule, sizes, False) < 1 < epoch(each, 1.002 * limit, rule, sizes, False)
    assert limit < 0.9 * rate_limit(whole, 0)


@pytest.mark.parametrize("name", ["in_order", "shuffle_once"])
@pytest.mark.parametrize("rule", [PLAIN, HEAVY, NESTEROV], ids=str)
def test_batches_that_repeat_are_one_matrix_an_epoch(name, rule):
    e = lane(ONE, 25, rule, name)
    limit, each = rate_limit(e, 0), curvatures(e)
    per_epoch = e.updates_per_epoch(0)
    batches = [each[rows].mean(0) for rows in engine.batch_indices(e, 0, range(per_epoch))]
    assert len(batches[-1]) == 2 and per_epoch == 18

    def of(rate):
        product = np.eye(len(step(batches[0], rate, rule)))
        for batch in batches:
            product = step(batch, rate, rule) @ product
        return radius(product)

    assert of(0.999 * limit) < 1 < of(1.001 * limit)


def test_lanes_without_a_limit_have_none():
    separable = {"name": "logistic_regression", "dataset": "breast_cancer"}
    for problem in ("rosenbrock", "saddle", separable, {"name": "mlp", "dataset": "moons", "hidden": [4]}):
        assert rate_limit(lane(problem, None, PLAIN), 0) is None
    adaptive = lane(DIABETES, 8, PLAIN).model_dump(mode="json")
    adaptive["lanes"][0]["rule"] = {"name": "adam"}
    assert rate_limit(Experiment.model_validate(adaptive), 0) is None
    assert rate_limit(lane(DIABETES, 8, {"momentum": 0.9, "dampening": 1.0}), 0) is None
    held = rate_limit(lane(separable, None, {"weight_decay": 0.1}), 0)  # weight decay gives it a minimum
    assert held is not None and math.isfinite(held)


def test_tilts_bend_nothing_and_so_their_noise_is_no_limit():
    tilted = SCALED | {"noise_kind": "tilt"}
    assert rate_limit(lane(tilted, 1, HEAVY), 0) == pytest.approx(0.38, rel=1e-6)


# --- runs do what it says


RUNS = [
    *((DIABETES, b, rule) for b, rule in ((1, PLAIN), (1, HEAVY), (8, NESTEROV), (32, HEAVY), (None, HEAVY))),
    (SCALED, None, NESTEROV),
]


@pytest.mark.parametrize(("problem", "batch", "rule"), RUNS, ids=str)
def test_ten_runs_below_stay_and_ten_above_grow(problem, batch, rule):
    limit = rate_limit(lane(problem, batch, rule), 0)
    lost, late = [], []
    for factor in (0.93, 1.1, 1.4):
        e = lane(problem, batch, rule, rate=factor * limit, epochs=100 if batch else 400, runs=10)
        state, trace = engine.run(e, 0)
        lost.append(int((state.diverged_at >= 0).sum()))
        loss = np.where(np.isfinite(trace.loss), trace.loss, np.inf)
        late.append(loss[:, loss.shape[1] // 2 :].mean() - truth(e).value)
    assert lost[0] == 0 and lost[2] >= 9  # of ten
    assert late[1] > 10 * late[0]  # between, single runs come and go: their mean does not stay


@pytest.mark.parametrize(
    ("batch", "rule", "rate"),
    [(1, HEAVY, 0.05), (1, HEAVY, 0.02), (1, NESTEROV, 0.05), (1, {"weight_decay": 0.01}, 0.3), (32, HEAVY, 0.7)],
)
def test_the_noise_is_named_as_the_cause(batch, rule, rate):
    e = lane(DIABETES, batch, rule, rate=rate, epochs=60)
    _, trace = engine.run(e, 0)
    found = diagnose(e, 0, trace, truth(e).value)
    assert found.badge.name == "diverged" and found.limit == pytest.approx(rate_limit(e, 0))
    assert f"With batches of {batch}, rates above" in found.badge.why and "steeper" not in found.badge.why
    assert "although the limit without noise is 2" in found.badge.why
    assert found.badge.remedy.value < found.limit


@pytest.mark.parametrize(("rule", "rate", "grown"), [(PLAIN, 0.205, 4.3), (NESTEROV, 0.145, 280)])
def test_growth_is_looked_for_in_the_eigenbasis(rule, rate, grown):
    e = lane("quadratic", None, rule, rate=rate, epochs=30, start=[1.5, 0.001])
    _, trace = engine.run(e, 0, every=1)
    found = diagnose(e, 0, trace, 0.0).badge
    assert trace.loss[0, -1] < trace.loss[0, 0] and found.name == "unstable"
    said = float(found.why.split("the error grew ")[1].split(" times")[0])
    assert said == pytest.approx(grown, rel=0.05)
    assert said == pytest.approx(abs(trace.theta[0, -8:, 1]).max() / 0.001, rel=0.05)
    on_axis = lane("quadratic", None, rule, rate=rate, epochs=30, start=[1.5, 0.0])
    _, trace = engine.run(on_axis, 0, every=1)
    assert "no share in the steepest direction" in diagnose(on_axis, 0, trace, 0.0).badge.why


def test_a_suggested_rate_suits_each_lanes_batch():
    """100 rows, one of them an outlier: half of 1/L is .4, and single samples bear .0204."""
    x = np.random.default_rng(0).normal(size=100)
    x[0] = 100.0
    inline = {"name": "inline", "x": x[:, None].tolist(), "y": (2 * x).tolist()}
    problem = {"name": "linear_regression", "dataset": inline}
    given = [lane(problem, b, PLAIN).model_dump(mode="json")["lanes"][0] for b in (None, 1, 32)]
    e = Experiment.model_validate({"problem": problem, "lanes": given})
    rates = suggestion(e).rates
    limits = [rate_limit(e, i) for i in range(3)]
    assert limits[1] < 0.03 < 0.3 < rates[0] > rates[2] > rates[1]
    assert all(0.1 * limit < rate <= 0.25 * limit for rate, limit in zip(rates, limits, strict=True))
    after = lane(problem, 1, PLAIN, rate=rates[1], epochs=20, runs=20)
    assert (engine.run(after, 0)[0].diverged_at < 0).all()
    assert rate_limits(after, 0).plain.rate > 1
