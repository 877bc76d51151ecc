"""Schedules against closed forms.

Ids here: S01-S03, S05, S08-S12.
"""

import json
from pathlib import Path

import pytest

from mbsgd_core.registry import discover
from mbsgd_core.schedules.base import Schedule

COVERS = ["S01", "S02", "S03", "S05", "S08", "S09", "S10", "S11", "S12"]

ORACLES = {o["id"]: o for o in json.loads(Path(__file__).with_name("oracles.json").read_text())["oracles"]}
# The oracle's inputs in our words.
SETTINGS = {
    "S01": ("step", "lr0", {"step_size": "step_size", "gamma": "gamma"}),
    "S02": ("multi_step", "lr0", {"milestones": "milestones", "gamma": "gamma"}),
    "S03": ("exponential", "lr0", {"gamma": "gamma"}),
    "S05": ("cosine_restarts", "lr0", {"T_0": "T_0", "T_mult": "T_mult", "eta_min": "eta_min"}),
    "S09": ("linear", "lr0", {"start_factor": "start_factor", "total_iters": "total_iters"}),
    "S10": ("polynomial", "lr0", {"total_iters": "total_iters", "power": "power"}),
    "S11": ("inverse_time", "lr0", {"decay": "k"}),
    "S12": ("cyclic", "base_lr", {"max_lr": "max_lr", "step_size_up": "step_size_up"}),
}


def rates(name: str, count: int, **knobs) -> list[float]:
    schedule = discover("mbsgd_core.schedules", Schedule)[name].model_validate(knobs)
    state, found = schedule.init(count), []
    for _ in range(count):
        found.append(state[1])
        state = schedule.step(state)
    return found


@pytest.mark.parametrize("identity", SETTINGS)
def test_closed_form(identity):
    name, rate, names = SETTINGS[identity]
    inputs, expected = ORACLES[identity]["inputs"], ORACLES[identity]["expected"]
    knobs = {ours: inputs[theirs] for ours, theirs in names.items()}
    found = rates(name, max(inputs["t"]) + 1, learning_rate=inputs[rate], **knobs)
    assert [found[t] for t in inputs["t"]] == pytest.approx(expected, rel=0, abs=1e-12)


def test_s08_warmup_that_starts_above_zero():
    """peak (t + 1) / W for t < W, then the cosine from t = W: at full rate twice, so held for one interval."""
    peak, width, total = (ORACLES["S08"]["inputs"][key] for key in ("peak", "W", "T"))
    found = rates(
        "warmup_cosine", total, learning_rate=peak, start_factor=1 / width, warmup=width - 1, hold=1, total=total
    )
    assert found == pytest.approx(ORACLES["S08"]["expected"], rel=0, abs=1e-12)
