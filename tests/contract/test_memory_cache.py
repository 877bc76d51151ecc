"""What is kept between two questions is bounded by bytes, and nobody can tell from a result whether it was kept."""

import os
import re
import subprocess
import sys
import threading
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mbsgd_core import engine, memory_cache
from mbsgd_core.engine import plan
from mbsgd_core.experiment import Experiment, registered
from mbsgd_core.memory_cache import byte_lru, derived_cache, held
from mbsgd_core.problems.datasets.base import Dataset
from tests.contract._progress import drawn

ROOT = Path(__file__).parents[2]
MEGABYTE = 1_000_000
# Runs the command line, and says with how much memory at most. Linux' getrusage would count what the parent had, too.
PEAK = "import sys; from mbsgd_core.cli.main import main; status = main(sys.argv[1:]); "
PEAK += "print(open('/proc/self/status').read(), file=sys.stderr); sys.exit(status)"


@pytest.fixture
def allowance(monkeypatch):
    """An empty shelf, with an allowance in megabytes."""
    memory_cache.forget()

    def allow(megabytes: float) -> int:
        monkeypatch.setattr(memory_cache, "MOST_BYTES", round(megabytes * MEGABYTE))
        return memory_cache.MOST_BYTES

    return allow


def zeros(megabytes: float, most: int = 100) -> Any:
    """A function that keeps arrays of zeros, one for each number that it is given."""
    return byte_lru(most=most)(lambda number: np.zeros(round(megabytes * MEGABYTE / 8)))


def test_the_newest_results_are_kept_and_those_not_asked_for_go_first(allowance):
    allowance(3.5)
    make = zeros(1)
    first, second, third = (weakref.ref(make(number)) for number in range(3))
    make(0)  # asked for again: now the second is the oldest
    make(3)
    assert first() is not None and second() is None and third() is not None
    assert held() <= memory_cache.MOST_BYTES


def test_a_result_beyond_the_allowance_is_kept_until_the_next(allowance):
    allowance(1)
    make, other = zeros(5), zeros(0.1)
    large = make(0)
    assert make(0) is large and other(1) is other(1)
    other(2)
    assert make(0) is large and held() == large.nbytes + other(2).nbytes
    assert make(1) is not large and held() == large.nbytes + other(2).nbytes


def test_memory_that_results_share_counts_once(allowance):
    allowance(100)
    base = zeros(1)(0)
    view = byte_lru(most=10)(lambda number: (base[number:], torch.from_numpy(base)))
    for number in range(5):
        view(number)
    assert held() == base.nbytes
    view.cache_clear()
    assert held() == base.nbytes


def test_no_more_are_kept_than_a_function_says():
    make = zeros(0.001, most=3)
    calls = [weakref.ref(make(number)) for number in range(5)]
    assert [call() is not None for call in calls] == [False, False, True, True, True]


def test_what_is_made_from_a_result_does_not_hold_on_to_it(allowance):
    allowance(1.5)
    make = zeros(1)
    view = derived_cache(most=10)(lambda number: make(number)[:5])
    first = weakref.ref(make(0))
    assert view(0) is view(0) and view(0).base is first()
    make(1)
    assert first() is None


def test_all_can_be_forgotten(allowance):
    allowance(10)
    make = zeros(1)
    view = derived_cache(most=10)(lambda number: make(number)[:5])
    whole, part = weakref.ref(make(0)), weakref.ref(view(0))
    memory_cache.forget()
    assert whole() is None and part() is None and held() == 0


def test_an_error_is_not_kept():
    answers = iter([ValueError("not yet"), 7])

    def ask(number: int) -> int:
        answer = next(answers)
        if isinstance(answer, ValueError):
            raise answer
        return answer

    asked = byte_lru(most=2)(ask)
    with pytest.raises(ValueError, match="not yet"):
        asked(0)
    assert asked(0) == asked(0) == 7


def test_many_threads_may_ask_at_once(allowance):
    allowance(0.5)
    make, wrong = byte_lru(most=20)(lambda number: np.full(10_000, number)), list[int]()

    def ask(seed: int) -> None:
        for number in np.random.default_rng(seed).integers(30, size=300):
            if not (make(int(number)) == number).all():
                wrong.append(number)

    threads = [threading.Thread(target=ask, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong and held() <= memory_cache.MOST_BYTES


def large(i: int, model: str) -> Experiment:
    """One of many experiments, each with a megabyte of data or two."""
    problems: dict[str, Any] = {
        "logistic_regression": {"dataset": {"name": "blobs", "samples": 40_000, "spread": 0.5 + i / 20}},
        "linear_regression": {"dataset": {"name": "line", "samples": 40_000, "slope": 1 + i / 20}},
        "softmax_regression": {"dataset": {"name": "mnist", "rows": "subset"}, "train_rows": 100 + i, "l2": 0.01},
        "mlp": {"dataset": {"name": "spiral", "samples": 40_000, "noise": i / 100}, "hidden": [4]},
    }
    batches = {"name": "reshuffle", "batch_size": 20}
    rate = {"name": "constant", "learning_rate": 0.05}
    return Experiment.model_validate(
        {
            "problem": {"name": model, **problems[model]},
            "budget": {"unit": "updates", "amount": 3},
            "lanes": [{"sampler": batches, "schedule": rate}, {"sampler": "full_batch", "schedule": rate}],
        }
    )


def trained(e: Experiment) -> list[bytes]:
    """What comes of it, to the last bit; drawn too where the page would, which keeps more."""
    traces = [engine.run(e, lane)[1] for lane in range(len(e.lanes))]
    found = [part.tobytes() for trace in traces for part in trace]
    if e.problem.parameter_count == 2:
        found.append(drawn(e, traces, size=12)["arrays"]["z"].tobytes())
    return found


@pytest.mark.parametrize("model", ["logistic_regression", "linear_regression", "softmax_regression", "mlp"])
def test_twenty_large_experiments_leave_little_behind(model, allowance):
    most = allowance(30)
    sums, results = [], []
    for i in range(20):
        e = large(i, model)
        results.append(trained(e))
        sums.append(weakref.ref(engine.finite_sum(e)))
        assert held() <= most
    alive = [total for total in (found() for found in sums) if total is not None]
    assert 1 <= len(alive) < 20 and alive[-1] is engine.finite_sum(large(19, model))
    assert trained(large(0, model)) == results[0] and trained(large(19, model)) == results[19]
    allowance(0)  # nothing is kept that can be made anew
    assert [trained(large(i, model)) for i in (0, 7, 19)] == [results[i] for i in (0, 7, 19)]


def test_the_orders_of_many_runs_count_too(allowance, monkeypatch):
    """A plan remembers short orders itself; long ones must not stay with every plan that is kept."""
    batches = {"sampler": {"name": "with_replacement", "batch_size": 16}, "schedule": "constant", "rule": "adam"}
    given = {"problem": {"name": "mlp", "dataset": "moons", "dropout": 0.5}, "runs": 40, "lanes": [batches]}

    def results() -> list[bytes]:
        found = []
        for seed in range(20):
            e = Experiment.model_validate({**given, "budget": {"unit": "updates", "amount": 12}, "seed": seed})
            found.append(engine.run(e, 0)[1].theta.tobytes())
            assert held() <= most
        return found

    most = allowance(100)
    whole = results()
    monkeypatch.setattr(plan, "OWN_VISITS", 100)
    memory_cache.forget()
    most = allowance(1)
    orders = held()
    assert results() == whole and held() > orders


@pytest.mark.parametrize("name", ["blobs", "line", "spiral", "csv"])
def test_a_header_does_not_hold_on_to_the_rows(name):
    header = registered(Dataset)[name]().header()  # type: ignore[attr-defined]
    assert len(header.x) == len(header.y) == 0 and header.x.base is header.y.base is None


def test_some_updates_on_the_shipped_images_take_little_memory(tmp_path):
    path = tmp_path / "e.json"
    lane = {"sampler": {"name": "reshuffle", "batch_size": 64}, "rule": "adam", "schedule": "constant"}
    problem = {"name": "cnn", "dataset": {"name": "mnist", "rows": "subset"}, "channels": [4, 8], "hidden": 16}
    e = {"problem": problem, "dtype": "float32", "budget": {"unit": "updates", "amount": 5}, "lanes": [lane]}
    path.write_text(Experiment.model_validate(e).to_json())
    command = [sys.executable, "-c", PEAK, "run", str(path), "--quiet"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    found = re.search(r"VmHWM:\s*(\d+) kB", done.stderr)
    assert found is not None and int(found[1]) < 900_000
