"""The textbook claims about batches and rates, each measured with the engine; the docstrings quote claim and verdict.

Rows 4, 9-12, 18, 24, 36 and 47 of the claims' table, where a test asks for more than the claim's own file in
assets/claims shows: tests/contract/test_claims.py measures those files, and with them the rows that are not here. Rows
27-29 (falling rates), 38-44 (momentum and adaptive rules) and 4, 12, 26, 31, 45, 48, 54 (training) have files of their
own, as have networks: row 24 at the edge of stability (test_train_measures), row 36c (test_science_networks). Numbers
are from independent computations (closed forms, scipy, plain numpy). Row 9 counts here; its seconds are in its claim.
"""

import math
from functools import cache

import numpy as np
import pytest

from mbsgd_core import engine
from mbsgd_core.measures import noise, scale, stability
from mbsgd_core.samplers.reshuffle import Reshuffle
from tests.oracle._science import DIABETES, first, go, lane, least

CANCER = {"name": "logistic_regression", "dataset": "breast_cancer", "l2": 0.01, "test_fraction": 0}
ONE_TO_TEN = np.arange(1.0, 11.0)[:, None]


def means(a):
    """f_i = (w - a_i)^2 / 2."""
    data = {"name": "inline", "x": [[1.0]] * len(a), "y": [float(v) for v in a]}
    return {"name": "linear_regression", "dataset": data, "standardize": False, "intercept": False}


def gradients_at_start(problem):
    e, _ = go(problem, [lane(None, 0.1)], 0)
    total = engine.finite_sum(e)
    return noise.sample_gradients(total, total.start().numpy())


@cache
def cancer():
    return go(CANCER, [lane(b, rate) for b in (1, 8, 64, 569) for rate in (0.125, 0.5, 2.0, 8.0)], 8)


def steps_to(level):
    """{b: the fewest updates over the rates}."""
    e, traces = cancer()
    found = np.array([first(t, level, least(e)) or math.inf for t in traces]).reshape(4, 4)
    return dict(zip((1, 8, 64, 569), found.min(1).tolist(), strict=True))


def test_row_04_there_is_no_universal_batch_size():
    """ "typically 10 to 1000", "16 to 256", "32, 64, or 128": the sources disagree; the knee moves with the stage."""
    early, late = (steps_to(level) for level in (0.1, 0.01))
    assert early[1] > early[8] == early[569]  # down to 0.1 more than 8 samples save no update ...
    assert late[1] > late[8] > late[64] > late[569]  # ... down to 0.01 they do
    assert late[1] / late[569] < 569 / 10  # though far from one for one


def test_row_09_more_progress_per_datum_not_more_data():
    """ "process data much faster than BGD": wrong as worded; a pass costs more calls, and gains more progress."""
    e, (single, mini, full) = go(DIABETES, [lane(1, 0.005), lane(64, 0.1), lane(None, 0.4)], 1)
    assert [e.updates(i) for i in range(3)] == [442, 7, 1]  # 63 times the calls for the same data
    excess = [t.loss[0, -1] - least(e) for t in (single, mini, full)]
    assert excess[0] < excess[1] < excess[2]
    assert single.samples[-1] == mini.samples[-1] == full.samples[-1] == 442


R10 = {
    1: [1, 12, 51, 111],
    2: [2, 7, 27, 57],
    4: [5, 17, 26, 36, 77],
    8: [10, 17, 21, 26, 47],
    16: [9, 13, 15, None, None],
}


def test_row_10_fast_per_epoch_is_slow_per_update():
    """ "BGD slow / SGD fast": true per epoch at low accuracy, reversed per update and at high accuracy (R08, R10)."""
    e, full = go(CANCER, [lane(None, rate) for rate in R10], 120)
    for trace, expected in zip(full, R10.values(), strict=True):
        levels = (0.1, 0.01, 1e-3, 1e-4, 1e-6)[: len(expected)]
        assert [first(trace, level, least(e)) for level in levels] == expected
    decay = {"name": "inverse_time", "decay": 0.5}
    e, (single,) = go(CANCER, [lane(1, 0.25, schedule=decay)], 12)
    assert first(single, 0.01, least(e)) <= 569 < 7 * 569  # one epoch against BGD's 7 at its best ...
    assert first(single, 0.01, least(e)) > 7  # ... and many more updates
    assert first(single, 1e-6, least(e)) is None  # BGD gets there in 47
    e, (bgd, sgd) = go(DIABETES, [lane(None, 0.4), lane(1, 0.01, schedule=decay)], 10)
    level = 0.01 * least(e)
    assert first(bgd, level, least(e)) == 9
    assert 442 < first(sgd, level, least(e)) <= 4 * 442


def test_row_11_the_axis_decides_who_is_faster():
    """ "slower convergence" and "Fast": the sources contradict each other; both true, on different axes."""
    e, (bgd, sgd) = go(CANCER, [lane(None, 2.0), lane(1, 0.125)], 8)
    slow, quick = first(bgd, 0.01, least(e)), first(sgd, 0.01, least(e))
    assert slow < quick  # updates
    assert slow * 569 > quick  # samples, and so epochs


def test_row_12_a_trade_off_not_a_gift():
    """ "balance": (S/Smin - 1)(E/Emin - 1) = 1; at the critical batch both cost twice their least (G04)."""
    for b, updates, samples in [(1, 65_000, 65_000), (64, 2_000, 128_000), (4096, 1015.625, 4_160_000)]:
        assert scale.cost_at(b, 1_000, 64_000) == pytest.approx((updates, samples), rel=1e-12)
    steps = steps_to(0.01)
    updates, samples = np.array(list(steps.values())), np.array([b * s for b, s in steps.items()])
    assert (np.diff(updates) <= 0).all() and (np.diff(samples) >= 0).all()


def test_row_18_a_constant_rate_leaves_a_floor():
    """Very small b "might slow down convergence in the long run": OK; the floor goes as lr/b, and with lr."""
    x, y, rate = np.tile([1.0, 3.0, 1.0, 3.0], 16), np.tile([2.0, 2.0, 0.0, 4.0], 16), 0.04
    data = {"name": "inline", "x": x[:, None].tolist(), "y": y.tolist()}
    problem = {"name": "linear_regression", "dataset": data, "standardize": False, "intercept": False}
    best = (x @ y) / (x @ x)
    h, v = (x**2).mean(), (x**2).var()
    s2 = (x**2 * (best * x - y) ** 2).mean()
    lanes = [lane(b, rate, "with_replacement") for b in (1, 2, 4)]
    _, traces = go(problem, lanes, 60, "updates", start=[best], runs=3_000)
    for b, trace in zip((1, 2, 4), traces, strict=True):
        # V = E(1 - rate h_B)^2 V + rate^2 s2/b: curvature and gradient at the optimum are uncorrelated here.
        expected = rate * s2 / b / (2 * h - rate * (h**2 + v / b))
        got = np.square(trace.theta[:, -1, 0] - best)
        assert got.mean() == pytest.approx(expected, abs=5 * got.std() / math.sqrt(len(got)))


@pytest.mark.parametrize("rate, mse", [(0.49, 2863.8824681515343), (0.5, 228020.2645), (0.51, 1336160536898.5977)])
def test_row_24_too_big_a_rate_jumps_out(rate, mse):
    """ "too big, jump around and miss": the threshold is 2/L = 0.49699 (R12)."""
    e, (trace,) = go(DIABETES, [lane(None, rate)], 200)
    last = trace.loss[0, -1]
    if np.isfinite(last):
        assert 2 * last == pytest.approx(mse, rel=1e-5)
    else:  # beyond a loss of 1e9 times the start's a run counts as diverged
        assert mse > 1e9 * 2 * trace.loss[0, 0]
    limit = stability.rate_limit(stability.largest_curvature(engine.finite_sum(e), np.zeros(11)), e.lanes[0].rule)
    assert limit.rate == pytest.approx(0.49699186354096075, rel=1e-7)


def test_row_36a_order_can_bias():
    """ "Always shuffle": sorted data bias by .1664; reshuffling (.0115) beats independent draws (.0413) (N16, N17)."""
    lanes = [lane(1, 0.01, s) for s in ("in_order", "reshuffle", "with_replacement")]
    _, (ordered, shuffled, drawn) = go(means(np.linspace(-1, 1, 100)), lanes, 12, runs=400)
    assert abs(ordered.theta[0, -1, 0]) == pytest.approx(0.1664, abs=2e-4)
    tolerance = 5 * math.sqrt(1 / 800)
    assert shuffled.theta[:, -1].std() == pytest.approx(0.01149, rel=tolerance)
    assert drawn.theta[:, -1].std() == pytest.approx(0.0413, rel=tolerance)


def test_row_36b_reshuffled_batches_are_correlated_and_that_helps():
    """ "avoid correlation between consecutive batches": cov -s2/(m-1) = -0.9167 within an epoch (N03)."""
    order = Reshuffle(batch_size=2).orders(0, 40_000, 0, 10)
    one, two = ONE_TO_TEN[order[:, :2], 0].mean(1), ONE_TO_TEN[order[:, 2:4], 0].mean(1)
    product = (one - 5.5) * (two - 5.5)
    assert product.mean() == pytest.approx(-8.25 / 9, abs=5 * product.std() / math.sqrt(40_000))


def test_row_47_a_smaller_batch_is_less_stable():
    """ "if unstable reduce the batch size": wrong at a fixed rate. Limits .1354, .409, .475, .49699 and N12."""
    e, _ = go(DIABETES, [lane(None, 0.1)], 0)
    spread = stability.curvature_spread(engine.finite_sum(e), np.zeros(11))
    limits = [stability.mean_square_limit(spread, b, True) for b in (1, 8, 32)]
    assert limits == pytest.approx([0.1354, 0.409, 0.475], rel=1e-3)
    assert stability.mean_square_limit(spread, 442, False) == pytest.approx(0.49699, rel=1e-4)  # BGD
    two = {"name": "inline", "x": [[1.0], [3.0]], "y": [0.0, 0.0]}
    problem = {"name": "linear_regression", "dataset": two, "standardize": False, "intercept": False}
    e, _ = go(problem, [lane(None, 0.1)], 0)
    spread = stability.curvature_spread(engine.finite_sum(e), np.zeros(1))
    limits = [stability.mean_square_limit(spread, b, True) for b in (1, 2, 4, 10**9)]
    assert limits == pytest.approx([10 / 41, 10 / 33, 10 / 29, 0.4], rel=1e-6)  # N12

    # Without the short last batch: 442 = 55 * 8 + 2, and rate 0.3 is too much for two samples.
    lanes = [lane(b, 0.3, drop_last=True) for b in (1, 2, 8, 32)] + [lane(None, 0.3)]
    e, traces = go(DIABETES, lanes, 30, runs=16)
    one, two_, eight, many, full = (t.loss[:, -1] / least(e) - 1 for t in traces)
    assert np.isnan(one).all() and np.isnan(two_).all()
    assert 0.15 < np.median(eight) < 0.55
    assert full[0] < np.median(many) < 0.15
    assert full[0] == pytest.approx(0.0068, rel=0.02)
    ragged = go(DIABETES, [lane(8, 0.3)], 30, runs=16)[1][0]
    assert np.median(ragged.loss[:, -1] / least(e) - 1) > 1.5 * np.median(eight)
