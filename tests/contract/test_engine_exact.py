"""The engine, bit for bit: chunks, restarts, runs, torch loops, records, divergence, budgets."""

import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from mbsgd_core import engine
from mbsgd_core.experiment import Experiment, registered
from mbsgd_core.problems.surfaces.base import centred_draws
from mbsgd_core.registry import discover
from mbsgd_core.rules.base import Rule
from mbsgd_core.samplers.base import Sampler
from mbsgd_core.schedules.base import Schedule
from tests.contract import _items as items
from tests.contract._chunks import MOMENTUM, PROBLEMS, UPDATES, assert_chunk_invariant, bits, experiment, in_chunks

RULES = items.plain(Rule)
TORCHS = [rule for rule in RULES if registered(Rule)[rule["name"]].torch_class]
SAMPLERS = discover("mbsgd_core.samplers", Sampler)
SCHEDULES = discover("mbsgd_core.schedules", Schedule)


@pytest.fixture(autouse=True)
def _one_thread_and_float64():
    # torch keeps NAdam's product of momenta in the default number type.
    before, threads = torch.get_default_dtype(), torch.get_num_threads()
    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(1)
    yield
    torch.set_default_dtype(before)
    torch.set_num_threads(threads)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("runs", [1, 5])
@pytest.mark.parametrize("problem", PROBLEMS)
@pytest.mark.parametrize("sampler", SAMPLERS)
def test_chunks_for_every_sampler(sampler, problem, runs, dtype):
    assert_chunk_invariant(experiment(problem, sampler, MOMENTUM, runs=runs, dtype=dtype))


@pytest.mark.parametrize("size, drop_last", [(7, True), (30, True), (30, False), (64, True), (1, False), (33, False)])
def test_chunks_for_ragged_and_dropped_last_batches(size, drop_last):
    sampler = {"name": "reshuffle", "batch_size": size, "drop_last": drop_last}
    assert_chunk_invariant(experiment("bowl", sampler, runs=3))
    assert_chunk_invariant(experiment("one feature", sampler, MOMENTUM, runs=2))


@pytest.mark.parametrize("problem", ["bowl", "all features"])
@pytest.mark.parametrize("rule", RULES, ids=items.name_of)
def test_chunks_for_every_rule(rule, problem):
    assert_chunk_invariant(experiment(problem, "reshuffle", rule, runs=2, size=32))


@pytest.mark.parametrize("interval", ["epoch", "update"])
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_chunks_for_every_schedule(schedule, interval):
    assert_chunk_invariant(experiment("bowl", "reshuffle", MOMENTUM, {"name": schedule, "interval": interval}, runs=5))


@pytest.mark.parametrize("interval", ["epoch", "update"])
def test_chunks_for_a_plateau_on_data(interval):
    plateau = {"name": "reduce_on_plateau", "interval": interval, "learning_rate": 0.2}
    e = experiment("one feature", "with_replacement", MOMENTUM, plateau, runs=3, size=40)
    assert_chunk_invariant(e)
    assert engine.run(e, 0)[1].learning_rate[-1] < 0.2  # it does drop


@pytest.mark.parametrize("every", [1, 7, 400, 1000])
def test_chunks_with_every(every):
    e = experiment("one feature", "reshuffle", MOMENTUM, runs=2)
    whole = in_chunks(e, [UPDATES], every)
    assert bits(in_chunks(e, [50] * 8, every)) == bits(whole)
    kept = engine.records(e, 0, every)
    full = in_chunks(e, [UPDATES])[1]
    assert np.array_equal(whole[1].update, kept)
    assert np.array_equal(whole[1].theta, full.theta[:, kept])
    np.testing.assert_allclose(whole[1].loss, full.loss[:, kept], rtol=1e-12)


@pytest.mark.parametrize("problem", PROBLEMS)
def test_two_runs_are_identical(problem):
    first = bits(engine.run(experiment(problem, runs=3), 0))
    engine.run(experiment(problem, runs=3, seed=1), 0)
    assert bits(engine.run(experiment(problem, runs=3), 0)) == first


@pytest.mark.parametrize("problem", PROBLEMS)
@pytest.mark.parametrize("schedule", ["constant", "reduce_on_plateau"])
def test_a_run_does_not_depend_on_the_runs_beside_it(problem, schedule):
    alone = engine.run(experiment(problem, schedule=schedule), 0)[1]
    beside = engine.run(experiment(problem, schedule=schedule, runs=4), 0)[1]
    np.testing.assert_allclose(beside.theta[0], alone.theta[0], rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(beside.loss[0], alone.loss[0], rtol=1e-12)
    assert not np.array_equal(beside.theta[1], beside.theta[0])


@pytest.mark.parametrize("rule", RULES, ids=items.name_of)
def test_a_pickled_state_resumes_the_same(rule):
    e = experiment("one feature", "reshuffle", rule, "reduce_on_plateau", runs=2)
    again = in_chunks(e, [130, 270], between=lambda state: pickle.loads(pickle.dumps(state)))
    assert bits(again) == bits(in_chunks(e, [UPDATES]))


def test_a_pickled_state_needs_nothing_but_the_package(tmp_path):
    e = experiment("all features", "reshuffle", "adam", "cosine", runs=2)
    half, _ = engine.advance(engine.init(e, 0), 200)
    (tmp_path / "half").write_bytes(pickle.dumps(half))
    code = (
        "import pickle; half = pickle.load(open('half', 'rb')); from mbsgd_core import engine; "
        "print(engine.advance(half, 200)[0].theta.numpy().tobytes().hex())"
    )
    there = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2]), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert there.stdout.strip() == engine.advance(half, 200)[0].theta.numpy().tobytes().hex()


def test_advance_does_not_change_the_state_it_is_given():
    for rule in RULES:
        state, _ = engine.advance(engine.init(experiment("bowl", "reshuffle", rule, runs=2), 0), 33)
        before = bits(tuple(state))
        engine.advance(state, 50)
        assert bits(tuple(state)) == before


# --- against torch -------------------------------------------------------------------------------------------------


def torch_loss(e: Experiment):
    """loss(theta, batch) in torch's own words, batch None for all samples."""
    problem = e.problem
    if hasattr(problem, "dataset"):
        data = problem.prepare(e.seed)
        x, y = torch.tensor(data.x), torch.tensor(data.y)

        def loss(theta, batch):
            chosen = slice(None) if batch is None else batch
            residual = torch.nn.functional.mse_loss(x[chosen] @ theta, y[chosen]) / 2
            return residual + problem.l2 / 2 * theta[:-1].square().sum()

        return loss
    tilts = torch.tensor(centred_draws(e.seed, problem.samples, 2, problem.noise))

    def tilted(theta, batch):
        chosen = tilts if batch is None else tilts[batch]
        return problem.value(theta[0], theta[1]) + (chosen @ theta).mean()

    return tilted


def torch_loop(e: Experiment, run: int, make_scheduler=None) -> np.ndarray:
    """theta after each update: nn.Parameter, torch.optim, autograd, on the engine's own batches."""
    lane, loss = e.lanes[0], torch_loss(e)
    theta = torch.nn.Parameter(engine.init(e, 0).theta[run].clone())
    knobs = {k: v for k, v in lane.rule.model_dump().items() if k != "name"}
    optimizer = getattr(torch.optim, lane.rule.torch_class)([theta], lr=lane.schedule.learning_rate, **knobs)
    scheduler = make_scheduler(optimizer) if make_scheduler else None
    path, per_interval = [], 1 if lane.schedule.interval == "update" else e.updates_per_epoch(0)
    for i, batch in enumerate(engine.batch_indices(e, 0, range(e.updates(0)), run)):
        optimizer.zero_grad()
        loss(theta, None if batch is None else torch.tensor(batch)).backward()
        optimizer.step()
        path.append(theta.detach().clone().numpy())
        if scheduler and (i + 1) % per_interval == 0:
            plateau = isinstance(scheduler, torch.optim.lr_scheduler.ReduceLROnPlateau)
            scheduler.step(loss(theta.detach(), None).item()) if plateau else scheduler.step()
    return np.stack(path)


def assert_same_path(e: Experiment, run: int, make_scheduler=None) -> None:
    ours = engine.run(e, 0)[1].theta[run, 1:]
    theirs = torch_loop(e, run, make_scheduler)
    assert np.abs(ours - theirs).max() <= 1e-12 * np.abs(theirs).max()


SHORT = {"unit": "updates", "amount": 120}


@pytest.mark.parametrize("problem", PROBLEMS)
@pytest.mark.parametrize("rule", [*TORCHS, MOMENTUM, {**MOMENTUM, "nesterov": True, "weight_decay": 0.1}])
def test_lanes_equal_a_torch_loop_for_every_rule(rule, problem):
    schedule = {"name": "constant", "learning_rate": 0.02}
    assert_same_path(experiment(problem, "reshuffle", rule, schedule, size=30, budget=SHORT, runs=2), 1)


@pytest.mark.parametrize("problem", PROBLEMS)
@pytest.mark.parametrize("sampler", SAMPLERS)
def test_lanes_equal_a_torch_loop_for_every_sampler(sampler, problem):
    assert_same_path(experiment(problem, sampler, MOMENTUM, budget=SHORT), 0)


@pytest.mark.parametrize("interval", ["epoch", "update"])
@pytest.mark.parametrize(
    "schedule, make",
    [
        ({"name": "step", "step_size": 3, "gamma": 0.5}, lambda o: torch.optim.lr_scheduler.StepLR(o, 3, 0.5)),
        ({"name": "cosine", "T_max": 9}, lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, 9)),
        (
            {"name": "reduce_on_plateau", "patience": 1, "factor": 0.5, "threshold": 0.01},
            lambda o: torch.optim.lr_scheduler.ReduceLROnPlateau(o, patience=1, factor=0.5, threshold=0.01),
        ),
    ],
)
def test_lanes_equal_a_torch_loop_with_a_scheduler(schedule, make, interval):
    schedule = schedule | {"interval": interval, "learning_rate": 0.05}
    for problem in ("bowl", "one feature"):
        e = experiment(problem, "reshuffle", MOMENTUM, schedule, size=40, budget=SHORT, runs=2)
        for run in range(2):
            assert_same_path(e, run, make)


@pytest.mark.parametrize("problem", PROBLEMS)
def test_the_recorded_loss_is_the_full_objective(problem):
    e = experiment(problem, runs=2, budget=SHORT)
    _, trace = engine.run(e, 0)
    loss = torch_loss(e)
    expected = [[loss(torch.tensor(theta), None).item() for theta in run] for run in trace.theta]
    np.testing.assert_allclose(trace.loss, expected, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("problem", PROBLEMS)
def test_one_batch_of_everything_is_gradient_descent(problem):
    m = experiment(problem).problem.sample_count
    bgd = engine.run(experiment(problem, "full_batch"), 0)[1].theta
    for sampler in [name for name, cls in SAMPLERS.items() if cls.draws and not cls.draws_with_replacement]:
        whole = engine.run(experiment(problem, sampler, size=m), 0)[1].theta
        np.testing.assert_allclose(whole, bgd, rtol=1e-11, atol=1e-12)


def test_lanes_with_the_same_sampler_see_the_same_batches():
    e = experiment("one feature", runs=2)
    lanes = [e.lanes[0].model_dump(), experiment(rule="adam").lanes[0].model_dump()]
    e = Experiment.model_validate(e.model_dump(mode="json") | {"lanes": lanes})
    pairs = zip(engine.batch_indices(e, 0, range(90), 1), engine.batch_indices(e, 1, range(90), 1), strict=True)
    assert all(np.array_equal(a, b) for a, b in pairs)


# --- records -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_types_and_shapes_of_a_trace(dtype):
    _, trace = engine.run(experiment(runs=3, dtype=dtype, budget=SHORT), 0)
    assert trace.theta.shape == (3, 121, 2) and trace.loss.shape == (3, 121)
    assert trace.theta.dtype == trace.loss.dtype == np.dtype(dtype)
    assert trace.update.dtype == trace.samples.dtype == np.int64
    assert trace.learning_rate.dtype == np.float64
    assert np.array_equal(trace.update, np.arange(121))


@pytest.mark.parametrize("interval", ["epoch", "update"])
@pytest.mark.parametrize("schedule", [name for name, cls in SCHEDULES.items() if not cls.watches_objective])
def test_the_recorded_rate_led_to_the_record(schedule, interval):
    e = experiment(schedule={"name": schedule, "interval": interval}, budget=SHORT)
    rates, state = [], e.lanes[0].schedule.init(e.intervals(0))
    for _ in range(120):
        rates.append(state[1])
        state = e.lanes[0].schedule.step(state)
    per_interval = 1 if interval == "update" else e.updates_per_epoch(0)
    expected = [rates[0], *(rates[u // per_interval] for u in range(120))]
    assert engine.run(e, 0)[1].learning_rate.tolist() == expected


def test_records_up_to_twenty_thousand_are_all_kept_and_thinned_evenly_above():
    def kept(updates, every=None):
        return engine.records(experiment(budget={"unit": "updates", "amount": updates}), 0, every)

    assert np.array_equal(kept(0), [0])
    assert np.array_equal(kept(19_999), np.arange(20_000))
    for updates in (20_000, 31_000, 1_000_003):
        thin = kept(updates)
        assert len(thin) <= 20_000 and thin[0] == 0 and thin[-1] == updates
        gaps = np.diff(thin)
        assert gaps.min() >= 1 and gaps.max() - gaps.min() <= 1
    assert np.array_equal(kept(10, every=3), [0, 3, 6, 9, 10])
    assert np.array_equal(kept(9, every=3), [0, 3, 6, 9])
    assert np.array_equal(kept(30_000, every=1), np.arange(30_001))
    assert np.array_equal(kept(5, every=100), [0, 5])


def test_many_parameters_keep_two_hundred_records():
    rows = np.random.default_rng(0).normal(size=(28, 70)).round(3)
    data = {"name": "inline", "x": rows.tolist(), "y": rows[:, 0].tolist()}
    problem = {"name": "linear_regression", "dataset": data, "intercept": False}
    e = experiment(problem, size=5, budget={"unit": "updates", "amount": 1000})
    thin = engine.records(e, 0)
    assert len(thin) == 200 and thin[0] == 0 and thin[-1] == 1000
    assert engine.run(e, 0)[1].theta.shape == (1, 200, 70)


# --- divergence ----------------------------------------------------------------------------------------------------


def diverging(schedule="constant", **fields) -> Experiment:
    """y <- -4 y: the loss grows sixteenfold an update, from 5."""
    schedule = {"name": schedule, "learning_rate": 0.5, "interval": "update"}
    return experiment({"name": "quadratic"}, "full_batch", schedule=schedule, start=[0.0, 1.0], budget=SHORT, **fields)


def test_diverged_at_is_the_first_bad_update():
    state, trace = engine.run(diverging(runs=2), 0)
    first = int(np.floor(np.log(engine.DIVERGED) / np.log(16))) + 1
    assert state.diverged_at.tolist() == [first, first]
    assert trace.loss.shape == (2, 121)
    np.testing.assert_allclose(trace.loss[0, :first], 5 * 16.0 ** np.arange(first), rtol=1e-12)
    assert np.isfinite(trace.theta[:, :first]).all()
    assert np.isnan(trace.loss[:, first:]).all() and np.isnan(trace.theta[:, first:]).all()
    assert np.array_equal(trace.update, np.arange(121)) and state.update == 120
    assert state.theta.isnan().all()


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_divergence_is_chunk_invariant(schedule):
    whole_state, whole = in_chunks(diverging(schedule), [120])
    for chunks in ([1] * 120, [8, 112], [7, 1, 112], [9, 111]):
        state, trace = in_chunks(diverging(schedule), chunks)
        assert np.array_equal(state.diverged_at, whole_state.diverged_at)
        for a, b in zip(trace, whole, strict=True):
            assert np.array_equal(a, b, equal_nan=True)


def one_bad_sample(schedule="constant", rule="sgd") -> Experiment:
    """Drawing sample 0 multiplies theta by 1 - 0.1 * 10,000^2; every other one by 0.9."""
    data = {"name": "inline", "x": [[10_000.0]] + [[1.0]] * 19, "y": [0.0] * 20}
    problem = {"name": "linear_regression", "dataset": data, "intercept": False, "standardize": False}
    schedule = {"name": schedule} if isinstance(schedule, str) else schedule
    schedule = schedule | {"learning_rate": 0.1, "interval": "update"}
    budget = {"unit": "epochs", "amount": 1}
    return experiment(problem, "with_replacement", rule, schedule, size=1, start=[1.0], runs=12, budget=budget)


def test_the_other_runs_go_on():
    e = one_bad_sample()
    state, trace = engine.run(e, 0)
    for run in range(12):
        drawn = np.concatenate(list(engine.batch_indices(e, 0, range(20), run)))
        bad = int(np.argmax(drawn == 0)) + 1 if 0 in drawn else -1
        assert state.diverged_at[run] == bad
        sound = 21 if bad < 0 else bad
        np.testing.assert_allclose(trace.theta[run, :sound, 0], 0.9 ** np.arange(sound), rtol=1e-12)
        assert np.isnan(trace.theta[run, sound:]).all() and np.isnan(trace.loss[run, sound:]).all()
    assert 0 < (state.diverged_at < 0).sum() < 12


@pytest.mark.parametrize("mode", ["min", "max"])
def test_divergence_of_some_runs_is_chunk_invariant(mode):
    e = one_bad_sample({"name": "reduce_on_plateau", "mode": mode, "patience": 1}, MOMENTUM)
    whole_state, whole = in_chunks(e, [20])
    assert 0 < (whole_state.diverged_at < 0).sum() < 12
    for chunks in ([1] * 20, [13, 7], [3, 9, 8]):
        state, trace = in_chunks(e, chunks)
        assert str(state.schedule_state) == str(whole_state.schedule_state)  # as text: nan is nan
        for a, b in zip([*trace, state.theta], [*whole, whole_state.theta], strict=True):
            assert np.array_equal(a, b, equal_nan=True)


def test_a_start_that_is_not_finite_has_diverged_at_once():
    e = experiment({"name": "quadratic"}, start=[1e200, 0.0], runs=2, budget=SHORT)
    state, trace = engine.run(e, 0)
    assert state.diverged_at.tolist() == [0, 0]
    assert trace.loss.shape == (2, 121) and np.isnan(trace.loss[:, 1:]).all() and np.isnan(trace.theta[:, 1:]).all()


# --- budgets -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "unit, amount, drop_last, updates, samples",
    [
        ("updates", 0, False, 0, 0),
        ("updates", 5, False, 5, 18),
        ("epochs", 0, False, 0, 0),
        ("epochs", 2, False, 6, 20),
        ("epochs", 2, True, 4, 16),
        ("samples", 0, False, 0, 0),
        ("samples", 3, False, 0, 0),
        ("samples", 4, False, 1, 4),
        ("samples", 9, False, 2, 8),
        ("samples", 10, False, 3, 10),
        ("samples", 13, False, 3, 10),
        ("samples", 14, False, 4, 14),
        ("samples", 29, False, 8, 28),
        ("samples", 11, True, 2, 8),
        ("samples", 12, True, 3, 12),
    ],
)
@pytest.mark.parametrize("sampler", [name for name, cls in SAMPLERS.items() if cls.draws])
def test_budgets(sampler, unit, amount, drop_last, updates, samples):
    e = experiment(
        {"name": "quadratic", "samples": 10},
        items.sampler(sampler, 4) | {"drop_last": drop_last},
        budget={"unit": unit, "amount": amount},
    )
    state, trace = engine.run(e, 0)
    assert state.update == e.updates(0) == updates
    assert trace.samples[-1] == samples
    sizes = [len(batch) for batch in engine.batch_indices(e, 0, range(updates))]
    assert trace.samples.tolist() == [0, *np.cumsum(sizes)]


@pytest.mark.parametrize("unit, amount, updates", [("epochs", 3, 3), ("updates", 3, 3), ("samples", 29, 2)])
def test_budgets_of_the_full_batch(unit, amount, updates):
    problem = {"name": "quadratic", "samples": 10}
    state, trace = engine.run(experiment(problem, "full_batch", budget={"unit": unit, "amount": amount}), 0)
    assert state.update == updates and trace.samples.tolist() == [10 * k for k in range(updates + 1)]


def test_a_budget_of_nothing_shows_the_start():
    e = experiment(start=[1.0, -0.5], budget={"unit": "epochs", "amount": 0}, runs=2)
    state, trace = engine.run(e, 0)
    assert np.array_equal(trace.theta, [[[1.0, -0.5]]] * 2) and state.update == 0


def test_advance_stops_at_the_budget():
    state, trace = engine.advance(engine.init(experiment(budget=SHORT), 0), 10**9)
    assert state.update == 120 and trace.update[-1] == 120
    state, trace = engine.advance(state, 5)
    assert state.update == 120 and trace.theta.shape == (1, 0, 2)
