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

SCHEDULES = discover("mbsgd_core.schedules", Schedule)
REQUIRED = {
    "step": {"step_size": 7},
    "multi_step": {"milestones": [3, 9]},
    "exponential": {"gamma": 0.9},
    "cosine": {"T_max": 20},
    "cosine_restarts": {"T_0": 5},
    "cyclic": {"max_lr": 0.9},
}
INTERVALS = 60


def build(name: str, **knobs) -> Schedule:
    return SCHEDULES[name].model_validate(REQUIRED.get(name, {}) | knobs)


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


def torch_rates(make, learning_rate: float, plateau: bool = False) -> list[float]:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=learning_rate)
    scheduler, found = make(optimizer), []
    for t in range(INTERVALS):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if t + 1 < INTERVALS:  # a one_cycle may not be stepped past its end
            scheduler.step(objective(t)) if plateau else scheduler.step()
    return found


TORCH = {
    "step": (theirs.StepLR, [{"step_size": 3, "gamma": 0.5}, {"step_size": 7}]),
    "multi_step": (theirs.MultiStepLR, [{"milestones": [20, 5, 5], "gamma": 0.3}, {"milestones": [0, 30]}]),
    "exponential": (theirs.ExponentialLR, [{"gamma": 0.93}, {"gamma": 1.1}]),
    "cosine": (
        theirs.CosineAnnealingLR,
        [{"T_max": 60}, {"T_max": 13, "eta_min": 0.01}, {"T_max": 1}, {"T_max": 2, "eta_min": 0.3}],
    ),
    "cosine_restarts": (
        theirs.CosineAnnealingWarmRestarts,
        [{"T_0": 4, "T_mult": 2, "eta_min": 0.01}, {"T_0": 7}, {"T_0": 1, "T_mult": 3}],
    ),
    "linear": (theirs.LinearLR, [{}, {"start_factor": 0.2, "end_factor": 0.7, "total_iters": 17}, {"end_factor": 0.0}]),
    "polynomial": (theirs.PolynomialLR, [{}, {"total_iters": 31, "power": 2.0}, {"total_iters": 90, "power": 0.5}]),
    "reduce_on_plateau": (
        theirs.ReduceLROnPlateau,
        [
            {},
            {"patience": 2, "factor": 0.5},
            {"patience": 1, "cooldown": 3, "threshold": 0.05},
            {"patience": 1, "threshold": 1e-3, "threshold_mode": "abs", "min_lr": 0.01},
            {"patience": 3, "mode": "max", "factor": 0.3},
            {"patience": 0, "mode": "max", "threshold_mode": "abs", "factor": 0.3, "eps": 1e-3},
        ],
    ),
}


@pytest.mark.parametrize("learning_rate", [0.1, 0.37])
@pytest.mark.parametrize("name, knobs", [(name, knobs) for name, (_, all_) in TORCH.items() for knobs in all_])
def test_equal_to_torch_to_the_last_bit(name, knobs, learning_rate):
    expected = torch_rates(lambda o: TORCH[name][0](o, **knobs), learning_rate, name == "reduce_on_plateau")
    assert rates(SCHEDULES[name].model_validate(knobs | {"learning_rate": learning_rate})) == expected


@pytest.mark.parametrize("total", [60, 90])
@pytest.mark.parametrize(
    "knobs",
    [
        {},
        {"anneal_strategy": "linear", "pct_start": 0.5},
        {"three_phase": True, "div_factor": 10.0, "final_div_factor": 100.0},
        {"three_phase": True, "anneal_strategy": "linear", "pct_start": 0.25},
        {"pct_start": 1.0},
        {"pct_start": 0.0},
    ],
)
def test_one_cycle_equals_torch_to_the_last_bit(knobs, total):
    expected = torch_rates(lambda o: theirs.OneCycleLR(o, 0.37, total, cycle_momentum=False, **knobs), 0.37)
    assert rates(build("one_cycle", learning_rate=0.37, total_steps=total, **knobs)) == expected
    if total == INTERVALS:
        assert rates(build("one_cycle", learning_rate=0.37, **knobs)) == expected


@pytest.mark.parametrize(
    "knobs",
    [
        {"max_lr": 0.6, "step_size_up": 4},
        {"max_lr": 0.6, "step_size_up": 3, "step_size_down": 7, "mode": "triangular2"},
        {"max_lr": 0.6, "step_size_up": 5, "mode": "exp_range", "gamma": 0.97},
        {"max_lr": 0.6},
    ],
)
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


@pytest.mark.parametrize("name", TORCH)
def test_knobs_have_the_names_and_defaults_of_torch(name):
    signature = inspect.signature(TORCH[name][0]).parameters
    for field, info in SCHEDULES[name].model_fields.items():
        if field not in Schedule.model_fields:
            expected = signature[field].default
            assert info.is_required() if expected is inspect.Parameter.empty else info.default == expected, field


@pytest.mark.parametrize("name", REQUIRED)
def test_what_torch_requires_is_required(name):
    with pytest.raises(ValidationError):
        SCHEDULES[name].model_validate({})


@pytest.mark.parametrize("name", SCHEDULES)
def test_rates_are_finite_and_never_negative(name):
    schedule = build(name)
    assert schedule.init(INTERVALS)[1] > 0
    assert all(math.isfinite(rate) and rate >= 0 for rate in rates(schedule))


@pytest.mark.parametrize("name", SCHEDULES)
def test_prefix_stable_pure_and_picklable(name):
    schedule = build(name)
    assert rates(schedule, 20) == rates(schedule, INTERVALS)[:20]
    state = schedule.init(INTERVALS)
    for t in range(20):
        again = pickle.loads(pickle.dumps(state))
        assert again == state
        state = schedule.step(state, objective(t))
        assert schedule.step(again, objective(t)) == state


@pytest.mark.parametrize("name", SCHEDULES)
def test_survives_a_budget_of_one_interval_and_json(name):
    schedule = build(name)
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
