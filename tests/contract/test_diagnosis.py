"""Badges: each by a small real run; why, by independent computations; and what is suggested helps."""

import re

import numpy as np
import pytest
import torch

from mbsgd_core import engine
from mbsgd_core.measures.diagnosis import diagnose
from mbsgd_core.measures.ending import SHARE, ending
from mbsgd_core.types import Trace
from tests.contract._runs import again, experiment, judged, run

PLAIN = {"name": "quadratic"}  # curvatures 1 and 10
NOISY = {"name": "quadratic", "noise": 2.0, "samples": 32}
DIABETES = {"name": "linear_regression", "dataset": "diabetes"}
NET = {"name": "mlp", "dataset": "diabetes", "hidden": [8]}
MOONS = {"name": "mlp", "dataset": "moons", "hidden": [8]}
HEAVY = {"name": "sgd", "momentum": 0.9}
ONE = {"name": "reshuffle", "batch_size": 1}


# --- badges: experiment, name, parts of why, and the badge with what is suggested (None: nothing is)


@pytest.mark.parametrize(
    ("e", "name", "parts", "then"),
    [
        (experiment(PLAIN, 0.1), "settled", ["within 1 % of the start's excess. The rate 0.1 is below 2/L"], None),
        (experiment(PLAIN, 0.1, rule=HEAVY), "settled", ["2(1 + β)/L = 0.38"], None),
        (experiment(PLAIN, 0.1, rule="adam"), "settled", ["Adam has no simple limit"], None),
        (experiment("himmelblau", 0.01, start=[-2.0, 3.0]), "settled", ["within 1 %"], None),
        (experiment("rastrigin", 0.001, start=[2.2, 0.1]), "settled",
         ["above the lowest value: a place without slope, or the noise"], None),
        (experiment("booth", 0.02, epochs=60), "settled", ["below 2/L = 0.111"], None),
        (experiment(NOISY, 0.06, ONE, epochs=12), "bouncing", ["at rate 0.06, the noise of batches of 1"], "settled"),
        (experiment("booth", 0.01, rule={"name": "sgd", "momentum": 0.99}, epochs=60), "bouncing",
         ["momentum 0.99 carries it past the minimum again and again"], "settled"),
        (experiment({"name": "quadratic", "eigenvalues": [1, 10]}, 0.2, epochs=60, start=[0.1, 1.0]), "bouncing",
         ["The rate 0.2 is the limit itself"], "settled"),
        (experiment("booth", 1e-4, epochs=60), "too slow", ["The loss still falls", "times this budget"], "settled"),
        (experiment("booth", 1e-6, epochs=60), "too slow", ["100 times this budget or more"], "settled"),
        (experiment({"name": "ravine"}, 0.0199, epochs=60, start=[1.9, 0.01]), "too slow",
         ["the rate cannot be much higher, since 0.02 is the limit"], "settled"),
        (experiment({"name": "formula", "formula": "x^2+y^2"}, 1e-4, epochs=60), "too slow", ["falls"], "too slow"),
        (experiment(PLAIN, 0.21, epochs=30), "unstable", ["The loss grew from 6.13", "2/L = 0.2"], "settled"),
        (experiment(PLAIN, 0.3), "diverged",
         ["Diverged at update ", "the loss grew from 6.13 to ", "Rates above 2/L = 0.2 grow here (largest curvature 1"],
         "settled"),
        (experiment(PLAIN, 1e12), "diverged", ["left 6.13 in a single step"], "settled"),
        (experiment("rosenbrock", 0.05), "diverged", ["Diverged at update"], "too slow"),
        (experiment(DIABETES, 0.3, ONE, epochs=5), "diverged",
         ["With batches of 1, rates above 0.1", "the limit without noise is 2/L = 0.4"], "bouncing"),
        (experiment({"name": "formula", "formula": "log(x)"}, 0.1, start=[-1.0, 2.0]), "diverged",
         ["f is not defined at the start point (-1, 2)"], None),
        (experiment("saddle", 0.1, start=[1.0, 0.1]), "escaping", ["no lowest point along this path"], None),
        (experiment("saddle", 0.1, start=[1.0, 0.1], epochs=20), "escaping", ["falls and does not slow down"], None),
        (experiment("saddle", 0.1, start=[1.0, 0.0], epochs=60), "settled", ["The loss levels off at 2.35e-12"], None),
        (experiment({"name": "formula", "formula": "x"}, 0.5, epochs=200), "escaping", ["no lowest point"], None),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_a_badge_its_reason_and_its_remedy(e, name, parts, then):
    found = judged(e)
    assert found.badge.name == name, found.badge
    for part in parts:
        assert part in found.badge.why
    assert found.badge.why.endswith(".") and "nan" not in found.badge.why
    assert (found.badge.remedy is None) == (then is None)
    if then is not None:
        assert again(e, found).badge.name in then.split(", ")


def test_a_lane_on_its_way_runs():
    e = experiment(PLAIN, 0.01, epochs=400)
    half = run(experiment(PLAIN, 0.01, epochs=200))
    assert judged(e, half).badge == ("unfinished", "200 of 400 updates are made.", None)
    lost = run(experiment(PLAIN, 0.3, epochs=399))
    assert judged(e, lost).badge.name == "diverged"


def test_a_model_whose_units_are_dead_is_flat():
    e = experiment(MOONS | {"activation": "relu"}, 2.0, ONE, epochs=10)
    found = judged(e)
    assert found.badge.name == "flat" and found.badge.why.startswith(
        "It takes every row for class 1; that is right for "
    )
    assert again(e, found).badge.name in ("settled", "bouncing", "still falling")


def test_a_model_in_use_is_not_flat():
    e = experiment(MOONS, 0.5, {"name": "reshuffle", "batch_size": 16}, epochs=60)
    assert judged(e).badge.name in ("settled", "bouncing", "still falling")


def test_a_frame_tells_what_a_trace_without_iterates_cannot():
    e = experiment(MOONS, 0.1, epochs=60)
    loss = np.full((1, 61), 0.69)
    loss[0, :10] = np.linspace(1.5, 0.7, 10)
    trace = Trace(np.arange(61), 160 * np.arange(61), np.full(61, 0.1), np.zeros((1, 1, 33)), loss)
    assert diagnose(e, 0, trace).badge.name == "settled"
    assert diagnose(e, 0, trace, learned={"confusion": np.array([[0, 21], [0, 19]])}).badge.name == "flat"
    assert diagnose(e, 0, trace, learned={"confusion": np.array([[21, 0], [1, 18]])}).badge.name == "settled"
    numbers = {"truth": np.arange(40.0), "prediction": np.full(40, 3.0)}
    assert diagnose(e, 0, trace, learned=numbers).badge.why == "It predicts 3 for every row."


# --- the shape of an end


def shape(loss, lowest=None, **more):
    return ending(np.arange(len(loss)), np.asarray(loss, dtype=float), lowest, **more)


def test_the_need_of_an_exponential_is_its_own():
    for pace in (0.999, 0.9999, 0.99):
        k = np.arange(101)
        found = shape(5 + 3 * pace**k, 5.0)
        assert found.kind == "falling"
        assert found.budgets == pytest.approx(np.log(SHARE) / np.log(pace) / 100, rel=1e-3)


def test_noise_is_told_from_a_fall():
    draw = np.random.default_rng(0)
    k = np.arange(400)
    noise = draw.normal(size=400) ** 2
    assert shape(np.exp(-k / 20) + 0.05 * noise, 0.0).kind == "swinging"
    assert shape(np.exp(-k / 20) + 0.0005 * noise, 0.0).kind == "resting"
    assert shape(np.exp(-k / 400) + 0.002 * noise, 0.0).kind == "falling"
    assert shape(0.3 + np.exp(-k / 20) + 1e-4 * noise, 0.0).kind == "resting"  # in another minimum


@pytest.mark.parametrize("loss", [[1.0], [1.0, 0.5], [1.0, 1.0], [0.0, 0.0, 0.0], [1.0, 0.9, 0.8, 0.7, 0.6]])
def test_short_runs_have_an_end_too(loss):
    for lowest in (None, 0.0):
        found = shape(loss, lowest)
        assert found.kind in ("resting", "falling") and found.last == loss[-1]


def test_growth_counts_above_the_limit_or_tenfold():
    assert shape([1, 0.5, 1.1], 0.0).kind != "growing"
    assert shape([1, 0.5, 1.1], 0.0, above=True).kind == "growing"
    assert shape([1, 0.5, 11], 0.0).kind == "growing"


# --- the limits that are named


@pytest.mark.parametrize("problem", [DIABETES, NET], ids=["linear", "net"])
@pytest.mark.parametrize("rule", ["sgd", HEAVY], ids=["plain", "momentum"])
def test_the_limit_is_that_of_a_dense_hessian_and_half_of_it_does_not_diverge(problem, rule):
    e = experiment(problem, 30.0, rule=rule, epochs=60, unit="updates")
    found = judged(e)
    assert found.badge.name == "diverged"
    assert found.badge.why.startswith(f"Diverged at update {found.diverged_at}: the loss grew from")
    total = engine.finite_sum(e)
    everyone = torch.arange(total.samples)[None]
    second = torch.autograd.functional.hessian(lambda t: total.losses(t[None], everyone).mean(), total.start())
    largest = np.linalg.eigvalsh(second.numpy())[-1]
    said = float(re.search(r"largest curvature ([\d.,e+]+)\)", found.badge.why)[1].replace(",", ""))
    assert said == pytest.approx(largest, rel=0.06)
    assert again(e, found).diverged_at is None


def test_a_trace_of_few_iterates_has_the_same_reason():
    e = experiment(NET, 30.0, epochs=60, unit="updates")
    whole = run(e)
    few = whole._replace(theta=whole.theta[:, :1])
    assert judged(e, few).badge == judged(e, whole).badge


def test_without_a_simple_limit_a_smaller_rate_is_advised():
    lost = Trace(np.arange(3), np.arange(3), np.full(3, 50.0), np.zeros((1, 1, 1)), np.array([[1.0, 2.0, np.inf]]))
    found = judged(experiment(NET, 50.0, rule="adam"), lost)
    assert found.badge.text == "Diverged at update 2: the loss grew from 1 to 2. Adam has no simple limit. Try rate 5."
    below = judged(experiment(NET, 1e-6), lost._replace(learning_rate=np.full(3, 1e-6)))
    assert "The rate is below" in below.badge.why and below.badge.text.endswith("Try rate 1e-7.")
