"""The numbers of a lesson stand on the page that shows it: each is read from the very message that draws the picture.

A range over seeds must hold the number of the seed that is shown.
"""

import re
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch

from mbsgd_core.experiment import Experiment
from mbsgd_core.figures.payload import message, unpack
from mbsgd_core.jobs import tasks
from mbsgd_core.results.run import EVERYTHING
from mbsgd_core.ui import presets
from tests.contract._lessons import numbers_said

LESSONS = [name for name in presets.all_presets() if not name.startswith("train/")]  # those take minutes
ELSEWHERE = {"with", "in", "after", "over", "ratio", "lesson"}  # of claims about another run than the one shown

Header = dict[str, Any]
Arrays = dict[str, np.ndarray]


@cache
def shown(name: str) -> tuple[Experiment, Header, Arrays]:
    torch.set_num_threads(1)
    e = presets.experiment(name)
    return e, *unpack(message(tasks.begin(e.to_json(), 60.0, EVERYTHING).report, e))


def cell(key: str) -> Callable[..., float | None]:
    def read(header: Header, arrays: Arrays, i: int, **_: Any) -> float | None:
        found = re.match(r"-?[\d,.]+(e-?\d+)?( %)?", header["lanes"][i]["cells"].get(key, ""))
        if found is None:
            return None
        value = float(found[0].removesuffix(" %").replace(",", ""))
        return value / 100 if found[2] else value

    return read


def passage(clock: str) -> Callable[..., float | None]:
    """From the verdict's column, or where another level than its target is meant, from the curve."""

    def read(header: Header, arrays: Arrays, i: int, target: float = 0.01, **_: Any) -> float | None:
        if target == 0.01:
            return cell(f"{clock}_to_target")(header, arrays, i)
        least, loss = header["problem"]["optimal_value"] or 0.0, arrays[f"lane{i}/loss"]
        hit = np.flatnonzero(loss - least <= target * (loss[0] - least))
        if not len(hit):
            return None
        update = float(arrays[f"lane{i}/update"][hit[0]])
        each = {"updates": 1, "epochs": header["lanes"][i]["updates_per_epoch"]}
        return float(arrays[f"lane{i}/samples"][hit[0]]) if clock == "samples" else update / each[clock]

    return read


def excess(header: Header, arrays: Arrays, i: int, **_: Any) -> float | None:
    known = cell("excess")(header, arrays, i)
    return cell("final_loss")(header, arrays, i) if known is None else known


def reach(header: Header, arrays: Arrays, i: int, axis: int, **_: Any) -> float:
    ends = arrays.get(f"lane{i}/ends", arrays[f"lane{i}/theta"][-1:])  # of all runs
    return float(np.abs(ends[:, axis]).mean())


READ: dict[str, Callable[..., float | None]] = {
    "final": excess, "settled": cell("floor"), "updates_to": passage("updates"), "samples_to": passage("samples"),
    "epochs_to": passage("epochs"), "diverged_at": lambda header, arrays, i: header["lanes"][i]["diverged_at"],
    "limit": cell("rate_limit"), "reach": reach,
    "train_accuracy": cell("train_accuracy"), "test_accuracy": cell("test_accuracy"),
}  # fmt: skip


def is_said(name: str, claim: dict[str, Any]) -> bool:
    """Whether the lesson's sentences say the number."""
    preset, goal = presets.all_presets()[name], claim.get("is")
    said = numbers_said(preset["lesson"]) | numbers_said(preset["look_for"])
    return any(each in said for each in (goal if isinstance(goal, list) else [goal]))


CLAIMS = [
    pytest.param(name, claim, id=f"{name}-{i}")
    for name in LESSONS
    for i, claim in enumerate(presets.all_presets()[name]["claims"])
    if claim.get("measure") in READ and "lane" in claim and not ELSEWHERE & set(claim) and is_said(name, claim)
]


@pytest.mark.parametrize("name, claim", CLAIMS)
def test_it_stands_on_the_page(name, claim):
    e, header, arrays = shown(name)
    i = [lane["label"] for lane in header["lanes"]].index(claim["lane"])
    options = {key: claim[key] for key in ("target", "axis") if key in claim}
    found = READ[claim["measure"]](header, arrays, i, **options)
    goals = claim["between"] if "between" in claim else claim["is"]
    low, high = goals if isinstance(goals, list) else (goals, goals)
    if low is None:
        assert found is None
        return
    assert found is not None and low * 0.96 - 1e-12 <= found <= (np.inf if high is None else high * 1.04 + 1e-12)


def test_most_numbers_are_looked_for():
    assert len(CLAIMS) > 50
