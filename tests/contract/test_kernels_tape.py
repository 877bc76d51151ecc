"""Recording: what surfaces and rules are written with gives torch's numbers, for one lane and for lanes that differ."""

import math

import numpy as np
import pytest
import torch

from mbsgd_core import axes, engine
from mbsgd_core.engine.together import advance_together
from mbsgd_core.experiment import Experiment
from mbsgd_core.kernels import surface
from mbsgd_core.kernels.registers import surface_registers
from mbsgd_core.kernels.tape import record_surface
from tests.contract import _items as items
from tests.contract import _lanes as lanes

pytestmark = pytest.mark.usefixtures("compiled_lanes")

ALONE = "neg sqrt abs exp expm1 log log1p sin cos tan tanh sigmoid square reciprocal rsqrt"
METHODS = {name: (name, ()) for name in ALONE.split()} | {
    "add": ("add", ("y",)),
    "add, alpha": ("add", ("y",), {"alpha": 0.3}),
    "sub": ("sub", ("y",)),
    "sub, alpha": ("sub", ("y",), {"alpha": -2}),
    "mul": ("mul", (0.7,)),
    "div": ("div", ("y",)),
    "hypot": ("hypot", ("y",)),
    "pow, whole": ("pow", (3,)),
    "pow, half": ("pow", (0.5,)),
    "pow, one": ("pow", (1,)),
    "pow, negative": ("pow", (-1,)),
    "pow, broken": ("pow", (2.5,)),
    "pow, another": ("pow", ("y",)),
    "addcmul": ("addcmul", ("y", "y"), {"value": -0.5}),
    "addcdiv": ("addcdiv", ("y", "x"), {"value": 2}),
    "lerp, near": ("lerp", ("y", 0.1)),
    "lerp, far": ("lerp", ("y", 0.9)),
    "lerp, all the way": ("lerp", ("y", 1.0)),
}
OPERATORS = {
    "x + y": lambda x, y: x + y,
    "2 - x": lambda x, y: 2 - x,
    "x / y": lambda x, y: x / y,
    "1 / x": lambda x, y: 1 / x,
    "-x * y": lambda x, y: -x * y,
    "x ** 2": lambda x, y: x**2,
    "0.3 ** x": lambda x, y: 0.3**x,
    "x + (x == y)": lambda x, y: x + (x == y),
    "maximum": lambda x, y: x.maximum(y),
    "minimum": lambda x, y: x.minimum(y),
    "x and then its own twin": lambda x, y: (x**1).mul_(2) + x,
}
SPECIAL = [0.0, -0.0, 1.0, -1.0, 0.5, -2.5, 1e-9, 700.0, -700.0, math.inf, -math.inf, math.nan]
DRAWN = np.random.default_rng(0).normal(size=(100, 2)) * 3
POINTS = np.concatenate([np.array(np.meshgrid(SPECIAL, SPECIAL)).reshape(2, -1).T, DRAWN])


def called(name: str, arguments: tuple, options: dict | None = None, renews: bool = False):
    """x.name(arguments) as a function of x and y; `renews`: its in-place twin on a copy."""

    def function(x, y):
        given = [{"x": x, "y": y}.get(a, a) if isinstance(a, str) else a for a in arguments]
        if not renews:
            return getattr(x, name)(*given, **(options or {}))
        copy = x.clone()
        getattr(copy, f"{name}_")(*given, **(options or {}))
        return copy

    return function


FUNCTIONS = (
    {name: called(*parts) for name, parts in METHODS.items()}
    | {f"{name}, in place": called(*parts, renews=True) for name, parts in METHODS.items()}
    | OPERATORS
)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_arithmetic_is_torchs(name, dtype):
    points = POINTS.astype(dtype)
    with np.errstate(all="ignore"):
        program, recording = record_surface(FUNCTIONS[name])
        found = np.empty(len(points), dtype=dtype)
        surface.evaluate(program, surface_registers(recording, 128, points.dtype), points, found)
    expected = FUNCTIONS[name](*torch.from_numpy(points).unbind(-1)).numpy()
    assert np.array_equal(np.isnan(found), np.isnan(expected))
    digits = np.finfo(dtype)
    sums = name.startswith(("add", "sub", "lerp"))  # torch may round once where the machine rounds twice
    np.testing.assert_allclose(found, expected, rtol=6 * digits.eps, atol=50 * digits.eps if sums else 4 * digits.tiny)


@pytest.mark.parametrize("problem", ["himmelblau, tilt", "logistic_regression, a plane", "mlp, tanh, two classes"])
@pytest.mark.parametrize("rule", lanes.compiled_rules(), ids=items.name_of)
def test_all_knobs_of_a_rule_at_once(rule, problem):
    """Lane 0 has the rule's own values, lane 1 others (0 among them where it is not the own), lane 2 some of each."""
    method = {"sampler": {"name": "reshuffle", "batch_size": 7}, "rule": rule}
    method["schedule"] = {"name": "constant", "learning_rate": lanes.rate(problem, rule)}
    described = {"problem": lanes.problem(problem), "budget": {"unit": "updates", "amount": 40}, "lanes": [method]}
    e = Experiment.model_validate(described | {"runs": 2})
    places = {name: knob.places[0] for name, knob in axes.knobs(e).items() if name.startswith(("rule.", "schedule."))}
    places.pop("rule.initial_accumulator_value", None)  # what the state begins with is one number for all lanes
    own = {name: axes.value_at(e, place) for name, place in places.items()}
    values = {}
    for i, (name, value) in enumerate(own.items()):
        other = 0.5 * value if value else 0.3
        values[name] = np.array([value, other, value if i % 2 else other])
    found = advance_together(e, 0, values, None, 1)
    assert found is not None
    for cell in range(3):
        single = axes.replaced(e, {place: values[name][cell].item() for name, place in places.items()})
        state, trace = engine.run(single, 0)
        np.testing.assert_allclose(found.final_loss[cell], trace.loss[:, -1], rtol=1e-12)
        np.testing.assert_allclose(found.best_loss[cell], trace.loss.min(1), rtol=1e-12)
        assert np.array_equal(found.diverged_at[cell], state.diverged_at)


def test_a_state_that_begins_with_a_swept_knob_is_not_made_side_by_side():
    lane = {"sampler": "full_batch", "rule": "adagrad", "schedule": "constant"}
    e = Experiment.model_validate({"problem": "booth", "lanes": [lane]})
    assert advance_together(e, 0, {"rule.initial_accumulator_value": np.array([0.0, 0.1])}, None, 1) is None
    (found,) = engine.sweep(e, {"initial_accumulator_value": [0.0, 0.1]}).lanes
    assert found.final_loss[0, 0] == engine.run(e, 0)[1].loss[0, -1] != found.final_loss[1, 0]
