"""What travels to the bench is what results/header.py says, key by key; and so is what the browser believes."""

import collections.abc
import json
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, NotRequired, Union, get_args, get_origin, get_type_hints

import pytest

from mbsgd_core.experiment import Experiment
from mbsgd_core.figures.payload import message, unpack
from mbsgd_core.jobs import tasks
from mbsgd_core.results.header import CursorAnswer, PageHeader, RunHeader
from mbsgd_core.results.run import View
from mbsgd_core.types import ViewBudget
from mbsgd_core.ui import live
from tools import make_types

ROOT = Path(__file__).parents[2]
PRESETS = ROOT / "assets/presets"
SHOWN = {
    "surface": ("01_three_methods.json", View()),
    "moving": ("01_three_methods.json", View(view_budget=ViewBudget(20))),
    "many runs": ("09_twenty_runs.json", View()),
    "diverged": ("10_small_batch_unstable.json", View()),
    "bottomless": ("21_saddle.json", View()),
    "fit": ("04_two_weights.json", View(("path", "fit", "boundary", "confusion"))),
    "network": ("train/01_three_on_moons.json", View()),
}


def complaints(value: Any, kind: Any, where: str = "") -> list[str]:
    """Where a JSON value is not of a type; the same walk as tools/make_types.py makes."""
    origin, parts = get_origin(kind), get_args(kind)
    if kind is Any:
        return []
    if kind in (str, int, float, bool, NoneType):
        fits = (int, float) if kind is float else kind
        sound = isinstance(value, fits) and (kind is bool or not isinstance(value, bool))
        return [] if sound else [f"{where}: {value!r} is not {kind.__name__}"]
    if origin is Literal:
        return [] if value in parts else [f"{where}: {value!r} is not in {parts}"]
    if origin in (Union, UnionType):
        found = [complaints(value, part, where) for part in parts]
        return [] if [] in found else min(found, key=len)
    if origin is collections.abc.Sequence:
        if not isinstance(value, list):
            return [f"{where}: {value!r} is no list"]
        return [line for i, one in enumerate(value) for line in complaints(one, parts[0], f"{where}[{i}]")]
    if not isinstance(value, dict):
        return [f"{where}: {value!r} is no object"]
    if origin is collections.abc.Mapping:
        return [line for key in value for line in complaints(value[key], parts[1], f"{where}.{key}")]
    hints = get_type_hints(kind, include_extras=True)
    needed = {name for name, hint in hints.items() if get_origin(hint) is not NotRequired}
    said = [f"{where}.{name} is missing" for name in needed - set(value)]
    said += [f"{where}.{name} is not declared" for name in set(value) - set(hints)]
    for name in set(value) & set(hints):
        hint = hints[name]
        said += complaints(value[name], get_args(hint)[0] if name not in needed else hint, f"{where}.{name}")
    return said


def test_the_browsers_types_are_current():
    assert make_types.PATH.read_text() == make_types.types(), "run: python -m tools.make_types"


@pytest.mark.parametrize(("file", "view"), SHOWN.values(), ids=SHOWN)
def test_a_run_travels_as_declared(file, view):
    e = Experiment.model_validate(json.loads((PRESETS / file).read_text())["experiment"])
    samples = e.problem.sample_count
    report = tasks.begin(e.to_json(), 60.0, view).report
    packed = message(
        report, e, seq=3, knobs=live.headers(samples), lane_knobs=[live.values(lane, samples) for lane in e.lanes],
        pinned=[live.pinned(lane) for lane in e.lanes],
    )  # fmt: skip
    assert complaints(unpack(packed)[0], RunHeader) == []


def test_an_answer_about_the_cursor_travels_as_declared():
    e = Experiment.model_validate(json.loads((PRESETS / "01_three_methods.json").read_text())["experiment"])
    run = tasks.begin(e.to_json(), 60.0, View())
    thetas = [lane.trace.theta[0, 2] for lane in run.lanes]
    lanes = tasks.at_cursor(e.to_json(), [2, 2, 2], thetas, run.report["plane"], [2, 2, 2])
    assert complaints({"lanes": [*lanes, None]}, CursorAnswer) == []


def test_a_page_travels_as_declared():
    from mbsgd_core.ui.page_header import page_header

    e = Experiment.model_validate(json.loads((PRESETS / "01_three_methods.json").read_text())["experiment"])
    header = page_header(e, take=1, view={"clock": "seconds"}, embed=False, box="known")
    assert complaints(header, PageHeader) == []


def test_a_wrong_header_is_noticed():
    assert complaints({"lanes": [{"index": 1}]}, CursorAnswer)
    assert complaints({"lanes": 3}, CursorAnswer) == [".lanes: 3 is no list"]
