"""Update rules against reference trajectories computed without torch.

Ids here: O01-O18, O32-O35, O37, O38, O50-O54, O62.
"""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from mbsgd_core import engine
from mbsgd_core.experiment import Experiment
from mbsgd_core.registry import discover
from mbsgd_core.rules.adagrad import Adagrad
from mbsgd_core.rules.adam import Adam
from mbsgd_core.rules.base import Rule
from mbsgd_core.rules.lion import Lion
from mbsgd_core.rules.never_zeroed import NeverZeroed
from mbsgd_core.rules.rmsprop import RMSprop
from mbsgd_core.rules.schedule_free import ScheduleFree
from mbsgd_core.rules.sgd import SGD

COVERS = [f"O{i:02d}" for i in [*range(1, 19), 32, 33, 34, 35, 37, 38, *range(50, 55), 62]]

ORACLES = {o["id"]: o for o in json.loads(Path(__file__).with_name("oracles.json").read_text())["oracles"]}
TRAJECTORIES = [i for i in COVERS if ORACLES[i]["name"].startswith("optimizer trajectory") and i not in ("O07", "O08")]
STREAMS = [i for i in COVERS if "stream" in ORACLES[i]["inputs"]]
NAMES = {cls.torch_class: name for name, cls in discover("mbsgd_core.rules", Rule).items()}


def rule_and_rate(identity: str) -> tuple[dict, float]:
    torch_name, knobs = ORACLES[identity]["inputs"]["torch"]
    return {"name": NAMES[torch_name], **{k: v for k, v in knobs.items() if k != "lr"}}, knobs["lr"]


def descend(rule: dict, rate: float, steps: int, curvature=(1.0, 10.0)) -> np.ndarray:
    """theta of gradient descent on 1/2 sum curvature x^2 from (1, 1), (steps + 1, 2)."""
    lane = {"sampler": "full_batch", "rule": rule, "schedule": {"name": "constant", "learning_rate": rate}}
    e = Experiment.model_validate(
        {
            "problem": {"name": "quadratic", "eigenvalues": curvature},
            "start": [1.0, 1.0],
            "budget": {"unit": "updates", "amount": steps},
            "lanes": [lane],
        }
    )
    return engine.run(e, 0)[1].theta[0]


def step_sizes(rule: Rule, gradient: float, rate: float, steps: int) -> np.ndarray:
    """delta of each update under a constant gradient."""
    theta = torch.zeros(1, 1, dtype=torch.float64)
    state, deltas = rule.init(theta), []
    for _ in range(steps):
        delta, state = rule.update(torch.full_like(theta, gradient), state, theta, rate)
        deltas.append(delta.item())
    return np.array(deltas)


@pytest.mark.parametrize("identity", TRAJECTORIES)
def test_trajectory(identity):
    path = descend(*rule_and_rate(identity), 10)
    for step, expected in ORACLES[identity]["expected"].items():
        np.testing.assert_allclose(path[int(step)], expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("identity", STREAMS)
def test_prescribed_gradients(identity):
    knobs, rate = rule_and_rate(identity)
    rule = discover("mbsgd_core.rules", Rule)[knobs.pop("name")].model_validate(knobs)
    inputs = ORACLES[identity]["inputs"]
    theta = torch.tensor([inputs["x0"]], dtype=torch.float64)
    state = rule.init(theta)
    for t, gradient in enumerate(inputs["stream"], 1):
        delta, state = rule.update(torch.tensor([gradient], dtype=torch.float64), state, theta, rate)
        theta = theta + delta
        if str(t) in ORACLES[identity]["expected"]:
            np.testing.assert_allclose(theta[0], ORACLES[identity]["expected"][str(t)], rtol=0, atol=1e-10)


def test_o07_averaged_momentum_is_heavy_ball_at_a_smaller_rate():
    """v <- beta v + (1 - beta) g is torch's momentum with the rate times 1 - beta."""
    path = descend({"name": "sgd", "momentum": 0.9}, 0.2 * (1 - 0.9), 10)
    for step, expected in ORACLES["O07"]["expected"].items():
        np.testing.assert_allclose(path[int(step)], expected, rtol=0, atol=1e-10)


def test_o08_debiased_average_is_heavy_ball_with_a_falling_rate():
    """Dividing the average by 1 - beta^t divides that rate by it too."""
    rule, curvature = SGD(momentum=0.9), torch.tensor([1.0, 10.0], dtype=torch.float64)
    theta = torch.ones(1, 2, dtype=torch.float64)
    state = rule.init(theta)
    for t in range(1, 11):
        delta, state = rule.update(curvature * theta, state, theta, 0.2 * (1 - 0.9) / (1 - 0.9**t))
        theta = theta + delta
        if str(t) in ORACLES["O08"]["expected"]:
            np.testing.assert_allclose(theta[0], ORACLES["O08"]["expected"][str(t)], rtol=0, atol=1e-10)


def test_o32_adams_first_step():
    inputs = ORACLES["O32"]["inputs"]
    for gradient, expected in zip(inputs["g"], ORACLES["O32"]["expected"].values(), strict=True):
        (step,) = step_sizes(Adam(eps=inputs["eps"]), gradient, inputs["lr"], 1)
        assert -step == pytest.approx(expected, rel=1e-9)


def test_o33_adam_under_a_constant_gradient():
    inputs = ORACLES["O33"]["inputs"]
    total = step_sizes(Adam(), inputs["g"], inputs["lr"], inputs["T"]).sum()
    assert inputs["x0"] + total == pytest.approx(ORACLES["O33"]["expected"]["xT"], abs=1e-9)


def test_o34_adagrad_under_a_constant_gradient():
    inputs, expected = ORACLES["O34"]["inputs"], ORACLES["O34"]["expected"]
    steps = -step_sizes(Adagrad(), inputs["g"], inputs["lr"], inputs["T"])
    assert steps[0] == pytest.approx(expected["first"], rel=1e-8)
    assert steps[99] == pytest.approx(expected["hundredth"], rel=1e-8)
    assert steps.sum() == pytest.approx(expected["total"], rel=1e-8)


def test_o35_rmsprops_first_steps_are_long():
    inputs = ORACLES["O35"]["inputs"]
    steps = -step_sizes(RMSprop(alpha=inputs["alpha"]), inputs["g"], inputs["lr"], 100)
    for t, expected in ORACLES["O35"]["expected"].items():
        assert steps[int(t) - 1] == pytest.approx(expected, rel=1e-7)


@pytest.mark.parametrize("name", ["adam", "adagrad", "rmsprop"])
def test_o37_rescaling_the_objective_changes_nothing(name):
    rule = {"name": name, "eps": 1e-300}  # eps must be above 0; this is as good as 0
    c = ORACLES["O37"]["inputs"]["c"]
    plain, scaled = descend(rule, 0.01, 100), descend(rule, 0.01, 100, (c * 1.0, c * 10.0))
    np.testing.assert_allclose(scaled, plain, rtol=0, atol=1e-9)
    # ... but plain gradient descent does change.
    assert abs(descend({"name": "sgd"}, 1e-4, 10, (c * 1.0, c * 10.0)) - descend({"name": "sgd"}, 1e-4, 10)).max() > 0.5


def test_o38_adam_walks_to_the_wrong_end():
    inputs = ORACLES["O38"]["inputs"]
    rule, theta = Adam(betas=(inputs["b1"], inputs["b2"])), torch.zeros(1, 1, dtype=torch.float64)
    state = rule.init(theta)
    for t in range(1, inputs["T"] + 1):
        gradient = torch.full_like(theta, inputs["C"] if t % 3 == 1 else -1.0)
        delta, state = rule.update(gradient, state, theta, inputs["lr"] / t**0.5)
        theta = (theta + delta).clamp(-1, 1)
    assert theta.item() == pytest.approx(ORACLES["O38"]["expected"]["final"], abs=0.01)


def test_never_zeroed_is_torchs_sgd_without_zero_grad():
    """200 updates on noisy gradients of 1/2 <theta, curvature theta>."""
    curvature = torch.tensor([1.0, 10.0, 0.1], dtype=torch.float64)
    noise = torch.randn(200, 2, 3, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    ours = torch.linspace(-2.0, 3.0, 6, dtype=torch.float64).reshape(2, 3)
    theirs = torch.nn.Parameter(ours.clone())
    optimizer, rule = torch.optim.SGD([theirs], lr=0.02), NeverZeroed()
    state = rule.init(ours)
    for tilt in noise:
        (theirs @ torch.diag(curvature) @ theirs.mT).trace().div(2).add((tilt * theirs).sum()).backward()
        optimizer.step()  # and no zero_grad before the next backward
        delta, state = rule.update(curvature * ours + tilt, state, ours, 0.02)
        ours = ours + delta
        assert (ours - theirs.detach()).abs().max() <= 1e-12 * theirs.detach().abs().max()


@pytest.mark.parametrize("product", [0.1, 1.0, 3.9])
def test_never_zeroed_swings_for_ever(product):
    """Leapfrog: x_t = c cos(w t) + s sin(w t) with 2 cos w = 2 - rate * curvature, from x_0 = 1, x_1 = 1 - product."""
    path = descend({"name": "never_zeroed"}, product, 400, (1.0, 1.0))[:, 0]
    angle, t = np.arccos(1 - product / 2), np.arange(401)
    swing = np.cos(angle * t) + (1 - product - np.cos(angle)) / np.sin(angle) * np.sin(angle * t)
    np.testing.assert_allclose(path, swing, rtol=0, atol=1e-10 * abs(swing).max())
    assert abs(path[200:]).max() == pytest.approx(abs(path[:200]).max(), rel=0.02)


def noisy(steps: int = 200) -> np.ndarray:
    return np.random.default_rng(3).normal(size=(steps, 3))


def follow(rule: Rule, rates: np.ndarray) -> np.ndarray:
    """theta of each update on 1/2 <theta, curvature theta> + <tilt, theta> from (-2, 1, 3)."""
    theta = torch.tensor([[-2.0, 1.0, 3.0]], dtype=torch.float64)
    state, curvature, path = rule.init(theta), torch.tensor([1.0, 10.0, 0.1], dtype=torch.float64), []
    for tilt, rate in zip(noisy(), rates.tolist(), strict=True):
        delta, state = rule.update(curvature * theta + torch.as_tensor(tilt), state, theta, rate)
        theta = theta + delta
        path.append(theta[0].numpy())
    return np.array(path)


@pytest.mark.parametrize("betas", [(0.9, 0.99), (0.5, 0.2)])
@pytest.mark.parametrize("decay", [0.0, 0.3])
def test_lion_by_the_papers_program(betas, decay):
    """Program 1 of Chen et al. 2023, line by line in numpy; and it never rests: it swings by about its rate."""
    w, m, rates = np.array([-2.0, 1.0, 3.0]), np.zeros(3), np.linspace(0.05, 0.01, 200)
    path = follow(Lion(betas=betas, weight_decay=decay), rates)
    for tilt, rate, mine in zip(noisy(), rates, path, strict=True):
        g = np.array([1.0, 10.0, 0.1]) * w + tilt
        update = np.sign(betas[0] * m + (1 - betas[0]) * g)
        m = betas[1] * m + (1 - betas[1]) * g
        w = w - rate * (update + decay * w)
        np.testing.assert_allclose(mine, w, rtol=0, atol=1e-12)
    swing = np.abs(descend({"name": "lion", "betas": betas}, 0.01, 2_000)[-200:])
    assert 0.004 < swing.max() < 0.1 and swing[:, 1].min() < 0.011


@pytest.mark.parametrize("rates", [np.full(200, 0.05), np.linspace(0.001, 0.08, 200)], ids=["constant", "rising"])
@pytest.mark.parametrize("momentum, decay", [(0.9, 0.0), (0.5, 0.3), (0.0, 0.0)])
def test_schedule_free_by_the_papers_three_sequences(momentum, decay, rates):
    """x, y and z of Defazio et al. 2024, equations 1 to 3, in numpy; theta is y, the means are weighted by rate^2."""
    z = x = np.array([-2.0, 1.0, 3.0])
    path, weights = follow(ScheduleFree(momentum=momentum, weight_decay=decay), rates), 0.0
    for k, (tilt, rate) in enumerate(zip(noisy(), rates, strict=True)):
        y = (1 - momentum) * z + momentum * x
        if k:
            np.testing.assert_allclose(path[k - 1], y, rtol=0, atol=1e-12)
        z = z - rate * (np.array([1.0, 10.0, 0.1]) * y + tilt + decay * y)
        weights += rate**2
        x = (1 - rate**2 / weights) * x + rate**2 / weights * z


def test_schedule_free_is_averaged_descent_where_the_gradient_is_taken_at_z():
    """Without momentum y is z: plain descent, whose mean is x (Polyak & Ruppert)."""
    theta = torch.ones(1, 2, dtype=torch.float64)
    rule, path, z = ScheduleFree(momentum=0.0), [], theta
    state = rule.init(theta)
    for _ in range(50):
        delta, state = rule.update(z * torch.tensor([1.0, 10.0]), state, z, 0.05)
        z = z + delta
        path.append(z)
    np.testing.assert_allclose(path[-1][0], [0.95**50, 0.5**50], rtol=1e-12)
    np.testing.assert_allclose(state[2], torch.stack(path).mean(0), rtol=1e-12)
