"""The lessons on models that learn (assets/presets/train): legal, light, and what they say is measured by the engine.

A claim is one object, as in test_presets: {"measure", "lane", "is" (to 3 %) or "between"}, or {"measure", "order"}.
The measures: updates, parameters, train_loss, train_accuracy, test_loss, test_accuracy at the end of a lane;
sharpness, the largest Hessian eigenvalue there; edge_share, that over the sharpness that the rate can just bear;
pass_cost, what the lane's updates take by "clock", over what those of "over" take;
train_rows, test_rows, the data set's; samples, the problem's, copies too; whole_updates and whole_rows, those with all
the images of MNIST.
"after": so many updates instead of all.
"""

import json
import re
import xml.etree.ElementTree as ElementTree
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch

from mbsgd_core import engine, share
from mbsgd_core.experiment import Experiment
from mbsgd_core.measures import evaluation, learning
from mbsgd_core.measures.cost_table import calibrate
from mbsgd_core.measures.sharpness import edge, sharpness
from mbsgd_core.problems.datasets.mnist import Mnist
from mbsgd_core.types import CLOCKS, State
from mbsgd_core.ui import presets
from tests.contract._lessons import numbers_in, numbers_said

PRESETS = {name: preset for name, preset in presets.all_presets().items() if name.startswith("train/")}
CLAIMS = [
    pytest.param(name, claim, id=f"{name}-{i}") for name in PRESETS for i, claim in enumerate(PRESETS[name]["claims"])
]
FIELDS = {"title", "chapter", "lesson", "look_for", "clock", "experiment", "claims"}
MOST_UPDATES = 12_000  # of all lanes together: a visitor waits for it, and so does this test


@cache
def end(name: str, label: str, updates: int | None) -> State:
    """A lane's last state, or its state after some updates."""
    torch.set_num_threads(1)
    e = presets.experiment(name)
    lane = [each.label for each in e.lanes].index(label)
    state = engine.init(e, lane)
    return engine.advance(state, updates or e.updates(lane), every=e.updates(lane), evaluate=False)[0]


def measure(name: str, label: str, claim: dict[str, Any]) -> float:
    e, what = presets.experiment(name), claim["measure"]
    if what == "parameters":
        return e.problem.parameter_count
    lane = [each.label for each in e.lanes].index(label)
    if what == "updates":
        return e.updates(lane)
    if what in ("whole_updates", "whole_rows"):
        whole = e.model_copy(update={"problem": e.problem.model_copy(update={"dataset": Mnist()})})
        return whole.updates(lane) if what == "whole_updates" else whole.problem.sample_count
    if what == "samples":
        return e.problem.sample_count
    if what in ("train_rows", "test_rows"):
        return e.problem.dataset.counts()[what == "test_rows"]
    if what == "pass_cost":
        taken = [costs.by(claim["clock"]).times(e.updates(i)).seconds for i, costs in enumerate(calibrate(e))]
        return taken[lane] / taken[[each.label for each in e.lanes].index(claim["over"])]
    state, total = end(name, label, claim.get("after")), engine.finite_sum(e)
    theta = state.theta[0].numpy()
    assert np.isfinite(theta).all()
    if what in ("sharpness", "edge_share"):
        found = sharpness(total, theta).value
        limit = edge(e.lanes[state.lane].rule, e.lanes[state.lane].schedule.learning_rate)
        return found / limit.sharpness if what == "edge_share" else found
    if what == "train_accuracy":
        return learning.judge(e.problem, total, theta, e.seed, "train").accuracy
    return getattr(evaluation.judge(e, lane, state.update, theta), what)  # as the page shows it


@pytest.mark.parametrize("name, claim", CLAIMS)
def test_claim(name, claim, request):
    if claim["measure"] == "pass_cost":
        request.getfixturevalue("patient_costs")
    if "order" in claim:
        values = [measure(name, label, claim) for label in claim["order"]]
        assert all(a < b for a, b in pairwise(values)), values
        return
    value = measure(name, claim["lane"], claim)
    if "is" in claim:
        assert value == pytest.approx(claim["is"], rel=0.03)
    else:
        assert claim["between"][0] <= value <= claim["between"][1], value


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
