"""The parts of compiled lanes: numpy's permutations, exp and its kin, and who may use the compiled code at all."""

import itertools
import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest

from mbsgd_core import engine, kernels
from mbsgd_core.engine.plan import plan_of
from mbsgd_core.experiment import Experiment, registered
from mbsgd_core.kernels import dense, judge, linear, ready, shuffle, smooth, surface
from mbsgd_core.random import stream
from mbsgd_core.samplers.base import Sampler
from mbsgd_core.samplers.reshuffle import Reshuffle
from tests.contract import _items as items
from tests.contract import _lanes as lanes
from tests.contract.conftest import ROOT

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


# --- whether compiled code may be used ------------------------------------------------------------------------------

ELSEWHERE = """
import json, sys, torch
torch.set_num_threads(1)
from mbsgd_core import engine
from mbsgd_core.engine.plan import plan_of
from mbsgd_core.experiment import Experiment
found = []
for described in json.load(sys.stdin):
    e = Experiment.model_validate(described)
    state, trace = engine.run(e, 0)
    found.append([plan_of(e, 0).compiled is not None, trace.theta.tolist(), trace.loss.tolist()])
print(json.dumps(found))
"""


def test_without_numba_s_cache_everything_runs_on_torch_and_nothing_else_changes(tmp_path):
    """Switched off; and switched on, with a cache that holds nothing."""
    sampler, schedule = {"name": "reshuffle", "batch_size": 7}, {"name": "constant", "learning_rate": 0.01}
    method = {"sampler": sampler, "rule": "adam", "schedule": schedule}
    common = {"budget": {"unit": "updates", "amount": 30}, "lanes": [method], "runs": 2}
    names = ["himmelblau, tilt", "linear_regression", "logistic_regression", "mlp, tanh, two classes"]
    described = [{"problem": lanes.problem(name), **common} for name in names]
    plain = {k: v for k, v in os.environ.items() if k not in (ready.OFF, "NUMBA_CACHE_DIR")} | {"OMP_NUM_THREADS": "1"}
    other = [
        subprocess.Popen(
            [sys.executable, "-c", ELSEWHERE],
            cwd=ROOT,
            env=plain | own,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for own in ({ready.OFF: "0"}, {"NUMBA_CACHE_DIR": str(tmp_path)})
    ]
    answers = [process.communicate(json.dumps(described), timeout=120)[0] for process in other]
    for answer in answers:
        for text, (compiled, theta, loss) in zip(described, json.loads(answer), strict=True):
            e = Experiment.model_validate(text)
            trace = engine.run(e, 0)[1]
            assert plan_of(e, 0).compiled is not None and not compiled
            np.testing.assert_allclose(theta, trace.theta, rtol=0, atol=1e-12 * np.abs(trace.theta).max())
            np.testing.assert_allclose(loss, trace.loss, rtol=0, atol=1e-12 * np.abs(trace.loss).max())
    assert not any(tmp_path.rglob("*.nb[ic]"))


def test_the_stamp_is_of_the_sources_the_versions_and_the_machine(tmp_path, monkeypatch):
    before = ready.stamp()
    monkeypatch.setattr(ready, "HERE", tmp_path)
    for path in (ROOT / "mbsgd_core/kernels").glob("*.py"):
        shutil.copy2(path, tmp_path)  # with its time, by which numba's own cache goes
    assert ready.stamp() == tmp_path / "__pycache__" / before.name
    (tmp_path / "smooth.py").write_text((tmp_path / "smooth.py").read_text() + "\n")
    assert ready.stamp().name != before.name
    shutil.copy2(ROOT / "mbsgd_core/kernels/smooth.py", tmp_path)
    os.utime(tmp_path / "smooth.py", (1, 1))
    assert ready.stamp().name != before.name
    monkeypatch.undo()
    monkeypatch.setattr("llvmlite.binding.get_host_cpu_name", lambda: "another")
    assert ready.stamp().name != before.name


def test_what_was_compiled_from_other_sources_is_forgotten(tmp_path, monkeypatch):
    """numba looks at a function's own file alone: one that took code from a changed file would stay as it was."""
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    for name in ("ready-1234", "kernels_ab/dense.descend-1.py311.nbi", "kernels_ab/dense.descend-1.py311.1.nbc"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "others_cd").mkdir()
    (tmp_path / "others_cd/theirs.nbi").touch()
    ready.clear()
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["theirs.nbi"]
    here = tmp_path / "here"
    (here / "__pycache__").mkdir(parents=True)
    for name in ("ready-1234", "dense.descend-1.py311.nbi", "dense.cpython-311.pyc"):
        (here / "__pycache__" / name).touch()
    monkeypatch.delenv("NUMBA_CACHE_DIR")
    monkeypatch.setattr(ready, "HERE", here)
    ready.clear()
    assert [path.name for path in here.rglob("*.*")] == ["dense.cpython-311.pyc"]


@pytest.mark.parametrize(
    "name", ["himmelblau, scale", "linear_regression", "logistic_regression", "mlp, tanh, classes"]
)
def test_nobody_waits_for_a_compilation(name):
    """Whatever a lane's settings are, its code was compiled beforehand: numba found it in its cache."""
    for number, (sampler, dtype) in enumerate(itertools.product(registered(Sampler), ("float64", "float32"))):
        drawn = items.sampler(sampler, (1, 20)[number % 2])
        schedule = {"name": ("constant", "reduce_on_plateau")[number // 2 % 2], "learning_rate": 1e-4}
        method = {"sampler": drawn, "rule": ("sgd", "adam")[number % 2], "schedule": schedule}
        common = {"budget": {"unit": "updates", "amount": 9}, "lanes": [method], "runs": 1 + number % 3, "dtype": dtype}
        e = Experiment.model_validate({"problem": lanes.problem(name), **common})
        for every in (None, 4):
            engine.run(e, 0, every)
        engine.sweep(e, {"learning_rate": [1e-4, 1e-3, 1e-2]}, target=1.0)
    for module in (dense, judge, linear, shuffle, surface):
        for function in vars(module).values():
            stats = getattr(function, "stats", None)
            assert stats is None or function.__module__ != module.__name__ or not stats.cache_misses, function


def test_nothing_is_compiled_where_the_stamp_stands():
    stamp, command = ready.stamp(), [sys.executable, "-m", "mbsgd_core.kernels"]
    before = stamp.stat().st_mtime_ns
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == done.stderr == "" and stamp.stat().st_mtime_ns == before
