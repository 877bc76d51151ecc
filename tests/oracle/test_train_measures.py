"""The measures of training against naive computations: dense Hessians, SVD, double loops, scikit-learn, numpy nets."""

import math
from functools import cache
from itertools import pairwise

import numpy as np
import pytest
import torch
from sklearn.metrics import confusion_matrix, log_loss

from mbsgd_core import engine
from mbsgd_core.experiment import Experiment
from mbsgd_core.measures import directions, landscape, learning, meter, noise, plane, sharpness, slices, subsample
from mbsgd_core.measures.stability import rate_limit
from mbsgd_core.rules.adam import Adam
from mbsgd_core.rules.sgd import SGD
from mbsgd_core.types import Trace

DIABETES = {"name": "linear_regression", "dataset": "diabetes"}
CANCER = {"name": "logistic_regression", "dataset": "breast_cancer", "l2": 0.01}
IRIS = {"name": "softmax_regression", "dataset": "iris"}
MOONS = {"name": "mlp", "dataset": "moons", "hidden": [5], "l2": 0.003}
WINE = {"name": "mlp", "dataset": "wine", "hidden": [6, 5], "activation": "sigmoid"}
DIGITS = {"name": "cnn", "dataset": "digits", "channels": [2], "hidden": 3, "train_rows": 60}
SINE = {
    "name": "mlp",
    "dataset": {
        "name": "inline",
        "x": [[float(x)] for x in np.linspace(-1, 1, 40)],
        "y": [float(math.sin(3 * x) + 0.3 * np.sign(x)) for x in np.linspace(-1, 1, 40)],
    },
    "hidden": [20, 20],
}
MODELS = {"linear": DIABETES, "logistic": CANCER, "softmax": IRIS, "mlp": MOONS, "deep": WINE, "cnn": DIGITS}


def of(problem, rate=0.1, amount=12, sampler="full_batch", unit="updates", seed=0, **rule):
    lane = {
        "sampler": sampler,
        "rule": {"name": "sgd"} | rule,
        "schedule": {"name": "constant", "learning_rate": rate},
    }
    budget = {"unit": unit, "amount": amount}
    return Experiment.model_validate({"problem": problem, "budget": budget, "lanes": [lane], "seed": seed})


@cache
def trained(name):
    """(experiment, its sum, a short path)."""
    e = of(MODELS[name], sampler={"name": "reshuffle", "batch_size": 16})
    return e, engine.finite_sum(e), engine.run(e, 0)[1]


def objective(total, theta):
    """f by its definition, a mean of losses."""
    at = torch.as_tensor(np.asarray(theta), dtype=total.start().dtype)
    return total.losses(at[None], torch.arange(total.samples)[None]).mean()


def dense_hessian(total, theta):
    everyone = torch.arange(total.samples)[None]
    at = torch.as_tensor(theta, dtype=total.start().dtype)
    second = torch.autograd.functional.hessian(lambda t: total.losses(t[None], everyone).mean(), at)
    return second.numpy()


# --- part: some of the samples


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("pieces", [subsample.PIECE, 1000])
def test_a_part_is_the_mean_over_its_samples(name, pieces, monkeypatch):
    monkeypatch.setattr(subsample, "PIECE", pieces)
    _, total, trace = trained(name)
    some = subsample.subsample(total, 23, seed=3)
    assert some.samples == 23 == len(set(some.rows.tolist())) and (some.rows < total.samples).all()
    thetas = torch.as_tensor(trace.theta[0, [0, 5, -1]])
    expected = torch.stack([total.losses(t[None], some.rows[None])[0] for t in thetas])
    torch.testing.assert_close(some.objective(thetas), expected.mean(1), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(subsample.sample_losses(some, trace.theta[0, 5]), expected[1], rtol=1e-9)
    leaf = thetas[2].clone().requires_grad_()
    (slope,) = torch.autograd.grad(total.losses(leaf[None], some.rows[None]).mean(), leaf)
    torch.testing.assert_close(some.gradient(thetas[2:], None)[0], slope, rtol=1e-9, atol=1e-12)
    assert subsample.subsample(total, None, 0) is total and subsample.subsample(total, total.samples, 0) is total
    np.testing.assert_array_equal(subsample.subsample(total, 23, seed=3).rows, some.rows)


# --- sharpness


@pytest.mark.parametrize("name", MODELS)
def test_sharpness_by_a_dense_hessian(name):
    _, total, trace = trained(name)
    for theta in (trace.theta[0, 0], trace.theta[0, -1]):
        largest = np.linalg.eigvalsh(dense_hessian(total, theta))[-1]
        exact = sharpness.sharpness(total, theta, products=total.parameters, tolerance=1e-9)
        assert exact.value == pytest.approx(largest, rel=1e-8)
        quick = sharpness.sharpness(total, theta)
        assert abs(quick.value - largest) <= quick.bound + 1e-9 * largest and quick.bound <= 1e-3 * quick.value
        assert quick.products <= sharpness.PRODUCTS and quick.cost == 4 * total.samples * quick.products


@pytest.mark.parametrize("name", ["logistic", "deep", "cnn"])
def test_hessian_products_and_parts_in_pieces(name, monkeypatch):
    _, total, trace = trained(name)
    some, theta = subsample.subsample(total, 31, seed=1), trace.theta[0, -1]
    dense = dense_hessian(some, theta)
    vector = np.random.default_rng(0).normal(size=total.parameters)
    monkeypatch.setattr(subsample, "PIECE", 5 * max(total.width, 1 + total.parameters // 8))
    assert len(list(subsample.pieces(some))) == 7
    found = sharpness.hessian_product(some, torch.as_tensor(theta), torch.as_tensor(vector))
    np.testing.assert_allclose(found, dense @ vector, rtol=1e-9, atol=1e-10)
    value = sharpness.sharpness(some, theta, tolerance=1e-9).value
    assert value == pytest.approx(np.linalg.eigvalsh(dense)[-1], rel=1e-8)


def test_the_largest_not_the_largest_in_size():
    total = engine.finite_sum(of({"name": "formula", "formula": "x^2 - 9*y^2"}))
    assert sharpness.sharpness(total, np.array([0.3, 0.2])).value == pytest.approx(2, rel=1e-12)
    flat = engine.finite_sum(of({"name": "formula", "formula": "x + 2*y"}))
    assert sharpness.sharpness(flat, np.zeros(2)).value == 0
    lost = sharpness.sharpness(engine.finite_sum(of({"name": "formula", "formula": "log(x)"})), np.zeros(2))
    assert math.isnan(lost.value) and "not finite" in sharpness.sentence(lost, SGD(), 0.1)


@pytest.mark.parametrize("name", ["deep", "cnn"])
def test_a_search_in_pieces_is_the_same_search(name):
    _, total, trace = trained(name)
    theta, search, cuts = trace.theta[0, -1], sharpness.begin(total), iter([1, 2, 3, 1, *[4] * 60])
    while not search.done:
        search = sharpness.advance(total, theta, search, next(cuts))
    assert search.found == sharpness.sharpness(total, theta)
    np.testing.assert_allclose(search.basis @ search.basis.T, np.eye(len(search.basis)), atol=1e-12)
    assert sharpness.advance(total, theta, search, 5).found == search.found  # a finished search stays as it is


@pytest.mark.parametrize(
    "knobs",
    [
        {},
        {"momentum": 0.9},
        {"momentum": 0.8, "nesterov": True},
        {"momentum": 0.9, "dampening": 0.3},
        {"weight_decay": 0.5},
    ],
    ids=str,
)
def test_the_edge_is_where_the_rate_is_the_limit(knobs):
    rule = SGD(**knobs)
    edge = sharpness.edge(rule, 0.07)
    assert rate_limit(edge.sharpness, rule).rate == pytest.approx(0.07, rel=1e-12) and "L" not in edge.formula
    assert sharpness.edge(SGD(), 0.1).sharpness == pytest.approx(20)
    assert sharpness.edge(SGD(momentum=0.9), 0.1).sharpness == pytest.approx(38)
    assert sharpness.edge(Adam(), 0.1) is None
    near, far = (sharpness.Sharpness(edge.sharpness * share, 0.01, 9, 100) for share in (1.01, 0.5))
    assert ", at the edge" in sharpness.sentence(near, rule, 0.07) and ", below" in sharpness.sentence(far, rule, 0.07)


# --- planes and directions


def test_pca_of_long_vectors_by_singular_values(monkeypatch):
    monkeypatch.setattr(plane, "COLUMNS", 1000)
    draw = np.random.default_rng(5)
    paths = [np.cumsum(draw.normal(size=(k, 300)), 0).astype(np.float32) for k in (5, 12)]
    found = plane.fit(paths, paths[0][0])
    middle = (paths[0].mean(0, dtype=float) + paths[1].mean(0, dtype=float)) / 2  # both paths weigh the same
    rows = np.concatenate([(path - middle) / len(path) ** 0.5 for path in paths])
    _, lengths, axes = np.linalg.svd(rows, full_matrices=False)
    np.testing.assert_allclose(np.abs(np.diag(axes[:2] @ found.axes)), 1, rtol=1e-12)
    np.testing.assert_allclose(found.axes.T @ found.axes, np.eye(2), atol=1e-12)
    np.testing.assert_allclose(found.explained, (lengths**2 / np.sum(lengths**2))[:2], rtol=1e-9)


@pytest.mark.parametrize("name", MODELS)
def test_filters_are_as_long_as_thetas(name):
    """Filter by filter, with the shapes of torch's own layers written down by hand."""
    layers = {
        "linear": [(1, 10), 1],
        "logistic": [(1, 30), 1],
        "softmax": [(3, 4), 3],
        "mlp": [(5, 2), 5, (1, 5), 1],
        "deep": [(6, 13), 6, (5, 6), 5, (3, 5), 3],
        "cnn": [(2, 9), 2, (3, 32), 3, (10, 3), 10],
    }[name]
    _, total, trace = trained(name)
    theta = trace.theta[0, -1]
    found = directions.filter_normalised(theta, total.shapes, seed=4)
    at = 0
    for layer in layers:
        if isinstance(layer, int):
            assert not found[at : at + layer].any()
            at += layer
            continue
        for _ in range(layer[0]):
            own, other = theta[at : at + layer[1]], found[at : at + layer[1]]
            assert np.linalg.norm(other) == pytest.approx(np.linalg.norm(own), rel=1e-12)
            at += layer[1]
    assert at == len(theta)
    assert np.linalg.norm(directions.filter_normalised(0 * theta, total.shapes, 0)) == pytest.approx(1)
    second = directions.filter_normalised(theta, total.shapes, seed=4, number=1)
    cosine = found @ second / np.linalg.norm(found) / np.linalg.norm(second)
    assert 1e-9 < abs(cosine) < 0.9


# --- landscape


def whole(total, found, pieces=7):
    while found.progress < 1:
        found = landscape.advance(total, found, pieces)
    return found


@pytest.mark.parametrize("kind", ["pca", "random"])
@pytest.mark.parametrize("name", MODELS)
def test_a_landscape_by_a_double_loop(name, kind):
    _, total, trace = trained(name)
    found = whole(total, landscape.begin(total, [trace], kind, size=5, seed=2))
    origin, (u, v) = found.plane.origin, found.plane.axes.T
    for i, y in enumerate(found.ys):
        for j, x in enumerate(found.xs):
            assert found.z[i, j] == pytest.approx(objective(total, origin + x * u + y * v).item(), rel=1e-9)
    (path,), (shadow,), (own,), (off,) = found.paths, found.shadow_losses, found.path_losses, found.distances
    for k, theta in enumerate(trace.theta[0]):
        x, y = u @ (theta - origin), v @ (theta - origin)
        np.testing.assert_allclose(path[k], (x, y), atol=1e-12)
        beneath = origin + x * u + y * v
        assert shadow[k] == pytest.approx(objective(total, beneath).item(), rel=1e-9)
        assert own[k] == pytest.approx(objective(total, theta).item(), rel=1e-9)
        assert off[k] == pytest.approx(np.linalg.norm(theta - beneath), abs=1e-9)
    other = Trace(*(field[..., ::3, :] if field.ndim == 3 else field[..., ::3] for field in trace))
    both = whole(total, landscape.begin(total, [other, trace], kind, size=3, seed=2))
    for one, shadows in zip((other, trace), both.shadow_losses, strict=True):
        beneath = both.plane.lift(both.plane.project(one.theta[0]))
        np.testing.assert_allclose(shadows, [objective(total, theta).item() for theta in beneath], rtol=1e-9)
    rows = trace.theta[0] - trace.theta[0].mean(0)
    shares = np.square(rows @ np.stack([u, v], 1)).sum(0) / np.square(rows).sum()
    np.testing.assert_allclose(found.plane.explained, shares, rtol=1e-9, atol=1e-12)
    assert "A projection" in found.text and "%" in found.labels[0]


def test_random_directions_span_the_plane():
    _, total, trace = trained("deep")
    found = landscape.begin(total, [trace], "random", size=3, seed=7)
    theta = trace.theta[0, -1]
    np.testing.assert_array_equal(found.plane.origin, theta)
    for number in range(2):
        direction = directions.filter_normalised(theta, total.shapes, 7, number)
        assert found.plane.distance(theta + direction) == pytest.approx(0, abs=1e-12)
    first = directions.filter_normalised(theta, total.shapes, 7)
    assert found.xs[[0, -1]] == pytest.approx(np.linalg.norm(first) * np.array([-1, 1]))
    np.testing.assert_allclose(found.plane.axes.T @ found.plane.axes, np.eye(2), atol=1e-12)


def test_the_coarse_picture_comes_first():
    _, total, trace = trained("mlp")
    done = whole(total, landscape.begin(total, [trace], size=9))
    early = done._replace(done=4, values=np.where(np.arange(len(done.values)) < 4, done.values, np.nan))
    known = np.isfinite(early.z)
    assert [tuple(k) for k in np.argwhere(known)] == [(0, 0), (0, 8), (8, 0), (8, 8)]
    nearest = np.array([[done.z[8 * (i == 8), 8 * (j == 8)] for j in range(9)] for i in range(9)])
    np.testing.assert_array_equal(early.coarse, nearest)
    np.testing.assert_array_equal(done.coarse, done.z)
    assert len(np.unique(done.points[:81], axis=0)) == 81


# --- gradient noise


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("piece", [meter.PIECE, 30])
def test_the_meter_by_all_sample_gradients(name, piece, monkeypatch):
    _, total, trace = trained(name)
    monkeypatch.setattr(meter, "PIECE", piece * (total.parameters + total.width))  # a few samples at a time
    theta = trace.theta[0, -1]
    each = noise.sample_gradients(total, theta)
    found = meter.meter(total, theta)
    assert found.gradient == pytest.approx(np.linalg.norm(each.mean(0)), rel=1e-9)
    assert found.trace == pytest.approx(noise.trace(each), rel=1e-9)
    assert found.scale == pytest.approx(noise.simple_scale(each), rel=1e-9)
    for size, replacement in ((1, True), (16, False), (total.samples, False)):
        assert meter.relative(found, size, replacement) == pytest.approx(
            noise.relative(each, size, replacement), rel=1e-9
        )


@pytest.mark.parametrize("group", [4, 7])
def test_groups_tell_the_noise_without_bias(group):
    """160 samples in groups of 7 leave one of 6: it counts by its size."""
    _, total, trace = trained("mlp")
    theta = trace.theta[0, -1]
    exact = meter.meter(total, theta)
    drawn = [meter.meter(total, theta, group, seed) for seed in range(100)]
    assert all(one.gradient == pytest.approx(exact.gradient, rel=1e-9) for one in drawn)
    traces = np.array([one.trace for one in drawn])
    assert traces.mean() == pytest.approx(exact.trace, abs=5 * traces.std() / 10)


def test_a_part_tells_the_whole_without_bias():
    """|G|^2 of a part's mean is too long by its own noise; the meter takes that off."""
    _, total, trace = trained("mlp")
    theta = trace.theta[0, -1]
    exact = meter.meter(total, theta)
    drawn = [meter.meter(subsample.subsample(total, 40, seed), theta) for seed in range(200)]
    for name in ("trace", "gradient"):
        values = np.array([getattr(one, name) ** (1 if name == "trace" else 2) for one in drawn])
        truth = exact.trace if name == "trace" else exact.gradient**2
        assert values.mean() == pytest.approx(truth, abs=5 * values.std() / math.sqrt(len(values)))
    assert math.isnan(meter.meter(subsample.subsample(total, 1, 0), theta).trace)


def test_rows_5_to_7_noise_of_a_net():
    """Noise against gradient: exactly 0 for the full batch; b = 1 to b = 32 is 32 (m - 1)/(m - 32) in variance."""
    _, total, trace = trained("deep")
    found, m = meter.meter(total, trace.theta[0, -1]), total.samples
    assert meter.relative(found, m, False) == 0
    ratio = (meter.relative(found, 1, False) / meter.relative(found, 32, False)) ** 2
    assert ratio == pytest.approx(32 * (m - 1) / (m - 32), rel=1e-9)
    squares = [meter.relative(found, b, True) ** 2 for b in (1, 4, 16, 64)]
    assert np.polyfit(np.log([1, 4, 16, 64]), np.log(squares), 1)[0] == pytest.approx(-1, rel=1e-9)


def test_row_22_the_noise_scale_grows_while_a_net_learns():
    """ "Medium b: optimal balance": the balance moves. Reference, digits MLP: 51 at first, 83 after 2 epochs, 1,484
    after 10."""
    e = of(
        {"name": "mlp", "dataset": "digits", "hidden": [64]}, 0.1, 10, {"name": "reshuffle", "batch_size": 32}, "epochs"
    )
    trace = engine.run(e, 0, every=45)[1]
    assert trace.update[1] == e.updates_per_epoch(0)
    scales = [meter.meter(engine.finite_sum(e), trace.theta[0, k], group=8).scale for k in (0, 2, 10)]
    assert 20 < scales[0] < 100 < scales[1] < 400 < scales[2] < 3000


# --- slices


def test_slices_by_hand():
    _, total, trace = trained("mlp")
    theta, at = trace.theta[0, -1], np.linspace(-1, 1, 5)
    direction = directions.filter_normalised(theta, total.shapes, 0)
    losses = slices.line(total, theta, direction, at)
    found = slices.slices(losses, at, 8, True, seed=0)
    samples = np.random.default_rng(1)
    for s, t in enumerate(at):
        assert found.full[s] == pytest.approx(objective(total, theta + t * direction).item(), rel=1e-12)
        each = total.losses(torch.as_tensor(theta + t * direction)[None], torch.arange(160)[None])[0].numpy()
        deviations = [each[samples.integers(160, size=8)].mean() - each.mean() for _ in range(4000)]
        assert found.predicted[s] == pytest.approx(np.std(deviations), rel=5 / math.sqrt(2 * 4000))
    assert found.batches.shape == (20, 5)
    full = slices.slices(losses, at, 160, False, seed=0)
    np.testing.assert_array_equal(full.batches, np.tile(full.full, (20, 1)))
    assert not full.predicted.any() and not full.spread.any()


def test_row_19_the_objective_does_not_depend_on_the_batch_only_its_estimate_does():
    """ "Larger b: smoother loss landscape": X. One full curve for all b; 20 slices spread around it as 1 / sqrt b."""
    _, total, trace = trained("deep")
    theta, at = trace.theta[0, -1], np.linspace(-1, 1, 9)
    losses = slices.line(total, theta, directions.filter_normalised(theta, total.shapes, 0), at)
    found = {b: slices.slices(losses, at, b, True, seed=0, count=400) for b in (1, 4, 16, 64)}
    for one in found.values():
        np.testing.assert_array_equal(one.full, found[1].full)
    spread = [one.spread.mean() for one in found.values()]
    assert np.polyfit(np.log([1, 4, 16, 64]), np.log(spread), 1)[0] == pytest.approx(-0.5, abs=0.05)
    np.testing.assert_allclose([one.predicted.mean() for one in found.values()], spread, rtol=0.15)


# --- what a model has learned


def numpy_scores(name, e, theta, x):
    """The outputs by plain numpy, for models without convolutions."""
    if name in ("linear", "logistic"):
        return (x @ theta[:-1] + theta[-1])[:, None]
    widths = e.problem.widths
    act = {"sigmoid": lambda z: 1 / (1 + np.exp(-z)), "tanh": np.tanh}[getattr(e.problem, "activation", "tanh")]
    at = 0
    for layer, (a, b) in enumerate(pairwise(widths)):
        weight, bias = theta[at : at + a * b].reshape(b, a), theta[at + a * b : at + a * b + b]
        x = (act(x) if layer else x) @ weight.T + bias
        at += a * b + b
    return x


@pytest.mark.parametrize("name", [name for name in MODELS if name != "cnn"])
def test_judged_rows_by_numpy_and_scikit_learn(name, monkeypatch):
    monkeypatch.setattr(learning, "ROWS", 10)
    e, total, trace = trained(name)
    theta, data = trace.theta[0, -1], e.problem.prepare(0)
    z = numpy_scores(name, e, theta, data.x_test[:, : len(data.mean)])
    found = learning.judge(e.problem, total, theta, 0)
    assert len(found.truth) == len(data.y_test) > 20
    metrics = total.test_metrics(torch.as_tensor(theta))
    if name == "linear":
        np.testing.assert_allclose(found.prediction, z[:, 0], rtol=1e-9)
        np.testing.assert_allclose(found.loss, (z[:, 0] - data.y_test) ** 2 / 2, rtol=1e-9)
        assert math.isnan(found.accuracy) and np.isnan(found.chance).all()
        assert metrics["test_loss"] == pytest.approx(found.loss.mean(), rel=1e-9)
        return
    z = np.hstack([np.zeros_like(z), z]) if z.shape[1] == 1 else z
    chances = np.exp(z) / np.exp(z).sum(1, keepdims=True)
    classes = chances.shape[1]
    np.testing.assert_array_equal(found.prediction, chances.argmax(1))
    np.testing.assert_allclose(found.chance, chances.max(1), rtol=1e-9)
    assert found.loss.mean() == pytest.approx(log_loss(data.y_test, chances, labels=range(classes)), rel=1e-9)
    np.testing.assert_array_equal(
        learning.confusion(found, classes), confusion_matrix(data.y_test, chances.argmax(1), labels=range(classes))
    )
    assert metrics["test_accuracy"] == pytest.approx(found.accuracy, abs=1e-12)
    train = learning.judge(e.problem, total, theta, 0, "train")
    assert len(train.truth) == total.samples
    ridge = (
        e.problem.l2 / 2 * np.square(theta[np.concatenate([np.full(math.prod(s), len(s) > 1) for s in total.shapes])])
    )
    assert train.loss.mean() + ridge.sum() == pytest.approx(objective(total, theta).item(), rel=1e-9)


@pytest.mark.parametrize("name", ["mlp", "two features", "one feature"])
def test_a_field_by_a_double_loop(name):
    problem = {
        "mlp": MOONS,
        "two features": IRIS | {"features": ["petal length", "petal width"]},
        "one feature": {"name": "linear_regression", "dataset": "diabetes", "features": ["bmi"]},
    }[name]
    e = of(problem)
    total, trace = engine.finite_sum(e), engine.run(e, 0)[1]
    theta, data = trace.theta[0, -1], e.problem.prepare(0)
    found = learning.field(e.problem, total, theta, 0, size=7)
    raw = data.table.x
    assert found.xs[0] < raw[:, 0].min() and found.xs[-1] > raw[:, 0].max()
    assert len(found.ys) == (1 if name == "one feature" else 7)
    for i, y in enumerate(found.ys):
        for j, x in enumerate(found.xs):
            row = (np.array([x, y])[: len(data.mean)] - data.mean) / data.deviation
            z = total.predict(torch.as_tensor(theta), torch.as_tensor(row[None]))[0].numpy()
            if name != "one feature":
                z = np.append(0.0, z) if len(z) == 1 else z
                z = np.exp(z) / np.exp(z).sum()
                assert found.label[i, j] == z.argmax()
            np.testing.assert_allclose(found.values[i, j], z, rtol=1e-9)


def test_images_and_filters():
    e, total, trace = trained("cnn")
    theta, problem = trace.theta[0, -1], e.problem
    judged = learning.judge(problem, total, theta, 0)
    data = problem.prepare(0)
    held_out = np.setdiff1d(np.arange(1797), np.flatnonzero(np.isin(np.arange(1797), data.rows)))
    images = {image.tobytes() for image in problem.dataset.table(0).x[held_out].round(6)}
    first = learning.gallery(problem, judged, 0, count=9)
    assert first.images.shape == (9, 1, 8, 8) and first.row.tolist() == list(range(9))
    assert all((16 * image).round(6).ravel().tobytes() in images for image in first.images)
    hard = learning.gallery(problem, judged, 0, count=9, worst=True)
    assert sorted(judged.loss)[-9:][::-1] == judged.loss[hard.row].tolist()
    np.testing.assert_array_equal(hard.truth, judged.truth[hard.row])
    np.testing.assert_array_equal(learning.filters(problem, total, theta), theta[:18].reshape(2, 1, 3, 3))
    dense = of({"name": "mlp", "dataset": "digits", "hidden": [4], "train_rows": 60})
    start = engine.finite_sum(dense).start().numpy()
    seen = learning.filters(dense.problem, engine.finite_sum(dense), start)
    assert seen.shape == (4, 1, 8, 8)
    np.testing.assert_array_equal(seen[2, 0, 3], start[2 * 64 + 24 : 2 * 64 + 32])


@pytest.mark.parametrize("name", ["linear", "deep", "cnn"])
def test_curves_by_a_loop(name):
    e, total, trace = trained(name)
    thetas = trace.theta[0, ::4].copy()
    thetas[1] = np.nan
    found = learning.curves(e.problem, total, thetas, 0)
    for k, theta in enumerate(thetas):
        row = (found.test_loss[k], found.test_accuracy[k], found.train_accuracy[k])
        if k == 1:
            assert np.isnan(row).all()
            continue
        judged = learning.judge(e.problem, total, theta, 0)
        assert row[0] == pytest.approx(judged.loss.mean(), rel=1e-9)
        assert np.array_equal(row[1:], [judged.accuracy, learning.judge(e.problem, total, theta, 0, "train").accuracy],
                              equal_nan=True)  # fmt: skip
    some = learning.curves(e.problem, total, thetas, 0, samples=20).train_accuracy
    assert name == "linear" or (some[0] * 20 == round(some[0] * 20) and np.isfinite(some[[0, 2]]).all())


# --- the edge of stability


def test_rows_24_and_34_sharpness_settles_at_the_edge():
    """ "Too big a rate jumps around": a net does not diverge; full-batch sharpness rises to 2 / rate and stays there.
    Small batches hold it well below (reference .997, 1.005, 1.012 of the edge; GD 5.02, b = 8 2.92 below 5)."""

    def shares(sampler, learning_rate, updates, **rule):
        e = of(SINE, learning_rate, updates, sampler, **rule)
        trace = engine.run(e, 0, every=updates // 10)[1]
        assert trace.loss[0, -1] < 0.05 * trace.loss[0, 0]
        edge = sharpness.edge(e.lanes[0].rule, learning_rate).sharpness
        return [sharpness.sharpness(engine.finite_sum(e), theta).value / edge for theta in trace.theta[0]]

    full = shares("full_batch", 0.25, 2000)
    assert full[0] < 0.5 and np.mean(full[-5:]) == pytest.approx(1, abs=0.05)
    small = shares({"name": "reshuffle", "batch_size": 4}, 0.25, 2000)
    assert np.mean(small[-5:]) < 0.85
    heavy = shares("full_batch", 0.35, 1500, momentum=0.5)  # of 2 (1 + momentum) / rate
    assert np.mean(heavy[-5:]) == pytest.approx(1, abs=0.1)


def test_shadows_are_thinned_and_lost_records_left_out():
    _, total, trace = trained("mlp")
    long = Trace(*(np.repeat(field, 20, axis=min(field.ndim - 1, 1)) for field in trace))
    long.theta[0, -3:] = long.loss[0, -3:] = np.nan
    found = whole(total, landscape.begin(total, [long], size=3), pieces=50)
    assert np.isfinite(found.shadow_losses[0]).sum() == landscape.SHADOWS
    assert np.isnan(found.paths[0][-3:]).all() and np.isfinite(found.z).all()
