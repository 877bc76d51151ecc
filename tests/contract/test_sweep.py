"""Sweeps: a cell is the run it stands for, however it is computed, cut, interrupted or shared."""

import importlib
import json
import pickle
from typing import Any

import numpy as np
import pytest
import torch

from mbsgd_core import axes, engine
from mbsgd_core.errors import ExperimentError
from mbsgd_core.experiment import Experiment
from mbsgd_core.rules.base import Rule
from mbsgd_core.types import Outcome
from tests.contract import _items as items

# The name engine.sweep is the function.
module = importlib.import_module("mbsgd_core.engine.sweep")
MINI_BATCH = {"name": "reshuffle", "batch_size": 8}
BOWL = {"name": "quadratic", "noise": 1.0}
BLOBS = {"name": "logistic_regression", "dataset": {"name": "blobs", "samples": 60}, "test_fraction": 0}
DIABETES = {"name": "linear_regression", "dataset": "diabetes", "l2": 0.1}


@pytest.fixture(autouse=True)
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def one_by_one(monkeypatch):
    """The definition: every cell is run by itself."""
    monkeypatch.setattr(module, "advance_together", lambda *_: None)


def described(problem=BOWL, rule="sgd", schedule=None, sampler=None, updates=60, **fields) -> dict[str, Any]:
    lane = {"sampler": sampler or MINI_BATCH, "rule": rule, "schedule": schedule or {"name": "constant"}}
    budget = {"unit": "updates", "amount": updates}
    # Through JSON, so that no part is shared and each can be changed alone.
    return json.loads(json.dumps({"problem": problem, "budget": budget, "lanes": [lane]} | fields))


def experiment(*args, **fields) -> Experiment:
    return Experiment.model_validate(described(*args, **fields))


def outcome_of(e: Experiment, lane: int, target: float, every: int | None) -> Outcome:
    """What a run came to, from its trace."""
    state, trace = engine.run(e, lane, every)
    loss = trace.loss.astype(float)
    steps = [next((u for u, f in zip(trace.update, row, strict=True) if f <= target), -1) for row in loss]
    return Outcome(loss[:, -1], np.array([np.nanmin(row) for row in loss]), np.array(steps), state.diverged_at)


def assert_same(found: Outcome, expected: Outcome, exactly: bool) -> None:
    if exactly:
        for a, b in zip(found, expected, strict=True):
            np.testing.assert_array_equal(a, b)
        return
    np.testing.assert_allclose(found.final_loss, expected.final_loss, rtol=1e-12, atol=0)
    np.testing.assert_allclose(found.best_loss, expected.best_loss, rtol=1e-12, atol=0)
    np.testing.assert_array_equal(found.steps_to_target, expected.steps_to_target)
    np.testing.assert_array_equal(found.diverged_at, expected.diverged_at)


def cell(lane: Outcome, *at: int) -> Outcome:
    return Outcome(*(array[at] for array in lane))


# A description, the axes x and y with where each stands in it, and the records that P > 2 is compared at.
GRIDS: dict[str, tuple[dict[str, Any], dict[str, tuple[list[Any], list[Any]]]]] = {
    "rate, momentum": (
        described(runs=3),
        {
            "learning_rate": ([0.01, 0.1, 30], ["lanes", 0, "schedule", "learning_rate"]),
            "momentum": ([0, 0.9], ["lanes", 0, "rule", "momentum"]),
        },
    ),
    "betas": (
        described(rule="adam", runs=2),
        {
            "beta1": ([0.0, 0.9], ["lanes", 0, "rule", "betas", 0]),
            "beta2": ([0.9, 0.999], ["lanes", 0, "rule", "betas", 1]),
        },
    ),
    "gamma, eps": (
        described(rule="adagrad", schedule={"name": "step", "step_size": 2}, runs=2),
        {
            "gamma": ([0.5, 0.9], ["lanes", 0, "schedule", "gamma"]),
            "eps": ([1e-10, 0.1], ["lanes", 0, "rule", "eps"]),
        },
    ),
    "step_size, weight_decay": (
        described(rule="adamw", schedule={"name": "step", "step_size": 2}, runs=2),
        {
            "step_size": ([1, 3], ["lanes", 0, "schedule", "step_size"]),
            "rule.weight_decay": ([0, 0.1], ["lanes", 0, "rule", "weight_decay"]),
        },
    ),
    "batch_size, rate": (
        described(BLOBS, runs=2),
        {
            "batch_size": ([1, 7, 60], ["lanes", 0, "sampler", "batch_size"]),
            "learning_rate": ([0.01, 0.5], ["lanes", 0, "schedule", "learning_rate"]),
        },
    ),
    "rate, l2": (
        described(DIABETES, sampler={"name": "with_replacement", "batch_size": 32}, updates=50),
        {
            "learning_rate": ([0.01, 0.1], ["lanes", 0, "schedule", "learning_rate"]),
            "l2": ([0, 1.0], ["problem", "l2"]),
        },
    ),
    "noise, seed": (
        described(runs=2),
        {"noise": ([0, 2.0], ["problem", "noise"]), "seed": ([0, 7], ["seed"])},
    ),
    "spread, samples": (
        described(BLOBS),
        {
            "spread": ([0.5, 2], ["problem", "dataset", "spread"]),
            "problem.dataset.samples": ([40, 60], ["problem", "dataset", "samples"]),
        },
    ),
    "one axis": (
        described(BLOBS, rule={"name": "sgd", "momentum": 0.9, "nesterov": True}, runs=3),
        {"momentum": ([0.5, 0.9, 0.99], ["lanes", 0, "rule", "momentum"])},
    ),
    "eigenvalue": (
        described(BOWL, rule={"name": "sgd", "momentum": 0.9}),
        {"eigenvalue2": ([1, 5, 40], ["problem", "eigenvalues", 1])},
    ),
    "a plateau": (
        described(schedule={"name": "reduce_on_plateau", "patience": 0}, runs=3),
        {
            "learning_rate": ([0.05, 0.1], ["lanes", 0, "schedule", "learning_rate"]),
            "factor": ([0.1, 0.5], ["lanes", 0, "schedule", "factor"]),
        },
    ),
}


def with_value(data: Any, place: list[Any], value: Any) -> None:
    for step in place[:-1]:
        if step == "betas":
            data.setdefault("betas", [0.9, 0.999])
        if step == "eigenvalues":
            data.setdefault("eigenvalues", [1.0, 10.0])
        data = data[step]
    data[place[-1]] = value


def single(data: dict[str, Any], changes: list[tuple[list[Any], Any]]) -> Experiment:
    """The experiment of one cell, written out and validated as anybody would."""
    data = json.loads(json.dumps(data))
    rule = data["lanes"][0]["rule"]
    data["lanes"][0]["rule"] = rule if isinstance(rule, dict) else {"name": rule}
    for place, value in changes:
        with_value(data, place, value)
    return Experiment.model_validate(data)


def assert_cells_are_runs(data, grid, exactly: bool) -> None:
    target = 1.0
    found = engine.sweep(Experiment.model_validate(data), {n: values for n, (values, _) in grid.items()}, target)
    (lane,) = found.lanes
    assert found.names == tuple(grid)
    for number in np.ndindex(lane.final_loss.shape[:-1]):
        changes = [(place, values[i]) for (values, place), i in zip(grid.values(), number[::-1], strict=True)]
        e = single(data, changes)
        every = 1 if e.problem.parameter_count == 2 else e.updates_per_epoch(0)
        assert_same(cell(lane, *number), outcome_of(e, 0, target, every), exactly)


@pytest.mark.parametrize("name", GRIDS)
def test_a_cell_is_exactly_its_run(name, one_by_one):
    assert_cells_are_runs(*GRIDS[name], exactly=True)


@pytest.mark.parametrize("name", GRIDS)
def test_a_cell_is_its_run_however_it_is_computed(name):
    assert_cells_are_runs(*GRIDS[name], exactly=False)


def test_a_cell_in_float32(one_by_one):
    data, grid = GRIDS["rate, momentum"]
    assert_cells_are_runs({**data, "dtype": "float32"}, grid, exactly=True)


def test_every_chooses_the_records():
    e = experiment(DIABETES, sampler={"name": "reshuffle", "batch_size": 100}, updates=23)
    found = engine.sweep(e, {"learning_rate": [0.01, 0.2]}, target=2000.0, every=4)
    for i, rate in enumerate((0.01, 0.2)):
        alone = axes.validated(e, {("lanes", 0, "schedule", "learning_rate"): rate})
        assert_same(cell(found.lanes[0], i), outcome_of(alone, 0, 2000.0, 4), exactly=False)


def test_gradient_descent_in_closed_form():
    """On f = |theta|^2 / 2 from (1, 0): theta_k = (1 - rate)^k, so f_k = (1 - rate)^(2k) / 2."""
    e = experiment({"name": "quadratic", "eigenvalues": [1, 1]}, sampler="full_batch", start=[1, 0], updates=40)
    rates = np.array([0.05, 0.5, 0.9, 1.5, 1.99, 4.0])
    found = engine.sweep(e, {"learning_rate": rates}, target=1e-3)
    (lane,) = found.lanes
    with np.errstate(over="ignore"):
        k = np.arange(41)
        loss = (1 - rates[:, None]) ** (2 * k) / 2
    for i in range(5):
        assert lane.final_loss[i, 0] == pytest.approx(loss[i, -1], rel=1e-10)
        assert lane.best_loss[i, 0] == pytest.approx(loss[i].min(), rel=1e-10)
        hits = np.flatnonzero(loss[i] <= 1e-3)
        assert lane.steps_to_target[i, 0] == (hits[0] if len(hits) else -1)
    assert (lane.diverged_at[:5] == -1).all()
    assert np.isnan(lane.final_loss[5, 0]) and lane.best_loss[5, 0] == 0.5 and lane.steps_to_target[5, 0] == -1
    assert lane.diverged_at[5, 0] == np.flatnonzero(loss[5] > 1e9)[0]


def test_the_axes_are_y_x_and_runs():
    e = experiment(runs=2, updates=3)
    found = engine.sweep(e, {"learning_rate": [0.1, 0.2, 0.3], "momentum": [0, 0.5]})
    assert found.names == ("learning_rate", "momentum")
    assert [v.tolist() for v in found.values] == [[0.1, 0.2, 0.3], [0.0, 0.5]]
    for array in found.lanes[0]:
        assert array.shape == (2, 3, 2)
    assert found.lanes[0].steps_to_target.dtype == found.lanes[0].diverged_at.dtype == np.int64
    assert (found.lanes[0].steps_to_target == -1).all()  # no target
    assert engine.sweep(e, {"seed": [4, 5]}).lanes[0].best_loss.shape == (2, 2)


def test_every_lane_that_has_the_knob_is_swept_and_another_keeps_its_own_value():
    data = described(updates=20, runs=2)
    bgd = {"sampler": "full_batch", "rule": "adam", "schedule": {"name": "constant", "learning_rate": 0.3}}
    data["lanes"] += [{**data["lanes"][0], "rule": {"name": "rmsprop", "momentum": 0.2}}, bgd]
    e = Experiment.model_validate(data)
    state = engine.sweep_init(e, {"momentum": [0, 0.9], "batch_size": [2, 8, 64]})
    assert state.cells == (6, 6, 1)
    found = engine.sweep(e, {"momentum": [0, 0.9], "batch_size": [2, 8, 64]}, 1.0)
    for i in (0, 1):
        changes = {("lanes", i, "rule", "momentum"): 0.9, ("lanes", i, "sampler", "batch_size"): 2}
        expected = outcome_of(axes.validated(e, changes), i, 1.0, 1)
        assert_same(cell(found.lanes[i], 0, 1), expected, exactly=False)
    expected = outcome_of(e, 2, 1.0, 1)
    for number in np.ndindex(3, 2):
        assert_same(cell(found.lanes[2], *number), expected, exactly=False)


def test_a_value_given_twice_is_computed_once():
    e = experiment(updates=5)
    assert engine.sweep_init(e, {"batch_size": [8, 1, 8, 8.0]}).cells == (2,)
    found = engine.sweep(e, {"batch_size": [8, 1, 8, 8.0]})
    assert found.values[0].tolist() == [8, 1, 8, 8]
    loss = found.lanes[0].final_loss[:, 0]
    assert loss[0] == loss[2] == loss[3] != loss[1]


def test_a_budget_of_0_is_the_start():
    (lane,) = engine.sweep(experiment(updates=0), {"learning_rate": [0.1, 1]}, target=10).lanes
    assert lane.final_loss.tolist() == lane.best_loss.tolist() == [[6.125], [6.125]]
    assert lane.steps_to_target.tolist() == [[0], [0]] and (lane.diverged_at == -1).all()


def test_a_start_that_is_not_finite_has_diverged_at_0():
    e = experiment({"name": "formula", "formula": "log(x)"}, start=[-1, 0], updates=5)
    (lane,) = engine.sweep(e, {"learning_rate": [0.1, 1]}, target=1e9).lanes
    assert np.isnan(lane.final_loss).all() and np.isnan(lane.best_loss).all()
    assert (lane.diverged_at == 0).all() and (lane.steps_to_target == -1).all()


def parts_in(state, chunks, between=lambda state: state):
    parts = []
    for n in chunks:
        state, more = engine.sweep_advance(between(state), n)
        parts += more
    while not state.finished:
        state, more = engine.sweep_advance(between(state), 1)
        parts += more
    return engine.sweep_join(state, parts)


def bits(sweep) -> list[bytes]:
    return [array.tobytes() for lane in sweep.lanes for array in lane]


@pytest.mark.parametrize("piece", [1, 13, 60, 150, 10_000])
def test_pieces_leave_no_trace(piece, monkeypatch, one_by_one):
    e = experiment(runs=2)
    grid = {"learning_rate": [0.1, 0.2, 30], "batch_size": [4, 8]}
    whole = bits(engine.sweep(e, grid, target=1.0))
    monkeypatch.setattr(module, "PIECE_UPDATES", piece)
    start = engine.sweep_init(e, grid, target=1.0)
    again = bits(parts_in(start, [1, 3, 0, 2], lambda state: pickle.loads(pickle.dumps(state))))
    assert again == whole
    assert bits(parts_in(start, [100_000])) == whole  # the state was not changed by being used


def test_blocks_of_a_group_leave_no_trace(monkeypatch):
    e, grid = experiment(runs=2), {"learning_rate": [0.1, 0.2, 0.01], "momentum": [0, 0.3, 0.5, 0.9]}
    whole = engine.sweep(e, grid, target=1.0)
    monkeypatch.setattr(module, "TOGETHER", 5)
    module._grid.cache_clear()
    try:
        assert_same(engine.sweep(e, grid, target=1.0).lanes[0], whole.lanes[0], exactly=False)
    finally:
        module._grid.cache_clear()


def test_a_cancelled_sweep_keeps_the_cells_it_has(monkeypatch, one_by_one):
    monkeypatch.setattr(module, "PIECE_UPDATES", 150)
    e, grid = experiment(), {"learning_rate": [0.1, 0.2, 0.3], "momentum": [0, 0.9]}
    whole = engine.sweep(e, grid, target=1.0).lanes[0]
    state, parts = engine.sweep_advance(engine.sweep_init(e, grid, target=1.0))
    assert [len(part.cells) for part in parts] == [2]
    some = engine.sweep_join(state, parts).lanes[0]
    there = ~np.isnan(some.final_loss)
    assert there.sum() == 2
    for a, b in zip(some, whole, strict=True):
        np.testing.assert_array_equal(a[there], b[there])
    assert (some.steps_to_target[~there] == -1).all() and np.isnan(some.best_loss[~there]).all()
    nothing = engine.sweep_join(state, []).lanes[0]
    assert nothing.final_loss.shape == (2, 3, 1) and np.isnan(nothing.final_loss).all()


class Together:
    """Stands in for the compiled form: notes what it is asked, and answers with the knobs it was given."""

    def __init__(self):
        self.calls = []

    def __call__(self, e, lane, knobs, target, every):
        self.calls.append((e, lane, knobs, target, every))
        count = len(next(iter(knobs.values()))) if knobs else 1
        rate = knobs.get("schedule.learning_rate", np.zeros(count))
        momentum = knobs.get("rule.momentum", np.zeros(count))
        loss = np.repeat((rate + 10 * momentum)[:, None], e.runs, axis=1)
        return Outcome(loss, loss, np.full(loss.shape, e.lanes[0].sampler.size(64)), np.full(loss.shape, e.seed))


@pytest.fixture
def together(monkeypatch):
    stand_in = Together()
    monkeypatch.setattr(module, "advance_together", stand_in)
    return stand_in


def test_knobs_of_rule_and_schedule_are_one_group(together):
    rates, momenta = np.geomspace(1e-3, 1, 5), np.linspace(0, 0.9, 4)
    found = engine.sweep(experiment(runs=2), {"learning_rate": rates, "momentum": momenta}, target=0.5)
    ((e, lane, knobs, target, every),) = together.calls
    assert (e, lane, target, every) == (experiment(runs=2), 0, 0.5, 1)
    assert set(knobs) == {"schedule.learning_rate", "rule.momentum"}
    assert all(values.shape == (20,) for values in knobs.values())
    expected = np.repeat((rates[None, :] + 10 * momenta[:, None])[..., None], 2, axis=-1)
    np.testing.assert_array_equal(found.lanes[0].final_loss, expected)


@pytest.mark.parametrize("swapped", [False, True])
def test_another_knob_begins_a_group(swapped, together):
    grid = {"batch_size": [4, 16, 64], "momentum": [0, 0.5]}
    found = engine.sweep(experiment(), dict(reversed(grid.items())) if swapped else grid)
    assert [call[0].lanes[0].sampler.batch_size for call in together.calls] == [4, 16, 64]
    assert all(call[2]["rule.momentum"].tolist() == [0, 0.5] for call in together.calls)
    steps, loss = found.lanes[0].steps_to_target[..., 0], found.lanes[0].final_loss[..., 0]
    if swapped:
        steps, loss = steps.T, loss.T
    assert steps.tolist() == [[4, 16, 64]] * 2 and loss.tolist() == [[0] * 3, [5] * 3]


def test_two_other_knobs_are_a_group_a_cell(together):
    found = engine.sweep(experiment(), {"batch_size": [4, 16], "seed": [1, 2, 3]})
    assert len(together.calls) == 6 and all(call[2] == {} for call in together.calls)
    assert found.lanes[0].diverged_at[..., 0].tolist() == [[1, 1], [2, 2], [3, 3]]
    assert found.lanes[0].steps_to_target[..., 0].tolist() == [[4, 16]] * 3


def test_betas_are_told_apart_and_lanes_come_alone(together):
    data = described(rule="adam")
    data["lanes"] = [{**data["lanes"][0], "rule": "sgd"}, data["lanes"][0]]
    engine.sweep(Experiment.model_validate(data), {"beta2": [0.9, 0.99]})
    assert [list(call[2]) for call in together.calls] == [[], ["rule.beta2"]]
    assert [(len(call[0].lanes), call[1]) for call in together.calls] == [(1, 0)] * 2


@pytest.mark.parametrize(
    ("problem", "sampler", "updates", "every"),
    [
        (BOWL, MINI_BATCH, 2000, 1),
        (BOWL, MINI_BATCH, 2001, 2),
        (BOWL, MINI_BATCH, 10_000, 5),
        (BLOBS, {"name": "reshuffle", "batch_size": 7}, 100, 9),  # three parameters, 60 samples
        (BLOBS, {"name": "reshuffle", "batch_size": 30}, 4001, 4),
        (BLOBS, "full_batch", 5, 1),
    ],
)
def test_what_is_looked_at_unless_told_otherwise(problem, sampler, updates, every, together):
    e = experiment(problem, sampler=sampler, updates=updates)
    engine.sweep(e, {"learning_rate": [0.1]})
    assert [call[4] for call in together.calls] == [every]
    assert len(engine.records(e, 0, every)) <= 2002


def test_cells_are_not_validated_one_by_one(together, monkeypatch):
    calls = []
    plain = Experiment.model_validate.__func__
    monkeypatch.setattr(Experiment, "model_validate", classmethod(lambda cls, obj: calls.append(1) or plain(cls, obj)))
    e = experiment()
    calls.clear()
    engine.sweep(e, {"learning_rate": np.geomspace(1e-4, 1, 64), "momentum": np.linspace(0, 0.99, 64)})
    assert len(calls) <= 6 and len(together.calls) == 4


BAD = [
    ({}, "one or two axes; given 0"),
    ({"seed": [1], "momentum": [0], "noise": [0]}, "one or two axes; given 3"),
    ({"momentun": [0]}, "did you mean 'momentum'?"),
    ({"nesterov": [0, 1]}, "no number of this experiment is called 'nesterov'"),
    ({"beta1": [0.9]}, "no number of this experiment is called 'beta1'"),
    ({"runs": [1, 2]}, "no number of this experiment is called 'runs'"),
    ({"momentum": [0], "rule.momentum": [0.5]}, "momentum and rule.momentum are the same knob"),
    ({"momentum": []}, "momentum: the values of an axis are a list of numbers"),
    ({"momentum": [[0.1]]}, "momentum: the values of an axis"),
    ({"momentum": 0.1}, "momentum: the values of an axis"),
    ({"momentum": ["0.1"]}, "momentum: the values of an axis"),
    ({"momentum": [True]}, "momentum: the values of an axis"),
    ({"momentum": [0, 0.5, 1]}, "lanes.0.rule.momentum: given 1.0; it should be less than 1"),
    ({"momentum": [0, 0.5, -0.1]}, "lanes.0.rule.momentum: given -0.1"),
    ({"learning_rate": [np.nan]}, "lanes.0.schedule.learning_rate: given nan"),
    ({"learning_rate": [0.1, 0]}, "lanes.0.schedule.learning_rate: given 0.0; it should be greater than 0"),
    ({"batch_size": [1, 2.5]}, "lanes.0.sampler.batch_size: given 2.5"),
    ({"batch_size": [1, 65]}, "lanes.0.sampler.batch_size: given 65; the problem has 64 samples"),
    ({"seed": [-1]}, "seed: given -1"),
    ({"samples": [4, 64], "batch_size": [2, 32]}, "given 32; the problem has 4 samples"),
]


@pytest.mark.parametrize(("grid", "words"), BAD, ids=lambda v: str(v)[:40])
def test_what_is_given_wrong_is_a_sentence_before_anything_runs(grid, words, together):
    with pytest.raises(ExperimentError, match=r"\S") as error:
        engine.sweep(experiment(), grid)
    assert words in str(error.value) and "\n" not in str(error.value)
    assert not together.calls


def test_a_name_that_two_parts_have_needs_its_path():
    e = experiment(rule="adam", schedule={"name": "reduce_on_plateau"}, updates=3)
    with pytest.raises(ExperimentError, match=r"write schedule\.eps or rule\.eps"):
        engine.sweep_init(e, {"eps": [1e-8]})
    assert engine.sweep_init(e, {"rule.eps": [1e-8], "schedule.eps": [1e-9]}).cells == (1,)


@pytest.mark.parametrize("wrong", [{"target": np.nan}, {"every": 0}])
def test_a_target_and_records_that_make_no_sense(wrong):
    with pytest.raises(ExperimentError, match="given"):
        engine.sweep_init(experiment(), {"momentum": [0]}, **wrong)


def test_values_that_need_each_other_are_judged_together():
    """warmup = 50 needs a total above it: the experiment's own total of 20 would not do."""
    schedule = {"name": "warmup_cosine", "warmup": 5, "total": 20}
    e = experiment(schedule=schedule, updates=400)
    with pytest.raises(ExperimentError, match="total should be above"):
        engine.sweep_init(e, {"warmup": [5, 50]})
    assert engine.sweep_init(e, {"warmup": [5, 50], "total": [60, 100]}).cells == (4,)
    with pytest.raises(ExperimentError, match="total should be above"):
        engine.sweep_init(e, {"warmup": [5, 50], "total": [40, 100]})


@pytest.mark.parametrize("rule", items.plain(Rule), ids=items.name_of)
def test_every_number_of_a_rule_is_a_knob_with_one_value(rule):
    e = experiment(rule=rule)
    found = axes.knobs(e)
    fields = dict(e.lanes[0].rule)
    scalars = {f"rule.{name}" for name, value in fields.items() if type(value) in (int, float)}
    pairs = {f"rule.{name[:-1]}{i}" for name, value in fields.items() if type(value) is tuple for i in (1, 2)}
    assert {name for name in found if name.startswith("rule.")} == scalars | pairs
    for name, knob in found.items():
        assert axes.find(e, name) == knob
        for place in knob.places:
            assert isinstance(axes.value_at(e, place), int if knob.whole else float)
            assert axes.replaced(e, {place: axes.value_at(e, place)}) == e
