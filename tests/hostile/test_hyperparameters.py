"""Every case of hyperparameters.json: what is refused, what runs, and what is reported as divergence."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mbsgd_core import engine
from mbsgd_core.errors import ExperimentError
from mbsgd_core.experiment import Experiment
from mbsgd_core.share import from_query
from tests.contract._example import EXAMPLE

CASES = {
    case["id"]: case["params"] for case in json.loads((Path(__file__).parent / "hyperparameters.json").read_text())
}

# These are about networks (widths, initial scales, an MLP's loss), which no problem here has yet.
NETWORKS = {"H006", "H007", "H008", "H027", "H028", "H029"}

# Refused when the experiment is made; the field, and a word of the sentence.
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "H011": ({"learning_rate": 0}, "learning_rate: given 0; it should be greater than 0"),
    "H012": ({"learning_rate": -0.1}, "learning_rate: given -0.1; it should be greater than 0"),
    "H014": ({"momentum": 1.0}, "momentum: given 1.0; it should be less than 1"),
    "H015": ({"momentum": 2.0}, "momentum: given 2.0; it should be less than 1"),
    "H016": ({"momentum": 0, "nesterov": True}, "nesterov needs a momentum above 0"),
    "H019": ({"name": "adam", "betas": [0.9, 1.0]}, "betas.1: given 1.0; it should be less than 1"),
    "H020": ({"name": "adam", "eps": 0}, "eps: given 0; it should be greater than 0"),
    "H022": ({"batch_size": 1000}, "batch_size: given 1000; the problem has 64 samples"),
    "H025": ({"seed": 18446744073709551616}, "seed: given 18446744073709551616; it should be less than"),
}

# Runs: formula, start, knobs, updates, and the update at which it is called diverged (None: it is sound).
RUNS: dict[str, tuple[str, list[float], dict[str, Any], int, int | None]] = {
    # Loss grows by 1.02^2 an update: past 1e9 times the start after ln(1e9) / (2 ln 1.02) = 523.2.
    "H003": ("x^2", [1, 0], {"learning_rate": 1.01}, 600, 524),
    "H013": ("x^2", [1, 1], {"learning_rate": 1e-30}, 50, None),
    # x <- (1 - 0.1 (2 + 100)) x = -9.2 x: 9.2^2k > 1e9 at k = 4.67.
    "H018": ("x^2", [1, 0], {"weight_decay": 100, "learning_rate": 0.1}, 20, 5),
    "H032": ("log(x)", [-1, 0], {}, 10, 0),
    "H033": ("sqrt(x*x+y*y)", [0, 0], {}, 10, None),  # the gradient at the tip is 0, as at ackley's cone
    "H034": ("abs(x)", [1, 0], {"learning_rate": 0.3}, 200, None),
    # From -1 a step of 1 - 1e-12 ends just before the pole, where |1/x| is 1e12.
    "H035": ("1/x", [-1, 0], {"learning_rate": 1 - 1e-12}, 10, 1),
    # x <- 1.2 x, loss -1.44^k: below -1e9 after 56.8.
    "H036": ("-x**2", [1, 0], {"learning_rate": 0.1}, 100, 57),
    "H037": ("3", [1, 1], {}, 10, None),
}


def experiment(knobs: dict[str, Any], problem: dict[str, Any], updates: int, **more: Any) -> dict[str, Any]:
    """One full-batch lane, with each knob put where it belongs."""
    rate = knobs.get("learning_rate", 0.1)
    batch = knobs.get("batch_size")
    sampler = {"name": "reshuffle", "batch_size": batch} if batch else {"name": "full_batch"}
    rule = {k: v for k, v in knobs.items() if k not in ("learning_rate", "batch_size", "seed")}
    lane = {
        "sampler": sampler,
        "rule": {"name": "sgd", **rule},
        "schedule": {"name": "constant", "learning_rate": rate},
    }
    budget = {"unit": "updates", "amount": updates}
    return {"problem": problem, "budget": budget, "seed": knobs.get("seed", 0), "lanes": [lane], **more}


def test_every_case_is_treated():
    assert set(CASES) == NETWORKS | set(REFUSED) | set(RUNS)


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused_with_a_sentence(name):
    knobs, sentence = REFUSED[name]
    with pytest.raises(ExperimentError) as caught:
        Experiment.model_validate(experiment(knobs, {"name": "quadratic"}, 10))
    assert sentence in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("name", RUNS)
def test_it_runs_and_divergence_is_a_result(name):
    formula, start, knobs, updates, diverged_at = RUNS[name]
    dtype = "float32" if name == "H013" else "float64"
    problem = {"name": "formula", "formula": formula}
    e = Experiment.model_validate(experiment(knobs, problem, updates, start=start, dtype=dtype))
    state, trace = engine.run(e, 0)
    assert state.diverged_at.tolist() == [-1 if diverged_at is None else diverged_at]
    assert trace.theta.shape == (1, updates + 1, 2)
    if diverged_at is None:
        assert np.isfinite(trace.theta).all() and np.isfinite(trace.loss).all()
    elif diverged_at > 0:
        assert np.isfinite(trace.loss[0, :diverged_at]).all() and np.isnan(trace.loss[0, diverged_at:]).all()
        assert np.isnan(trace.theta[0, diverged_at:]).all()


@pytest.mark.parametrize("name", ["H013", "H033", "H037"])
def test_what_cannot_move_stays_where_it_is(name):
    formula, start, knobs, updates, _ = RUNS[name]
    problem = {"name": "formula", "formula": formula}
    e = Experiment.model_validate(experiment(knobs, problem, updates, start=start, dtype="float32"))
    assert (engine.run(e, 0)[1].theta == np.float32(start)).all()


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("lane3.sampler.batch_size=1000", "442 is used"),  # H022
        ("seed=18446744073709551616", "999999 is used"),  # H025
        ("lane3.rule.momentum=2", "0.99 is used"),  # H015
    ],
)
def test_a_link_clamps_it_and_says_so(query, words):
    _, notices = from_query(query, page=True, fallback=Experiment.model_validate(EXAMPLE))
    assert len(notices) == 1 and words in str(notices[0])
