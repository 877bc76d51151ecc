"""Whole runs, and all that is measured of them, on a pretended device: nothing mixes, and the numbers are the CPU's."""

from typing import Any

import numpy as np
import pytest
import torch

from mbsgd_core import engine, kernels, memory_cache
from mbsgd_core.cli import run
from mbsgd_core.engine import lane, plan
from mbsgd_core.experiment import Experiment
from mbsgd_core.jobs import tasks
from mbsgd_core.measures import (
    cursor,
    evaluation,
    landscape,
    learning,
    meter,
    noise,
    panels,
    path_gradients,
    sharpness,
    slices,
    stability,
    subsample,
    suggestion,
)
from mbsgd_core.problems.models.base import DataProblem
from mbsgd_core.registry import discover
from mbsgd_core.results.cost import NO_COSTS
from mbsgd_core.results.run import View
from mbsgd_core.schedules.base import Schedule
from tests.contract._device_cases import QUADRATIC, every_problem, experiment, settings
from tests.contract._fake_device import FAR, assert_same, far, near
from tests.contract._progress import drawn

TOLERANCE = 1e-12  # of measures: how numpy's arrays lie in memory decides how their products round


@pytest.fixture
def on(monkeypatch):
    """Do some work on a device, by the torch definitions alone; nothing kept comes in or stays."""

    def do(device: str, work) -> Any:
        memory_cache.forget()
        try:
            with monkeypatch.context() as patch:
                patch.setattr(plan, "device_of", lambda e: device)
                if device == FAR:
                    with far():
                        return work()
                patch.setattr(kernels, "descent_for", lambda *of: None)
                return work()
        finally:
            memory_cache.forget()

    return do


def runs_of(e: Experiment) -> list:
    """Every lane in two chunks: its states, its trace, the losses heard on the way and what is reported of it."""
    found = []
    for i in range(len(e.lanes)):
        state, traces, heard = engine.init(e, i), [], list[torch.Tensor]()
        for updates in (1, e.updates(i)):
            state, trace = engine.advance(state, updates, batch_losses=heard)
            traces.append(trace)
        whole = engine.join([lane.snapshot(engine.init(e, i)), *traces])
        tensors = [state.theta, *(value for value in state.rule_state if isinstance(value, torch.Tensor)), *heard]
        where = {tensor.device.type for tensor in tensors}
        spoken = list(run._batch_losses(engine.init(e, i), 2))
        found.append([where, tensors, list(whole), state.diverged_at, run.report(state, whole, NO_COSTS, 0.0), spoken])
    return near(found)


@every_problem
@pytest.mark.parametrize("runs", [1, 3])
def test_a_run_stays_on_its_device_and_is_the_same_bit_for_bit(given, runs, on):
    e = experiment(given, runs=runs)
    expected, found = (on(device, lambda: runs_of(e)) for device in ("cpu", FAR))
    assert [one[0] for one in expected] == [{"cpu"}] * 3 and [one[0] for one in found] == [{FAR}] * 3
    assert_same([one[1:] for one in found], [one[1:] for one in expected])


WATCHING = [name for name, cls in discover("mbsgd_core.schedules", Schedule).items() if cls.watches_objective]


@pytest.mark.parametrize("schedule", WATCHING)
@pytest.mark.parametrize(("interval", "updates"), [("epoch", 32), ("update", 5)])
def test_rates_that_differ_between_runs_are_on_the_device_too(schedule, interval, updates, on):
    rates = {"name": schedule, "learning_rate": 0.1, "interval": interval, "patience": 0, "factor": 0.5}
    method = {"sampler": {"name": "reshuffle", "batch_size": 1}, "schedule": rates}
    e = experiment(QUADRATIC, [method], runs=4, budget={"unit": "updates", "amount": updates})
    expected, found = (on(device, lambda: [*runs_of(e), engine.run(e, 0)[0].schedule_state]) for device in ("cpu", FAR))
    assert_same(found[0][1:], expected[0][1:])
    assert len({rate for _, rate, *_ in found[1]}) > 1 and found[1] == expected[1]


def measured(e: Experiment) -> dict[str, Any]:
    """All that the pages show and the instruments read, as far as the problem has it."""
    traces = [engine.run(e, i)[1] for i in range(len(e.lanes) - 1)]
    whole, theta = engine.finite_sum(e), traces[1].theta[0, -1]
    shown = drawn(e, traces, panels=panels.panels(e), size=12)
    found: dict[str, Any] = {
        "report": {name: shown[name] for name in ("problem", "lanes", "arrays", "scene")},
        "cursor": cursor.at_cursor(e, [0], [theta.tolist()], shown["plane"]),
        "batches": path_gradients.next_batch_gradients(e, 1, traces[1]),
        "samples": noise.sample_gradients(whole, theta),
        "suggestion": suggestion.suggestion(e),
    }
    if whole.parameters <= stability.PARAMETERS:
        found["hessian"] = stability.hessian(whole, theta)
        found["hessians"] = stability.sample_hessians(whole, theta)
    for name, total in (("whole", whole), ("part", subsample.subsample(whole, 5, e.seed))):
        begun = landscape.begin(total, traces, size=3)
        found[name] = {
            "landscape": landscape.advance(total, begun, 9 + 2 * landscape.SHADOWS).values,
            "random": landscape.advance(total, landscape.begin(total, traces, "random", size=3), 9).values[:9],
            "sharpness": sharpness.sharpness(total, theta, products=4)[:2],
            "meter": [meter.meter(total, theta, group) for group in (None, 3)],
            "slices": slices.line(total, theta, np.ones(len(theta)), np.linspace(0, 1, 3)),
            "gradients": path_gradients.gradients(total, traces[0].theta[0]),
        }
    if isinstance(e.problem, DataProblem):
        found["judged"] = learning.judge(e.problem, whole, theta, e.seed, "train")
        found["curves"] = learning.curves(e.problem, whole, traces[0].theta[0], e.seed, 5)
        if len(e.problem.header.features) == 2:
            found["field"] = learning.field(e.problem, whole, theta, e.seed, 5)
        found |= {"judged lanes": [judged(e, i) for i in range(len(e.lanes))]}
    return near(found)


def judged(e: Experiment, i: int) -> dict[str, Any]:
    """A lane that stops to be judged, its state pickled between the tasks; without what a clock says."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evaluation, "stops", lambda e: True)
        now = tasks.begin(e.to_json(), 0.0, View(("confusion", "numbers"))).lanes[i]
        while now.state is not None:
            now = now.grown(tasks.advance(now.state, 1.0, now.pace))
    told = now._asdict()
    return {name: told[name] for name in ("trace", "kept", "diverged_at", "evaluations", "replay", "newest")}


def instances() -> list:
    """One of every kind of sum: those settings whose measures take different ways."""
    kinds: dict[Any, Any] = {}
    for case in settings():
        (given,) = case.values
        total = experiment(given).problem.realize(0, torch.float64, "cpu")
        kinds.setdefault((type(total), getattr(total, "loss_name", None)), case)
    return list(kinds.values())


@pytest.mark.parametrize("given", instances())
def test_what_is_measured_is_the_same_on_every_device(given, on):
    e = experiment(given)
    expected, found = (on(device, lambda: measured(e)) for device in ("cpu", FAR))
    assert_same(found, expected, TOLERANCE)
