"""What the tests of compiled lanes share: every problem that has a compiled form, and a run made in both ways."""

from functools import cache
from typing import Any

import numpy as np
import torch

from mbsgd_core import engine
from mbsgd_core.engine.plan import plan_of
from mbsgd_core.experiment import Experiment, registered
from mbsgd_core.measures.suggestion import suggestion
from mbsgd_core.problems.base import Problem
from mbsgd_core.problems.models.base import DataProblem
from mbsgd_core.problems.surfaces.base import Surface
from mbsgd_core.registry import discover
from mbsgd_core.rules.base import Rule
from mbsgd_core.types import State, Trace
from tests.contract import _items as items

Described = dict[str, Any]
SURFACES = discover("mbsgd_core.problems.surfaces", Surface)
RULES = discover("mbsgd_core.rules", Rule)
MOONS = {"name": "moons", "samples": 100}
# Not as many of each class: at zeros the intercepts' gradients would be 0 to rounding, and Adam would blow that up.
FLOWERS = {"dataset": "iris", "imbalance": 0.3}
MODELS: dict[str, Described] = {
    "linear_regression": {"dataset": "diabetes", "train_rows": 64, "l2": 0.1},
    "linear_regression, a line": {"dataset": "diabetes", "features": ["bmi"], "train_rows": 64},
    "logistic_regression": {"dataset": "breast_cancer", "train_rows": 64, "l2": 0.01},
    "logistic_regression, a plane": {"dataset": MOONS, "intercept": False, "test_fraction": 0},
    "softmax_regression": {**FLOWERS, "l2": 0.01},
    "mlp, no hidden layer": {"dataset": MOONS, "hidden": [], "test_fraction": 0},
    "mlp, tanh, a number": {"dataset": "diabetes", "train_rows": 64, "hidden": [5], "l2": 0.01},
    "mlp, relu, a number": {"dataset": "diabetes", "train_rows": 64, "activation": "relu", "intercept": False},
    "mlp, sigmoid, a number": {"dataset": "diabetes", "train_rows": 64, "activation": "sigmoid", "hidden": [3]},
    "mlp, tanh, two classes": {"dataset": MOONS, "test_fraction": 0},
    "mlp, relu, two classes": {"dataset": MOONS, "activation": "relu", "hidden": [6], "test_fraction": 0},
    "mlp, sigmoid, two classes": {"dataset": MOONS, "activation": "sigmoid", "hidden": [7], "test_fraction": 0},
    "mlp, tanh, classes": {**FLOWERS, "hidden": [4, 3, 5]},
    "mlp, relu, classes": {**FLOWERS, "activation": "relu", "l2": 0.01},
    "mlp, sigmoid, classes": {**FLOWERS, "activation": "sigmoid", "intercept": False},
}
# A model that is not among these is tried with its own examples.
MODELS |= {
    f"{name}, example {i}": given
    for name, cls in registered(Problem).items()
    if cls.compiled and issubclass(cls, DataProblem) and not any(known.split(",")[0] == name for known in MODELS)
    for i, given in enumerate(items.on_small_data(cls))
}
# Names of problems: a surface's with its kind of noise, or a model's as above.
COMPILED = [f"{name}, {kind}" for name, cls in SURFACES.items() if cls.compiled for kind in ("tilt", "scale")]
COMPILED += list(MODELS)


def bare(name: str) -> str:
    """The name of the problem itself."""
    return name.split(",")[0]


@cache
def suggested(surface: str) -> tuple[float, float]:
    """(rate, noise) for a surface."""
    given = {"name": surface, **SURFACES[surface].cases()[0]}
    lanes = [{"sampler": "full_batch", "schedule": "constant"}]
    found = suggestion(Experiment.model_validate({"problem": given, "lanes": lanes}))
    return 0.2 * found.rate, 0.5 * found.noise


def problem(name: str) -> Described:
    """A problem as it is written down."""
    if name in MODELS:
        return {"name": bare(name), **MODELS[name]}
    surface, kind = name.split(", ")
    noise = {"noise_kind": kind, "noise": suggested(surface)[1] if kind == "tilt" else 0.3}
    return {"name": surface, **SURFACES[surface].cases()[0], **noise}


def compiled_rules() -> list[Described]:
    """Every rule that has a compiled form, with nothing but what it must be given."""
    return [rule for rule in items.plain(Rule) if RULES[rule["name"]].compiled]


def first_step(rule: Described, gradient: float) -> float:
    """How far a rule moves a parameter at 1 in its first update at rate 1."""
    item = RULES[rule["name"]].model_validate({knob: value for knob, value in rule.items() if knob != "name"})
    one = torch.ones(1, 1, dtype=torch.float64)
    return abs(item.update(gradient * one, item.init(one), one, 1.0)[0].item())


def is_descent(rule: Described) -> bool:
    """Whether twice the gradient makes a first step twice as long: then the rate must suit the problem."""
    return bool(np.isclose(first_step(rule, 2.0), 2 * first_step(rule, 1.0)))


def shows_rounding(rule: Described) -> bool:
    """Whether a gradient that is 0 to rounding makes a first step of some length: in a direction that is chance."""
    return first_step(rule, 1e-13) > 1e-4 * first_step(rule, 1.0)


def rate(name: str, rule: Described) -> float:
    """The learning rate that suits a problem with a rule: it moves and does not leap, so that rounding stays small."""
    cls = RULES[rule["name"]]
    if not is_descent(rule):
        return cls.rate_hint
    share = 0.1 if cls.mistake else 1.0
    if name.endswith("a number"):
        return share * 2e-4  # what these learn is about 150
    of_problem = registered(Problem)[bare(name)]
    return share * (of_problem.rate_hint if issubclass(of_problem, DataProblem) else suggested(bare(name))[0])


def both(e: Experiment, every: int | None = None) -> tuple[tuple[State, Trace], tuple[State, Trace]]:
    """A lane's run by the compiled lane, and by the torch definition."""
    plan = plan_of(e, 0)
    assert plan.compiled is not None
    return engine.run(e, 0, every), on_torch(e, lambda: engine.run(e, 0, every))


def on_torch(e: Experiment, work):
    """What `work` gives while the experiment's lane runs on torch."""
    plan = plan_of(e, 0)
    kept, plan.compiled = plan.compiled, None
    try:
        return work()
    finally:
        plan.compiled = kept


def assert_near(found: np.ndarray, expected: np.ndarray, tolerance: float, what: str, least: float = 0.0) -> None:
    """Equal to a tolerance relative to the largest number (or `least`), NaN in the same places, of the same type."""
    assert found.dtype == expected.dtype and found.shape == expected.shape, what
    assert np.array_equal(np.isnan(found), np.isnan(expected)), what
    scale = np.nanmax(np.abs(expected), initial=least)
    worst = np.nanmax(np.abs(found - expected), initial=0.0)
    assert worst <= tolerance * scale, f"{what}: {worst / scale:.1e} of the largest"


def assert_parity(e: Experiment, fast: tuple[State, Trace], slow: tuple[State, Trace], what: str = "") -> None:
    """Two runs are one: <= 1e-12 in float64, <= 1e-5 in float32, relative to theta's (the loss's) own size."""
    tolerance = {"float64": 1e-12, "float32": 1e-5}[e.dtype]
    for one, two in zip(fast[1][:3], slow[1][:3], strict=True):  # updates, samples, learning rates
        assert one.dtype == two.dtype and np.array_equal(one, two), what
    assert_near(fast[1].theta, slow[1].theta, tolerance, f"{what} theta")
    assert_near(fast[1].loss, slow[1].loss, tolerance, f"{what} loss")
    assert_near(fast[0].first_loss, slow[0].first_loss, tolerance, f"{what} first loss")
    assert np.array_equal(fast[0].diverged_at, slow[0].diverged_at), what
    assert fast[0][:3] == slow[0][:3], what
    assert_near(fast[0].theta.numpy(), slow[0].theta.numpy(), tolerance, f"{what} theta in the end")
    sound = fast[0].diverged_at < 0  # of a lost run nothing is said
    early = engine.advance(engine.init(e, 0), 3)[0].rule_state  # what has settled since is rounding
    for one, two, first in zip(fast[0].rule_state, slow[0].rule_state, early, strict=True):
        assert type(one) is type(two), what
        if isinstance(one, torch.Tensor):
            least = first.abs().max().item()
            assert_near(one.numpy()[sound], two.numpy()[sound], tolerance, f"{what} state of the rule", least)
        elif one is not None:
            assert abs(one - two) <= 1e-12 * abs(two), what
    for i, (one, two) in enumerate(zip(fast[0].schedule_state, slow[0].schedule_state, strict=True)):
        assert [type(part) for part in one] == [type(part) for part in two], what
        if len(fast[0].schedule_state) == 1 or sound[i]:
            np.testing.assert_allclose(one, two, rtol=tolerance, err_msg=what)
