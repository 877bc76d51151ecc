"""Networks and softmax regression against torch's own modules, scikit-learn and reference values (id R07)."""

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import kstest
from sklearn.linear_model import LogisticRegression

from mbsgd_core import engine
from mbsgd_core.engine.plan import plan_of
from mbsgd_core.experiment import Experiment
from mbsgd_core.measures import learning
from mbsgd_core.problems.base import Place
from mbsgd_core.problems.models._draws import Draws

ORACLES = json.loads((Path(__file__).parent / "oracles.json").read_text())["oracles"]
EXPECTED = {oracle["id"]: oracle["expected"] for oracle in ORACLES}
COVERS = ["R07"]
ACTIVATIONS = {"tanh": torch.nn.Tanh, "relu": torch.nn.ReLU, "sigmoid": torch.nn.Sigmoid}
DATA = {"number": "diabetes", "two classes": "breast_cancer", "many classes": {"name": "spiral", "classes": 4}}
SPIRAL = {"name": "mlp", "dataset": {"name": "spiral", "classes": 3, "samples": 60}, "hidden": [7, 5]}

every_net = pytest.mark.parametrize(
    "given",
    [{"name": "mlp", "dataset": DATA[data], "activation": act} for data in DATA for act in ACTIVATIONS]
    + [
        {"name": "mlp", "dataset": DATA["number"], "hidden": [], "l2": 0.2},
        {"name": "mlp", "dataset": DATA["many classes"], "hidden": [6], "intercept": False, "l2": 0.2},
        {"name": "softmax_regression", "dataset": "iris", "l2": 0.2},
        {"name": "softmax_regression", "dataset": "breast_cancer", "intercept": False},
    ]
    + [
        {"name": name, "dataset": DATA[data], "l2": 0.1, **loss}
        for name in ("mlp", "softmax_regression")
        for data in ("two classes", "many classes")
        for loss in ({"loss": "squared"}, {"label_smoothing": 0.3})
    ],
    ids=str,
)


@pytest.fixture(autouse=True)
def _one_thread_and_float64():
    before, threads = torch.get_default_dtype(), torch.get_num_threads()
    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(1)
    yield
    torch.set_default_dtype(before)
    torch.set_num_threads(threads)


def experiment(given: dict, rule="sgd", sampler=None, updates: int = 0, **more) -> Experiment:
    sampler = sampler or {"name": "reshuffle", "batch_size": 7}
    lane = {"sampler": sampler, "rule": rule, "schedule": {"name": "constant", "learning_rate": 0.05}}
    budget = {"unit": "updates", "amount": updates}
    return Experiment.model_validate({"problem": given, "lanes": [lane], "budget": budget, "seed": 2, **more})


def torch_net(problem, theta: torch.Tensor) -> torch.nn.Sequential:
    """The same net of torch's modules, holding theta (P,)."""
    biases = problem.intercept
    layers: list[torch.nn.Module] = []
    for fan_in, fan_out in pairwise(problem.widths):
        activation = ACTIVATIONS[getattr(problem, "activation", "tanh")]
        layers += ([activation()] if layers else []) + [torch.nn.Linear(fan_in, fan_out, bias=biases)]
    net = torch.nn.Sequential(*layers)
    torch.nn.utils.vector_to_parameters(theta.clone(), net.parameters())
    return net


def criterion(problem, z: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """What torch's own functions make of outputs and targets."""
    if problem.learns == "regression":
        return torch.nn.functional.mse_loss(z[:, 0], y) / 2
    if problem.loss == "squared":
        hot = torch.nn.functional.one_hot(y.long(), problem.class_count).to(z.dtype)
        return torch.nn.functional.mse_loss(z, hot, reduction="sum") / 2 / len(y)
    if z.shape[1] == 1 and not problem.label_smoothing:
        return torch.nn.BCEWithLogitsLoss()(z[:, 0], y)
    z = torch.hstack([torch.zeros_like(z), z]) if z.shape[1] == 1 else z
    return torch.nn.functional.cross_entropy(z, y.long(), label_smoothing=problem.label_smoothing)


def torch_loss(problem, net: torch.nn.Sequential, z: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    ridge = sum(layer.weight.square().sum() for layer in net if isinstance(layer, torch.nn.Linear))
    return criterion(problem, z, y) + problem.l2 / 2 * ridge


def flat_gradient(net: torch.nn.Sequential, loss: torch.Tensor) -> torch.Tensor:
    return torch.nn.utils.parameters_to_vector(torch.autograd.grad(loss, list(net.parameters())))


def close(given: torch.Tensor, expected: torch.Tensor, share: float = 1e-12) -> None:
    torch.testing.assert_close(given, expected, rtol=0, atol=share * max(1.0, expected.abs().max().item()))


@every_net
def test_losses_gradients_and_metrics_are_torchs(given):
    problem = experiment(given).problem
    total, data = problem.realize(2, torch.float64, "cpu"), problem.prepare(2)
    x, y = torch.tensor(data.x), torch.tensor(data.y)
    draws = np.random.default_rng(1)
    for _ in range(3):
        theta = total.start() + torch.tensor(draws.normal(size=total.parameters)) * 0.3
        net = torch_net(problem, theta)
        loss = torch_loss(problem, net, net(x), y)
        close(total.objective(theta), loss.detach())
        close(total.gradient(theta[None], None)[0], flat_gradient(net, loss))
        close(total.predict(theta, x[:9]), net(x[:9]).detach())
        chosen = torch.tensor(draws.integers(total.samples, size=11))
        loss = torch_loss(problem, net, net(x[chosen]), y[chosen])
        close(total.losses(theta[None], chosen[None]).mean(), loss.detach())
        (batch,) = total.gather(chosen[None, None])
        gradient, measured = total.gradient_and_loss(theta[None], batch)
        close(gradient[0], flat_gradient(net, loss))
        close(measured[0], loss.detach())
        z, wanted = net(torch.tensor(data.x_test)).detach(), torch.tensor(data.y_test)
        metrics = total.test_metrics(theta)
        assert metrics["test_loss"] == pytest.approx(criterion(problem, z, wanted).item(), rel=1e-12)
        if problem.loss_name == "squared":
            assert list(metrics) == ["test_loss"]
        else:
            found = z.argmax(1) if z.shape[1] > 1 else z[:, 0] > 0
            assert metrics["test_accuracy"] == pytest.approx((found == wanted).double().mean().item())


@every_net
def test_single_gradients_and_judged_rows_add_up_to_the_whole(given):
    problem = experiment(given).problem
    total = problem.realize(2, torch.float64, "cpu")
    theta = total.start() + 0.3 * torch.randn(total.parameters, generator=torch.Generator().manual_seed(4))
    close(total.sample_gradients(theta).mean(0), total.gradient(theta[None], None)[0])
    judged, metrics = learning.judge(problem, total, theta.numpy(), 2), total.test_metrics(theta)
    assert judged.loss.mean() == pytest.approx(metrics["test_loss"], rel=1e-12)
    if problem.learns == "classification":
        assert judged.accuracy == pytest.approx(metrics["test_accuracy"], abs=1e-12)
        chances = learning.predict(problem, total, theta.numpy(), problem.prepare(2).x_test)
        np.testing.assert_allclose(chances.sum(1), 1, rtol=1e-12)
        assert (chances >= 0).all() and (chances.argmax(1) == judged.prediction).all()
        if problem.loss_name == "one_hot":  # the nearest point of the simplex: no other probabilities are nearer
            z = total.predict(theta, total.x_test).numpy()
            other = np.random.default_rng(5).dirichlet(np.ones(z.shape[1]), size=(200, 1))
            assert (((z - chances) ** 2).sum(1) <= ((z - other) ** 2).sum(-1) + 1e-12).all()


@pytest.mark.parametrize("given", [{"loss": "squared"}, {"label_smoothing": 0.2}], ids=str)
def test_a_loss_that_compiled_loops_do_not_know_runs_on_torch(given):
    sampler = {"name": "reshuffle", "batch_size": 7}
    e = experiment(SPIRAL | given, {"name": "sgd", "momentum": 0.9}, sampler, updates=40)
    assert plan_of(e, 0).compiled is None
    test_a_lane_equals_the_loop_that_people_write({"name": "sgd", "momentum": 0.9}, sampler, SPIRAL | given)


@every_net
def test_the_gradient_is_the_slope_of_finite_differences(given):
    total = experiment(given).problem.realize(2, torch.float64, "cpu")
    draws = torch.Generator().manual_seed(3)
    theta = total.start() + 0.3 * torch.randn(total.parameters, generator=draws)
    for _ in range(5):
        way = torch.randn(total.parameters, generator=draws)
        way *= 1e-6 / way.norm()
        slope = (total.objective(theta + way) - total.objective(theta - way)) / 2
        expected = total.gradient(theta[None], None)[0] @ way
        assert abs(slope - expected) <= 1e-6 * max(1e-6, abs(expected))


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("runs", [1, 3])
def test_dropouts_gradient_is_that_of_the_masked_net(activation, runs):
    """Inverted dropout written out with torch's modules, on the masks that this place of the run draws."""
    problem = experiment(SPIRAL | {"activation": activation, "dropout": 0.4}).problem
    total, place = problem.realize(2, torch.float64, "cpu"), Place(2, 1, 3)
    indices = torch.tensor(np.random.default_rng(4).integers(total.samples, size=(2, runs, 5)))
    theta = total.start() + 0.2 * torch.randn(runs, total.parameters, generator=torch.Generator().manual_seed(5))
    for row, batch in enumerate(total.gather_at(indices, place)):
        masks = Draws(place._replace(position=3 + row)).dropout("dropout", (runs, 5, 12), 0.4, theta)
        assert set(masks.unique().tolist()) <= {0.0, 1 / 0.6}
        gradient = total.gradient(theta, batch)
        for run in range(runs):
            net, a = torch_net(problem, theta[run]), total.x[indices[row, run]]
            for layer, mask in zip((0, 2), masks[run].split((7, 5), -1), strict=True):
                a = net[layer + 1](net[layer](a)) * mask
            loss = torch_loss(problem, net, net[4](a), total.y[indices[row, run]])
            close(gradient[run], flat_gradient(net, loss))


@pytest.mark.parametrize("rule", ["sgd", "adam", {"name": "sgd", "momentum": 0.9, "weight_decay": 0.01}])
@pytest.mark.parametrize("sampler", ["full_batch", {"name": "reshuffle", "batch_size": 7}])
def test_a_lane_equals_the_loop_that_people_write(rule, sampler, given=SPIRAL):
    e = experiment(given, rule, sampler, updates=60, runs=2)
    problem, total = e.problem, engine.finite_sum(e)
    trace = engine.run(e, 0, every=1)[1]
    knobs = {k: v for k, v in e.lanes[0].rule.model_dump().items() if k != "name"}
    for run in range(2):
        net = torch_net(problem, total.start())
        optimizer = getattr(torch.optim, e.lanes[0].rule.torch_class)(net.parameters(), lr=0.05, **knobs)
        for k, indices in enumerate(engine.batch_indices(e, 0, range(60), run), 1):
            chosen = slice(None) if indices is None else torch.tensor(indices)
            optimizer.zero_grad()
            torch_loss(problem, net, net(total.x[chosen]), total.y[chosen]).backward()
            optimizer.step()
            theta = torch.nn.utils.parameters_to_vector(net.parameters()).detach().numpy()
            np.testing.assert_allclose(trace.theta[run, k], theta, rtol=0, atol=1e-12)


def test_the_start_follows_the_law_of_torchs_layers():
    problem = experiment({"name": "mlp", "dataset": "breast_cancer", "hidden": [400, 25]}).problem
    start = problem.realize(2, torch.float64, "cpu").start()
    torch.manual_seed(0)
    theirs = [p.detach() for a, b in pairwise(problem.widths) for p in torch.nn.Linear(a, b).parameters()]
    ours = start.split([p.numel() for p in theirs])
    for piece, mine, drawn in zip(problem.pieces, ours, theirs, strict=True):
        bound = piece.fan_in**-0.5
        assert mine.abs().max() <= bound >= drawn.abs().max() and drawn.shape == piece.shape
        for sample in (mine, drawn):
            assert kstest(sample.flatten().numpy(), "uniform", args=(-bound, 2 * bound)).pvalue > 1e-3
    again = problem.realize(2, torch.float32, "cpu").start()
    assert torch.equal(again, start.float())
    assert not torch.equal(problem.realize(3, torch.float64, "cpu").start(), start)


def test_r07_softmax_regression_on_digits():
    expected = EXPECTED["R07"]
    given = {"name": "softmax_regression", "dataset": "digits", "standardize": False, "test_fraction": 0, "l2": 1e-3}
    problem = experiment(given).problem
    total = problem.realize(0, torch.float64, "cpu")
    assert problem.prepare(0).x.max() == 1 and total.samples == 1797
    start = total.start()
    assert total.objective(start).item() == pytest.approx(expected["f_at_0"], rel=1e-12)
    each = total.sample_gradients(start)
    square, spread = each.mean(0).square().sum().item(), each.var(0, unbiased=False).sum().item()
    assert (square, spread) == pytest.approx((expected["G2_at0"], expected["tr_at0"]), rel=1e-9)
    assert spread / square == pytest.approx(expected["B_simple_at0"], rel=1e-9)

    # The optimum by another solver: C = 1 / (m l2).
    data = problem.prepare(0)
    theirs = LogisticRegression(C=1 / (1797 * 1e-3), tol=1e-8, max_iter=3000).fit(data.x, data.y)
    best = torch.tensor(np.append(theirs.coef_.ravel(), theirs.intercept_))
    assert total.objective(best).item() == pytest.approx(expected["f"], rel=1e-9)
    assert total.gradient(best[None], None).norm() < 1e-5
    assert best[:640].norm().item() == pytest.approx(expected["W_norm"], rel=1e-5)
    accuracy = total.metrics(best, total.x, total.y)["accuracy"]
    assert accuracy == pytest.approx(expected["train_acc"], rel=1e-12)
