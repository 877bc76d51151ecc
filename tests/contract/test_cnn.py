"""The convolutional network: torch's own layers are the oracle; what it draws; what it costs the engine."""

import json
from math import prod

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from mbsgd_core import engine
from mbsgd_core.cli.main import main
from mbsgd_core.errors import ExperimentError
from mbsgd_core.experiment import Experiment
from mbsgd_core.measures import cost
from mbsgd_core.problems.base import Place
from mbsgd_core.problems.datasets._images import pixel_names
from mbsgd_core.problems.datasets.base import Dataset, Table
from mbsgd_core.problems.models import _net
from mbsgd_core.problems.models._net import Draws
from mbsgd_core.problems.models.cnn import Cnn

TINY = {"name": "cnn", "dataset": "digits", "channels": [3, 4], "hidden": 5, "dropout": 0.0}
SUBSET = {"name": "mnist", "rows": "subset"}
TEXT = {"name": "cnn", "dataset": SUBSET}


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """The tensors are small, and tests run beside each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def experiment(problem=None, batch_size=32, amount=1, unit="epochs", rule="adam", rate=1e-3, **more) -> Experiment:
    sampler = "full_batch" if batch_size is None else {"name": "reshuffle", "batch_size": batch_size}
    lane = {"sampler": sampler, "rule": rule, "schedule": {"name": "constant", "learning_rate": rate}}
    budget = {"unit": unit, "amount": amount}
    return Experiment.model_validate(
        {"problem": TINY | (problem or {}), "lanes": [lane], "budget": budget, "seed": 1, **more}
    )


def realize(dtype=torch.float64, **problem):
    return experiment(problem).problem.realize(1, dtype, "cpu")


def sequential(problem, dtype=torch.float64, dropout=None) -> nn.Sequential:
    """The same network as the textbook writes it: ReLU before max-pool; dropout: its factors, or none."""
    bias, (channels, height, width) = problem.intercept, problem.dataset.shape
    layers: list[nn.Module] = [nn.Unflatten(1, (channels, height, width))]
    for out in problem.channels:
        layers += [nn.Conv2d(channels, out, 3, padding=1, bias=bias), nn.ReLU(), nn.MaxPool2d(2)]
        channels, height, width = out, height // 2, width // 2
    layers += [nn.Flatten(), nn.Linear(channels * height * width, problem.hidden, bias=bias), nn.ReLU()]
    layers += [] if dropout is None else [_Times(dropout)]
    return nn.Sequential(*layers, nn.Linear(problem.hidden, problem.outputs, bias=bias)).to(dtype)


class _Times(nn.Module):
    def __init__(self, factors):
        super().__init__()
        self.factors = factors

    def forward(self, x):
        return x * self.factors


def by_torch(problem, x, y, theta, dropout=None):
    """(each sample's loss, gradient of their mean) of torch's layers at theta (P,), with l2 on the weights."""
    net = sequential(problem, theta.dtype, dropout)
    vector_to_parameters(theta, net.parameters())
    losses = nn.functional.cross_entropy(net(x), y, reduction="none")
    weights = [p for p in net.parameters() if p.dim() > 1]
    penalty = 0.5 * problem.l2 * sum(w.square().sum() for w in weights)
    gradients = torch.autograd.grad(losses.mean() + penalty, list(net.parameters()))
    return (losses + penalty).detach(), parameters_to_vector([g.contiguous() for g in gradients])


def scattered(total, runs=1):
    noise = torch.tensor(np.random.default_rng(2).normal(size=(runs, total.parameters)), dtype=total.start().dtype)
    return total.start() + 0.05 * noise


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"l2": 0.1, "intercept": False},
        {"channels": [2], "standardize": False},
        {"channels": [2, 3, 4]},
        {"dataset": SUBSET, "channels": [2, 3, 4]},  # sides 28, 14, 7, 3: one of them is odd
        {"dataset": SUBSET, "channels": [2, 2], "label_noise": 0.5, "train_rows": 300},
    ],
)
def test_losses_and_gradient_are_those_of_torchs_layers(given):
    problem, total = experiment(given).problem, realize(**given)
    theta, rows = scattered(total, 2), torch.tensor([[5, 0, 7, 9, 200], [1, 1, 30, 2, 8]])
    (batch,) = total.gather(rows[None])
    losses, gradient = total.losses(theta, rows), total.gradient(theta, batch)
    for r in range(2):
        expected, slope = by_torch(problem, total.x[rows[r]], total.y[rows[r]], theta[r])
        torch.testing.assert_close(losses[r], expected, rtol=1e-12, atol=1e-13)
        torch.testing.assert_close(gradient[r], slope, rtol=1e-12, atol=1e-14)
        net = sequential(problem)
        vector_to_parameters(theta[r], net.parameters())
        torch.testing.assert_close(total.predict(theta[r], total.x[:9]), net(total.x[:9]), rtol=1e-12, atol=1e-13)


class Coloured(Dataset):
    """Eight images of 6 x 4 pixels in red, green and blue."""

    title = "Coloured"
    summary = ""
    task = "classification"
    shape = (3, 6, 4)

    def table(self, seed):
        x = np.random.default_rng(0).uniform(size=(8, 72))
        return Table(x, np.arange(8.0) % 3, pixel_names(18, 4), "", "classification", classes=("a", "b", "c"))


def test_colours_are_channels():
    problem = Cnn(dataset=Coloured(), channels=(2, 3), hidden=4, dropout=0.0, augment_shift=1, test_fraction=0.0)
    total = problem.realize(0, torch.float64, "cpu")
    theta = scattered(total)
    (batch,) = total.gather(torch.arange(8)[None, None])
    expected = by_torch(problem, total.x, total.y, theta[0])[1]
    torch.testing.assert_close(total.gradient(theta, batch)[0], expected, rtol=1e-12, atol=1e-14)
    draws = Draws(Place(0, 0, 0))
    (down, right), *_ = draws.stream("shift").integers(-1, 2, (1, 8, 2))[0]
    image, moved = total.x[0].reshape(3, 6, 4), total._shifted(total.x[None], draws)[0, 0].reshape(3, 6, 4)
    inside = torch.roll(image, (down, right), (1, 2))[:, 1:-1, 1:-1]  # what rolls around stays at the edges
    assert torch.equal(moved[:, 1:-1, 1:-1], inside)


def test_gradient_is_that_of_finite_differences():
    total = realize(channels=[2, 2], hidden=3, l2=0.01)
    theta, rows, step = scattered(total), torch.arange(20)[None], 1e-6
    (batch,) = total.gather(rows[None])
    gradient = total.gradient(theta, batch)[0]
    moves = step * torch.eye(total.parameters, dtype=torch.float64)
    up, down = (total.losses(theta + s * moves, rows.expand(len(moves), -1)).mean(-1) for s in (1, -1))
    torch.testing.assert_close((up - down) / (2 * step), gradient, rtol=1e-5, atol=1e-8)


def test_pooling_first_changes_not_one_bit():
    images = torch.randn(4, 3, 8, 8)

    def way(first, second):
        leaf = images.clone().requires_grad_()
        out = second(first(leaf))
        return out, torch.autograd.grad(out.square().sum(), leaf)[0]

    pool, relu = nn.MaxPool2d(2), nn.ReLU()
    for ours, textbook in zip(way(pool, relu), way(relu, pool), strict=True):
        assert torch.equal(ours, textbook)


def test_start_follows_torchs_layers():
    problem, total = experiment().problem, realize()
    theta = total.start()
    assert [p.shape for p in sequential(problem).parameters()] == list(total.shapes)
    for piece, part in zip(problem.pieces, total.views(theta[None]), strict=True):
        assert part.abs().max() <= piece.fan_in**-0.5
    assert theta.std() > 0 and not torch.equal(
        theta, experiment(seed=2).problem.realize(2, torch.float64, "cpu").start()
    )
    assert problem.parameter_count == total.parameters == sum(prod(shape) for shape in total.shapes)


def test_dropout_multiplies_the_hidden_units_by_what_it_draws():
    problem, total, place = experiment({"dropout": 0.4}).problem, realize(dropout=0.4), Place(1, 2, 3)
    theta, rows = scattered(total, 2), torch.arange(60).reshape(2, 30)
    batch = total.gather_at(torch.stack([rows, rows]), place._replace(position=2))[1]  # the second stands at 3
    gradient = total.gradient(theta, batch)
    factors = Draws(place).dropout("dropout", (2, 30, 5), 0.4, theta)
    assert set(factors.unique().tolist()) == {0.0, 1 / 0.6} and abs((factors == 0).double().mean() - 0.4) < 0.1
    for r in range(2):
        expected = by_torch(problem, total.x[rows[r]], total.y[rows[r]], theta[r], factors[r])[1]
        torch.testing.assert_close(gradient[r], expected, rtol=1e-12, atol=1e-14)
    (plain,) = total.gather(rows[None])  # without a place: evaluation mode
    torch.testing.assert_close(total.gradient(theta, plain), realize().gradient(theta, plain))
    assert torch.equal(total.objective(theta), realize().objective(theta))


@pytest.mark.parametrize("standardize", [True, False])
def test_shifts_move_images_and_let_paper_in(standardize):
    total = realize(augment_shift=2, standardize=standardize)
    x, draws = total.x[None, :50], Draws(Place(0, 0, 0))
    moved = total._shifted(x, draws)[0].numpy().reshape(50, 8, 8)
    moves = draws.stream("shift").integers(-2, 3, (1, 50, 2))[0]
    assert set(moves.ravel()) == {-2, -1, 0, 1, 2}
    paper = x.min().item()  # the corners of the digits are blank
    for image, got, (down, right) in zip(x[0].numpy().reshape(50, 8, 8), moved, moves, strict=True):
        expected = np.full((8, 8), paper)
        for row in range(8):
            for column in range(8):
                if 0 <= row + down < 8 and 0 <= column + right < 8:
                    expected[row + down, column + right] = image[row, column]
        np.testing.assert_allclose(got, expected, atol=1e-15)


@pytest.mark.parametrize("dtype, share", [(torch.float32, 1e-6), (torch.float64, 1e-13)])
def test_full_batch_is_accumulated_in_chunks(dtype, share, monkeypatch):
    total = realize(dtype, dataset=SUBSET, channels=[4, 8], hidden=16, train_rows=700)
    theta = scattered(total)
    direct = by_torch(
        experiment({"dataset": SUBSET, "channels": [4, 8], "hidden": 16}).problem, total.x, total.y, theta[0]
    )[1]
    monkeypatch.setattr(_net, "WORK", 64 * total.width)  # 64 images a chunk, and a ragged one
    accumulated = total.gradient(theta, total.all_at(Place(0, 0, 0)))[0]
    assert (accumulated - direct).norm() <= share * direct.norm()
    saved = [cost.saved_bytes(total, theta, rows) for rows in (32, 64, 128, 700)]
    assert saved[1] > 1.9 * saved[0] and saved[1] == saved[2] == saved[3]


@pytest.mark.parametrize("batch_size", [100, None])
def test_chunks_of_a_run_and_runs_beside_it_change_nothing(batch_size, monkeypatch):
    given = {"dropout": 0.3, "augment_shift": 1, "train_rows": 330}
    monkeypatch.setattr(_net, "WORK", 40 * realize(**given).width)
    e = experiment(given, batch_size, 9, "updates", runs=2)
    state, whole = engine.run(e, 0, every=1)
    parted, traces = engine.init(e, 0), []
    for n in (1, 2, 3, 3):
        parted, trace = engine.advance(parted, n, every=1)
        traces.append(trace)
    assert torch.equal(parted.theta, state.theta)
    assert np.array_equal(engine.join(traces).loss, whole.loss[:, 1:])
    assert not np.array_equal(whole.theta[0], whole.theta[1])
    alone = engine.run(experiment(given, batch_size, 9, "updates"), 0, every=1)[1]
    assert np.array_equal(alone.theta[0], whole.theta[0])


@pytest.mark.parametrize("dtype, share", [("float64", 1e-11), ("float32", 1e-5)])
def test_a_run_is_the_plain_loop(dtype, share):
    e = experiment({"channels": [4, 8], "hidden": 16}, 64, 46, "updates", dtype=dtype)  # two epochs, the last ragged
    total = engine.finite_sum(e)
    net = sequential(e.problem, total.start().dtype)
    vector_to_parameters(total.start().clone(), net.parameters())
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    for indices in engine.batch_indices(e, 0, range(46)):
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(total.x[indices]), total.y[indices]).backward()
        optimizer.step()
    theta, looped = engine.run(e, 0)[0].theta[0], parameters_to_vector(net.parameters()).detach()
    assert (theta - looped).norm() <= share * looped.norm()
    assert (theta - total.start()).norm() > 0.01 * looped.norm()


def test_it_learns_digits():
    e = experiment({"channels": [8, 16], "hidden": 32}, amount=6, rate=4e-3, dtype="float32")
    state, trace = engine.run(e, 0, every=10**6)
    found = engine.finite_sum(e).test_metrics(state.theta[0])
    assert found["test_accuracy"] > 0.9 and trace.loss[0, -1] < 0.3 < trace.loss[0, 0]


def test_a_net_that_blows_up_is_a_result():
    state, trace = engine.run(experiment(rule="sgd", rate=1e20, amount=3, unit="updates"), 0)
    assert state.diverged_at[0] in (1, 2, 3) and np.isnan(trace.loss[0, -1]) and np.isfinite(trace.loss[0, 0])


@pytest.mark.parametrize(
    "given, where, words",
    [
        ({"dataset": "breast_cancer"}, "problem.dataset", "holds no images"),
        ({"channels": [2, 2, 2, 2]}, "problem.channels", "halved 3 times"),
        ({"channels": []}, "problem.channels", "at least 1"),
        ({"channels": [0]}, "problem.channels", "greater than or equal to 1"),
        ({"augment_shift": 8}, "problem.augment_shift", "0 to 7"),
        ({"features": ["pixel_0_0"]}, "problem.features", "leave it null"),
        ({"dropout": 1}, "problem.dropout", "less than 1"),
    ],
)
def test_what_it_cannot_be_is_said(given, where, words):
    with pytest.raises(ExperimentError, match=words) as error:
        experiment(given)
    assert str(error.value).startswith(where)


def test_records_are_few_where_evaluating_them_is_dear():
    assert len(engine.records(experiment(amount=2), 0)) == 91  # a tiny net: all of its updates
    text = experiment(TEXT, 64, 5, dtype="float32")
    assert engine.records(text, 0).tolist() == [0, 392, 785]
    assert engine.records(experiment(TEXT, 64, 100, dtype="float32"), 0).tolist()[:2] == [0, 266]  # 60 of 15,700
    assert engine.records(experiment(TEXT, 64, 3, "updates", dtype="float32"), 0).tolist() == [0, 3]
    assert len(engine.records(text, 0, every=100)) == 9  # whoever asks gets them


def test_batch_losses_come_with_the_gradient_and_move_nothing():
    e = experiment({"dropout": 0.3, "l2": 0.1}, 500, 5, "updates", runs=2)
    plain, _ = engine.advance(engine.init(e, 0), 5)
    heard: list[torch.Tensor] = []
    state, trace = engine.advance(engine.init(e, 0), 5, 1, heard)
    assert torch.equal(state.theta, plain.theta) and len(heard) == 5
    total, e = realize(l2=0.1), experiment({"l2": 0.1}, 500, 5, "updates", runs=2)  # no dropout: losses by definition
    heard.clear()
    _, trace = engine.advance(engine.init(e, 0), 5, 1, heard)
    thetas = [engine.init(e, 0).theta, *torch.tensor(trace.theta).transpose(0, 1)]
    for run in range(2):
        for i, indices in enumerate(engine.batch_indices(e, 0, range(5), run)):
            expected = total.losses(thetas[i][run][None], torch.as_tensor(indices)[None]).mean()
            torch.testing.assert_close(heard[i][run], expected, rtol=1e-12, atol=0)


def test_verbose_tells_every_batch_of_every_epoch(tmp_path, capsys):
    e = experiment({"dropout": 0.25, "train_rows": 1000}, 8, 310, "updates", dtype="float32")
    path = tmp_path / "e.json"
    path.write_text(json.dumps(e.model_dump(mode="json")))
    assert main(["run", str(path), "--verbose"]) == 0
    said = capsys.readouterr().err.splitlines()
    assert [int(line.split()[2].strip(",")) for line in said] == [100, 125, 200, 250, 300, 310]
    heard: list[torch.Tensor] = []
    engine.advance(engine.init(e, 0), 310, None, heard)
    cuts = np.split([loss.item() for loss in heard], [100, 125, 200, 250, 300])
    assert [float(line.rsplit(" ", 1)[1]) for line in said] == pytest.approx([c.mean() for c in cuts], rel=1e-5)


def test_memory_by_its_use():
    e = experiment({"channels": [4], "hidden": 8}, 64, rule={"name": "sgd", "momentum": 0.9})
    spent, total = cost.memory(e, 0), engine.finite_sum(e)
    assert spent.parameters == spent.gradient == spent.optimizer == 8 * total.parameters
    assert spent.data == 1797 * (64 * 8 + 8) and spent.total == sum(spent)
    # What a stage and a layer keep: the image, the convolution, places and values of the pool, what is laid flat,
    # hidden units, chances; and each label once.
    each = 8 * (64 + 4 * 64 + 4 * 16 + 4 * 16 + 4 * 16 + 8 + 10) + 8
    assert spent.activations == pytest.approx(64 * each, rel=0.01)
    assert cost.memory(experiment({"channels": [4], "hidden": 8}, None, rule="sgd"), 0).optimizer == 0
    hand = {"name": "linear_regression", "dataset": "diabetes"}  # its gradient is written by hand
    lane = {"sampler": {"name": "reshuffle", "batch_size": 10}, "schedule": "constant"}
    linear = Experiment.model_validate({"problem": hand, "lanes": [lane]})
    spent = cost.memory(linear, 0)
    assert spent.activations > 10 * 8 and spent.data == 442 * (11 + 1) * 8 < spent.data + spent.helpers


def test_a_lane_is_told_where_its_activations_stop_growing(monkeypatch):
    """The words come where the gradient is summed in parts, and name the lane's own numbers."""
    e = experiment({"channels": [4], "hidden": 8}, None)
    total = engine.finite_sum(e)
    assert total.chunk(1) >= total.samples and "at a time" not in cost.remark(e, 0)
    monkeypatch.setattr("mbsgd_core.problems.models._net.WORK", 238 * total.width)
    assert "over 238 of its 1,438 samples at a time" in cost.remark(e, 0)
    assert cost.remark(experiment({"channels": [4], "hidden": 8}, 64), 0) == ""
