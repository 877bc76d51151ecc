"""Compiled lanes, bit for bit: chunks, restarts, lanes side by side; and to rounding where torch takes over."""

import pickle

import numpy as np
import pytest

from mbsgd_core import engine
from mbsgd_core.engine import compiled
from mbsgd_core.engine.plan import plan_of
from mbsgd_core.experiment import Experiment, registered
from mbsgd_core.samplers.base import Sampler
from tests.contract import _items as items
from tests.contract import _lanes as lanes
from tests.contract._chunks import UPDATES, assert_chunk_invariant, bits, experiment, in_chunks

pytestmark = pytest.mark.usefixtures("compiled_lanes")

PROBLEMS = [
    "himmelblau, tilt",
    "rosenbrock, scale",
    "linear_regression",
    "logistic_regression, a plane",
    "softmax_regression",
    "mlp, tanh, two classes",
    "mlp, relu, classes",
]
MOMENTUM = {"name": "sgd", "momentum": 0.8, "nesterov": True}


def lane(problem: str, sampler="reshuffle", rule=MOMENTUM, schedule="constant", size=23, **fields) -> Experiment:
    """400 updates that are compiled, at a rate that suits."""
    rule = {"name": rule} if isinstance(rule, str) else rule
    schedule = {"name": schedule} if isinstance(schedule, str) else schedule
    schedule = {"learning_rate": 0.3 * lanes.rate(problem, rule)} | schedule
    e = experiment(lanes.problem(problem), sampler, rule, schedule, size, **fields)
    assert plan_of(e, 0).compiled is not None
    return e


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("runs", [1, 3])
@pytest.mark.parametrize("problem", PROBLEMS)
def test_chunks_of_every_problem(problem, runs, dtype):
    assert_chunk_invariant(lane(problem, runs=runs, dtype=dtype))


@pytest.mark.parametrize("problem", PROBLEMS[::2])
@pytest.mark.parametrize("sampler", registered(Sampler))
def test_chunks_of_every_sampler(sampler, problem):
    assert_chunk_invariant(lane(problem, sampler, "adam", runs=2))


@pytest.mark.parametrize("size, drop_last", [(1, False), (7, True), (8, False), (30, True), (63, False), (64, True)])
@pytest.mark.parametrize("problem", ["rosenbrock, scale", "linear_regression", "mlp, relu, classes"])
def test_chunks_of_ragged_and_dropped_batches(problem, size, drop_last):
    sampler = {"name": "reshuffle", "batch_size": size, "drop_last": drop_last}
    assert_chunk_invariant(lane(problem, sampler, runs=2))


@pytest.mark.parametrize("rule", lanes.compiled_rules(), ids=items.name_of)
def test_chunks_of_every_rule_with_pickled_states(rule):
    for problem in PROBLEMS[:3]:
        e = lane(problem, rule=rule, schedule={"name": "cosine", "T_max": 20, "interval": "update"}, runs=2)
        again = in_chunks(e, [1, 130, 269], between=lambda state: pickle.loads(pickle.dumps(state)))
        assert bits(again) == bits(in_chunks(e, [UPDATES]))


@pytest.mark.parametrize("problem", PROBLEMS[::2])
def test_chunks_of_a_plateau_that_every_run_meets_by_itself(problem):
    plateau = {"name": "reduce_on_plateau", "patience": 1, "factor": 0.5, "threshold": 0.05}
    e = lane(problem, "with_replacement", schedule=plateau, runs=3)
    assert_chunk_invariant(e)
    state, trace = engine.run(e, 0)
    assert trace.learning_rate[-1] < trace.learning_rate[0]


def test_orders_that_are_drawn_in_pieces(monkeypatch):
    for problem in PROBLEMS:
        e = lane(problem, runs=3)
        whole = bits(in_chunks(e, [UPDATES]))
        monkeypatch.setattr(compiled, "VISITS", 1000)
        assert bits(in_chunks(e, [UPDATES])) == whole
        assert bits(in_chunks(e, [1, 2, 397])) == whole
        monkeypatch.undo()


def test_the_path_alone_is_the_same_path():
    for problem in PROBLEMS:
        e = lane(problem, runs=2)
        whole, alone = engine.run(e, 0), engine.run(e, 0, evaluate=False)
        assert bits(alone[1].theta) == bits(whole[1].theta) and bits(tuple(alone[0])) == bits(tuple(whole[0]))
        assert np.isnan(alone[1].loss[:, 1:]).all()


@pytest.mark.parametrize("problem", PROBLEMS)
def test_a_run_does_not_depend_on_the_lanes_beside_it(problem, monkeypatch):
    """70 runs of a surface go as 64 side by side and 6; alone, they go one after the other."""
    for sampler, dtype in (("with_replacement", "float64"), ("full_batch", "float32"), ("reshuffle", "float64")):
        fields = {"dtype": dtype, "budget": {"unit": "updates", "amount": 50}}
        many = engine.run(lane(problem, sampler, runs=70, **fields), 0)
        for runs in (1, 3):
            few = engine.run(lane(problem, sampler, runs=runs, **fields), 0)[1]
            assert bits(few.theta) == bits(many[1].theta[:runs]) and bits(few.loss) == bits(many[1].loss[:runs])
        monkeypatch.setattr(compiled, "SIDE_BY_SIDE", 1)
        assert bits(engine.run(lane(problem, sampler, runs=70, **fields), 0)) == bits(many)
        monkeypatch.undo()


@pytest.mark.parametrize("torch_first", [True, False])
@pytest.mark.parametrize("rule", lanes.compiled_rules(), ids=items.name_of)
def test_where_a_process_has_no_compiled_lanes_torch_goes_on(rule, torch_first):
    for problem in (PROBLEMS[0], PROBLEMS[2], PROBLEMS[5]):
        budget = {"unit": "updates", "amount": 40}
        e = lane(problem, rule=rule, runs=2, budget=budget)
        for first in (0, 1, 17):
            begun = engine.init(e, 0)
            half, early = engine.advance(begun._replace(compiled=not torch_first), first)
            state, late = engine.advance(half._replace(compiled=torch_first), 40 - first)
            trace = engine.join([engine.snapshot(begun), early, late])
            lanes.assert_parity(e, (state, trace), engine.run(e, 0), f"{rule} {problem} {first}")


@pytest.mark.parametrize("problem", PROBLEMS)
def test_a_run_stays_with_what_it_began_on(problem):
    """Compiled lanes may come while it runs, and go with a worker: its numbers are the same to the last bit."""
    e = lane(problem, rule="adam", runs=2)
    fast, slow = in_chunks(e, [UPDATES]), lanes.on_torch(e, lambda: in_chunks(e, [UPDATES]))
    for whole, first in ((slow, lanes.on_torch(e, lambda: engine.init(e, 0))), (fast, engine.init(e, 0))):
        state, traces = first, [engine.snapshot(first)]
        for n in (1, 99, 300):
            state, trace = engine.advance(state, n)
            traces.append(trace)
            plan_of(e, 0).compiled = None  # as in a process that has decided for torch
        assert bits((state, engine.join(traces))) == bits(whole)
        plan_of(e, 0).look_for_compiled()
