"""The parts of compiled lanes: numpy's permutations, exp and its kin."""

import numpy as np
import pytest

from mbsgd_core import kernels
from mbsgd_core.kernels import smooth
from mbsgd_core.random import stream
from mbsgd_core.samplers.reshuffle import Reshuffle

pytestmark = pytest.mark.usefixtures("compiled_lanes")


# --- orders ---------------------------------------------------------------------------------------------------------

POWERS = [2**k + d for k in range(1, 17) for d in (-1, 0, 1)]


@pytest.mark.parametrize("seed", [0, 1, 2**63 - 1])
@pytest.mark.parametrize("sizes", [[*range(1, 40)], [100, 442, 500, 569, 1000], POWERS], ids=["few", "usual", "powers"])
def test_permutations_are_numpys(sizes, seed):
    for size in sizes:
        runs, first, end = (3, 5, 8) if size < 1000 else (1, 2**40, 2**40 + 1)
        orders = kernels.visits(Reshuffle(batch_size=1), seed, runs, first, end, size).reshape(runs, end - first, size)
        for run in range(runs):
            for epoch in range(first, end):
                expected = stream(seed, "order", run, epoch).permutation(size)
                assert np.array_equal(orders[run, epoch - first], expected), (size, run, epoch)


def test_permutations_of_many_runs_and_epochs():
    orders = kernels.visits(Reshuffle(batch_size=1), 7, 100, 3, 33, 12).reshape(100, 30, 12)
    expected = [Reshuffle(batch_size=1).orders(7, 100, epoch, 12) for epoch in range(3, 33)]
    assert np.array_equal(orders, np.stack(expected, axis=1))


# --- exp and its kin ------------------------------------------------------------------------------------------------

Long = np.longdouble
TRUTH = {
    "exp": lambda x: np.exp(Long(x)),
    "tanh": lambda x: np.tanh(Long(x)),
    "sigmoid": lambda x: 1 / (1 + np.exp(-Long(x))),
    "relu": lambda x: np.maximum(Long(x), 0),
    "softplus": lambda x: np.log1p(np.exp(-np.abs(Long(x)))) + np.maximum(Long(x), 0),
}
KINDS = {"tanh": smooth.TANH, "sigmoid": smooth.SIGMOID, "relu": smooth.RELU}


def computed(name: str, x: np.ndarray) -> np.ndarray:
    """The function at every x."""
    row, bits = x[None].copy(), np.empty(len(x), dtype=np.int64)
    powers = bits.view(np.float64)
    if name == "softplus":
        return np.array([smooth.softplus_sum(v[None, None], 0, 1, bits, powers) for v in x]).astype(x.dtype)
    if name == "exp":
        smooth.exp_of(row, 0, len(x), bits, powers)
    else:
        smooth.activate(row, 0, len(x), KINDS[name], bits, powers)
    return row[0]


def arguments(name: str, dtype) -> np.ndarray:
    """What is met: all sizes of both signs, around every multiple of log 2, and the edges."""
    draws = np.random.default_rng(0)
    wide = [draws.uniform(-reach, reach, 300) for reach in (745, 100, 20, 1, 1e-3, 1e-9, 1e-200)]
    halves = np.arange(-2000, 2001) * (np.log(2) / 2)
    near = np.concatenate([np.nextafter(halves, -np.inf), halves, np.nextafter(halves, np.inf)])
    x = np.concatenate([*wide, near, [0.0, -0.0, 708.0, 709.0, -745.0, 5e-324, -5e-324, 1e-310]]).astype(dtype)
    return -np.abs(x) if name == "exp" else x


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", TRUTH)
def test_smooth_functions_are_right_to_four_units_of_the_last_place(name, dtype):
    x = arguments(name, dtype)
    found, expected = computed(name, x), TRUTH[name](x)
    assert found.dtype == dtype
    unit = np.spacing(np.abs(expected.astype(dtype))).astype(Long)
    error = np.abs(found.astype(Long) - expected)
    # exp stops at exp(-708), next to the least normal number.
    assert (error <= 4 * unit + 2 * np.finfo(dtype).tiny).all(), x[np.argmax(error / unit)]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", TRUTH)
def test_smooth_functions_at_the_ends(name, dtype):
    x = np.array([np.nan, -np.inf, -1e30] + ([] if name == "exp" else [np.inf, 1e30]), dtype=dtype)
    with np.errstate(over="ignore"):
        found, expected = computed(name, x), TRUTH[name](x).astype(dtype)
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=2 * float(np.finfo(np.float32).tiny))


def test_smooth_functions_are_the_same_wherever_a_number_stands():
    """Vector code and what is left over at its end round alike."""
    x = np.random.default_rng(1).normal(size=67) * 5
    for name in KINDS:
        whole = computed(name, x)
        for few in (1, 3, 16, 66):
            assert np.array_equal(computed(name, x[:few]), whole[:few])
