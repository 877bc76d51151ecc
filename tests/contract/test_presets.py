"""Every preset is a tile, a card, a link and a test: its file is legal, light, and what its lesson says is measured.

A preset's "claims" say what must come out; the page ignores them. A claim is one object:

    {"measure": NAME, "lane": LABEL, "is": 13}                  the value, to 3 % (counts up to 33 exactly); null: never
    {"measure": NAME, "lane": LABEL, "between": [1.4, 1.6]}     the value lies in a range
    {"measure": NAME, "order": [LABEL, LABEL, ...]}             strictly rising from lane to lane; never is infinite
    {"measure": NAME, "level": [LABEL, ...]}                    the same value in all these lanes
    {"measure": NAME, "ratio": [LABEL, LABEL], "between": ...}  the first lane's value over the second's
    {"same": [LABEL, LABEL]}                                    equal paths, to 1e-12

"in": NAME makes a claim about the lanes of another preset (its name without the number).

The measures are the functions of mbsgd_core/claims; what else stands in a claim are their arguments, and what
`claims.base.of` knows: "seeds": 5: the least and the largest value over five seeds; "with": knobs with other values.
"""

import json
import re
import xml.etree.ElementTree as ElementTree
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mbsgd_core import engine, share
from mbsgd_core.experiment import Experiment, problems
from mbsgd_core.types import CLOCKS, State, Trace
from mbsgd_core.ui import presets
from mbsgd_core.ui.tiles import PICTURES
from tests.contract._lessons import holds, numbers_in, numbers_said

FOLDER = Path(__file__).resolve().parents[2] / "assets" / "presets"
FILES = sorted(FOLDER.glob("*.json"))
PRESETS = {path.stem: json.loads(path.read_text()) for path in FILES}
CLAIMS = [
    pytest.param(name, claim, id=f"{name}-{i}") for name in PRESETS for i, claim in enumerate(PRESETS[name]["claims"])
]
MOST_UPDATES, MOST_UPDATES_FIRST = 4_000, 900


@cache
def experiment(name: str) -> Experiment:
    return Experiment.model_validate(PRESETS[name]["experiment"])


@cache
def outcome(name: str) -> dict[str, tuple[State, Trace]]:
    torch.set_num_threads(1)
    e = experiment(name)
    return {lane.label: engine.run(e, i) for i, lane in enumerate(e.lanes)}


def about(name: str, claim: dict[str, Any]) -> None:
    """Assert one claim."""
    if "in" in claim:
        (name,) = (other for other in PRESETS if other[3:] == claim["in"])
    if "same" in claim:
        first, second = (outcome(name)[label][1].theta for label in claim["same"])
        np.testing.assert_allclose(first, second, rtol=0, atol=1e-12)
    else:
        holds(PRESETS[name]["experiment"], claim)


def test_there_are_enough_and_they_differ():
    assert len(PRESETS) >= 12
    for key in ("title", "lesson", "look_for"):
        assert len({preset[key] for preset in PRESETS.values()}) == len(PRESETS)
    assert [name[:2] for name in PRESETS] == [f"{i + 1:02}" for i in range(len(PRESETS))]


@pytest.mark.parametrize("name", PRESETS)
def test_card(name):
    preset = PRESETS[name]
    assert set(preset) == {"title", "chapter", "lesson", "look_for", "clock", "experiment", "claims"}
    assert 0 < len(preset["title"]) <= 32
    for key, most in (("lesson", 3), ("look_for", 2)):
        sentences = re.split(r"(?<=[.?])\s+(?=[A-Z])", preset[key])
        assert 1 <= len(sentences) <= most and preset[key][0].isupper() and preset[key].endswith("."), preset[key]
    assert preset["clock"] in CLOCKS
    assert preset["claims"]


@pytest.mark.parametrize("name", PRESETS)
def test_every_number_in_the_text_is_set_or_claimed(name):
    preset = PRESETS[name]
    e = experiment(name)
    known = numbers_in(preset["experiment"]) | numbers_in(preset["claims"]) | {float(e.problem.sample_count)}
    known |= {float(e.updates(i)) for i in range(len(e.lanes))}
    said = numbers_said(preset["lesson"]) | numbers_said(preset["look_for"])
    assert said <= known, said - known


@pytest.mark.parametrize("name", PRESETS)
def test_light_enough_to_drag(name):
    e = experiment(name)
    total = sum(e.updates(i) for i in range(len(e.lanes)))
    assert total <= (MOST_UPDATES_FIRST if name == FILES[0].stem else MOST_UPDATES)
    assert len(e.lanes) <= 6
    assert len({lane.label for lane in e.lanes}) == len(e.lanes)


@pytest.mark.parametrize("name", PRESETS)
def test_runs_and_keeps_its_meaning(name):
    e = experiment(name)
    assert Experiment.model_validate(json.loads(e.to_json())) == e
    for state, trace in outcome(name).values():
        assert state.update == trace.update[-1]
        assert np.isfinite(trace.loss).all() or (state.diverged_at >= 0).any()


@pytest.mark.parametrize("name, claim", CLAIMS)
def test_claim(name, claim):
    about(name, claim)


@pytest.mark.parametrize("name", PRESETS)
def test_picture(name):
    text = presets.picture(name)
    root = ElementTree.fromstring(text)
    assert root.tag == "{http://www.w3.org/2000/svg}svg" and root.get("viewBox") == "0 0 122 52"
    assert len(text.encode()) < 3_000
    assert not [tag for tag in root.iter() if tag.tag.endswith(("script", "text", "image", "foreignObject"))]
    # One path and one head a lane, on top of the level lines; none as long as it has not been drawn.
    lanes = [tag for tag in root.iter() if tag.get("data-lane")]
    assert len(lanes) == (len(experiment(name).lanes) if (FOLDER / f"{name}.svg").exists() else 0)


def test_no_picture_is_left_over():
    pictures, lessons = ({path.with_suffix("") for path in FOLDER.rglob(f"*.{kind}")} for kind in ("svg", "json"))
    assert pictures <= lessons


def test_every_problem_has_its_picture():
    assert {path.stem for path in PICTURES.glob("*.svg")} == set(problems())
    for path in PICTURES.glob("*.svg"):
        root = ElementTree.fromstring(path.read_text("utf-8"))
        assert root.get("viewBox") == "0 0 122 52" and path.stat().st_size < 3_000
        assert not [tag for tag in root.iter() if tag.tag.endswith(("script", "text", "image", "foreignObject"))]


@pytest.mark.parametrize("name", PRESETS)
def test_the_link_of_a_lesson_is_the_lesson(name):
    """On the page too, whose limits are tighter: nothing is clamped, nothing is said."""
    e = presets.experiment(name)
    assert share.from_query(share.to_query(e), page=True) == (e, [])


def test_all_lessons_are_one_list_in_chapters():
    files = sorted(path.relative_to(FOLDER).with_suffix("").as_posix() for path in FOLDER.rglob("*.json"))
    names = list(presets.all_presets())
    assert sorted(names) == files and names[0] == "01_three_methods"
    assert [name for chapter in presets.chapters().values() for name in chapter] == names
    assert presets.OTHERS not in presets.chapters() and len(
        {p["title"] for p in presets.all_presets().values()}
    ) == len(files)
    assert presets.opening() == presets.experiment(names[0])
