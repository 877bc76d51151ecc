"""Compiled lanes are the torch definition: every problem with every rule, every schedule, and these with each other."""

import numpy as np
import pytest
import torch

from mbsgd_core import engine
from mbsgd_core.engine.plan import plan_of
from mbsgd_core.experiment import Experiment, problems, registered
from mbsgd_core.kernels.forms import PARAMETERS
from mbsgd_core.kernels.registers import tape_of
from mbsgd_core.problems.base import Problem
from mbsgd_core.problems.models.base import DataProblem
from mbsgd_core.rules.base import Rule
from mbsgd_core.schedules.base import Schedule
from tests.contract import _items as items
from tests.contract import _lanes as lanes

pytestmark = pytest.mark.usefixtures("compiled_lanes")

# Every rule by its first example and by its last, which has most of its switches on; `CASES` has all of them.
CASES = [(name, knobs) for name, knobs in items.cases(Rule) if registered(Rule)[name].compiled]
RULES = [
    {"name": name, **knobs}
    for name, cls in registered(Rule).items()
    if cls.compiled
    for knobs in cls.cases()[:: max(len(cls.examples) - 1, 1)]
]
RULES = [rule for rule in RULES if not lanes.shows_rounding(rule)]
SAMPLERS = [  # ragged in 64, 100 and 120 samples, or dropping what is
    {"name": "reshuffle", "batch_size": 7},
    {"name": "reshuffle", "batch_size": 1},
    {"name": "with_replacement", "batch_size": 23},
    {"name": "full_batch"},
    {"name": "in_order", "batch_size": 9, "drop_last": True},
    {"name": "shuffle_once", "batch_size": 45},
]
# A plateau that is asked after every update is torch's: an update at a time there is nothing to compile.
SCHEDULES = [
    {"name": name, "interval": interval}
    for name, cls in registered(Schedule).items()
    for interval in ("epoch", "update")
    if not (cls.watches_objective and interval == "update")
]
MODELS = {name: cls for name, cls in problems().items() if issubclass(cls, DataProblem)}
FEW = ["himmelblau, tilt", "quadratic, scale", "linear_regression", "logistic_regression", "mlp, tanh, two classes"]


@pytest.fixture(autouse=True)
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def experiment(problem: str, rule: dict, schedule: dict, number: int, **fields) -> Experiment:
    """32 updates of one lane; the number chooses sampler, runs and dtype."""
    schedule = items.schedule(schedule["name"], lanes.rate(problem, rule)) | schedule
    return Experiment.model_validate(
        {
            "problem": lanes.problem(problem),
            "budget": {"unit": "updates", "amount": 32},
            "lanes": [{"sampler": SAMPLERS[number % len(SAMPLERS)], "rule": rule, "schedule": schedule}],
            "runs": 1 + number % 11 % 3,
            "dtype": ("float64", "float64", "float32")[number % 7 % 3],
        }
        | fields
    )


def assert_same(e: Experiment) -> None:
    fast, slow = lanes.both(e)
    method = e.lanes[0]
    lanes.assert_parity(
        e, fast, slow, f"{e.problem!r} {method.sampler!r} {method.rule!r} {method.schedule!r} {e.dtype}"
    )
    assert (fast[0].diverged_at == -1).all() and not np.array_equal(fast[1].theta[:, 0], fast[1].theta[:, -1])


@pytest.mark.parametrize("problem", lanes.COMPILED)
def test_every_problem_with_every_rule(problem):
    for i, rule in enumerate(RULES):
        assert_same(experiment(problem, rule, {"name": "constant"}, i + lanes.COMPILED.index(problem)))


@pytest.mark.parametrize("problem", lanes.COMPILED)
def test_every_problem_with_every_schedule(problem):
    for i, name in enumerate(registered(Schedule)):
        number = i + lanes.COMPILED.index(problem)
        own = [schedule for schedule in SCHEDULES if schedule["name"] == name]  # one counts in epochs, one in updates
        assert_same(experiment(problem, RULES[number % len(RULES)], own[number % len(own)], number))


@pytest.mark.parametrize("schedule", SCHEDULES, ids=lambda s: f"{s['name']}, {s['interval']}")
def test_every_rule_with_every_schedule(schedule):
    for i, rule in enumerate(RULES):
        number = i + SCHEDULES.index(schedule)
        assert_same(experiment(FEW[number % len(FEW)], rule, schedule, number))


@pytest.mark.parametrize("name, knobs", CASES, ids=str)
def test_every_switch_of_a_rule(name, knobs):
    for number, problem in enumerate(FEW):
        assert_same(experiment(problem, {"name": name, **knobs}, {"name": "constant"}, number, dtype="float64"))


def test_records_that_are_thinned_out():
    for number, problem in enumerate(FEW):
        e = experiment(problem, RULES[number], {"name": "constant"}, number, dtype="float64")
        fast, slow = lanes.both(e, every=7)
        lanes.assert_parity(e, fast, slow, problem)
        assert fast[1].update.tolist() == [0, 7, 14, 21, 28, 32]


@pytest.mark.parametrize("name", [name for name, cls in MODELS.items() if cls.compiled and items.takes_columns(cls)])
@pytest.mark.parametrize("rows", [1, 2, 6])
def test_fewer_samples_than_parameters(rows, name):
    dataset = "diabetes" if MODELS[name].task == "regression" else "breast_cancer"
    given = {"problem": {"name": name, "dataset": dataset, "train_rows": rows}}
    for sampler in ({"name": "full_batch"}, {"name": "reshuffle", "batch_size": 1}):
        schedule = {"name": "constant", "learning_rate": 0.02}
        method = {"sampler": sampler, "rule": {"name": "sgd", "momentum": 0.5}, "schedule": schedule}
        assert_same(Experiment.model_validate(given | {"lanes": [method], "runs": 2}))


def test_a_loss_keeps_its_digits_when_it_is_tiny():
    """Two samples a long way on their right sides: f = (log(1 + e^-z) + log(1 + e^-2z)) / 2 at theta = z."""
    rows = {"name": "inline", "x": [[1.0], [-2.0]], "y": [1, 0]}
    own = {"dataset": rows, "intercept": False, "standardize": False}
    for model in ({"name": "logistic_regression"}, {"name": "mlp", "hidden": []}):
        for z in (1.0, 20.0, 40.0, 300.0):
            method = {"sampler": "full_batch", "schedule": "constant"}
            e = Experiment.model_validate({"problem": model | own, "start": [z], "lanes": [method]})
            assert plan_of(e, 0).compiled is not None
            expected = (np.log1p(np.exp(-z)) + np.log1p(np.exp(-2 * z))) / 2
            assert engine.init(e, 0).first_loss[0] == pytest.approx(expected, rel=1e-14)


# --- what has no compiled form --------------------------------------------------------------------------------------

SMALL = {"name": "mlp", "dataset": lanes.MOONS, "test_fraction": 0}
DROPS = {**SMALL, "dropout": 0.5}  # draws while it trains
LARGE = {**SMALL, "hidden": [PARAMETERS // 4 + 1]}  # so large that matrix products win
ELSEWHERE = [  # written for torch alone
    {"name": name, **given}
    for name, cls in problems().items()
    if not cls.compiled
    for given in (items.on_small_data(cls) if issubclass(cls, DataProblem) else cls.cases())
]


def short(problem: dict, rule: dict) -> Experiment:
    schedule = {"name": "constant", "learning_rate": 1e-3}
    method = {"sampler": {"name": "reshuffle", "batch_size": 7}, "rule": rule, "schedule": schedule}
    return Experiment.model_validate(
        {"problem": problem, "budget": {"unit": "updates", "amount": 3}, "lanes": [method]}
    )


@pytest.mark.parametrize("name, knobs", items.cases(Rule), ids=str)
def test_no_rule_falls_back_unnoticed(name, knobs):
    tape, meant = tape_of(registered(Rule)[name].model_validate(knobs)), registered(Rule)[name].compiled
    assert (tape is not None) == meant, f"{name}: write `compiled: ClassVar[bool] = {not meant}`, or only arithmetic"


@pytest.mark.parametrize("name", lanes.COMPILED)
def test_no_problem_falls_back_unnoticed(name):
    assert plan_of(short(lanes.problem(name), {"name": "sgd"}), 0).compiled is not None
    assert registered(Problem)[lanes.bare(name)].compiled


def test_a_network_is_compiled_up_to_its_largest_size():
    largest = {**SMALL, "hidden": [PARAMETERS // 4 - 1]}
    assert plan_of(short(largest, {"name": "sgd"}), 0).compiled is not None


@pytest.mark.parametrize("problem", [DROPS, LARGE, *ELSEWHERE], ids=lambda given: given["name"])
def test_what_has_no_compiled_form_runs_on_torch(problem):
    e = short(problem, {"name": "sgd"})
    assert plan_of(e, 0).compiled is None
    trace = engine.run(e, 0)[1]
    assert np.isfinite(trace.loss).all() and not np.array_equal(trace.theta[:, 0], trace.theta[:, -1])


def test_a_plateau_that_is_asked_after_every_update_runs_on_torch():
    e = experiment(FEW[0], {"name": "sgd"}, {"name": "reduce_on_plateau", "interval": "update"}, 0)
    assert plan_of(e, 0).compiled is None and engine.run(e, 0)[0].update == 32
