"""Runs to be tried: small experiments, chains followed here, and what "the same run" means."""

import pickle
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from mbsgd_core import engine
from mbsgd_core.experiment import Experiment
from mbsgd_core.jobs.job import Job
from mbsgd_core.jobs.run import run
from mbsgd_core.results.run import EVERYTHING, LaneProgress, RunProgress, View

WAIT = 60  # seconds; far more than anything here needs
LONG = 100_000_000  # epochs: hours of work
DIGITS = {"name": "softmax_regression", "dataset": "digits"}
# So many parameters that the engine's own records would not hold them: lanes stop to be judged.
LARGE = {"name": "mlp", "dataset": {"name": "moons", "samples": 60}, "hidden": [100, 98]}


def surface(epochs: int = 6, rate: float = 0.02, **more: Any) -> Experiment:
    """BGD, SGD and mini-batches on a bowl of 64 samples."""
    schedule = {"name": "constant", "learning_rate": rate}
    samplers = ["full_batch", {"name": "reshuffle", "batch_size": 1}, {"name": "reshuffle", "batch_size": 10}]
    lanes = [{"sampler": sampler, "schedule": schedule} for sampler in samplers]
    problem = {"name": "quadratic", "noise": 1.0}
    return Experiment.model_validate(
        {"problem": problem, "budget": {"unit": "epochs", "amount": epochs}, "lanes": lanes} | more
    )


def model(problem: Any = None, **more: Any) -> Experiment:
    """Two lanes that learn data: a small network on moons, unless another problem is given."""
    schedule = {"name": "constant", "learning_rate": 0.1}
    samplers = ["full_batch", {"name": "reshuffle", "batch_size": 8}]
    draft = {
        "problem": problem or {"name": "mlp", "dataset": {"name": "moons", "samples": 60}, "hidden": [4]},
        "budget": {"unit": "epochs", "amount": 4},
        "lanes": [{"sampler": s, "rule": {"name": "sgd", "momentum": 0.5}, "schedule": schedule} for s in samplers],
    }
    return Experiment.model_validate(draft | more)


def unowned() -> Job:
    """One that no runner has."""
    return Job("a", "b", lambda job: None)


def follow(chain: Any, between: Callable[[], Any] = lambda: None) -> tuple[Any, int]:
    """Run a chain here, with everything pickled on its way as between processes: (its result, number of tasks)."""
    value, count = None, 0
    while True:
        try:
            function, args = pickle.loads(pickle.dumps(chain.send(value)))
        except StopIteration as stop:
            return stop.value, count
        value, count = pickle.loads(pickle.dumps(function(*args))), count + 1
        between()


def train(
    wanted: Experiment,
    known: RunProgress | None = None,
    between: Callable[[], Any] = lambda: None,
    mine: Job | None = None,
    view: View = EVERYTHING,
) -> RunProgress:
    """A run, here."""
    mine = mine or unowned()
    mine.view = view
    return follow(run(wanted.to_json(), known, mine), between)[0]


def until(come: Callable[[], Any]) -> Any:
    """Wait for a condition; what it gave."""
    end = time.monotonic() + WAIT
    while not (found := come()):
        assert time.monotonic() < end, "it never came"
        time.sleep(0.01)
    return found


def assert_engines(lanes: Any, wanted: Experiment) -> None:
    """The numbers that the engine gives in one go."""
    for i, lane in enumerate(lanes):
        _, trace = engine.run(wanted, i)
        for name, got, expected in zip(trace._fields, lane.trace, trace, strict=True):
            assert got.dtype == expected.dtype, name
            np.testing.assert_array_equal(got, expected, err_msg=f"lane {i}: {name}")


def assert_same(one: LaneProgress, two: LaneProgress) -> None:
    """Equal bit for bit, but for the time that it took and the bytes of a state."""
    assert one.over == two.over
    for name in ("update", "updates", "diverged_at"):
        assert getattr(one, name) == getattr(two, name), name
    for part in ("trace", "evaluations"):
        mine, other = getattr(one, part), getattr(two, part)
        for name, a, b in zip(mine._fields, mine, other, strict=True):
            np.testing.assert_array_equal(a, b, err_msg=f"{part}.{name}")
    np.testing.assert_array_equal(one.kept, two.kept)
    assert one.replay.at == two.replay.at
    for mine, other in zip([one.newest, *one.replay.frames], [two.newest, *two.replay.frames], strict=True):
        assert mine.keys() == other.keys()
        for name in mine:
            np.testing.assert_array_equal(mine[name], other[name], err_msg=name)


def assert_same_run(one: RunProgress, two: RunProgress) -> None:
    """Equal lanes."""
    assert len(one.lanes) == len(two.lanes)
    for a, b in zip(one.lanes, two.lanes, strict=True):
        assert_same(a, b)
