"""Rows, labels and images as models see them; networks: dropout, chunks, knobs."""

import tracemalloc
from itertools import pairwise

import numpy as np
import pytest
import torch

from mbsgd_core import engine
from mbsgd_core.errors import ExperimentError
from mbsgd_core.experiment import Experiment, problems
from mbsgd_core.problems.base import Place
from mbsgd_core.problems.models import _net
from mbsgd_core.problems.models._draws import Draws
from mbsgd_core.problems.models._rows import pixel_statistics
from mbsgd_core.registry import discover
from mbsgd_core.samplers.base import Sampler
from mbsgd_core.share import from_query, to_query
from tests.contract._chunks import bits, in_chunks

CANCER = {"name": "logistic_regression", "dataset": "breast_cancer"}
DIABETES = {"name": "linear_regression", "dataset": "diabetes"}
SPIRAL = {"name": "mlp", "dataset": {"name": "spiral", "classes": 3, "samples": 40}, "hidden": [6, 4]}
DROPOUT = SPIRAL | {"dropout": 0.3}
MNIST = {"name": "softmax_regression", "dataset": {"name": "mnist", "rows": "subset"}}
XOR = {"name": "inline", "x": [[0, 0], [0, 1], [1, 0], [1, 1]], "y": [0, 1, 1, 0]}


@pytest.fixture(autouse=True)
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def experiment(given: dict, sampler="full_batch", rule="sgd", updates: int = 0, rate: float = 0.1, **more):
    lane = {"sampler": sampler, "rule": rule, "schedule": {"name": "constant", "learning_rate": rate}}
    budget = {"unit": "updates", "amount": updates}
    return Experiment.model_validate({"problem": given, "lanes": [lane], "budget": budget, "seed": 5, **more})


def problem(given: dict):
    return experiment(given).problem


def realize(given: dict, dtype=torch.float64):
    return problem(given).realize(5, dtype, "cpu")


# --- rows and labels ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("share", [0.1, 0.3, 1.0])
@pytest.mark.parametrize("data", ["breast_cancer", "iris"])
def test_label_noise_replaces_that_share_of_the_training_labels_by_other_classes(data, share):
    given = {"name": "softmax_regression", "dataset": data}
    clean, noisy = problem(given).prepare(5), problem(given | {"label_noise": share}).prepare(5)
    wrong = clean.y != noisy.y
    assert wrong.sum() == round(share * len(clean.y))
    assert set(np.unique(noisy.y)) <= set(np.unique(clean.y))
    for name in ("x", "x_test", "y_test", "rows"):
        assert np.array_equal(getattr(clean, name), getattr(noisy, name))
    assert np.array_equal(noisy.table.y, clean.table.y)  # the data set itself stays as it is
    if data == "iris" and share == 1.0:  # both of the other classes are drawn
        shifts = (noisy.y - clean.y) % 3
        assert 0.3 < (shifts == 1).mean() < 0.7 and set(np.unique(shifts)) == {1, 2}
    other = problem(given | {"label_noise": share}).prepare(6)
    assert not np.array_equal(other.y[:50], noisy.y[:50])


def test_fewer_training_rows_keep_the_shares_of_the_classes_and_the_test_rows():
    whole = problem(CANCER).prepare(5)
    for rows in (100, 45, 7, 1):
        p = problem(CANCER | {"train_rows": rows})
        some = p.prepare(5)
        assert p.sample_count == len(some.y) == rows == p.realize(5, torch.float64, "cpu").samples
        assert set(some.rows) <= set(whole.rows) and len(some.y_test) == len(whole.y_test)
        assert np.array_equal(some.y_test, whole.y_test)
        assert abs(some.y.sum() - rows * whole.y.mean()) <= 1
    columns = problem(CANCER | {"train_rows": 100}).prepare(5).x[:, :-1]  # standardised by these rows alone
    np.testing.assert_allclose([columns.mean(0), columns.std(0)], [[0] * 30, [1] * 30], atol=1e-12)
    line = problem(DIABETES | {"train_rows": 50}).prepare(5)
    assert len(line.y) == 50 and set(line.rows) <= set(problem(DIABETES).prepare(5).rows)


@pytest.mark.parametrize("seed", [0, 5])
def test_imbalance_leaves_out_a_share_of_the_last_class(seed):
    whole = problem(CANCER).prepare(seed)
    p = problem(CANCER | {"imbalance": 0.9})
    thin = p.prepare(seed)
    last = int((whole.y == 1).sum())
    assert (thin.y == 1).sum() == last - round(0.9 * last) and (thin.y == 0).sum() == (whole.y == 0).sum()
    assert p.sample_count == len(thin.y) and np.array_equal(thin.y_test, whole.y_test)
    both = problem(CANCER | {"imbalance": 0.9, "train_rows": 60, "label_noise": 0.5})
    assert len(both.prepare(seed).y) == both.sample_count == 60


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (DIABETES | {"label_noise": 0.1}, "label_noise: given 0.1; Linear regression predicts a number"),
        (DIABETES | {"imbalance": 0.1}, "imbalance: given 0.1; Linear regression predicts a number"),
        (CANCER | {"train_rows": 456}, "train_rows: given 456; there are 455 rows to train on"),
        (CANCER | {"train_rows": 0}, "train_rows: given 0"),
        (CANCER | {"label_noise": 1.5}, "less than or equal to 1"),
        (CANCER | {"imbalance": 1}, "less than 1"),
        (MNIST | {"test_fraction": 0.1}, "test_fraction: given 0.1; MNIST has test rows of its own; leave it null"),
        (SPIRAL | {"hidden": [8, 0]}, "hidden.1: given 0"),
        (SPIRAL | {"hidden": [1] * 17}, "at most 16"),
        (SPIRAL | {"activation": "swish"}, "'tanh', 'relu' or 'sigmoid'"),
        (SPIRAL | {"dropout": 1}, "less than 1"),
        (SPIRAL | {"depth": 3}, "no such field"),
        ({"name": "softmax_regression", "dataset": "diabetes"}, "needs data for classification"),
        ({"name": "mlp", "dataset": XOR | {"y": [0, 1, 2, 0.5]}, "target": "class"}, "0, 1, 2; given 0, 0.5"),
        ({"name": "softmax_regression", "dataset": XOR | {"y": [0, 0.1, 1, 0]}}, "0, 1, 2; given 0, 0.1"),
        (SPIRAL | {"loss": "hinge"}, "'cross_entropy' or 'squared'"),
        (SPIRAL | {"label_smoothing": 1}, "less than 1"),
        (SPIRAL | {"label_smoothing": 0.1, "loss": "squared"}, "only cross-entropy smooths labels"),
        ({"name": "mlp", "dataset": "diabetes", "label_smoothing": 0.1}, "only cross-entropy smooths labels"),
        ({"name": "mlp", "dataset": XOR, "imbalance": 0.9, "train_rows": 4}, "given 4; there are 2 rows"),
    ],
)
def test_what_does_not_fit_is_refused_with_a_sentence(given, words):
    with pytest.raises(ExperimentError) as error:
        experiment(given)
    assert words in str(error.value)


def test_links_carry_the_knobs_and_clamp_them_on_the_page():
    e = experiment(DROPOUT | {"hidden": [], "label_noise": 0.25, "train_rows": 20, "activation": "relu"})
    assert from_query(to_query(e)) == (e, [])
    fallback = experiment(SPIRAL)
    text = to_query(fallback).replace("train_rows=null", "train_rows=1000").replace("hidden=6,4", "hidden=6,999")
    e, notices = from_query(text, page=True, fallback=fallback)
    assert (e.problem.train_rows, e.problem.hidden) == (None, (6, 256)) and len(notices) == 2


@pytest.mark.parametrize("name", ["softmax_regression", "mlp"])
@pytest.mark.parametrize("data", ["inline", "csv"])
def test_classes_are_the_labels_that_occur(name, data):
    """3, 7 and 9 are three classes, not ten, and train as 0, 1 and 2 do."""
    y, plain = [3, 7, 9, 7, 3, 9], [0, 1, 2, 1, 0, 2]

    def given(labels: list[int]) -> dict:
        x = [[i, i * i % 4] for i in range(6)]
        lines = ["a,b,y", *(f"{row[0]},{row[1]},{label}" for row, label in zip(x, labels, strict=True))]
        table = {"name": "inline", "x": x, "y": labels} if data == "inline" else {"name": "csv", "lines": lines}
        return {"name": name, "dataset": table, "test_fraction": 0} | ({"target": "class"} if name == "mlp" else {})

    odd, even = (experiment(given(labels), updates=5) for labels in (y, plain))
    assert odd.problem.class_count == 3 and odd.problem.header.classes == ("3", "7", "9")
    assert odd.problem.parameter_count == even.problem.parameter_count
    assert odd.problem.prepare(5).y.tolist() == plain
    assert np.array_equal(engine.run(odd, 0)[1].theta, engine.run(even, 0)[1].theta)
    if name == "softmax_regression":
        assert odd.problem.parameter_names[-1] == "intercept for 9"


# --- images ------------------------------------------------------------------------------------------------------


def test_images_have_one_mean_and_one_deviation():
    data = problem({"name": "softmax_regression", "dataset": "digits"}).prepare(5)
    assert data.x.shape == (1438, 64) and data.x.dtype == np.float64
    np.testing.assert_allclose([data.x.mean(), data.x.std()], [0, 1], atol=1e-12)
    assert data.x.std(0).min() < 0.01  # unlike standardised columns
    pixels = data.table.x[data.rows] / 16
    np.testing.assert_allclose(data.x, (pixels - pixels.mean()) / pixels.std(), atol=1e-12)
    np.testing.assert_allclose([data.mean / 16, data.deviation / 16], [[pixels.mean()] * 64, [pixels.std()] * 64])
    raw = problem({"name": "softmax_regression", "dataset": "digits", "standardize": False}).prepare(5)
    assert np.array_equal(raw.x, pixels)


def test_mnist_has_the_published_statistics_and_its_own_test_rows():
    p = problem(MNIST)
    data = p.prepare(5)
    assert p.held_out == 0 and p.sample_count == 10_000 and data.x.dtype == data.x_test.dtype == np.float32
    own = p.dataset.test_table(5)
    for seen, table in ((data.x, data.table), (data.x_test, own)):
        expected = (torch.tensor(table.x[::50]).float().div(255) - 0.1307) / 0.3081  # torchvision's two transforms
        np.testing.assert_array_equal(seen[::50], expected.numpy())
    assert np.array_equal(data.y_test, own.y)
    few = problem(MNIST | {"train_rows": 500, "label_noise": 0.2}).prepare(5)
    assert np.array_equal(few.x, data.x[few.rows]) and np.array_equal(few.x_test, data.x_test)
    assert (few.y != data.y[few.rows]).sum() == 100
    np.testing.assert_allclose(pixel_statistics(data.table.x, 255.0), [0.1307, 0.3081], atol=2e-3)


def test_bytes_are_widened_once():
    p = problem(MNIST | {"l2": 0.125})  # settings of its own: nothing is cached
    p.dataset.table(0), p.dataset.test_table(0)
    tracemalloc.start()
    data = p.prepare(5)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1.2 * (data.x.nbytes + data.x_test.nbytes)
    total = p.realize(5, torch.float32, "cpu")
    assert total.x.data_ptr() == data.x.ctypes.data  # shared, not copied


# --- networks ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "learns", "widths", "loss"),
    [
        ({"dataset": "diabetes"}, "regression", (10, 8, 8, 1), "squared"),
        ({"dataset": "diabetes", "features": ["bmi"], "hidden": [3]}, "regression", (1, 3, 1), "squared"),
        ({"dataset": "blobs"}, "classification", (2, 8, 8, 1), "log"),
        ({"dataset": "iris", "hidden": []}, "classification", (4, 3), "softmax"),
        ({"dataset": "digits"}, "classification", (64, 8, 8, 10), "softmax"),
        ({"dataset": XOR}, "classification", (2, 8, 8, 1), "log"),
        ({"dataset": XOR, "target": "number"}, "regression", (2, 8, 8, 1), "squared"),
        ({"dataset": XOR | {"y": [0, 1, 2, 3]}}, "classification", (2, 8, 8, 4), "softmax"),
        ({"dataset": XOR | {"y": [0, 1, 3, 3]}}, "regression", (2, 8, 8, 1), "squared"),
        ({"dataset": XOR | {"y": [0, 1, 3, 3]}, "target": "class"}, "classification", (2, 8, 8, 3), "softmax"),
        ({"dataset": XOR | {"y": [-1, 1, 1, -1]}, "target": "class"}, "classification", (2, 8, 8, 1), "log"),
        ({"dataset": XOR, "loss": "squared"}, "classification", (2, 8, 8, 2), "one_hot"),
        ({"dataset": "iris", "loss": "squared"}, "classification", (4, 8, 8, 3), "one_hot"),
        ({"dataset": "diabetes", "loss": "squared"}, "regression", (10, 8, 8, 1), "squared"),
        ({"dataset": XOR | {"y": [0, 0, 0, 0]}}, "regression", (2, 8, 8, 1), "squared"),
    ],
)
def test_what_an_mlp_learns_and_how_wide_it_is(given, learns, widths, loss):
    p = problem({"name": "mlp", **given})
    assert (p.learns, p.widths, p.loss_name) == (learns, widths, loss)
    total = p.realize(5, torch.float64, "cpu")
    assert (total.loss_name, total.activation) == (loss, "tanh")
    assert total.layers == tuple((a, b) for a, b in pairwise(widths))
    assert total.parameters == sum((a + 1) * b for a, b in total.layers)
    assert total.shapes == tuple(shape for a, b in total.layers for shape in ((b, a), (b,)))


def test_softmax_regression_starts_at_zeros_and_names_its_parameters():
    p = problem({"name": "softmax_regression", "dataset": "iris"})
    assert not p.realize(5, torch.float64, "cpu").start().any() and p.parameter_count == 15
    assert p.parameter_names[-1].startswith("intercept for") and p.parameter_names[4].endswith(p.columns(0).classes[1])


def test_two_softmax_classes_predict_as_logistic_regression():
    two = realize(CANCER | {"name": "softmax_regression"})
    one = realize(CANCER)
    theta = torch.tensor(np.random.default_rng(1).normal(size=31))
    half = theta / 2
    pair = torch.cat([-half[:-1], half[:-1], -half[-1:], half[-1:]])  # the logits differ by <w, x> + c
    torch.testing.assert_close(two.objective(pair), one.objective(theta), rtol=1e-12, atol=0)
    for name, value in one.test_metrics(theta).items():
        assert two.test_metrics(pair)[name] == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize("rate", [0.0, 0.2, 0.5, 0.9])
def test_dropout_masks_have_mean_one(rate):
    draws, like = Draws(Place(1, 2, 3)), torch.zeros(1, dtype=torch.float64)
    mask = draws.dropout("dropout", (2, 100, 500), rate, like)
    assert set(mask.unique().tolist()) <= {0.0, 1 / (1 - rate)}
    assert abs(mask.mean().item() - 1) < 5 * (rate / (1 - rate) / mask.numel()) ** 0.5 + 1e-12
    again = draws.dropout("dropout", (3, 100, 500), rate, like)  # one run more changes nothing for the others
    assert torch.equal(again[:2], mask)
    if rate:
        for other in (Place(1, 2, 4), Place(1, 3, 3), Place(2, 2, 3)):
            assert not torch.equal(Draws(other).dropout("dropout", (2, 100, 500), rate, like), mask)
        assert not torch.equal(Draws(Place(1, 2, 3), 1).dropout("dropout", (2, 100, 500), rate, like), mask)


def test_recorded_values_are_those_of_evaluation_mode():
    plain, thinned = realize(SPIRAL), realize(DROPOUT)
    theta = plain.start()[None]
    assert torch.equal(plain.objective(theta), thinned.objective(theta))
    (batch,) = thinned.gather(torch.arange(5)[None, None])
    (placed,) = thinned.gather_at(torch.arange(5)[None, None], Place(5, 0, 0))
    assert torch.equal(thinned.gradient(theta, batch), plain.gradient(theta, batch))
    assert not torch.equal(thinned.gradient(theta, placed), plain.gradient(theta, batch))
    assert not torch.equal(thinned.gradient(theta, thinned.all_at(Place(5, 0, 0))), plain.gradient(theta, None))


def test_dropouts_gradient_is_right_on_average_for_a_last_layer():
    """With one hidden layer and squared loss, dropout adds a known penalty to the last layer's expected gradient."""
    given = {"name": "mlp", "dataset": {"name": "line", "samples": 20}, "hidden": [5], "dropout": 0.5}
    total = realize(given)
    theta = total.start()[None]
    mean = torch.stack(
        [total.gradient(theta, total.all_at(Place(5, epoch, 0)))[0, -6:-1] for epoch in range(4000)]
    ).double()
    first, bias, last, _ = total.views(theta)
    hidden = torch.tanh(total.x @ first[0].T + bias[0])
    # E (w.(m a) - r)^2 / 2 = (w.a - r)^2 / 2 + rate / (1 - rate) sum (w_j a_j)^2 / 2
    expected = total.gradient(theta, None)[0, -6:-1] + hidden.square().mean(0) * last[0, 0]
    error = mean.std(0) / len(mean) ** 0.5
    assert ((mean.mean(0) - expected).abs() < 5 * error).all()


@pytest.mark.parametrize("sampler", discover("mbsgd_core.samplers", Sampler))
@pytest.mark.parametrize("runs", [1, 3])
def test_chunks_of_a_run_change_no_mask(sampler, runs):
    size = {} if sampler == "full_batch" else {"batch_size": 6}
    e = experiment(DROPOUT, {"name": sampler, **size}, {"name": "sgd", "momentum": 0.9}, updates=120, runs=runs)
    whole = bits(in_chunks(e, [120]))
    assert bits(in_chunks(e, [15] * 8)) == whole
    assert bits(in_chunks(e, [1, 2, 0, 61, 3, 130])) == whole


def test_a_run_with_dropout_does_not_depend_on_the_runs_beside_it():
    sampler = {"name": "reshuffle", "batch_size": 6}
    alone = engine.run(experiment(DROPOUT, sampler, updates=40), 0)[1]
    beside = engine.run(experiment(DROPOUT, sampler, updates=40, runs=3), 0)[1]
    np.testing.assert_allclose(beside.theta[0], alone.theta[0], rtol=1e-11, atol=1e-13)
    assert not np.allclose(beside.theta[1], beside.theta[0])
    plain = engine.run(experiment(SPIRAL, sampler, updates=40), 0)[1]
    assert not np.allclose(plain.theta[0, -1], alone.theta[0, -1])


@pytest.mark.parametrize("given", [SPIRAL | {"l2": 0.1}, {"name": "softmax_regression", "dataset": "iris"}], ids=str)
def test_pieces_of_bounded_memory_add_up(given, monkeypatch):
    total = realize(given)
    theta = total.start() + 0.1 * torch.tensor(np.random.default_rng(2).normal(size=(5, total.parameters)))
    (batch,) = total.gather(torch.tensor(np.random.default_rng(3).integers(total.samples, size=(1, 5, 30))))

    def everything() -> list:
        return [
            total.gradient(theta, None),
            total.gradient(theta, batch),
            total.gradient_and_loss(theta, batch)[1],
            total.objective(theta.reshape(5, 1, -1)),
            total.sample_gradients(theta[0]),
            total.predict(theta[0], total.x),
            torch.tensor(list(total.test_metrics(theta[1]).values())),
        ]

    whole = everything()
    monkeypatch.setattr(_net, "WORK", 7 * total.width * 2)  # three samples of five runs do not fit
    for expected, pieced in zip(whole, everything(), strict=True):
        torch.testing.assert_close(pieced, expected, rtol=1e-12, atol=1e-13)


def test_an_mlp_separates_what_no_line_can():
    e = experiment(
        {"name": "mlp", "dataset": {"name": "moons", "noise": 0.05}, "hidden": [8, 8]},
        {"name": "reshuffle", "batch_size": 16},
        "adam",
        updates=600,
        rate=0.02,
    )
    state, _ = engine.run(e, 0)
    assert engine.finite_sum(e).test_metrics(state.theta[0])["test_accuracy"] >= 0.975


def test_no_settings_of_a_net_leave_a_plane():
    assert problems()["logistic_regression"].planar and problems()["rosenbrock"].planar
    assert not (problems()["mlp"].planar or problems()["softmax_regression"].planar)
