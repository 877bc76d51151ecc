"""Whether compiled lanes may be used, and how numba's cache is filled: side by side, interrupted, beside a server."""

import itertools
import json
import os
import shutil
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from mbsgd_core import engine
from mbsgd_core.engine.plan import plan_of
from mbsgd_core.experiment import Experiment, registered
from mbsgd_core.kernels import dense, fill, judge, linear, ready, shuffle, surface
from mbsgd_core.samplers.base import Sampler
from tests.conftest import ROOT
from tests.contract import _lanes as lanes

pytestmark = pytest.mark.usefixtures("compiled_lanes")

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


@pytest.mark.parametrize(
    "name", ["himmelblau, scale", "linear_regression", "logistic_regression", "mlp, tanh, classes"]
)
def test_nobody_waits_for_a_compilation(name):
    """Whatever a lane's settings are, its code was compiled beforehand: numba found it in its cache."""
    for number, (sampler, dtype) in enumerate(itertools.product(registered(Sampler), ("float64", "float32"))):
        knobs = {} if sampler == "full_batch" else {"batch_size": (1, 20)[number % 2]}
        schedule = {"name": ("constant", "reduce_on_plateau")[number // 2 % 2], "learning_rate": 1e-4}
        method = {"sampler": {"name": sampler, **knobs}, "rule": ("sgd", "adam")[number % 2], "schedule": schedule}
        common = {"budget": {"unit": "updates", "amount": 9}, "lanes": [method], "runs": 1 + number % 3, "dtype": dtype}
        e = Experiment.model_validate({"problem": lanes.problem(name), **common})
        for every in (None, 4):
            engine.run(e, 0, every)
        engine.sweep(e, {"learning_rate": [1e-4, 1e-3, 1e-2]}, target=1.0)
    for module in (dense, judge, linear, shuffle, surface):
        for function in vars(module).values():
            stats = getattr(function, "stats", None)
            assert stats is None or function.__module__ != module.__name__ or not stats.cache_misses, function


def test_nothing_is_compiled_where_the_stamps_stand():
    stamps, command = [ready.stamp(dtype) for dtype in ready.DTYPES], [sys.executable, "-m", "mbsgd_core.kernels"]
    before = [stamp.stat().st_mtime_ns for stamp in stamps]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == done.stderr == "" and [stamp.stat().st_mtime_ns for stamp in stamps] == before


# --- the stamps -----------------------------------------------------------------------------------------------------


def test_a_stamp_is_of_the_sources_the_versions_and_the_machine(tmp_path, monkeypatch):
    before = ready.digest()
    assert ready.stamp("float32") == ready.folder() / f"ready-{before}-float32"
    with monkeypatch.context() as patch:
        patch.setattr(ready, "HERE", tmp_path)
        for path in (ROOT / "mbsgd_core/kernels").glob("*.py"):
            shutil.copy(path, tmp_path)  # a fresh clone has its own times; numba's cache goes by the text
        assert ready.digest() == before
        (tmp_path / "ready.py").write_text("# nothing of this is compiled")
        assert ready.digest() == before
        (tmp_path / "smooth.py").write_text((tmp_path / "smooth.py").read_text() + "\n")
        assert ready.digest() != before
    monkeypatch.setattr("llvmlite.binding.get_host_cpu_name", lambda: "another")
    assert ready.digest() != before


def test_a_cache_for_a_named_processor_is_good_on_others(monkeypatch):
    monkeypatch.setenv("NUMBA_CPU_NAME", "x86-64-v3")
    monkeypatch.setenv("NUMBA_CPU_FEATURES", "")
    before = ready.digest()
    monkeypatch.setattr("llvmlite.binding.get_host_cpu_name", lambda: "another")
    assert ready.digest() == before
    monkeypatch.setenv("NUMBA_CPU_NAME", "x86-64-v4")
    assert ready.digest() != before


def test_a_process_decides_once_until_it_looks_again(tmp_path, monkeypatch):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(ready, "_decided", {})
    assert not ready.is_ready("float64")
    ready.stamp("float64").touch()
    assert not ready.is_ready("float64")
    assert ready.look_again() == ["float64"] and ready.look_again() == []
    assert ready.is_ready("float64") and not ready.is_ready("float32")
    ready.stamp("float64").unlink()
    assert ready.look_again() == [] and ready.is_ready("float64")  # what is loaded stays


def test_what_is_missed_is_asked_for_where_it_would_help(tmp_path, monkeypatch):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(ready, "_decided", {})
    ready.ask_for.cache_clear()
    method = {"sampler": "full_batch", "schedule": {"name": "constant", "learning_rate": 0.1}}
    common = {"budget": {"unit": "updates", "amount": 1}, "lanes": [method], "dtype": "float32", "seed": 99}
    large = {"name": "mlp", "dataset": "moons", "hidden": [100, 100]}
    notes = []
    for problem in ({"name": "mlp", "dataset": "digits"} | large, {"name": "quadratic"}):
        engine.init(Experiment.model_validate({"problem": problem, **common}), 0)
        notes.append(ready.note("float32").exists())
    assert notes == [False, True] and not ready.note("float64").exists()


# --- filling the cache ----------------------------------------------------------------------------------------------


@pytest.fixture
def empty(tmp_path, monkeypatch):
    """A cache that nobody has filled."""
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    return tmp_path


def compiles(monkeypatch, work=lambda dtype, backwards: None) -> list:
    """Puts something quick in the place of the compilation; who has compiled what."""
    seen = []

    def compile_all(dtype, backwards):
        seen.append((dtype, backwards))
        work(dtype, backwards)

    monkeypatch.setattr(fill, "compile_all", compile_all)
    return seen


def test_a_dtype_is_compiled_once_and_no_longer_asked_for(empty, monkeypatch):
    seen = compiles(monkeypatch)
    ready.note("float32").touch()
    assert [fill.fill("float32"), fill.fill("float32"), fill.fill("float32", backwards=True)] == [True, False, False]
    assert seen == [("float32", False)] and not ready.note("float32").exists()
    assert ready.stamp("float32").exists() and not ready.stamp("float64").exists()


def test_two_servers_do_not_compile_the_same(empty, monkeypatch):
    """The second one waits, and then takes what it finds."""
    begun, go_on = threading.Event(), threading.Event()
    seen = compiles(monkeypatch, lambda *of: begun.set() or go_on.wait(60))
    answers = []
    first, second = (threading.Thread(target=lambda: answers.append(fill.fill("float64"))) for _ in range(2))
    first.start()
    assert begun.wait(60)
    second.start()
    time.sleep(0.05)
    assert answers == [] and second.is_alive()
    go_on.set()
    first.join(60)
    second.join(60)
    assert answers == [True, True]  # both were started where it was missing: their workers have to load it
    assert ("float64", False) in seen and ready.stamp("float64").exists()


def test_who_meets_the_end_first_has_done_it_all(empty, monkeypatch):
    """Of two processes that go both ways each takes what the other one has compiled."""
    monkeypatch.setattr("mbsgd_core.kernels.compile.EXAMPLES", ("a", "b", "c", "d"))
    seen = []

    def run_once(example, dtype):
        seen.append(example)
        if len(seen) == 3:  # meanwhile the other one comes to its end
            ready.stamp(dtype).touch()

    monkeypatch.setattr("mbsgd_core.kernels.compile.run_once", run_once)
    assert fill.fill("float64", backwards=True) and seen == ["d", "c", "b"]


def test_who_was_interrupted_leaves_no_stamp_and_his_work_is_gone_on_with(empty, monkeypatch):
    def interrupted(dtype, backwards):
        (empty / "kernels_ab").mkdir()
        (empty / "kernels_ab/dense.descend-1.py311.1.nbc").touch()
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        compiles(patch, interrupted)
        with pytest.raises(KeyboardInterrupt):
            fill.fill("float64")
    assert not ready.stamp("float64").exists()
    seen = compiles(monkeypatch)
    assert fill.fill("float32") and fill.fill("float64") and len(seen) == 2
    assert (empty / "kernels_ab/dense.descend-1.py311.1.nbc").exists()


def test_what_was_compiled_from_other_sources_is_forgotten(empty, monkeypatch):
    """numba looks at a function's own file alone: one that took code from a changed file would stay as it was."""
    compiles(monkeypatch)
    assert fill.fill("float64") and fill.fill("float32")
    names = ["kernels_ab/dense.descend-1.py311.nbi", "kernels_ab/dense.descend-1.py311.1.nbc.tmp.12", "others_cd/a.nbi"]
    for name in names:
        (empty / name).parent.mkdir(exist_ok=True)
        (empty / name).touch()
    monkeypatch.setattr(fill, "digest", lambda: "later")
    monkeypatch.setattr(ready, "digest", lambda: "later")
    assert fill.fill("float64")
    left = {path.name for path in empty.rglob("*") if path.is_file() and not path.name.startswith("lock")}
    assert left == {"begun-later", "ready-later-float64", "a.nbi"}


def test_nothing_is_forgotten_while_somebody_compiles(empty, monkeypatch):
    compiles(monkeypatch)
    (empty / "dense.descend-1.py311.nbi").touch()
    another = threading.Thread(target=fill.fill, args=("float64",))
    with fill._alone(fill._turn("float32", True)):
        another.start()
        time.sleep(0.05)
        assert (empty / "dense.descend-1.py311.nbi").exists()
    another.join(60)
    assert not (empty / "dense.descend-1.py311.nbi").exists() and ready.stamp("float64").exists()


def test_beside_the_sources_only_what_is_compiled_is_forgotten(tmp_path, monkeypatch):
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    monkeypatch.setattr(ready, "HERE", tmp_path)
    (tmp_path / "__pycache__").mkdir()
    for name in ("ready-1234-float64", "begun-1234", "dense.descend-1.py311.nbi", "dense.cpython-311.pyc"):
        (tmp_path / "__pycache__" / name).touch()
    fill.clear()
    assert [path.name for path in tmp_path.rglob("*.*")] == ["dense.cpython-311.pyc"]


def test_sources_that_change_meanwhile_leave_no_stamp(empty, monkeypatch):
    compiles(monkeypatch, lambda *of: monkeypatch.setattr(ready, "digest", lambda: "later"))
    with pytest.raises(SystemExit, match="edited while it was compiled"):
        fill.fill("float64")
    assert not list(empty.glob("ready-*"))


SIDE_BY_SIDE = """
import sys
from mbsgd_core.kernels.fill import _saving_alone
from tiny import length
with _saving_alone():
    assert [length((1.0,) * n) for n in map(int, sys.argv[1:])] == list(map(int, sys.argv[1:]))
print(sum(length.stats.cache_misses.values()))
"""


def test_processes_side_by_side_keep_all_that_each_has_compiled(empty):
    """numba alone loses entries, or gives the code of two signatures one file: then a function runs the other's."""
    (empty / "tiny.py").write_text("from numba import njit\n\n@njit(cache=True)\ndef length(t):\n    return len(t)\n")
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{empty}"}

    def started(sizes):
        command = [sys.executable, "-c", SIDE_BY_SIDE, *map(str, sizes)]
        return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)

    pair = [started(range(1 + i, 17, 2)) for i in range(2)]
    assert [process.communicate(timeout=120)[0] for process in pair] == ["8\n", "8\n"]
    assert started(range(1, 17)).communicate(timeout=120)[0] == "0\n"
