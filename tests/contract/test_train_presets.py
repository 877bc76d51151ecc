"""The lessons on models that learn (assets/presets/train): legal, light, and what they say is measured by the engine.

A claim is one object, as in test_presets. "after": so many updates instead of all.
"""

import json
import re
import xml.etree.ElementTree as ElementTree

import pytest
import torch

from mbsgd_core import share
from mbsgd_core.experiment import Experiment
from mbsgd_core.types import CLOCKS
from mbsgd_core.ui import presets
from tests.contract._lessons import holds, numbers_in, numbers_said

PRESETS = {name: preset for name, preset in presets.all_presets().items() if name.startswith("train/")}
CLAIMS = [
    pytest.param(name, claim, id=f"{name}-{i}") for name in PRESETS for i, claim in enumerate(PRESETS[name]["claims"])
]
FIELDS = {"title", "chapter", "lesson", "look_for", "clock", "experiment", "claims"}
MOST_UPDATES = 12_000  # of all lanes together: a visitor waits for it, and so does this test


@pytest.mark.parametrize("name, claim", CLAIMS)
def test_claim(name, claim, request):
    if claim["measure"] == "pass_cost":
        request.getfixturevalue("patient_costs")
    torch.set_num_threads(1)
    holds(PRESETS[name]["experiment"], claim)


@pytest.mark.parametrize("name", PRESETS)
def test_card(name):
    preset = PRESETS[name]
    assert set(preset) == FIELDS and preset["claims"] and preset["clock"] in CLOCKS
    assert 0 < len(preset["title"]) <= 32
    for key, most in (("lesson", 4), ("look_for", 3)):
        sentences = re.split(r"(?<=[.?])\s+(?=[A-Z])", preset[key])
        assert 1 <= len(sentences) <= most and preset[key].endswith("."), preset[key]


@pytest.mark.parametrize("name", PRESETS)
def test_every_number_in_the_text_is_set_or_claimed(name):
    preset = PRESETS[name]
    known = numbers_in(preset["experiment"]) | numbers_in(preset["claims"])
    for key in ("lesson", "look_for"):
        unproven = [n for n in numbers_said(preset[key]) if not any(n == pytest.approx(k, rel=1e-9) for k in known)]
        assert not unproven, f"{key}: {unproven}"


@pytest.mark.parametrize("name", PRESETS)
def test_is_on_the_page_and_in_a_link(name):
    e = presets.experiment(name)
    assert Experiment.model_validate(json.loads(e.to_json())) == e
    assert share.from_query(share.to_query(e), page=True) == (e, [])
    assert sum(e.updates(i) for i in range(len(e.lanes))) <= MOST_UPDATES
    assert presets.like(e.model_dump(mode="json"))["name"] == name


@pytest.mark.parametrize("name", PRESETS)
def test_picture(name):
    text = presets.picture(name)
    root = ElementTree.fromstring(text)
    assert root.get("viewBox") == "0 0 122 52" and len(text.encode()) < 3_000
    assert not [tag for tag in root.iter() if tag.tag.endswith(("script", "text", "image", "foreignObject"))]
    assert len([tag for tag in root.iter() if tag.get("data-lane")]) == len(presets.experiment(name).lanes)


def test_they_are_numbered_and_differ():
    assert len(PRESETS) >= 7
    assert sorted(name.split("/")[1][:2] for name in PRESETS) == [f"{i + 1:02}" for i in range(len(PRESETS))]
    for key in ("title", "lesson", "look_for"):
        assert len({preset[key] for preset in PRESETS.values()}) == len(PRESETS)
