"""Typed formulas on the tape: value, gradient and runs are torch's, kinks, ties and what is not finite included."""

import json
import math
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch

from mbsgd_core import engine
from mbsgd_core.engine.plan import plan_of
from mbsgd_core.errors import LabError
from mbsgd_core.experiment import Experiment
from mbsgd_core.kernels import surface as compiled
from mbsgd_core.kernels.derivative import RULES, differentiate, record_gradient
from mbsgd_core.kernels.registers import surface_registers
from mbsgd_core.kernels.tape import CODE, OUTPUTS, NotRecordable, Program, record_surface
from mbsgd_core.problems.surfaces._formula import NODES
from mbsgd_core.problems.surfaces.formula import Formula
from mbsgd_core.problems.surfaces.himmelblau import Himmelblau
from tests.contract import _lanes as lanes

pytestmark = pytest.mark.usefixtures("compiled_lanes")

NAMES = "sin cos tan asin acos atan sinh cosh tanh exp ln log log10 log2 sqrt abs floor ceil sign sigmoid relu"
FUNCTIONS, PAIRS = NAMES.split(), ["min", "max", "atan2", "pow"]
SMALL = [0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 2.0, -2.0, 3.0, math.pi, -math.pi / 2, 0.3, -1.7, 4.0, 1e-3, 1e-8]
SPECIAL = [*SMALL, -1e-160, 1e-310, 20.25, -30.5, 700.0, -720.0, 1e5, -1e9, 1e22, 1e155, -1e300, math.inf, -math.inf]
SPECIAL.append(math.nan)
DRAWN = np.random.default_rng(0).normal(size=(2, 300)) * 2
SATURATED = ("tanh",)  # its slope is 1 - tanh^2: where tanh is nearly 1, nothing but the last digits of tanh


def grid(special: list[float], dtype: type = np.float64) -> tuple[np.ndarray, np.ndarray]:
    """x and y: every pair of the special numbers, and some drawn ones."""
    pairs = np.array(np.meshgrid(special, special)).reshape(2, -1)
    with np.errstate(over="ignore"):
        x, y = np.concatenate([pairs, DRAWN], axis=1).astype(dtype)
    return x, y


def by_tape(surface, x: np.ndarray, y: np.ndarray) -> list[np.ndarray]:
    """Value, slope along x and slope along y, by the machine."""
    found = []
    for program, recording in (record_surface(surface.value), record_gradient(surface)):
        results = int(program.bounds[0, OUTPUTS])
        for row in range(results, len(program.table)):
            table = program.table.copy()
            table[results] = program.table[row]  # `evaluate` gives the first result
            out = np.empty_like(x)
            registers = surface_registers(recording, 128, x.dtype)
            compiled.evaluate(Program(table, program.bounds), registers, np.stack([x, y], axis=1), out)
            found.append(out)
    return found


def by_torch(surface, x: np.ndarray, y: np.ndarray) -> list[np.ndarray]:
    """The same, by torch."""
    x, y = torch.from_numpy(x), torch.from_numpy(y)
    return [part.numpy() for part in (surface.value(x, y), *surface.gradient(x, y))]


def assert_same(text: str, special: list[float] = SPECIAL) -> None:
    """Equal to a relative tolerance of 1e-12, infinite or NaN in the same places."""
    formula, (x, y) = Formula(formula=text), grid(special)
    slack = 1e-15 if text.startswith(SATURATED) else np.finfo(float).smallest_normal
    for found, expected, what in zip(by_tape(formula, x, y), by_torch(formula, x, y), ("f", "fx", "fy"), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=slack, err_msg=f"{what} of {text}")


# --- everything that can be typed -----------------------------------------------------------------------------------

OWN = [
    *(f"{name}({inside})" for name in FUNCTIONS for inside in ("x", "y/2")),
    *(f"{name}(x)*y" for name in FUNCTIONS if name not in SATURATED),
    *(
        f"{name}({inside})"
        for name in PAIRS
        for inside in ("x,y", "y,x", "x*y,x-y", "x,x", "x,-x", "2,x", "x,2", "x,0")
    ),
    *("min(1/x,y)", "max(0/0,x)", "min(y,0/0)", "max(x,1/0)", "max(1/x,0)+y", "max(min(x,1),0)*y"),
    *("atan2(0,x)", "atan2(x*0,y*0)", "x*atan2(x^2,y)", "atan2(1/x,1/y)"),
    *(f"x^{n}" for n in ("0", "1", "2", "3", "4", "5", "7", "16", "17", "0.5", "1.5", "2.5", "1e300", "0.0")),
    *(f"x^(-{n})" for n in ("1", "2", "3", "4", "0.5", "1.5", "0")),
    *(f"1/x^{n}+y" for n in ("1", "2", "3", "0.5", "1.5")),
    *("x²+y²", "x*x", "x*x*x", "(x*y)^2", "(x-y)^3", "(x+y)^0", "pow(x,0)", "pow(x,1)", "pow(x,2)", "pow(x,0.5)"),
    *(
        "x^x",
        "2^x",
        "0^x",
        "1^x",
        "(-2)^x",
        "0^(-x)",
        "x^(y^2)",
        "x^(1/0)",
        "x^(0/0)",
        "(0/0)^x",
        "x^(0*y)",
        "e^(-x^2)",
    ),
    *("3", "-0", "1/0", "log(-1)", "pow(0,0)", "sin(1)", "2*pi*e", "x", "y", "-y", "+x", "--x", "0*x", "1*x", "x/1"),
    *("x+x", "x-x", "x/x", "1/x", "1/(x*y)", "0/0*x", "1/0*x", "x/0", "y-1/x", "x*y+x*y", "sin(x)+sin(x)"),
    *("sqrt(x^2+y^2)", "sqrt(abs(x))", "abs(x)+abs(y)", "abs(x-y)^3", "log(x^2)", "sqrt(x)*y", "(x^2)^0.5*sign(y)"),
    *("sign(1/x)+x", "floor(1/x)*y+x", "ceil(x)*x", "relu(1/x)", "relu(-x)+x", "relu(x)*relu(y)", "sign(x)*y"),
    *("1e300*x", "1e200*x*1e200", "x*1e-200*1e-200", "exp(1000*x)", "exp(-1/x^2)", "sigmoid(1/x)", "sin(1/x)*0"),
    *("sin(x)*cos(x)", "cos(x)*sin(x)", "sin(x)^2+cos(x)^2", "sin(cos(sin(y)))", "tan(pi/2)", "asin(sin(y/2))"),
    *("(x^2+y-11)^2+(x+y^2-7)^2", "(1-x)^2+100*(y-x^2)^2", "x^2 + 3*y^2", "x*exp(-x^2-y^2)", "floor(x)+ceil(y)"),
]


@pytest.mark.parametrize("text", OWN)
def test_value_and_gradient_are_torchs(text):
    assert_same(text)


@pytest.mark.parametrize("text", OWN)
def test_in_float32(text):
    near = [number for number in SMALL if abs(number) < 3.5]
    formula, (x, y) = Formula(formula=text), grid(near, np.float32)
    for found, expected in zip(by_tape(formula, x, y), by_torch(formula, x, y), strict=True):
        assert found.dtype == expected.dtype == np.float32
        np.testing.assert_allclose(found, expected, rtol=2e-5, atol=2e-5)


def valid() -> list[str]:
    """The formulas of the hostile list that are formulas."""
    texts = []
    for case in json.loads((Path(__file__).parents[1] / "hostile" / "formulas.json").read_text()):
        try:
            Formula(formula=case.get("input", "("))
        except (LabError, ValueError):
            continue
        texts.append(case["input"])
    assert len(texts) > 20
    return texts


@pytest.mark.parametrize("text", valid())
def test_of_the_hostile_list(text):
    assert_same(text)


@pytest.mark.parametrize(
    "text",
    [
        "+".join(f"({n}*x+y)*sin({n}*y)" for n in range(1, 6)) + "+" + "+".join(f"exp(-x^2/{n})" for n in range(1, 7)),
        "sin(" * 39 + "x" + ")" * 39,
        "(" + "+".join("xy" * 14) + ")*(" + "-".join("yx" * 14) + ")",
    ],
)
def test_as_long_as_can_be(text):
    assert_same(text, SMALL)


ALGEBRA = ["x*y-x/y", "max(x,y)*min(x,2*y)", "abs(x)*sign(y)+floor(x)-ceil(y)", "relu(x-y)/(x+y)"]
ALGEBRA += ["x^2-y^3", "-(x-1)^2*(y+3)/(x*y)", "x^1*y^0", "1/x^3"]


@pytest.mark.parametrize("text", ALGEBRA)
def test_what_rounds_in_one_way_only_is_equal_to_the_last_bit(text):
    formula, (x, y) = Formula(formula=text), grid(SPECIAL)
    for found, expected in zip(by_tape(formula, x, y), by_torch(formula, x, y), strict=True):
        assert np.array_equal(found, expected, equal_nan=True)


def test_where_only_the_slope_is_not_finite_it_is_0():
    x, y = np.array([0.0, 0.0, 1.0, -1.0]), np.array([0.0, 2.0, 0.0, 0.0])
    value, along_x, along_y = by_tape(Formula(formula="sqrt(x^2+y^2)"), x, y)
    assert value.tolist() == [0, 2, 1, 1] and along_x.tolist() == [0, 0, 1, -1] and along_y.tolist() == [0, 1, 0, 0]
    assert [part.tolist()[:1] for part in by_tape(Formula(formula="sqrt(x)+y"), x, y)] == [[0.0], [0.0], [1.0]]
    assert np.isinf(by_tape(Formula(formula="1/x"), x, y)[1][0])  # the value is not finite either


# --- surfaces of other people ---------------------------------------------------------------------------------------


class Automatic(Himmelblau):
    """A surface that says no gradient, with what formulas have no names for."""

    automatic: ClassVar[bool] = True

    def value(self, x, y):
        smooth = x.hypot(y) + x.square().log1p() - y.expm1().mul(0.1) + (x - 0.5).lerp(y, 0.3)
        return smooth + x.clone().mul_(y).add_(x, alpha=0.5) + (2 + y.square()).rsqrt() + (x == y) * x + 2 ** (x * y)

    def gradient(self, x, y):
        x, y = x.clone().requires_grad_(), y.clone().requires_grad_()
        return torch.autograd.grad(self.value(x, y).sum(), (x, y))


def test_any_surface_can_be_differentiated():
    surface = Automatic()
    for found, expected in zip(by_tape(surface, *DRAWN), by_torch(surface, *DRAWN), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-13)


def test_every_operation_has_a_slope():
    assert set(CODE) - set(RULES) == {"gate", "tame", "both"}  # these come from differentiating


@pytest.mark.parametrize(
    "value", [lambda x, y: x.erf(), lambda x, y: (x, y), lambda x, y: 3.0, lambda x, y: x if x else y]
)
def test_what_is_not_arithmetic_stays_with_torch(value):
    with pytest.raises(NotRecordable):
        differentiate(value)


def test_sine_and_cosine_of_one_number_are_one_instruction():
    program, _ = differentiate(lambda x, y: x.sin() + y.cos())
    operations = program.table[: program.bounds[0, OUTPUTS], 0].tolist()
    assert operations.count(CODE["both"]) == 2 and not {CODE["sin"], CODE["cos"]} & set(operations)


# --- runs -----------------------------------------------------------------------------------------------------------

LONG = (
    "0.1*(x^2+y^2)+sin(3*x)*cos(2*y)+exp(-x^2-y^2)+0.5*tanh(x*y)+0.2*abs(x-y)+log(1+x^2)-sqrt(1+y^2)+max(x,y)-min(x,0.5)"
    "+sin(x+y)^2+cos(x-y)+atan(x)*y+sigmoid(x*y-1)+x^3/(1+x^4)+2^(-x^2)+relu(y-x)"
)
RUNS = [
    "x^2 + 3*y^2",
    LONG,
    "sqrt(x^2+y^2)",
    "max(x,y)^2",
    "3",
    "x",
    "floor(x)+y^2",
    "log(x)+y",
    "x^y",
    "1/x+y^2",
    "1/0",
]
RUNS += ["0.1*x*y^3", "abs(x)+abs(y)"]


def experiment(text: str, method: dict, **fields) -> Experiment:
    """60 updates of three runs."""
    problem = {"name": "formula", "formula": text, "samples": 16, "noise": 0.1}
    schedule = {"name": "constant", "learning_rate": 0.02}
    described = {"problem": problem, "lanes": [{"schedule": schedule, **method}], "runs": 3}
    return Experiment.model_validate(described | {"budget": {"unit": "updates", "amount": 60}} | fields)


@pytest.mark.parametrize("text", RUNS)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_runs_are_torchs(text, dtype):
    for method in (
        {"sampler": "full_batch", "rule": {"name": "sgd", "momentum": 0.9}},
        {"sampler": {"name": "reshuffle", "batch_size": 5}, "rule": "adam"},
    ):
        e = experiment(text, method, dtype=dtype)
        assert plan_of(e, 0).compiled is not None
        (state, trace), (slow, expected) = lanes.both(e)
        tolerance = 1e-12 if dtype == "float64" else 1e-4
        np.testing.assert_allclose(trace.theta, expected.theta, rtol=tolerance, atol=tolerance)
        np.testing.assert_allclose(trace.loss, expected.loss, rtol=tolerance, atol=tolerance)
        assert np.array_equal(state.diverged_at, slow.diverged_at)


def test_a_cell_of_a_sweep_is_a_run():
    e = experiment(LONG, {"sampler": "full_batch"}, runs=1)
    rates = [0.01, 0.02, 0.1]
    found = engine.sweep(e, {"learning_rate": rates, "momentum": [0.0, 0.9]}).lanes[0]
    for i, rate in enumerate(rates):
        schedule = {"name": "constant", "learning_rate": rate}
        single = experiment(LONG, {"sampler": "full_batch", "schedule": schedule}, runs=1)
        assert found.final_loss[0, i, 0] == engine.run(single, 0)[1].loss[0, -1]


def test_the_longest_formulas_are_recorded_at_once():
    terms = (NODES - 2) // 8  # of eight nodes each
    text = "-(" + "+".join(f"(x+{n})^y*2" for n in range(terms)) + ")"
    program, recording = record_gradient(Formula(formula=text))
    assert len(program.table) < 50 * NODES and recording.wide_count < 50 * NODES
