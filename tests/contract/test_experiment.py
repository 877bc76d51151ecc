"""The experiment keeps the contract: fields, defaults, limits, and errors of one clear line."""

import json
import math
from typing import Any

import jsonschema
import pytest

from mbsgd_core.catalogue import catalogue
from mbsgd_core.errors import ExperimentError
from mbsgd_core.experiment import KINDS, Experiment, registered, schema
from mbsgd_core.samplers.base import Sampler
from tests.contract import _items as items
from tests.contract._example import EXAMPLE, changed


def test_the_contracts_example_is_valid_and_comes_back():
    e = Experiment.model_validate(EXAMPLE)
    assert (e.problem.sample_count, e.problem.parameter_count) == (442, 2)
    dump = e.model_dump(mode="json")
    assert dump["problem"]["dataset"]["name"] == "diabetes" and dump["lanes"][2]["rule"]["momentum"] == 0.9
    assert Experiment.model_validate(dump) == e
    assert Experiment.model_validate(json.loads(e.to_json())) == e
    assert hash(Experiment.model_validate(dump)) == hash(e)
    with pytest.raises(Exception, match="frozen"):
        e.seed = 1  # type: ignore[misc]


def test_missing_optional_fields_take_their_defaults():
    e = Experiment.model_validate(
        {"problem": "quadratic", "lanes": [{"sampler": {"name": "full_batch"}, "schedule": {"name": "constant"}}]}
    )
    assert (e.version, e.start, e.seed, e.runs, e.dtype, e.device) == (1, None, 0, 1, "float64", "auto")
    assert (e.budget.unit, e.budget.amount) == ("epochs", 20)
    assert e.problem.samples == 64 and e.problem.noise == 0 and e.problem.noise_kind == "tilt"  # type: ignore
    assert e.lanes[0].rule.momentum == 0 and e.lanes[0].label == "BGD"  # type: ignore[attr-defined]


# path, value, and what the one line must say besides the path
WRONG: list[tuple[str, Any, tuple[str, ...]]] = [
    ("version", 2, ("given 2", "update")),
    ("version", 0, ("given 0", "1")),
    ("problem", {"name": "nonsense"}, ("nonsense", "quadratic")),
    ("problem", None, ("name",)),
    ("problem.dataset", "nonsense", ("nonsense", "diabetes")),
    ("problem.features", ["nonsense"], ("nonsense", "bmi")),
    ("problem.features", [], ("at least 1",)),
    ("problem.l2", -1, ("given -1", "0")),
    ("problem.test_fraction", 1, ("given 1", "less than 1")),
    ("problem.nonsense", 1, ("no such field", "standardize")),
    ("start", [1], ("1 numbers", "2 parameters")),
    ("start", [1, "2"], ("given '2'", "number")),
    ("start", [1, math.nan], ("nan", "finite")),
    ("start", [1, math.inf], ("inf", "finite")),
    ("start", "12", ("given '12'",)),
    ("budget", 3, ("given 3",)),
    ("budget.unit", "minutes", ("minutes", "'epochs', 'updates' or 'samples'")),
    ("budget.amount", -1, ("given -1", "0")),
    ("budget.amount", 2.5, ("given 2.5", "integer")),
    ("seed", -1, ("given -1", "0")),
    ("seed", 2**64, (str(2**64), str(2**63))),
    ("seed", True, ("given True",)),
    ("seed", "0", ("given '0'",)),
    ("runs", 0, ("given 0", "1")),
    ("runs", 100_001, ("given 100001", "100000")),
    ("dtype", "float16", ("float16", "'float64' or 'float32'")),
    ("device", "tpu", ("tpu", "'auto', 'cpu' or 'cuda'")),
    ("lanes", [], ("at least 1",)),
    ("lanes", "three", ("given 'three'",)),
    ("lanes.0.sampler", {"name": "nonsense"}, ("nonsense", "full_batch")),
    ("lanes.0.sampler.batch_size", 3, ("no such field",)),
    ("lanes.1.sampler.batch_size", 0, ("given 0", "1")),
    ("lanes.1.sampler.batch_size", 443, ("given 443", "1 to 442")),
    ("lanes.1.sampler.batch_size", 1.5, ("given 1.5",)),
    ("lanes.1.sampler.drop_last", 1, ("given 1", "boolean")),
    ("lanes.0.rule.momentum", 1.0, ("given 1.0", "less than 1")),
    ("lanes.0.rule.momentum", "0.1", ("given '0.1'",)),
    ("lanes.0.rule.nesterov", True, ("momentum above 0",)),
    ("lanes.0.rule.momentun", 0.9, ("no such field", "did you mean 'momentum'")),
    ("lanes.0.schedule.learning_rate", 0, ("given 0", "greater than 0")),
    ("lanes.0.schedule.learning_rate", -0.1, ("given -0.1", "greater than 0")),
    ("lanes.0.schedule.learning_rate", math.inf, ("inf", "finite")),
    ("lanes.0.schedule.learning_rate", True, ("given True",)),
    ("lanes.0.schedule.learning_rate", None, ("given None",)),
    ("lanes.0.label", 5, ("given 5",)),
    ("nonsense\nline", 1, ("no such field",)),
]


@pytest.mark.parametrize(("path", "value", "words"), WRONG, ids=lambda v: str(v)[:40])
def test_an_error_is_one_line_that_names_the_field_what_was_given_and_what_is_allowed(path, value, words):
    with pytest.raises(ExperimentError) as caught:
        Experiment.model_validate(changed(path, value))
    text = str(caught.value)
    assert "\n" not in text and len(text) < 500
    for word in (*path.replace("\n", " ").rsplit(".", 1), *words):
        assert word in text


@pytest.mark.parametrize("given", [None, [], "x", 3])
def test_an_experiment_is_an_object(given):
    with pytest.raises(ExperimentError, match="JSON object"):
        Experiment.model_validate(given)


@pytest.mark.parametrize("field", ["problem", "lanes"])
def test_a_problem_and_lanes_are_required(field):
    with pytest.raises(ExperimentError, match=f"{field}: it is required"):
        Experiment.model_validate({key: value for key, value in EXAMPLE.items() if key != field})


REQUIRED = [
    (kind, name, knob)
    for kind in KINDS
    for name, cls in registered(kind).items()
    for knob, field in cls.model_fields.items()
    if field.is_required()
]


def test_what_torch_has_no_default_for_must_be_given():
    have = {(name, knob) for _, name, knob in REQUIRED}
    assert {
        ("step", "step_size"),
        ("multi_step", "milestones"),
        ("exponential", "gamma"),
        ("cosine", "T_max"),
        ("cosine_restarts", "T_0"),
    } <= have
    for schedule in {name for name, _ in have} & set(registered(next(k for k in KINDS if k.__name__ == "Schedule"))):
        with pytest.raises(ExperimentError, match=r"lanes\.0\.schedule\.\w+: it is required"):
            Experiment.model_validate(changed("lanes.0.schedule", {"name": schedule}))


WIDE: list[tuple[str, Any]] = [
    ("lanes.0.schedule.learning_rate", 1e-300),
    ("lanes.0.schedule.learning_rate", 1e300),
    ("lanes.0.schedule.learning_rate", 1),
    ("runs", 100_000),
    ("runs", 2.0),
    ("seed", 2**63 - 1),
    ("budget.amount", 0),
    ("start", [1e300, -0.0]),
    ("lanes.0.label", "x" * 1000),
    ("lanes.0.label", 'a & b = "c"; <b>é 漢字 \u202e\x00\n'),
    ("lanes.1.sampler.batch_size", 442),
    ("lanes", [EXAMPLE["lanes"][1]] * 32),
    ("problem.dataset", {"name": "diabetes"}),
    ("problem", {"name": "linear_regression", "dataset": {"name": "inline", "x": [[1]], "y": [2]}}),
    ("problem", {"name": "linear_regression", "dataset": {"name": "inline", "x": [[3]] * 40, "y": [5] * 40}}),
]


@pytest.mark.parametrize(("path", "value"), WIDE, ids=lambda v: str(v)[:40])
def test_the_limits_are_wide(path, value):
    draft = changed(path, value)
    if path == "problem":
        draft["lanes"] = draft["lanes"][:1]
    e = Experiment.model_validate(draft)
    assert Experiment.model_validate(e.model_dump(mode="json")) == e


@pytest.mark.parametrize(
    ("unit", "amount", "size", "drop_last", "updates"),
    [
        ("epochs", 3, 4, False, 9),
        ("epochs", 3, 4, True, 6),
        ("updates", 7, 4, False, 7),
        ("samples", 20, 4, False, 6),  # 4 4 2 | 4 4 2
        ("samples", 19, 4, False, 5),  # the ragged batch of 2 would exceed 19
        ("samples", 3, 4, False, 0),
        ("samples", 16, 4, True, 4),
        ("samples", 15, 4, True, 3),
        ("epochs", 0, 4, False, 0),
        ("epochs", 2, 10, False, 2),
    ],
)
@pytest.mark.parametrize("sampler", [name for name, cls in registered(Sampler).items() if cls.draws])
def test_the_budget_counts_updates_of_ten_samples(sampler, unit, amount, size, drop_last, updates):
    lane = {
        "sampler": items.sampler(sampler, size) | {"drop_last": drop_last},
        "schedule": {"name": "constant", "learning_rate": 0.1},
    }
    e = Experiment.model_validate(
        {"problem": {"name": "quadratic", "samples": 10}, "budget": {"unit": unit, "amount": amount}, "lanes": [lane]}
    )
    assert e.updates(0) == updates
    assert e.updates_per_epoch(0) == (10 // size if drop_last else math.ceil(10 / size))


def test_the_page_lowers_a_budget_that_is_too_large_for_it():
    small = Experiment.model_validate(EXAMPLE)
    assert small.within_page() is small
    large = Experiment.model_validate(changed("budget.amount", 10**9)).within_page()
    assert 150_000 < max(large.updates(i) for i in range(3)) <= 200_000
    many = Experiment.model_validate({**changed("budget.amount", 10**9), "runs": 100}).within_page()
    assert 10_000 < max(many.updates(i) for i in range(3)) * 100 <= 2_000_000


VALIDATOR = jsonschema.Draft202012Validator(schema())


def test_the_schema_takes_what_is_valid():
    jsonschema.Draft202012Validator.check_schema(schema())
    VALIDATOR.validate(EXAMPLE)
    VALIDATOR.validate(Experiment.model_validate(EXAMPLE).model_dump(mode="json"))
    VALIDATOR.validate(changed("lanes.0.rule", "adam"))


IN_SCHEMA = [(p, v) for p, v, _ in WRONG if p.split(".")[0] in ("problem", "lanes", "budget", "runs", "dtype")]
# What concerns several fields at once is beyond a schema.
ACROSS = ("problem.features", "lanes.1.sampler.batch_size", "lanes.0.rule.nesterov")


@pytest.mark.parametrize(
    ("path", "value"),
    [(p, v) for p, v in IN_SCHEMA if not p.startswith(ACROSS) and v != math.inf],
    ids=lambda v: str(v)[:40],
)
def test_the_schema_refuses_what_is_not(path, value):
    assert not VALIDATOR.is_valid(changed(path, value))


def test_the_catalogue_holds_every_knob_with_what_a_form_needs():
    found = json.loads(json.dumps(catalogue(), allow_nan=False))
    for kind in KINDS:
        assert set(found[f"{kind.__name__.lower()}s"]) == set(registered(kind))
    assert found["problems"]["quadratic"]["knobs"]["noise_kind"]["choices"] == ["tilt", "scale"]
    assert found["rules"]["sgd"]["knobs"]["momentum"]["range"] == {"ge": 0, "lt": 1}
    assert found["schedules"]["step"]["knobs"]["step_size"]["required"]
