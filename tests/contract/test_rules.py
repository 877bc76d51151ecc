"""Every update rule: torch.optim's numbers, pure, elementwise over runs."""

import inspect
import pickle

import pytest
import torch
from pydantic import ValidationError

from mbsgd_core.registry import discover
from mbsgd_core.rules.base import Rule
from tests.contract import _items as items

RULES = discover("mbsgd_core.rules", Rule)
CASES = items.cases(Rule)
OF_TORCH = [(name, knobs) for name, knobs in CASES if RULES[name].torch_class]
SOUND = [(name, knobs) for name, knobs in CASES if not RULES[name].mistake]  # they get somewhere
DECAYING = [name for name in RULES if "weight_decay" in RULES[name].model_fields]
CURVATURE = torch.tensor([1.0, 10.0, 0.1], dtype=torch.float64)


@pytest.fixture(autouse=True)
def _float64():
    # torch keeps NAdam's product of momenta in the default number type.
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)


def build(name: str, knobs: dict) -> Rule:
    return RULES[name].model_validate(knobs)


def noise(steps: int, runs: int) -> torch.Tensor:
    return torch.randn(steps, runs, len(CURVATURE), generator=torch.Generator().manual_seed(3))


def follow(rule: Rule, theta: torch.Tensor, tilts: torch.Tensor, rate) -> torch.Tensor:
    """theta after each update on 1/2 <theta, curvature theta> + <tilt_t, theta>, (steps, R, P)."""
    state, path = rule.init(theta), []
    for tilt in tilts:
        delta, state = rule.update(CURVATURE * theta + tilt, state, theta, rate)
        theta = theta + delta
        path.append(theta)
    return torch.stack(path)


def start(runs: int) -> torch.Tensor:
    return torch.linspace(-2.0, 3.0, runs * len(CURVATURE)).reshape(runs, -1)


@pytest.mark.parametrize("name, knobs", OF_TORCH)
def test_200_updates_equal_torch(name, knobs):
    theta = torch.nn.Parameter(start(2))
    optimizer = getattr(torch.optim, RULES[name].torch_class)([theta], lr=0.02, **knobs)
    ours = follow(build(name, knobs), start(2), noise(200, 2), 0.02)
    for tilt, mine in zip(noise(200, 2), ours, strict=True):
        theta.grad = CURVATURE * theta.detach() + tilt
        optimizer.step()
        assert (mine - theta.detach()).abs().max() <= 1e-12 * theta.detach().abs().max()


@pytest.mark.parametrize("name", RULES)
def test_a_rule_that_torch_has_says_so(name):
    cls = RULES[name]
    theirs = {known.lower(): known for known, value in vars(torch.optim).items() if inspect.isclass(value)}
    assert cls.mistake or cls.torch_class == theirs.get(cls.__name__.lower())


@pytest.mark.parametrize("name", dict(OF_TORCH))
def test_knobs_have_the_names_and_defaults_of_torch(name):
    theirs = inspect.signature(getattr(torch.optim, RULES[name].torch_class)).parameters
    for field, info in RULES[name].model_fields.items():
        assert info.default == theirs[field].default, field


@pytest.mark.parametrize("name, knobs", CASES)
def test_runs_on_an_axis_equal_single_runs(name, knobs):
    rule, tilts = build(name, knobs), noise(30, 4)
    together = follow(rule, start(4), tilts, 0.05)
    for r in range(4):
        alone = follow(rule, start(4)[r : r + 1], tilts[:, r : r + 1], 0.05)
        torch.testing.assert_close(together[:, r : r + 1], alone, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name, knobs", CASES)
def test_a_rate_for_each_run_and_more_leading_axes(name, knobs):
    rule, tilts = build(name, knobs), noise(20, 3)
    rates = torch.tensor([[0.1], [0.01], [0.003]])
    together = follow(rule, start(3), tilts, rates)
    for r, rate in enumerate([0.1, 0.01, 0.003]):
        alone = follow(rule, start(3)[r : r + 1], tilts[:, r : r + 1], rate)
        torch.testing.assert_close(together[:, r : r + 1], alone, rtol=1e-12, atol=1e-14)
    grid = follow(rule, start(3).expand(2, 3, 3), tilts[:, None].expand(20, 2, 3, 3), rates)
    torch.testing.assert_close(grid[:, 1], together, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", RULES)
def test_no_gradient_no_step(name):
    knobs = {"weight_decay": 0.0} if name in DECAYING else {}
    theta = start(2)
    delta, _ = build(name, knobs).update(torch.zeros_like(theta), build(name, knobs).init(theta), theta, 0.1)
    assert torch.equal(delta, torch.zeros_like(theta))


@pytest.mark.parametrize("name", DECAYING)
def test_weight_decay_alone_pulls_towards_zero(name):
    rule, theta = build(name, {"weight_decay": 0.1}), torch.tensor([[1.0, -2.0, 3.0]])
    delta, _ = rule.update(torch.zeros_like(theta), rule.init(theta), theta, 0.1)
    assert (delta * theta < 0).all()


@pytest.mark.parametrize("name, knobs", CASES)
def test_nothing_that_comes_in_is_changed(name, knobs):
    rule, theta, gradient = build(name, knobs), start(2), start(2) * 0.5 + 1
    state = rule.init(theta)
    for _ in range(3):
        given = [theta, gradient, *(part for part in state if isinstance(part, torch.Tensor))]
        copies = [part.clone() for part in given]
        delta, state = rule.update(gradient, state, theta, 0.1)
        assert all(torch.equal(a, b) for a, b in zip(given, copies, strict=True))
        assert delta.data_ptr() not in {part.data_ptr() for part in given}
        theta = theta + delta


@pytest.mark.parametrize("name, knobs", CASES)
def test_the_state_pickles_and_goes_on_the_same(name, knobs):
    rule, theta, gradient = build(name, knobs), start(2), start(2) + 0.3
    _, state = rule.update(gradient, rule.init(theta), theta, 0.1)
    again = pickle.loads(pickle.dumps(state))
    assert torch.equal(rule.update(gradient, state, theta, 0.1)[0], rule.update(gradient, again, theta, 0.1)[0])


@pytest.mark.parametrize("name, knobs", SOUND)
def test_the_quadratic_goes_down(name, knobs):
    if knobs.get("dampening") == 1.0:
        knobs = knobs | {"dampening": 0.9}  # wholly dampened, the first gradient is all that ever acts
    path = follow(build(name, knobs), start(1), torch.zeros(300, 1, 3), 0.02)
    value = (CURVATURE * path**2).sum(-1)
    assert value[-1] < (CURVATURE * start(1) ** 2).sum()


@pytest.mark.parametrize("name", RULES)
def test_float32_stays_float32(name):
    theta = start(2).float()
    rule = build(name, {})
    delta, state = rule.update(theta, rule.init(theta), theta, 0.1)
    assert delta.dtype == torch.float32
    assert all(part.dtype == torch.float32 for part in state if isinstance(part, torch.Tensor))


@pytest.mark.parametrize(
    "name, knobs",
    [(name, {"eps": 0}) for name in RULES if "eps" in RULES[name].model_fields]
    + [(name, {"betas": [0.9, 1.0]}) for name in RULES if "betas" in RULES[name].model_fields]
    + [(name, {"weight_decay": -0.1}) for name in DECAYING]
    + [(name, {"momentun": 0.9}) for name in RULES]
    + [("sgd", {"momentum": 2.0}), ("sgd", {"nesterov": True}), ("sgd", {"momentum": float("nan")})]
    + [("sgd", {"momentum": 0.9, "dampening": 0.1, "nesterov": True}), ("adam", {"betas": 0.9})],
)
def test_settings_that_make_no_sense_are_refused(name, knobs):
    with pytest.raises(ValidationError):
        build(name, knobs)
