"""The machine's own exp, log, sin ...: against longer numbers, exact where the truth is, alike in any company."""

import math

import numpy as np
import pytest
import torch

from mbsgd_core.kernels import surface
from mbsgd_core.kernels.registers import surface_registers
from mbsgd_core.kernels.tape import record_surface

pytestmark = pytest.mark.usefixtures("compiled_lanes")

DRAWN = np.random.default_rng(0)
WIDE = np.concatenate([10 ** DRAWN.uniform(-300, 300, 4000), 10 ** DRAWN.uniform(-3, 3, 4000)])
WIDE *= DRAWN.choice([-1, 1], 8000)
NEAR = np.concatenate([DRAWN.normal(size=6000) * 3, 10 ** DRAWN.uniform(-300, 1, 4000)])
TURNS = np.concatenate([NEAR, DRAWN.uniform(-1e6, 1e6, 4000), np.arange(1, 4000) * np.pi / 2, [1e7, -1e22, 1e300]])
UNIT = np.concatenate(
    [DRAWN.uniform(-1, 1, 4000), 1 - 10 ** DRAWN.uniform(-16, 0, 4000), 10 ** DRAWN.uniform(-300, 0, 99)]
)
EXPONENTS = np.concatenate([DRAWN.uniform(-708, 709.7, 6000), NEAR])
POSITIVE = np.concatenate([np.abs(WIDE), 1 + DRAWN.normal(size=4000) * 0.1, 1 + DRAWN.normal(size=4000) * 1e-6])
FUNCTIONS = {
    "exp": (np.exp, EXPONENTS),
    "log": (np.log, POSITIVE),
    "log2": (np.log2, POSITIVE),
    "log10": (np.log10, POSITIVE),
    "sinh": (np.sinh, EXPONENTS),
    "cosh": (np.cosh, EXPONENTS),
    "tanh": (np.tanh, NEAR),
    "sigmoid": (lambda x: 1 / (1 + np.exp(-x)), EXPONENTS),
    "sin": (np.sin, TURNS),
    "cos": (np.cos, TURNS),
    "tan": (np.tan, TURNS),
    "asin": (np.arcsin, UNIT),
    "acos": (np.arccos, UNIT),
    "atan": (np.arctan, WIDE),
}
BASES = np.concatenate([10 ** DRAWN.uniform(-5, 5, 4000), 10 ** DRAWN.uniform(-300, 300, 4000), np.arange(1.0, 30)])
POWERS = np.concatenate([DRAWN.normal(size=4000) * 10, DRAWN.uniform(-3, 3, 4000), np.arange(-14.0, 15)])
PAIRS = {
    "pow": (np.power, BASES, POWERS),
    "atan2": (np.arctan2, WIDE, np.roll(WIDE, 4001)),
}
SPECIAL = [
    0.0,
    -0.0,
    math.inf,
    -math.inf,
    math.nan,
    1.0,
    -1.0,
    0.5,
    2.0,
    3.0,
    5e-324,
    1e-310,
    2.0**-1022,
    1e308,
    -1e308,
]
SPECIAL += [1e5, 1e6, -1e9, 1e22, 709.0, -745.0, -746.0, -2.0, -3.0, -0.5]


def by_machine(name: str, x: np.ndarray, y: np.ndarray | None = None, width: int = 128) -> np.ndarray:
    """x.name() or x.name(y), so many numbers side by side."""
    program, recording = record_surface(lambda a, b: getattr(a, name)(*([] if y is None else [b])))
    out, points = np.empty_like(x), np.stack([x, x if y is None else y], axis=1)
    surface.evaluate(program, surface_registers(recording, width, x.dtype), points, out)
    return out


def assert_near(found: np.ndarray, expected: np.ndarray, units: float) -> None:
    """Within so many units of the last place; nothing is said of numbers that are not normal."""
    near = expected.astype(found.dtype)
    normal = np.isfinite(near) & (np.abs(near) > np.finfo(found.dtype).smallest_normal)
    assert normal.sum() > 1000
    assert np.max((np.abs(found - expected) / np.spacing(np.abs(near)))[normal]) < units


@pytest.mark.parametrize("name", FUNCTIONS)
def test_within_some_units_of_the_last_place(name):
    function, x = FUNCTIONS[name]
    with np.errstate(all="ignore"):
        assert_near(by_machine(name, x), function(x.astype(np.longdouble)), 4.5)
        x = x.astype(np.float32)
        assert_near(by_machine(name, x), function(x.astype(np.float64)), 1)


@pytest.mark.parametrize("name", PAIRS)
def test_of_two_numbers(name):
    function, x, y = PAIRS[name]
    with np.errstate(all="ignore"):
        assert_near(by_machine(name, x, y), function(x.astype(np.longdouble), y.astype(np.longdouble)), 3)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_special_numbers_are_torchs(name):
    x = np.array(SPECIAL)
    found, expected = by_machine(name, x), getattr(torch, name)(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(found, expected, rtol=2e-15, atol=0)
    known = ~np.isnan(expected)
    assert np.array_equal(np.signbit(found[known]), np.signbit(expected[known]))


@pytest.mark.parametrize("name", PAIRS)
def test_special_pairs_are_torchs(name):
    x, y = np.array(np.meshgrid(SPECIAL, SPECIAL)).reshape(2, -1)
    found = by_machine(name, x, y)
    expected = getattr(torch, name)(torch.from_numpy(x), torch.from_numpy(y)).numpy()
    np.testing.assert_allclose(found, expected, rtol=2e-15, atol=0)
    known = ~np.isnan(expected)
    assert np.array_equal(np.signbit(found[known]), np.signbit(expected[known]))


def test_exact_where_the_truth_is():
    whole = np.arange(0.0, 23)
    assert np.array_equal(by_machine("log10", 10.0**whole), whole)
    every = np.arange(-1074.0, 1024)
    assert np.array_equal(by_machine("log2", np.ldexp(1.0, every.astype(int))), every)
    assert np.array_equal(by_machine("pow", np.full(len(every), 2.0), every), np.ldexp(1.0, every.astype(int)))
    bases, powers = np.array([(b, p) for b in range(1, 40) for p in range(20) if b**p < 2**53], dtype=float).T
    truth = np.array([float(int(b) ** int(p)) for b, p in zip(bases, powers, strict=True)])
    assert np.array_equal(by_machine("pow", bases, powers), truth)
    assert np.array_equal(by_machine("pow", -bases, powers), np.where(powers % 2 == 0, truth, -truth))
    squares = np.arange(1.0, 200)
    assert np.array_equal(by_machine("pow", squares**2, np.full(199, 0.5)), squares)
    zero, one = np.zeros(3), np.ones(3)
    for name, x, expected in (
        *((name, zero, 0.0) for name in ("sin", "tan", "asin", "atan", "sinh", "tanh")),
        *((name, zero, 1.0) for name in ("exp", "cos", "cosh")),
        *((name, one, 0.0) for name in ("log", "acos")),
        *(("asin", one, math.pi / 2), ("acos", zero, math.pi / 2), ("acos", -one, math.pi), ("sigmoid", zero, 0.5)),
    ):
        assert (by_machine(name, x) == expected).all(), name


@pytest.mark.parametrize("name", [*FUNCTIONS, *PAIRS])
def test_the_same_bits_in_any_company(name):
    _, x, *others = (FUNCTIONS | PAIRS)[name]
    x = np.concatenate([x[:500], SPECIAL, x[-500:]])
    y = np.concatenate([others[0][:500], SPECIAL[::-1], others[0][-500:]]) if others else None
    together = by_machine(name, x, y)
    for width in (1, 3, 13, 64):
        assert np.array_equal(by_machine(name, x, y, width), together, equal_nan=True), width
