"""Every schedule: torch.optim.lr_scheduler's rates to the last bit, pure, prefix-stable."""

import inspect
import math
import pickle
from itertools import accumulate

import pytest
import torch
from pydantic import ValidationError
from torch.optim import lr_scheduler as theirs

from mbsgd_core import engine
from mbsgd_core.errors import ExperimentError
from mbsgd_core.experiment import Experiment
from mbsgd_core.measures import cost_work, limits
from mbsgd_core.registry import discover
from mbsgd_core.schedules.base import Schedule
from tests.contract import _items as items

SCHEDULES = discover("mbsgd_core.schedules", Schedule)
CASES = items.cases(Schedule)
OF_TORCH = [(name, knobs) for name, knobs in CASES if SCHEDULES[name].torch_class]
INTERVALS = 60


def build(name: str, **knobs) -> Schedule:
    return SCHEDULES[name].model_validate(SCHEDULES[name].suggested() | knobs)


def objective(t: int) -> float:
    """Falls, flattens, and jitters: a plateau scheduler drops several times."""
    return 1 / (1 + min(t, 12)) + 1e-3 * math.sin(t * t)


def rates(schedule: Schedule, count: int = INTERVALS, intervals: int = INTERVALS) -> list[float]:
    state, found = schedule.init(intervals), []
    for t in range(count):
        assert state[0] == t
        found.append(state[1])
        state = schedule.step(state, objective(t)) if schedule.watches_objective else schedule.step(state)
    return found


def theirs_of(cls: type[Schedule]):
    """torch's class of the same schedule."""
    return getattr(theirs, cls.torch_class)


def torch_rates(make, learning_rate: float, plateau: bool = False) -> list[float]:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=learning_rate)
    scheduler, found = make(optimizer), []
    for t in range(INTERVALS):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if t + 1 < INTERVALS:  # a one_cycle may not be stepped past its end
            scheduler.step(objective(t)) if plateau else scheduler.step()
    return found


@pytest.mark.parametrize("learning_rate", [0.1, 0.37])
@pytest.mark.parametrize("name, knobs", OF_TORCH)
def test_equal_to_torch_to_the_last_bit(name, knobs, learning_rate):
    cls = SCHEDULES[name]
    expected = torch_rates(lambda o: theirs_of(cls)(o, **knobs), learning_rate, cls.watches_objective)
    assert rates(cls.model_validate(knobs | {"learning_rate": learning_rate})) == expected


@pytest.mark.parametrize("total", [60, 90])
@pytest.mark.parametrize("knobs", SCHEDULES["one_cycle"].cases())
def test_one_cycle_equals_torch_to_the_last_bit(knobs, total):
    expected = torch_rates(lambda o: theirs.OneCycleLR(o, 0.37, total, **{"cycle_momentum": False, **knobs}), 0.37)
    assert rates(build("one_cycle", learning_rate=0.37, total_steps=total, **knobs)) == expected
    if total == INTERVALS:
        assert rates(build("one_cycle", learning_rate=0.37, **knobs)) == expected


@pytest.mark.parametrize("knobs", SCHEDULES["cyclic"].cases())
def test_cyclic_equals_torch_to_the_last_bit(knobs):
    expected = torch_rates(lambda o: theirs.CyclicLR(o, base_lr=0.1, cycle_momentum=False, **knobs), 0.1)
    assert rates(build("cyclic", learning_rate=0.1, **knobs)) == expected


CYCLED = [case for case in SCHEDULES["one_cycle"].cases() if case.get("cycle_momentum")]


@pytest.mark.parametrize("knobs", CYCLED)
@pytest.mark.parametrize(
    "rule", [{"name": "sgd", "momentum": 0.5}, {"name": "sgd"}, {"name": "adam"}, {"name": "rmsprop"}], ids=str
)
def test_a_cycled_momentum_is_torchs_to_the_last_bit_and_so_is_the_path(rule, knobs):
    lane = {"sampler": "full_batch", "rule": rule}
    lane["schedule"] = {"name": "one_cycle", "learning_rate": 0.05, "interval": "update", **knobs}
    budget = {"unit": "updates", "amount": INTERVALS}
    e = Experiment.model_validate({"problem": "quadratic", "start": [1, 2], "budget": budget, "lanes": [lane]})
    theta = torch.nn.Parameter(torch.tensor([1.0, 2.0], dtype=torch.float64))
    item = e.lanes[0].rule
    own = {name: value for name, value in item.model_dump(exclude_defaults=True).items() if name != "name"}
    optimizer = getattr(torch.optim, item.torch_class)([theta], lr=0.05, **own)
    scheduler, schedule = theirs.OneCycleLR(optimizer, 0.05, INTERVALS, **knobs), e.lanes[0].schedule
    state, path = schedule.init(INTERVALS), engine.run(e, 0)[1].theta[0]
    for t in range(INTERVALS):
        group = optimizer.param_groups[0]
        assert schedule.momentum(state) == (group["betas"][0] if "betas" in group else group["momentum"])
        theta.grad = torch.tensor([1.0, 10.0], dtype=torch.float64) * theta.detach()
        optimizer.step()
        assert path[t + 1] == pytest.approx(theta.detach().numpy(), rel=1e-12, abs=1e-15)
        if t + 1 < INTERVALS:
            scheduler.step()
            state = schedule.step(state)


def test_a_cycled_momentum_has_no_one_limit():
    lane = {"sampler": "full_batch", "rule": "sgd", "schedule": {"name": "one_cycle", "learning_rate": 0.05}}
    plain = {"problem": "quadratic", "lanes": [lane]}
    lane["schedule"]["cycle_momentum"] = True
    cycled = Experiment.model_validate(plain)
    assert limits.rate_limit(cycled, 0) is limits.rate_limits(cycled, 0) is None
    assert limits.rate_limit(cycled.with_value(0, "cycle_momentum", False), 0) == pytest.approx(0.2)


@pytest.mark.parametrize("name, knobs", [*CASES, ("one_cycle", {"total_steps": INTERVALS})])
def test_a_lane_can_be_timed_for_longer_than_its_schedule_lasts(name, knobs):
    """By the implementation that runs it: a momentum that moves keeps it on torch."""
    lane = {"sampler": "full_batch", "schedule": {"name": name, **SCHEDULES[name].suggested(), **knobs}}
    if lane["schedule"].get("interval") is None:
        lane["schedule"]["interval"] = "update"
    budget = {"unit": "updates", "amount": 20}
    e = Experiment.model_validate({"problem": "quadratic", "budget": budget, "lanes": [lane]})
    alone = cost_work.probe(e, 0)
    assert alone.updates(0) > 1e6 and cost_work.engine_work(alone) is not None
    assert alone.lanes[0].schedule.moves_momentum == e.lanes[0].schedule.moves_momentum


def test_a_rule_without_momentum_cannot_have_it_cycled():
    lane = {"sampler": "full_batch", "rule": "adagrad", "schedule": {"name": "one_cycle", "cycle_momentum": True}}
    with pytest.raises(ExperimentError, match=r"schedule\.cycle_momentum: adagrad has neither a momentum nor betas"):
        Experiment.model_validate({"problem": "quadratic", "lanes": [lane]})


# --- sequence ------------------------------------------------------------------------------------------------------

IN_TORCH = [case for case in OF_TORCH if not SCHEDULES[case[0]].watches_objective]
LENGTHS = (11, 17)  # of all parts but the last


def their_part(optimizer, name: str, knobs: dict, length: int, rate: float):
    """torch's scheduler of a part."""
    if name == "constant":
        return theirs.ConstantLR(optimizer, factor=1.0)
    if name == "one_cycle":
        return theirs.OneCycleLR(optimizer, rate, length, **{"cycle_momentum": False, **knobs})
    if name == "cyclic":
        return theirs.CyclicLR(optimizer, base_lr=rate, cycle_momentum=False, **knobs)
    return theirs_of(SCHEDULES[name])(optimizer, **knobs)


def assert_equal_to_sequential(parts: list[tuple[str, dict]], rate: float = 0.37) -> None:
    lengths = [*LENGTHS[: len(parts) - 1], INTERVALS - sum(LENGTHS[: len(parts) - 1])]

    def make(optimizer):
        made = [their_part(optimizer, *part, n, rate) for part, n in zip(parts, lengths, strict=True)]
        return theirs.SequentialLR(optimizer, made, list(accumulate(lengths[:-1])))

    written = [{"name": name, **knobs} for name, knobs in parts]
    for part, length in zip(written[:-1], lengths, strict=False):
        part["intervals"] = length
    assert rates(build("sequence", learning_rate=rate, parts=written)) == torch_rates(make, rate), parts


@pytest.mark.filterwarnings("ignore:Detected call of")
@pytest.mark.parametrize("first", IN_TORCH, ids=str)
def test_a_sequence_of_two_equals_torch_to_the_last_bit(first):
    own = [("constant", {}), ("one_cycle", {}), *(("cyclic", case) for case in SCHEDULES["cyclic"].cases())]
    for second in [*IN_TORCH, *own]:
        assert_equal_to_sequential([first, second])
        assert_equal_to_sequential([second, first])


def test_a_sequence_of_three_equals_torch_to_the_last_bit():
    down = ("linear", {"start_factor": 1.0, "end_factor": 0.0, "total_iters": 20})
    for middle in (("constant", {}), ("one_cycle", {}), ("cosine", {"T_max": 5, "eta_min": 0.01})):
        assert_equal_to_sequential([("linear", {"start_factor": 0.1, "total_iters": 11}), middle, down])
        assert_equal_to_sequential([middle, ("constant", {}), down])


@pytest.mark.parametrize("name, knobs", CASES)
def test_a_part_that_torch_lacks_is_itself_from_its_first_interval(name, knobs):
    cls = SCHEDULES[name]
    if cls.watches_objective or name == "sequence" or build(name, **knobs).moves_momentum:
        with pytest.raises(ValidationError, match="watches the objective|but a sequence|cannot move the momentum"):
            build("sequence", parts=[{"name": "constant", "intervals": 9}, {"name": name, **knobs}])
        return
    knobs = {key: value for key, value in knobs.items() if key not in Schedule.model_fields}
    whole = build("sequence", parts=[{"name": "constant", "intervals": 9}, {"name": name, **knobs}])
    alone = build(name, **knobs)
    assert rates(whole)[9:] == pytest.approx(rates(alone, INTERVALS - 9, INTERVALS - 9), rel=1e-12)


@pytest.mark.parametrize(
    "parts, words",
    [
        (["linear", "constant"], "parts.0: each part but the last needs its intervals"),
        ([{"name": "linear", "intervals": 0}, "constant"], "intervals.0: given 0"),
        ([{"name": "linear", "intervals": 5, "learning_rate": 3}, "constant"], "learning_rate of its sequence"),
        ([{"name": "reduce_on_plateau", "intervals": 5}, "constant"], "parts.0.name: reduce_on_plateau watches"),
        ([{"name": "one_cycle", "intervals": 5}, "one_cycle"], "a second one_cycle would change the first"),
        ([{"name": "one_cycle", "intervals": 5, "total_steps": 4}, "constant"], "given 4, but the budget has 5"),
        ([{"name": "linear", "intervals": 5, "strat": 1}, "constant"], "parts.0.strat: there is no such field"),
        (["lineer"], "parts.0: no schedule is called 'lineer'; did you mean 'linear'?"),
    ],
)
def test_a_sequence_that_makes_no_sense_is_refused_with_a_sentence(parts, words):
    lane = {"sampler": "full_batch", "schedule": {"name": "sequence", "learning_rate": 0.2, "parts": parts}}
    with pytest.raises(ExperimentError) as error:
        Experiment.model_validate({"problem": "quadratic", "lanes": [lane]})
    assert words in str(error.value)


def test_the_numbers_of_the_parts_can_be_swept():
    parts = [{"name": "linear", "total_iters": 3, "intervals": 3}, {"name": "constant"}]
    lane = {"sampler": "full_batch", "schedule": {"name": "sequence", "learning_rate": 0.05, "parts": parts}}
    e = Experiment.model_validate({"problem": "quadratic", "start": [1, 1], "lanes": [lane]})
    grid = engine.sweep(e, {"part1.start_factor": [0.1, 0.9], "learning_rate": [0.01, 0.05]})
    for i, start in enumerate([0.1, 0.9]):
        own = e.model_dump(mode="json")
        own["lanes"][0]["schedule"]["parts"][0]["start_factor"] = start
        loss = engine.run(Experiment.model_validate(own), 0)[1].loss[0, -1]
        assert grid.lanes[0].final_loss[1, i, 0] == pytest.approx(loss, rel=1e-12)


# --- what has no counterpart, and what is refused --------------------------------------------------------------------


@pytest.mark.parametrize("hold", [0, 4])
@pytest.mark.parametrize("warmup, start_factor, eta_min, total", [(5, 1 / 3, 0.0, 60), (7, 0.1, 0.013, 30)])
def test_warmup_cosine_equals_torch_in_sequence(warmup, start_factor, eta_min, total, hold):
    def make(optimizer):
        parts = [theirs.LinearLR(optimizer, start_factor, total_iters=warmup)]
        if hold:
            parts.append(theirs.ConstantLR(optimizer, factor=1.0))
        parts.append(theirs.CosineAnnealingLR(optimizer, total - warmup - hold, eta_min))
        return theirs.SequentialLR(optimizer, parts, [warmup, warmup + hold][: len(parts) - 1])

    knobs = {"warmup": warmup, "start_factor": start_factor, "eta_min": eta_min, "total": total, "hold": hold}
    assert rates(build("warmup_cosine", learning_rate=0.37, **knobs)) == torch_rates(make, 0.37)
    assert rates(build("warmup_cosine", learning_rate=0.37, **(knobs | {"total": None})), intervals=total) == rates(
        build("warmup_cosine", learning_rate=0.37, **knobs)
    )


def test_a_budget_within_the_warmup_never_meets_the_cosine():
    short = rates(build("warmup_cosine", learning_rate=1.0, start_factor=0.5, warmup=10), 3, intervals=3)
    assert short == pytest.approx([0.5, 0.55, 0.6], rel=1e-12)
    assert rates(build("warmup_cosine", learning_rate=1.0, warmup=0), 1) == [1.0]


@pytest.mark.parametrize("name", dict(OF_TORCH))
def test_knobs_have_the_names_and_defaults_of_torch(name):
    signature = inspect.signature(theirs_of(SCHEDULES[name])).parameters
    for field, info in SCHEDULES[name].model_fields.items():
        if field not in Schedule.model_fields:
            expected = signature[field].default
            assert info.is_required() if expected is inspect.Parameter.empty else info.default == expected, field


@pytest.mark.parametrize("name, knobs", CASES)
def test_rates_are_finite_and_never_negative(name, knobs):
    schedule = build(name, **knobs)
    assert schedule.init(INTERVALS)[1] > 0
    # At the end of a line down to 0, torch's own rounding leaves -1e-18.
    assert all(math.isfinite(rate) and rate >= -1e-15 for rate in rates(schedule))


@pytest.mark.parametrize("name, knobs", CASES)
def test_prefix_stable_pure_and_picklable(name, knobs):
    schedule = build(name, **knobs)
    assert rates(schedule, 20) == rates(schedule, INTERVALS)[:20]
    state = schedule.init(INTERVALS)
    for t in range(20):
        again = pickle.loads(pickle.dumps(state))
        assert again == state
        state = schedule.step(state, objective(t))
        assert schedule.step(again, objective(t)) == state


@pytest.mark.parametrize("name, knobs", CASES)
def test_survives_a_budget_of_one_interval_and_json(name, knobs):
    schedule = build(name, **knobs)
    assert math.isfinite(schedule.init(1)[1])
    written = schedule.model_dump(mode="json")
    assert written.pop("name") == name
    assert SCHEDULES[name].model_validate(written) == schedule


@pytest.mark.parametrize("pct_start, intervals", [(0.5, 2), (1.0, 1), (0.25, 4), (0.0, 1)])
def test_one_cycle_where_a_phase_is_one_interval(pct_start, intervals):
    # torch.optim.lr_scheduler.OneCycleLR raises ZeroDivisionError for some of these.
    assert all(rate > 0 for rate in rates(build("one_cycle", pct_start=pct_start), intervals, intervals))


def test_cyclic_halves_beyond_the_range_of_a_float():
    schedule = build("cyclic", mode="triangular2", step_size_up=1)
    assert rates(schedule, 2400)[-1] == pytest.approx(0.1)  # 2.0**1100 would overflow


def test_plateau_sequence_with_a_gain_below_the_threshold():
    schedule = build("reduce_on_plateau", learning_rate=1.0, patience=1, factor=0.5)
    state, seen = schedule.init(9), []
    for value in [0.9, 0.8, 0.79995, 0.79999, 0.79998, 0.79996, 0.7]:
        state = schedule.step(state, value)
        seen.append(state[1])
    assert seen == [1.0, 1.0, 1.0, 0.5, 0.5, 0.25, 0.25]


def test_a_cycle_shorter_than_the_budget_is_one_clear_line():
    lane = {"sampler": "full_batch", "schedule": {"name": "one_cycle", "total_steps": 5}}
    with pytest.raises(ExperimentError, match=r"lanes\.0\.schedule.*total_steps.*5.*20"):
        Experiment.model_validate({"problem": "quadratic", "lanes": [lane]})


@pytest.mark.parametrize(
    "name, knobs",
    [(name, {"learning_rate": rate}) for name in SCHEDULES for rate in (0, -0.1, float("inf"), "0.1")]
    + [("step", {"step_size": 0}), ("cosine", {"T_max": 2.5}), ("exponential", {"gamma": 0})]
    + [("warmup_cosine", {"warmup": 5, "total": 5}), ("cosine", {"t_max": 5}), ("step", {"interval": "batch"})]
    + [("reduce_on_plateau", {"factor": 1.0}), ("linear", {"start_factor": 0}), ("multi_step", {"milestones": 3})],
)
def test_settings_that_make_no_sense_are_refused(name, knobs):
    with pytest.raises(ValidationError):
        build(name, **knobs)
