"""Every hostile query of url_params.json, mapped onto this lab's parameters."""

import json
from pathlib import Path
from typing import Any

import pytest

from mbsgd_core.experiment import Experiment
from mbsgd_core.share import from_query
from tests.contract._example import EXAMPLE

FALLBACK = Experiment.model_validate(
    {**EXAMPLE, "problem": {"name": "quadratic", "samples": 64}, "budget": {"unit": "epochs", "amount": 2}}
)
CASES = json.loads((Path(__file__).parent / "url_params.json").read_text())

# The list's generic keys, and where they hit here. A key that is not listed is sent as it is: it is unknown here.
KEYS = {
    "lr": "lane1.schedule.learning_rate",
    "momentum": "lane3.rule.momentum",
    "batch": "lane3.sampler.batch_size",
    "opt": "lane1.rule",
    "loss": "problem.noise_kind",  # the problem's choice among names
    "data": "problem=linear_regression&problem.dataset",
    "f": "problem=formula&problem.formula",
    "title": "lane1",  # the free text of a lane
    "note": "lane1",
    "width": "problem.samples",  # the knob that buys memory
}
# Which outcomes each expectation allows. Without a notice nothing may have changed.
NOTICED = {
    "ok": False,
    "ok_last_wins": False,
    "ignore_with_notice": True,
    "default_with_notice": True,
    "default_with_notice_or_canonical": True,
    "clamp_with_notice": True,
    "reject_link_or_default_with_notice": True,
}
# Streamlit takes embed and embed_options out of the query for itself, and acts on them: nothing was ignored.
# The other asks for Lion, which was unknown when the list was made, and is a rule now.
SILENT = {"U079", "U053"}


def link(case: dict[str, Any]) -> str:
    """The case's query with our keys."""
    if "python_query" in case:
        name, _, value = case["python_query"].partition(" + ")
        text = {"U076": lambda: "&".join(f"k{i}=v" for i in range(3000)), "U081": lambda: "note=" + "A" * 1_000_000}
        made = text.get(case["id"], lambda: "compare=" + "sgd," * 499 + "sgd")()
        assert len(made) == case["length"]
    else:
        made = case["query"]
    parts = []
    for part in made.split("&"):
        key, equals, value = part.partition("=")
        parts.append(KEYS.get(key, key) + equals + value)
    return "&".join(parts)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_a_hostile_link_gives_a_sound_experiment_and_says_what_it_did(case):
    e, notices = from_query("http://localhost/?" + link(case), page=True, fallback=FALLBACK)
    assert Experiment.model_validate(e.model_dump(mode="json")) == e
    assert max(e.updates(i) for i in range(len(e.lanes))) * e.runs <= 2_000_000 and len(e.lanes) <= 6
    if case["id"] not in SILENT:
        assert bool(notices) == NOTICED[case["expect"]], case["why"]
    for notice in map(str, notices):
        assert notice.isprintable() and len(notice) < 600
        assert notice[-1] in ".?" and " " in notice


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("lane1.schedule.learning_rate=0.1&lane1.schedule.learning_rate=0.5", 0.5),
        ("lane1.schedule.learning_rate=-1", 1e-4),
        ("lane1.schedule.learning_rate=1e999", 0.1),
        ("lane1.schedule.learning_rate=1_000", 0.1),
        ("lane1.schedule.learning_rate=%D9%A1", 0.1),
        ("lane1.schedule.learning_rate=0.1%00", 0.1),
    ],
)
def test_the_rate_that_is_used_instead(query, expected):
    e, _ = from_query(query, page=True, fallback=FALLBACK)
    assert e.lanes[0].schedule.learning_rate == expected


@pytest.mark.parametrize(("given", "used"), [("-5", 1), ("2.5", 2), ("1e3", 64), ("0", 1), ("64", 64)])
def test_the_batch_size_that_is_used_instead(given, used):
    e, _ = from_query(f"lane3.sampler.batch_size={given}", page=True, fallback=FALLBACK)
    assert e.lanes[2].sampler.batch_size == used  # type: ignore[attr-defined]


def test_a_formula_in_a_link_is_parsed_and_never_run():
    e, notices = from_query("problem=formula&problem.formula=x%5E2%2By%5E2", page=True, fallback=FALLBACK)
    assert e.problem.formula == "x^2+y^2" and notices == []  # type: ignore[attr-defined]
    text = "problem=formula&problem.formula=__import__(%27os%27).system(%27id%27)"
    e, notices = from_query(text, page=True, fallback=FALLBACK)
    assert "import" not in e.problem.formula and len(notices) == 1  # type: ignore[attr-defined]
