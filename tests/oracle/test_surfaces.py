"""Surfaces against tests/oracle/oracles.json (computed with sympy and finite differences), ids F01-F15, F90, F92.

Every function is checked twice: as the registered surface, and typed as a formula. F06 is not in the file. F12
(McCormick) has no registered surface, since nothing else here needs it; it is checked as a formula alone.
"""

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from mbsgd_core.experiment import Experiment, problems
from mbsgd_core.problems.base import FiniteSum
from mbsgd_core.problems.surfaces.formula import Formula

ORACLES = {o["id"]: o for o in json.loads(Path(__file__).with_name("oracles.json").read_text())["oracles"]}
NAMES = {
    "F01": "rosenbrock",
    "F02": "beale",
    "F03": "himmelblau",
    "F04": "goldstein_price",
    "F05": "rastrigin",
    "F07": "styblinski_tang",
    "F08": "booth",
    "F09": "matyas",
    "F10": "three_hump_camel",
    "F11": "six_hump_camel",
    "F13": "saddle",
    "F14": "monkey_saddle",
    "F15": "ravine",
}
REGISTERED = {id: problems()[name]() for id, name in NAMES.items()}
TYPED = {id: Formula(formula=ORACLES[id]["formula"]) for id in (*NAMES, "F12")}
CASES = [pytest.param(id, s, id=f"{id} {kind}") for kind, group in (("registered", REGISTERED), ("typed", TYPED))
         for id, s in group.items()]  # fmt: skip

COVERS = [*TYPED, "F90", "F92"]

over_cases = pytest.mark.parametrize(("id", "surface"), CASES)
over_registered = pytest.mark.parametrize(("id", "surface"), [pytest.param(i, s, id=i) for i, s in REGISTERED.items()])


def at(surface, point):
    """(value, gradient, Hessian) at a point: closed forms, and the Hessian by differentiating the value twice."""
    theta = torch.tensor(point, dtype=torch.float64)
    hessian = torch.autograd.functional.hessian(lambda p: surface.value(p[0], p[1]), theta)
    gradient = torch.stack(surface.gradient(theta[0:1], theta[1:2]), -1)[0]
    return surface.value(theta[0], theta[1]).item(), gradient.numpy(), hessian.numpy()


@over_cases
def test_value_gradient_and_hessian_at_the_point(id, surface):
    expected = ORACLES[id]["expected"]
    value, gradient, hessian = at(surface, expected["point"])
    np.testing.assert_allclose(value, expected["f"], rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(gradient, expected["grad"], rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(hessian, expected["hess"], rtol=1e-8, atol=1e-8)


@over_cases
def test_minima_and_their_curvatures(id, surface):
    for minimum in ORACLES[id]["expected"]["minima"]:
        value, gradient, hessian = at(surface, minimum["at"])
        eigenvalues = np.linalg.eigvalsh(hessian)
        np.testing.assert_allclose(value, minimum["f"], rtol=1e-8, atol=1e-12)
        np.testing.assert_allclose(gradient, 0, atol=1e-6)
        np.testing.assert_allclose(eigenvalues, minimum["hess_eigs"], rtol=1e-8)
        assert 2 / eigenvalues[-1] == pytest.approx(minimum["gd_lr_threshold"], rel=1e-6)


@over_registered
def test_the_declared_minimizers_are_the_best_minima(id, surface):
    minima = ORACLES[id]["expected"]["minima"]
    best = min((m["f"] for m in minima), default=None)
    expected = sorted(m["at"] for m in minima if m["f"] <= best + 1e-9)
    assert len(surface.minimizers) == len(expected)
    np.testing.assert_allclose(sorted(surface.minimizers) or expected, expected, atol=1e-6)
    assert surface.optimal_value == (None if best is None else pytest.approx(best, rel=1e-14, abs=1e-12))


@over_registered
def test_gradient_descent_is_stable_below_the_threshold_and_not_above(id, surface):
    for minimum in ORACLES[id]["expected"]["minima"]:
        _, _, hessian = at(surface, minimum["at"])
        steepest = np.linalg.eigh(hessian)[1][:, -1]
        distance = {}
        for share in (0.97, 1.03):
            theta = np.array(minimum["at"]) + 1e-5 * steepest
            for _ in range(20):
                theta = theta - share * minimum["gd_lr_threshold"] * at(surface, theta)[1]
            distance[share] = np.linalg.norm(theta - minimum["at"]) / 1e-5
        assert distance[0.97] == pytest.approx(0.94**20, rel=0.02)
        assert distance[1.03] == pytest.approx(1.06**20, rel=0.02)


def test_critical_points():
    critical = ORACLES["F03"]["expected"]["critical_points"]
    saddles = sorted(p["at"] for p in critical if p["type"] == "saddle")
    np.testing.assert_allclose(sorted(REGISTERED["F03"].saddles), saddles, atol=1e-6)
    low, top, high = ORACLES["F07"]["expected"]["stationary_1d"]
    saddles = sorted([(low, top), (top, low), (high, top), (top, high)])
    np.testing.assert_allclose(sorted(REGISTERED["F07"].saddles), saddles, atol=1e-6)
    for x, y, value in ORACLES["F07"]["expected"]["local_minima"]:
        assert at(REGISTERED["F07"], (x, y))[0] == pytest.approx(value, rel=1e-8)
    for id in ("F13", "F14"):
        expected = ORACLES[id]["expected"]["critical"]
        assert REGISTERED[id].saddles == (tuple(expected["at"]),)
        eigenvalues = np.linalg.eigvalsh(at(REGISTERED[id], expected["at"])[2])
        np.testing.assert_allclose(eigenvalues, expected["hess_eigs"], atol=1e-12)


def with_draws(name, kind, draws):
    """A surface whose noise draws are given numbers, (m, 1 or 2)."""
    settings = {"samples": len(draws), "noise": 1.0, "noise_kind": kind}
    total = problems()[name](**settings).realize(0, torch.float64, "cpu")
    total.draws = torch.tensor(draws, dtype=torch.float64)
    return total


@pytest.mark.parametrize("name", ["quadratic", "rosenbrock"])
def test_f90_tilts_give_the_same_noise_everywhere(name):
    """Batches of 2 of 8 without replacement: all 28 of them, so their covariance is exact."""
    oracle = ORACLES["F90"]
    total = with_draws(name, "tilt", oracle["inputs"]["xi"])
    np.testing.assert_allclose(total.draws.sum(0), oracle["expected"]["sum"], atol=1e-12)
    pairs = torch.tensor(list(itertools.combinations(range(8), 2)))
    for point in ([0.0, 0.0], [-1.5, 2.0]):
        theta = torch.tensor(point, dtype=torch.float64)
        each = total.sample_gradients(theta)
        np.testing.assert_allclose(np.cov(each.T, ddof=0), oracle["expected"]["cov"], atol=1e-12)
        (batch,) = total.gather(pairs[None])
        noise = total.gradient(theta.expand(28, 2), batch) - total.gradient(theta[None], None)
        np.testing.assert_allclose(noise.square().sum(-1).mean(), oracle["expected"]["b2_without"], atol=1e-12)


def test_f92_scalings_have_no_noise_at_the_minimum():
    oracle = ORACLES["F92"]
    total = with_draws("rosenbrock", "scale", [[e] for e in oracle["inputs"]["e"]])
    theta = torch.tensor([-1.5, 2.0], dtype=torch.float64)
    slope = total.gradient(theta[None], None)[0].numpy()
    covariance = np.cov(total.sample_gradients(theta).T, ddof=0)
    np.testing.assert_allclose(covariance, oracle["expected"]["var_e"] * np.outer(slope, slope), rtol=1e-12)
    assert total.sample_gradients(torch.ones(2, dtype=torch.float64)).abs().max() == 0


def test_f92_sgd_reaches_the_minimum_with_a_constant_rate():
    from mbsgd_core import engine

    lane = {"sampler": {"name": "reshuffle", "batch_size": 1}, "schedule": {"name": "constant", "learning_rate": 0.02}}
    ends = {}
    for kind in ("tilt", "scale"):
        problem = {"name": "quadratic", "samples": 8, "noise": 0.8, "noise_kind": kind}
        _, trace = engine.run(
            Experiment.model_validate({"problem": problem, "budget": {"amount": 300}, "lanes": [lane]}), 0
        )
        ends[kind] = np.linalg.norm(trace.theta[0, -1])
    assert ends["scale"] < 1e-12
    assert ends["tilt"] > 1e-4


FUNCTIONS = {
    "sin": np.sin, "cos": np.cos, "tan": np.tan, "asin": np.arcsin, "acos": np.arccos, "atan": np.arctan,
    "sinh": np.sinh, "cosh": np.cosh, "tanh": np.tanh, "exp": np.exp, "log": np.log, "ln": np.log, "log10": np.log10,
    "log2": np.log2, "sqrt": np.sqrt, "abs": np.abs, "floor": np.floor, "ceil": np.ceil, "sign": np.sign,
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)), "relu": lambda x: np.maximum(x, 0),
}  # fmt: skip
PAIRS = {"min": np.minimum, "max": np.maximum, "atan2": np.arctan2, "pow": np.power}
GRID = np.linspace(-2.0, 2.0, 41)


def typed(text, x, y, dtype=torch.float64):
    return Formula(formula=text).value(torch.tensor(x, dtype=dtype), torch.tensor(y, dtype=dtype)).numpy()


@pytest.mark.parametrize("name", FUNCTIONS)
def test_typed_functions_are_numpys(name):
    with np.errstate(all="ignore"):
        np.testing.assert_allclose(typed(f"{name}(x)", GRID, GRID), FUNCTIONS[name](GRID), rtol=1e-14, atol=1e-15)


@pytest.mark.parametrize("name", PAIRS)
def test_typed_pairs_are_numpys(name):
    x, y = (v.ravel() for v in np.meshgrid(GRID, GRID))
    with np.errstate(all="ignore"):
        np.testing.assert_allclose(typed(f"{name}(x, y)", x, y), PAIRS[name](x, y), rtol=1e-14)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x^2", 2.25),
        ("-x^2", -2.25),
        ("x²·y³", 2.25 * 0.125),
        ("2×x − y", 2.5),
        (" 2*π ", 2 * np.pi),
        ("e", np.e),
        ("x^y^2", 1.5**0.25),
        ("x - y - 1", 0.0),
        ("x/y/3", 1.0),
        ("+x", 1.5),
        ("--x", 1.5),
        (".5e1 + 1.", 6.0),
        ("2^-1", 0.5),
        ("1/0", np.inf),
        ("-1/0", -np.inf),
        ("0/0", np.nan),
        ("0^-1", np.inf),
        ("0^0", 1.0),
        ("9^9^9", np.inf),
        ("(-8)^(1/3)", np.nan),
        ("1e308*10", np.inf),
        ("atan2(y, x)", np.arctan2(0.5, 1.5)),
    ],
)
def test_typed_arithmetic_follows_ieee(text, expected):
    np.testing.assert_allclose(typed(text, [1.5, 1.5], [0.5, 0.5]), [expected] * 2, rtol=1e-15)


def test_typed_constants_round_to_the_type_of_theta():
    assert typed("1e300", [1.0], [1.0], torch.float32).tolist() == [np.inf]
    assert typed("x + 1e-9", [1.0], [1.0], torch.float32).tolist() == [1.0]


@pytest.mark.parametrize("text", ["3", "floor(x)", "sign(y)", "1/0"])
def test_flat_formulas_have_gradient_zero(text):
    x = torch.tensor([0.3, 0.7])
    with torch.no_grad():
        for slope in Formula(formula=text).gradient(x, x):
            assert slope.tolist() == [0.0, 0.0]


def test_unused_variables_have_gradient_zero():
    x = torch.tensor([0.3, 0.7], dtype=torch.float64)
    with torch.no_grad():
        assert [s.tolist() for s in Formula(formula="x").gradient(x, x)] == [[1.0, 1.0], [0.0, 0.0]]
        assert [s.tolist() for s in Formula(formula="y").gradient(x, x)] == [[0.0, 0.0], [1.0, 1.0]]


def test_a_typed_lane_equals_the_registered_surface():
    from mbsgd_core import engine

    text = ORACLES["F01"]["formula"]
    ends = []
    for problem in ({"name": "rosenbrock"}, {"name": "formula", "formula": text}):
        lane = {"sampler": "full_batch", "schedule": {"name": "constant", "learning_rate": 1e-3}}
        experiment = {"problem": {**problem, "noise": 0.1}, "start": [-1.2, 1.0], "budget": {"amount": 200}}
        state, _ = engine.run(Experiment.model_validate({**experiment, "lanes": [lane]}), 0)
        ends.append(state.theta.numpy())
    np.testing.assert_allclose(ends[1], ends[0], rtol=1e-10)


def test_the_definition_agrees_on_a_typed_formula():
    total = Formula(formula="x^2*y + sin(y)", samples=6, noise=0.5).realize(0, torch.float64, "cpu")
    theta = torch.tensor([[0.4, -0.7]], dtype=torch.float64)
    indices = torch.tensor([[0, 4, 4]])
    (batch,) = total.gather(indices[None])
    torch.testing.assert_close(total.gradient(theta, batch), FiniteSum.gradient(total, theta, indices))
