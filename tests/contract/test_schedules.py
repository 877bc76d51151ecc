"""Every schedule: torch.optim.lr_scheduler's rates to the last bit, pure, prefix-stable."""

import inspect
import math
import pickle

import pytest
import torch
from pydantic import ValidationError
from torch.optim import lr_scheduler as theirs

from mbsgd_core.errors import ExperimentError
from mbsgd_core.experiment import Experiment
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
    expected = torch_rates(lambda o: theirs.OneCycleLR(o, 0.37, total, cycle_momentum=False, **knobs), 0.37)
    assert rates(build("one_cycle", learning_rate=0.37, total_steps=total, **knobs)) == expected
    if total == INTERVALS:
        assert rates(build("one_cycle", learning_rate=0.37, **knobs)) == expected


@pytest.mark.parametrize("knobs", SCHEDULES["cyclic"].cases())
def test_cyclic_equals_torch_to_the_last_bit(knobs):
    expected = torch_rates(lambda o: theirs.CyclicLR(o, base_lr=0.1, cycle_momentum=False, **knobs), 0.1)
    assert rates(build("cyclic", learning_rate=0.1, **knobs)) == expected


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
