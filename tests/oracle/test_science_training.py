"""The textbook claims that training shows: which batch, which rate for it, redundant data, the training loop itself.

Rows 4 and 12 (the curves of a network), 26, 31, 45, 48 and 54 of the claims' table, measured with the engine and the
command "sweep". The digits network (E04) is 64-64-10 on pixels / 16, each less its mean, and so it comes as a table of
its own: the app's digits are standardised all pixels together. Steps are medians of three runs: of the reference,
orders are asserted, not digits.
"""

import json
import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import nn

from mbsgd_core import engine
from mbsgd_core.claims.digits import STEPS, centred_digits, critical_batch, tuned_rates, tuned_steps, worst_residual
from mbsgd_core.cli.main import main
from tests.oracle._science import DIABETES, first, go, lane, least


@pytest.fixture(scope="module")
def digits_network():
    """The problem of E04."""
    with centred_digits(slice(1437)) as problem:
        yield problem | {"test_fraction": 0}


def race(problem, size, updates):
    """One lane of mini-batches, three runs of it."""
    lanes = [{"sampler": {"name": "reshuffle", "batch_size": size}, "schedule": "constant"}]
    budget = {"unit": "updates", "amount": updates}
    return {"problem": problem, "lanes": lanes, "budget": budget, "runs": 3, "dtype": "float32"}


@pytest.fixture(scope="module")
def tuned():
    """{b: (steps to 0.1 at the best rate, that rate)}, the median of three runs."""
    return dict(zip(STEPS, zip(tuned_steps(), tuned_rates(), strict=True), strict=True))


def test_row_26_no_rate_is_right_everywhere(tuned):
    """ "start with 0.01 or 0.1": wrong as a universal rule. Best rates: .113 for b = 1, 5.43 from b = 64 on (E04).

    And a rate depends on the units: standardising takes kappa from 5.2e7 (51,631 in scaled columns) to 470.
    """
    best = {size: rate for size, (_, rate) in tuned.items()}
    assert best[1] == pytest.approx(0.113, rel=0.5)
    assert min(best[64], best[256], best[1437]) > 3 and best[64] / best[1] > 20
    raw = {"standardize": False}
    kappa, limit = [], []
    for given in ({}, raw, raw | {"dataset": {"name": "diabetes", "scaled": True}}):
        e, _ = go(DIABETES | given, [lane(None, 0.1)], 0)
        curvatures = np.linalg.eigvalsh(e.problem.hessian(np.zeros(11), 0))
        kappa.append(curvatures[-1] / curvatures[0])
        limit.append(2 / curvatures[-1])
    assert kappa == pytest.approx([470.08, 5.2365e7, 51_631], rel=1e-4)
    assert limit == pytest.approx([0.49699, 2.7177e-5, 2], rel=1e-4)


def test_rows_04_and_48_beyond_the_knee_a_larger_batch_is_wasted(tuned):
    """ "32, 64, or 128", "increase the size up to the limits of hardware": wrong beyond the critical batch, here ~64.

    Steps saved per doubling: 2.3, 1.7, 2.0, 2.0, 1.7, 1.9 up to b = 64, then 1.0, 1.4, 1.0, 1.1 (E04).
    """
    for size, steps in STEPS.items():
        assert tuned[size][0] == pytest.approx(steps, rel=0.4), size
    sizes = list(STEPS)
    saved = {
        large: (tuned[small][0] / tuned[large][0]) ** (1 / math.log2(large / small)) for small, large in pairwise(sizes)
    }
    assert all(1.6 < saved[size] < 2.4 for size in (4, 16, 64)), saved
    assert all(0.9 < saved[size] < 1.4 for size in (256, 1437)), saved
    spent = {size: size * steps for size, (steps, _) in tuned.items()}  # samples
    assert spent[64] < 2.5 * spent[1] and spent[1437] > 8 * spent[64]


def test_row_12_the_measured_trade_off_is_nearly_a_hyperbola():
    """ "balance": (S/Smin - 1)(E/Emin - 1) = 1 fits with B_crit 74; a model, not a law: residuals up to 25 % (G04)."""
    assert critical_batch() == pytest.approx(74, rel=0.3)
    assert 0.05 < worst_residual() < 0.35


def test_row_54_rate_and_batch_are_tuned_together(tuned, digits_network, tmp_path, capsys):
    """ "Requires tuning both": OK; roughly one knob lr/b until the knee, then flat. Warn at the edge of the grid."""
    best = {size: rate for size, (_, rate) in tuned.items()}
    for size in (1, 4, 16, 64):
        assert best[size] / size == pytest.approx(0.113, rel=0.6)
    assert best[256] == pytest.approx(best[64], rel=0.5) and best[1437] == pytest.approx(best[64], rel=0.5)

    path = tmp_path / "experiment.json"
    path.write_text(json.dumps(race(digits_network, 64, 50)))
    said = {}
    for last in ("1.28", "10.24"):
        assert main(["sweep", str(path), "--x", f"learning_rate=0.32:{last}:6:log", "--target", "0.1", "--quiet"]) == 0
        said[last] = json.loads(capsys.readouterr().out)
    assert "the upper end of learning_rate (1.28): a better one may lie beyond" in said["1.28"]["warning"]
    assert said["10.24"]["warning"] is None and 2 < said["10.24"]["steps_to_target"]["learning_rate"] < 10


def test_row_31_copies_cost_the_full_batch_alone():
    """ "really good for handling large datasets": OK for redundant data. Samples to an excess of .01 (E17):

    copies 1, 4, 16: BGD 3,983 / 15,932 / 63,728, b = 8 416-432 / 384-528 / 440-504.
    """
    cancer = {"name": "logistic_regression", "dataset": "breast_cancer", "l2": 0.01, "test_fraction": 0}
    spent, optimum = {}, []
    for copies in (1, 4, 16):
        e, (full, mini) = go(cancer | {"copies": copies}, [lane(None, 2.0), lane(8, 0.3)], 80, "updates", runs=8)
        assert full.samples[-1] == 80 * 569 * copies
        hit = [int(np.flatnonzero(loss - least(e) <= 0.01)[0]) for loss in mini.loss]
        spent[copies] = 569 * copies * first(full, 0.01, least(e)), [8 * update for update in hit]
        optimum.append(e.problem.solution(0).minimizers[0])
    assert [full for full, _ in spent.values()] == [3_983, 15_932, 63_728]
    for _, mini in spent.values():
        assert 384 <= np.median(mini) <= 528 and 300 <= min(mini) <= max(mini) <= 640
    np.testing.assert_allclose(optimum[1:], [optimum[0]] * 2, rtol=1e-8)


def snippet(model, e, rate, zero_grad):
    """The loop of the text on the engine's own batches; the parameters after each update."""
    data = e.problem.prepare(e.seed)
    rows = torch.tensor(data.x[:, : data.table.x.shape[1]]), torch.tensor(data.y)[:, None]
    criterion, optimizer, path = nn.MSELoss(), torch.optim.SGD(model.parameters(), lr=rate), []
    for batch in engine.batch_indices(e, 0, range(e.updates(0))):
        inputs, targets = (part[batch.tolist()] for part in rows)
        if zero_grad:
            optimizer.zero_grad()
        loss = criterion(model(inputs), targets)
        loss.backward()
        optimizer.step()
        path.append(nn.utils.parameters_to_vector(model.parameters()).detach().numpy().copy())
    return np.array(path)


@pytest.mark.parametrize("rule", ["sgd", "never_zeroed"])
def test_row_45_the_loop_of_the_text(rule):
    """The PyTorch snippet (MSELoss, SGD): OK, with half our rate, for MSELoss has no 1/2; no shuffle, no evaluation.

    Without zero_grad the gradients add up: the rule "never_zeroed".
    """
    network = DIABETES | {"name": "mlp", "hidden": [6], "activation": "relu"}
    cases = [
        (DIABETES, nn.Linear(10, 1), 0.02),
        (network, nn.Sequential(nn.Linear(10, 6), nn.ReLU(), nn.Linear(6, 1)), 1e-5),
    ]
    for problem, model, rate in cases:
        e, (trace,) = go(problem, [lane(32, rate, "in_order", name=rule)], 3)
        model.double()
        nn.utils.vector_to_parameters(torch.tensor(trace.theta[0, 0]), model.parameters())
        expected = snippet(model, e, rate / 2, zero_grad=not e.lanes[0].rule.mistake)
        np.testing.assert_allclose(trace.theta[0, 1:], expected, rtol=0, atol=1e-12 * abs(expected).max())

    _, (gone, kept) = go(DIABETES, [lane(None, 0.1), lane(None, 0.1, name="never_zeroed")], 400)
    assert gone.loss[0, -1] == gone.loss.min()
    later = kept.loss[0, 200:] / kept.loss[0, 0]
    assert later.max() > 0.9 and later.min() < 0.3  # it swings on
