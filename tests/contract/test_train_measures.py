"""What every measure of training promises: the run does not move, pieces are exact, memory and errors are bounded."""

import math
import pickle
import subprocess
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch

from mbsgd_core import engine
from mbsgd_core.errors import LabError
from mbsgd_core.experiment import Experiment
from mbsgd_core.measures import (
    directions,
    landscape,
    learning,
    meter,
    path_gradients,
    sharpness,
    slices,
    subsample,
)
from mbsgd_core.results.learning import sharpness_cost

ROOT = Path(__file__).parents[2]
CASES = {
    "surface": {"name": "rosenbrock", "noise": 1.0},
    "one parameter": {
        "name": "linear_regression",
        "dataset": {"name": "inline", "x": [[1.0]] * 4, "y": [1.0, 2.0, 3.0, 6.0]},
        "standardize": False,
        "intercept": False,
    },
    "linear": {"name": "linear_regression", "dataset": "diabetes"},
    "logistic": {"name": "logistic_regression", "dataset": "breast_cancer"},
    "softmax": {"name": "softmax_regression", "dataset": "wine"},
    "mlp": {"name": "mlp", "dataset": "moons", "hidden": [4, 3], "activation": "relu", "dropout": 0.2},
    "mlp regression": {"name": "mlp", "dataset": "diabetes", "hidden": [4]},
    "cnn": {"name": "cnn", "dataset": "digits", "channels": [2], "hidden": 4, "train_rows": 40, "augment_shift": 1},
}


@cache
def case(name, dtype="float32"):
    lanes = [
        {"sampler": sampler, "rule": rule, "schedule": {"name": "constant", "learning_rate": 0.001}}
        for sampler, rule in (({"name": "reshuffle", "batch_size": 2}, "sgd"), ("full_batch", "adam"))
    ]
    budget = {"unit": "updates", "amount": 6}
    return Experiment.model_validate({"problem": CASES[name], "budget": budget, "lanes": lanes, "dtype": dtype})


def measured(e, traces):
    """Everything at once, on the problem itself and on a part of it."""
    total, theta = engine.finite_sum(e), traces[0].theta[0, -1]
    found = []
    for each in (total, subsample.subsample(total, 3, e.seed)):
        for kind in ("pca", "random"):
            found.append(landscape.advance(each, landscape.begin(each, traces, kind, size=5), 1_000_000))
        found += [sharpness.sharpness(each, theta), meter.meter(each, theta), meter.meter(each, theta, group=2)]
        direction = directions.filter_normalised(theta, each.shapes, e.seed)
        at = np.linspace(-1, 1, 3)
        found.append(slices.slices(slices.line(each, theta, direction, at), at, 2, False, e.seed))
    if hasattr(e.problem, "dataset"):
        found += [
            learning.judge(e.problem, total, theta, e.seed),
            learning.curves(e.problem, total, theta[None], e.seed),
        ]
        if e.problem.columns(0).x.shape[1] <= 2:
            found.append(learning.field(e.problem, total, theta, e.seed, size=5))
        if e.problem.dataset.shape:
            found += [learning.gallery(e.problem, found[-2], e.seed), learning.filters(e.problem, total, theta)]
    return found


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", CASES)
def test_measuring_does_not_move_the_run(name, dtype):
    e = case(name, dtype)
    before = [engine.run(e, i)[1] for i in range(2)]
    state, _ = engine.advance(engine.init(e, 0), 3)
    numbers = torch.get_rng_state(), np.random.get_state()[1].copy()
    first = measured(e, before)
    assert torch.equal(torch.get_rng_state(), numbers[0]) and (np.random.get_state()[1] == numbers[1]).all()
    after, piece = engine.advance(state, 3)  # measured in the middle, and then went on
    assert piece.theta.tobytes() == before[0].theta[:, 4:].tobytes()
    for one, two in zip(before, (engine.run(e, i)[1] for i in range(2)), strict=True):
        assert one.theta.tobytes() == two.theta.tobytes() and one.loss.tobytes() == two.loss.tobytes()
    again = measured(e, before)
    assert pickle.dumps(first) == pickle.dumps(again)  # pure: the same question, the same bits
    plain = (np.ndarray, float, int, bool, str, type(None))
    for answer in first:
        stack = [answer]
        while stack:
            value = stack.pop()
            if isinstance(value, tuple):
                stack += value
            else:
                assert isinstance(value, plain), f"{type(answer).__name__} holds a {type(value)}"


def test_the_web_process_reads_the_answers_without_torch():
    e = case("cnn")
    answers = measured(e, [engine.run(e, i)[1] for i in range(2)])
    answers.append(sharpness.begin(engine.finite_sum(e)))
    code = (
        "import pickle, sys; found = pickle.load(sys.stdin.buffer); [a.coarse for a in found if hasattr(a, 'coarse')]; "
    )
    code += f"sys.exit('torch' in sys.modules or len(found) != {len(answers)})"
    run = subprocess.run([sys.executable, "-c", code], input=pickle.dumps(answers), cwd=ROOT, timeout=60)
    assert run.returncode == 0


@pytest.mark.parametrize("kind", ["pca", "random"])
@pytest.mark.parametrize("name", CASES)
def test_a_landscape_does_not_depend_on_its_pieces(name, kind, monkeypatch):
    e = case(name)
    total, traces = engine.finite_sum(e), [engine.run(case(name), i)[1] for i in range(2)]
    monkeypatch.setattr(
        path_gradients, "BLOCK", 3 * max(path_gradients.width(total), total.parameters)
    )  # three points at a time
    begun = landscape.begin(total, traces, kind, size=5)
    at_once = landscape.advance(total, begun, 10**9)
    assert begun.done == 0 and begun.progress == 0 and np.isnan(begun.z).all() and np.isnan(begun.coarse).all()
    found, sizes, seen = begun, iter([1, 5, 2, 3, 1, *[4] * 60]), [0.0]
    while found.progress < 1:
        found = landscape.advance(total, pickle.loads(pickle.dumps(found)), next(sizes))
        seen.append(found.progress)
        assert np.isfinite(found.z).sum() <= min(found.done, 25) and np.isfinite(found.coarse).all()
    assert seen == sorted(set(seen)) and len(seen) > 5
    assert found.values.tobytes() == at_once.values.tobytes()
    assert len(found.paths) == len(found.shadow_losses) == 2 and len(found.paths[0]) == 7
    flat = total.parameters <= 2
    assert (found.plane.explained is None) == flat and ("projection" in found.text) == (not flat)
    if flat:
        np.testing.assert_allclose(found.shadow_losses[0], found.path_losses[0], rtol=1e-5)


def test_a_part_is_said_to_be_one():
    e = case("linear")
    total, trace = engine.finite_sum(e), engine.run(e, 0)[1]
    assert "all 354 samples" in landscape.begin(total, [trace]).text
    assert "50 of 354 samples" in landscape.begin(subsample.subsample(total, 50, 0), [trace]).text
    assert sharpness_cost(354, products=10) == 4 * 354 * 10
    said = sharpness.sentence(sharpness.sharpness(total, trace.theta[0, 0]), e.lanes[0].rule, 0.001)
    assert "below the edge 2/rate = 2,000" in said and "over 354 samples" in said
    assert "Adam has no simple limit" in sharpness.sentence(
        sharpness.sharpness(total, trace.theta[0, 0]), e.lanes[1].rule, 1
    )


def test_lost_and_short_paths():
    e = case("mlp")
    total, trace = engine.finite_sum(e), engine.run(e, 0)[1]
    start = engine.snapshot(engine.init(e, 0))
    for kind in ("pca", "random"):
        found = landscape.advance(total, landscape.begin(total, [start], kind, size=3), 100)
        assert np.isfinite(found.z).all() and found.plane.explained == (0, 0)
    lost = trace._replace(theta=trace.theta * np.nan, loss=trace.loss * np.nan)
    found = landscape.begin(total, [lost, trace], "random", size=3)
    np.testing.assert_array_equal(found.plane.origin, trace.theta[0, -1])
    assert np.isnan(found.paths[0]).all() and np.isfinite(found.paths[1]).all()
    with pytest.raises(LabError, match="no lane has a finite record"):
        landscape.begin(total, [lost])
    with pytest.raises(LabError, match="'tsne'; give 'pca' or 'random'"):
        landscape.begin(total, [trace], "tsne")
    with pytest.raises(LabError, match="1 x 1 points; give at least 2"):
        landscape.begin(total, [trace], size=1)
    with pytest.raises(LabError, match="0 samples; give 1 or more"):
        subsample.subsample(total, 0, 0)
    assert math.isnan(sharpness.sharpness(total, lost.theta[0, 0]).value)
    bad = meter.meter(total, lost.theta[0, 0])
    assert math.isnan(bad.gradient) and math.isnan(bad.scale)


def test_filters_of_one_weight_still_make_a_plane():
    """Filter-normalised directions of a 1-1-1 net are +-theta's own weights: two of them may be the same line."""
    data = {"name": "inline", "x": [[0.0], [1.0], [2.0]], "y": [0.0, 1.0, 3.0]}
    problem = {"name": "mlp", "dataset": data, "hidden": [1], "target": "number"}
    e = Experiment.model_validate({"problem": problem, "lanes": [{"sampler": "full_batch", "schedule": "constant"}]})
    total, start = engine.finite_sum(e), engine.snapshot(engine.init(e, 0))
    for seed in range(6):
        found = landscape.begin(total, [start], "random", size=3, seed=seed)
        np.testing.assert_allclose(found.plane.axes.T @ found.plane.axes, np.eye(2), atol=1e-12)
        assert found.ys[0] < 0 < found.ys[-1]


def test_what_cannot_be_shown_is_said():
    e = case("linear")
    total = engine.finite_sum(e)
    theta = total.start().numpy()
    with pytest.raises(LabError, match="one or two features; this model has 10"):
        learning.field(e.problem, total, theta, 0)
    with pytest.raises(LabError, match="sees no image"):
        learning.filters(e.problem, total, theta)
    with pytest.raises(LabError, match="shown as a table"):
        learning.gallery(e.problem, learning.judge(e.problem, total, theta, 0), 0)
    small = engine.finite_sum(case("one parameter"))
    nothing = learning.judge(case("one parameter").problem, small, np.zeros(1), 0)
    assert len(nothing.truth) == 0 and math.isnan(nothing.accuracy)


@pytest.mark.parametrize("name", ["mlp", "cnn"])
def test_a_pass_never_holds_more_than_a_piece(name, monkeypatch):
    """Ten times the samples, the same number at once: what is differentiated stays small."""
    total = engine.finite_sum(case(name))
    monkeypatch.setattr(subsample, "PIECE", 4 * max(total.width, 1 + total.parameters // 8))
    seen, own = [], type(total).losses

    def counted(self, theta, indices):
        seen.append(indices.numel())
        return own(self, theta, indices)

    monkeypatch.setattr(type(total), "losses", counted)
    theta = total.start().numpy()
    sharpness.sharpness(total, theta, products=2)
    subsample.sample_losses(total, theta)
    subsample.subsample(total, 30, 0).objective(total.start()[None].expand(5, -1))
    assert max(seen) <= 4 and sum(seen) >= 3 * total.samples
