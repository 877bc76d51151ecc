"""The link holds the whole experiment, and says what it could not use."""

import random
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest

from mbsgd_core import share
from mbsgd_core.errors import ExperimentError
from mbsgd_core.experiment import Experiment, problems, registered
from mbsgd_core.knobs import nearest, suggestion_of
from mbsgd_core.rules.base import Rule
from mbsgd_core.samplers.base import Sampler
from mbsgd_core.schedules.base import Schedule
from mbsgd_core.share import from_query, to_query
from mbsgd_core.texts import parse, plain_type, write
from tests.contract._example import EXAMPLE, changed

FALLBACK = Experiment.model_validate(EXAMPLE)
NASTY = [
    "a&lane1=b",
    "50 % + 1",
    "x=1#y?z",
    "null",
    "[1,2]",
    "é漢字🙂",
    " ",
    "\u202e\x00\n\t",
    "lane2.rule",
    '"\\',
    "a,b;c",
]


def read(text: str, **options: Any) -> tuple[Experiment, list[str]]:
    e, notices = from_query(text, **{"fallback": FALLBACK, "page": True, **options})
    return e, [str(notice) for notice in notices]


def test_a_link_is_flat_readable_and_begins_with_its_version():
    assert to_query(FALLBACK).startswith("v=1&problem=linear_regression&problem.dataset=diabetes&")
    for part in ("&problem.features=bmi&", "&budget.amount=20&", "&lane3=Mini-batch&lane3.sampler=reshuffle&"):
        assert part in to_query(FALLBACK)
    assert "&lane3.rule.momentum=0.9&" in to_query(FALLBACK)


def test_every_value_is_written_so_that_a_new_default_changes_no_link():
    def leaves(value: Any) -> int:
        if isinstance(value, dict):
            return sum(map(leaves, value.values()))
        return sum(map(leaves, value)) if isinstance(value, list) and isinstance(value[0], dict) else 1

    assert to_query(FALLBACK).count("=") == leaves(FALLBACK.model_dump(mode="json"))


@pytest.mark.parametrize("label", NASTY)
def test_any_label_comes_back(label):
    e = Experiment.model_validate(changed("lanes.0.label", label))
    assert from_query(to_query(e)) == (e, [])


@pytest.mark.parametrize("value", [0.1, 1 / 3, 1e-300, 5e-324, 1.7976931348623157e308, 1e20, 123456789.125])
def test_numbers_come_back_to_the_last_bit(value):
    e = Experiment.model_validate({**changed("lanes.0.schedule.learning_rate", value), "start": [-value, -0.0]})
    again, notices = from_query(to_query(e))
    assert (again, notices) == (e, [])
    assert write(again.start) == write(e.start)  # -0.0 == 0.0, but not as text


INLINE = [
    {"x": [[1.5, -2]], "y": [0.1]},
    {"x": [[1], [2], [3]], "y": [1e-9, 2, 3]},
]


@pytest.mark.parametrize("data", INLINE)
def test_inline_rows_come_back(data):
    problem = {"name": "linear_regression", "dataset": {"name": "inline", **data}}
    e = Experiment.model_validate({"problem": problem, "lanes": EXAMPLE["lanes"][:1]})
    assert from_query(to_query(e)) == (e, [])
    assert from_query("http://example.org/app/?" + to_query(e)) == (e, [])


@pytest.mark.parametrize("text", ["3", "null", "[1,2]", "1e5", "x^2 + 3·y²", "sin(x)*y"])
def test_text_stays_text(text):
    assert parse(text, str) == text == parse(write(text), str)


@pytest.mark.parametrize("texts", [("a", "b"), ("a,b",), ("",), ("null",), ("[",), ("é", '"')])
def test_tuples_of_texts_come_back(texts):
    assert parse(write(texts), tuple[str, ...] | None) == texts


def draw(cls: type, rng: random.Random) -> dict[str, Any]:
    """Random knobs within the limits: of numbers, flags and choices; the rest keep their defaults."""
    given: dict[str, Any] = {}
    for name, field in cls.model_fields.items():  # type: ignore[attr-defined]
        kind, limits = plain_type(field.annotation)
        extra = field.json_schema_extra
        low, high = extra.get("page") or (limits.get("ge", 1), 8)
        if get_origin(kind) is Literal:
            given[name] = rng.choice(get_args(kind))
        elif kind is bool:
            given[name] = rng.random() < 0.5
        elif kind in (int, float):
            value = nearest(rng.uniform(low, high), limits, None, False)
            given[name] = round(value) if kind is int else value
        elif get_origin(kind) is tuple and field.is_required():
            given[name] = suggestion_of(field) or [1, 2]
    return given


def valid(cls: type, rng: random.Random) -> dict[str, Any]:
    """A random item; where random knobs do not go together, fewer of them."""
    given = draw(cls, rng)
    while True:
        try:
            return cls.model_validate(given).model_dump(mode="json")  # type: ignore[attr-defined]
        except ValueError:
            optional = [k for k in given if not cls.model_fields[k].is_required()]  # type: ignore[attr-defined]
            del given[rng.choice(optional)]


SURFACES = [name for name, cls in problems().items() if "dataset" not in cls.model_fields]


@pytest.mark.parametrize("seed", range(60))
def test_any_experiment_comes_back(seed):
    rng = random.Random(seed)
    problem = valid(problems()[SURFACES[seed % len(SURFACES)]], rng)
    samples = problem.get("samples", 8)
    rules, samplers, schedules = (registered(kind) for kind in (Rule, Sampler, Schedule))
    lanes = []
    for i in range(rng.randint(1, 32)):
        sampler = valid(samplers[rng.choice(list(samplers))], rng)
        if "batch_size" in sampler:
            sampler["batch_size"] = rng.randint(1, samples)
        schedule = valid(schedules[list(schedules)[(seed + i) % len(schedules)]], rng)
        if "total_steps" in schedule:
            schedule["total_steps"] = 10**7  # as many as the budget's at least
        cls = rules[list(rules)[(seed + i) % len(rules)]]
        rule = valid(cls, rng)
        if "cycle_momentum" in schedule:
            schedule["cycle_momentum"] &= {"momentum", "betas"} & cls.model_fields.keys() != set()
        label = rng.choice([*NASTY, f"lane {i}"])
        lanes.append({"label": label, "sampler": sampler, "rule": rule, "schedule": schedule})
    start = rng.choice([None, [rng.gauss(0, 1e6), rng.gauss(0, 1e-6)]])
    budget = {"unit": rng.choice(["epochs", "updates", "samples"]), "amount": rng.randint(0, 2)}
    draft = {"problem": problem, "start": start, "budget": budget, "seed": rng.getrandbits(62), "lanes": lanes}
    e = Experiment.model_validate(draft)
    assert from_query(to_query(e)) == (e, [])


def test_the_page_keeps_what_it_could_have_made_itself():
    e = Experiment.model_validate({**EXAMPLE, "seed": 7, "runs": 20, "start": [1, 2]})
    assert read(to_query(e)) == (e, [])
    assert read(to_query(e).replace("&", "&embed=true&clock=updates&", 1), ignore={"clock"}) == (e, [])


# query, dotted place, value there afterwards, words of the one notice
NOTED: list[tuple[str, str, Any, tuple[str, ...]]] = [
    ("lane1.schedule.learning_rate=0", "lanes.0.schedule.learning_rate", 1e-4, ("given 0;", "0.0001 to 10")),
    (
        "lane1.schedule.learning_rate=abc",
        "lanes.0.schedule.learning_rate",
        0.1,
        ("given abc", "a number", "0.1 is used"),
    ),
    ("lane1.schedule.learning_rate=nan", "lanes.0.schedule.learning_rate", 0.1, ("given nan", "a number")),
    ("lane3.rule.momentum=1", "lanes.2.rule.momentum", 0.99, ("given 1;", "0 to 0.99")),
    ("lane2.sampler.batch_size=1000", "lanes.1.sampler.batch_size", 442, ("given 1000", "1 to 442", "442 is used")),
    ("lane2.sampler.batch_size=2.5", "lanes.1.sampler.batch_size", 2, ("given 2.5", "whole number")),
    ("lane3.rule.nesterov=yes", "lanes.2.rule.nesterov", False, ("given yes", "true or false")),
    ("lane1.rule.nesterov=true", "lanes.0.rule.nesterov", False, ("momentum above 0", "false is used")),
    ("lane1.schedule=step", "lanes.0.schedule.name", "constant", ("step_size", "required", "constant is used")),
    ("lane1.rule=nonsense", "lanes.0.rule.name", "sgd", ("given nonsense", "adam", "sgd is used")),
    ("lane1.rul=adam", "lanes.0.rule.name", "sgd", ("no such parameter", "Did you mean lane1.rule?")),
    ("lane1=%E2%80%AEabc", "lanes.0.label", "BGD", ("\\u202eabc", "plain text")),
    ("lane1=" + "x" * 61, "lanes.0.label", "BGD", ("60 characters",)),
    ("problem=nonsense", "problem.name", "linear_regression", ("given nonsense", "quadratic")),
    ("problem.features=zzz", "problem.features.0", "bmi", ("zzz", "age")),
    ("start=1,2,3", "start", None, ("3 numbers", "2 parameters", "null is used")),
    ("start=[[[", "start", None, ("given [[[", "list")),
    ("seed=1e309", "seed", 999_999, ("given 1e309", "999")),
    ("seed=" + "9" * 5000, "seed", 0, ("given 9999", "a number")),
    ("budget.amount=501", "budget.amount", 452, ()),
    ("dtype=float16", "dtype", "float64", ("float16", "float64, float32")),
    ("v=2", "version", 1, ("given 2", "up to 1")),
    ("#lane1=x", "lanes.0.label", "BGD", ("#lane1=x", "ignored")),
]


@pytest.mark.parametrize(("query", "place", "value", "words"), NOTED, ids=lambda v: str(v)[:40])
def test_what_cannot_be_used_is_said_in_a_sentence(query, place, value, words):
    e, notices = read(query)
    found: Any = e.model_dump(mode="json")
    for part in place.split("."):
        found = found[int(part) if part.isdigit() else part]
    assert found == value
    assert notices and all("\n" not in notice and notice.endswith((".", "?")) for notice in notices)
    for word in words:
        assert word in notices[0]


def test_of_a_repeated_parameter_the_last_counts():
    assert read("seed=1&seed=2")[0].seed == 2
    assert read({"seed": ["1", "2"]})[0].seed == 2  # type: ignore[arg-type]


def test_what_the_link_names_starts_from_its_own_defaults():
    e, notices = read("v=1&lane1=A&lane1.rule=sgd&lane2=B&lane2.sampler=reshuffle")
    assert [lane.label for lane in e.lanes] == ["A", "B"] and notices == []
    assert e.problem == FALLBACK.problem
    assert e.lanes[1].sampler.batch_size == 32  # type: ignore[attr-defined]  # not the fallback's 1


def test_too_many_lanes_are_cut_to_the_pages_six():
    lanes = Experiment.model_validate(changed("lanes", [EXAMPLE["lanes"][0]] * 32))
    e, notices = read(to_query(lanes))
    assert len(e.lanes) == 6 and len(notices) == 1 and "given 32" in notices[0]
    assert len(read(to_query(lanes), page=False)[0].lanes) == 32


def test_an_absurd_link_is_ignored_with_one_notice():
    for query in ("lane1=" + "x" * 1_000_000, "&".join(f"k{i}=v" for i in range(3000))):
        e, notices = read(query)
        assert e == FALLBACK and len(notices) == 1


def test_notices_are_counted_rather_than_listed_without_end():
    _, notices = read("&".join(f"k{i}=v" for i in range(1000)))
    assert len(notices) == share.NOTICES + 1 and "988 more" in notices[-1]


BARE = "v=1&problem=saddle&lane1=x&lane1.sampler=full_batch&lane1.schedule="


@pytest.mark.parametrize(
    "query",
    [
        "v=1",
        "v=1&problem=nonsense",
        "v=1&problem=saddle",
        BARE,
        BARE + "step",
        BARE + "one_cycle&lane1.schedule.total_steps=1",
    ],
)
def test_without_a_fallback_an_unreadable_link_is_an_error(query):
    with pytest.raises(ExperimentError) as caught:
        from_query(query)
    assert "\n" not in str(caught.value)


def test_share_knows_no_knob_by_name():
    text = Path(share.__file__).read_text()
    assert not any(word in text for word in ("batch_size", "learning_rate", "momentum", "eval(", "pickle"))
