"""Every item of every kind: its examples say what they should, and it can be written down, linked and looked up."""

import json

import jsonschema
import pytest

from mbsgd_core.averages.base import Average
from mbsgd_core.catalogue import catalogue
from mbsgd_core.clips.base import Clip
from mbsgd_core.experiment import KINDS, Experiment, registered, schema
from mbsgd_core.knobs import NamedItem, nearest
from mbsgd_core.problems.base import Problem
from mbsgd_core.problems.datasets.base import Dataset
from mbsgd_core.problems.models.base import DataProblem
from mbsgd_core.rules.base import Rule
from mbsgd_core.samplers.base import Sampler
from mbsgd_core.schedules.base import Schedule
from mbsgd_core.share import from_query, to_query
from tests.contract import _items as items

LANE: items.Described = {"sampler": "full_batch", "rule": "sgd", "schedule": "constant"}
PART = {Sampler: "sampler", Rule: "rule", Schedule: "schedule", Clip: "clip", Average: "average"}
VALIDATOR = jsonschema.Draft202012Validator(schema())
EVERY = [pytest.param(kind, name, id=f"{kind.__name__}-{name}") for kind in KINDS for name in registered(kind)]


def learner_of(name: str, given: items.Described) -> items.Described:
    """A model of any task, on these data."""
    return {"name": "mlp", "dataset": {"name": name, **given}}


def experiments(kind: type[NamedItem], name: str) -> list[Experiment]:
    """An experiment with each example of an item in its place."""
    cls = registered(kind)[name]
    found = []
    for case in items.on_small_data(cls) if issubclass(cls, DataProblem) else cls.cases():
        problem: items.Described = {"name": "quadratic"}
        lane = dict(LANE)
        if kind is Problem:
            problem = {"name": name, **case}
        elif kind is Dataset:
            problem = learner_of(name, case)
        else:
            lane[PART[kind]] = {"name": name, **case}
        found.append(Experiment.model_validate({"problem": problem, "lanes": [lane], "budget": {"amount": 60}}))
    return found


@pytest.mark.parametrize("kind, name", EVERY)
def test_its_examples_are_accepted_differ_and_come_back(kind, name):
    found = experiments(kind, name)
    assert found and len(set(found)) == len(found)
    for e in found:
        assert Experiment.model_validate(json.loads(e.to_json())) == e
        assert VALIDATOR.is_valid(json.loads(e.to_json()))
        assert from_query(to_query(e)) == (e, [])


@pytest.mark.parametrize("kind, name", EVERY)
def test_what_it_must_be_given_is_suggested_or_in_every_example(kind, name):
    cls = registered(kind)[name]
    required = {knob for knob, field in cls.model_fields.items() if field.is_required()}
    for example in cls.examples:
        assert required <= {*cls.suggested(), *example, "dataset"}, f"declare knob(suggest=...) in {name}.py"


@pytest.mark.parametrize("kind, name", EVERY)
def test_it_is_in_the_catalogue_with_words_for_every_knob(kind, name):
    entry = catalogue()[f"{kind.__name__.lower()}s"][name]
    assert entry["title"] and entry["summary"] and "\n" not in entry["summary"]
    for knob in entry["knobs"].values():
        assert knob["label"] and knob["help"] and "\n" not in knob["help"]
        assert {"default", "range", "unit", "required", "page"} <= set(knob)
        if knob["page"] and "text" not in knob["type"]:
            low, high = knob["page"]
            assert low < high
            assert [nearest(edge, knob["range"], None, False) for edge in (low, high)] == [low, high]
