"""The textbook claims about momentum and adaptive rules, each measured with the engine: rows 38, 40, 43 and 44.

Rows 37, 39, 41, 42 and the rest of 43 are files of assets/claims, which tests/contract/test_claims.py measures.
Left for later: row 38's momentum against batch size on the digits MLP. Row 44's original data are larger; here a small
sparse problem shows the ranking against SGD.
"""

import math

import numpy as np
import pytest

from tests.oracle._science import DIABETES, bowl, first, go, lane, least


def tuned(mu, top):
    """(rate, momentum) of the best heavy ball between curvatures mu and top (Q06)."""
    root = math.sqrt(top / mu)
    return (2 / (math.sqrt(mu) + math.sqrt(top))) ** 2, ((root - 1) / (root + 1)) ** 2


def test_row_38_momentum_accelerates_where_gradients_agree():
    """ "accelerate in the direction of consistent gradients": 709 / 95 / 157 and 2990 / 192 / 326 steps (Q08, R11)."""
    rate, beta = tuned(1, 100)
    lanes = [
        lane(None, 2 / 101),
        lane(None, rate, momentum=beta),
        lane(None, 0.01, momentum=9 / 11, nesterov=True),
    ]
    _, traces = go({"name": "ravine"}, lanes, 720, start=[1, 1])
    steps = [int(np.argmax(np.linalg.norm(t.theta[0], axis=1) <= 1e-6)) for t in traces]
    assert steps == pytest.approx([709, 95, 157], abs=1)

    e, _ = go(DIABETES, [lane(None, 0.1)], 0)
    curvatures = np.linalg.eigvalsh(e.problem.hessian(np.zeros(11), 0))
    mu, top = curvatures[0], curvatures[-1]
    (rate, beta), root = tuned(mu, top), math.sqrt(top / mu)
    best = (root - 1) / (root + 1)
    lanes = [
        lane(None, 2 / (mu + top)),
        lane(None, rate, momentum=beta),
        lane(None, 1 / top, momentum=best, nesterov=True),
    ]
    e, traces = go(DIABETES, lanes, 3_000)
    goal = e.problem.solution(0).minimizers[0]
    near = [np.linalg.norm(t.theta[0] - goal, axis=1) <= 1e-6 * np.linalg.norm(goal) for t in traces]
    assert [int(np.argmax(n)) for n in near] == pytest.approx([2990, 192, 326], abs=2)


@pytest.mark.parametrize("kappa, beta", [(10, 0.27), (100, 0.669), (1000, 0.881)])
def test_row_40_the_best_momentum_depends_on_the_problem(kappa, beta):
    """ "typically 0.9": the best is ((sqrt k - 1)/(sqrt k + 1))^2: .27, .669, .881 (Q06)."""
    rate, best = tuned(1, kappa)
    assert best == pytest.approx(beta, abs=6e-4)
    lanes = [lane(None, rate, momentum=b) for b in (best, 0.9 if kappa < 1000 else 0.6)]
    _, traces = go(bowl(1, kappa), lanes, 400, "updates", start=[1, 1])
    ours, typical = (first(t, 1e-6 * t.loss[0, 0]) or math.inf for t in traces)
    assert ours < typical


def test_row_43a_adaptive_rates_live_on_the_axes():
    """ "faster, more smoothly": on a ravine along the axes yes; turned by 45 degrees SGD does not notice, they do."""
    rules = [("sgd", 0.0198), ("adam", 0.1), ("rmsprop", 0.05), ("adagrad", 0.6)]
    steps = []
    for angle in (0, 45):
        turn = math.radians(angle)
        start = [1.8 * math.cos(turn) - 0.6 * math.sin(turn), 1.8 * math.sin(turn) + 0.6 * math.cos(turn)]
        lanes = [lane(None, rate, name=name) for name, rate in rules]
        _, traces = go(bowl(1, 100, angle=angle), lanes, 150, start=start)
        steps.append([first(t, 0.01 * t.loss[0, 0]) for t in traces])
    straight, turned = steps
    assert straight[0] == turned[0] == 115
    assert max(straight[1:]) < 30
    assert all(b > 5 * a for a, b in zip(straight[1:], turned[1:], strict=True))


def test_row_44_rare_features_want_a_rate_of_their_own():
    """ "for sparse data": true against SGD, each at its best rate; Adagrad is the sparse-data method."""
    draw = np.random.default_rng(0)
    x = (draw.random((60, 30)) < 1 / np.arange(1, 31)).astype(float)
    y = (x @ draw.choice([-2.0, 2.0], 30) + 0.3 * draw.standard_normal(60) > 0).astype(float)
    data = {"name": "inline", "x": x.tolist(), "y": y.tolist()}
    problem = {"name": "logistic_regression", "dataset": data, "standardize": False, "l2": 1e-3}
    best = {}
    for rule in ("sgd", "adagrad", "rmsprop", "adam"):
        lanes = [lane(1, rate, name=rule) for rate in 2.0 ** np.arange(-7, 3)]
        e, traces = go(problem, lanes, 3, runs=10)
        best[rule] = min(t.loss[:, -1].mean() for t in traces) - least(e)
    assert best["adagrad"] < best["sgd"], best
