"""What a picture holds, for every problem; and its parts against naive loops."""

import json
from typing import get_args

import numpy as np
import pytest
import torch

from mbsgd_core import engine
from mbsgd_core.experiment import Experiment, problems, registered
from mbsgd_core.figures.payload import message, unpack
from mbsgd_core.measures import ensemble, path_gradients, plane
from mbsgd_core.measures.cursor import at_cursor
from mbsgd_core.measures.decimation import last_sound, outline
from mbsgd_core.measures.panels import first_panels, panels
from mbsgd_core.measures.report import report
from mbsgd_core.problems.models.base import DataProblem
from mbsgd_core.results.run import View
from mbsgd_core.results.verdict import BadgeName
from mbsgd_core.samplers.base import Sampler
from mbsgd_core.types import CLOCKS, Trace, ViewBudget
from tests.contract import _items as items
from tests.contract._progress import drawn, traced, trained

MEAN = {
    "name": "linear_regression",
    "dataset": {"name": "inline", "x": [[1.0]] * 4, "y": [1.0, 2.0, 3.0, 6.0]},
    "standardize": False,
    "intercept": False,
}
BMI = {"name": "linear_regression", "dataset": "diabetes", "features": ["bmi"]}
DIABETES = {"name": "linear_regression", "dataset": "diabetes"}
BOWL = {"name": "quadratic", "noise": 1.0, "samples": 16}


def default(name):
    cls = problems()[name]
    if issubclass(cls, DataProblem):
        few = {} if cls.planar else {"train_rows": 60}
        data = {"dataset": "diabetes" if cls.task == "regression" else "breast_cancer"}
        return {"name": name, **data, **few, **cls.cases()[0]}
    return {"name": name, "noise": 1.0, **cls.cases()[0]}


def lane(sampler, rate, rule="sgd", **knobs):
    schedule = {"name": "constant", "learning_rate": rate}
    return {"sampler": sampler, "rule": {"name": rule, **knobs}, "schedule": schedule}


def three(problem, rates=(0.001, 0.001, 0.001), runs=1, epochs=2, size=6, **more):
    lanes = [
        lane({"name": "full_batch"}, rates[0]),
        lane({"name": "reshuffle", "batch_size": 1}, rates[1]),
        lane({"name": "reshuffle", "batch_size": size}, rates[2], momentum=0.5),
    ]
    budget = {"unit": "epochs", "amount": epochs}
    return Experiment.model_validate({"problem": problem, "lanes": lanes, "runs": runs, "budget": budget, **more})


CASES = {name: three(default(name)) for name in problems()} | {
    "one parameter": three(MEAN, size=2),
    "one feature": three(BMI),
    "five runs": three(DIABETES, runs=5, epochs=1),
    "diverging": three(BMI, rates=(3.0, 3.0, 0.1)),
    "diverging in many dimensions": three(DIABETES, rates=(3.0, 0.001, 3.0)),
    "no budget": three(DIABETES, epochs=0),
    "undefined in places": three({"name": "formula", "noise": 1.0, "formula": "log(x) + y^2"}),
    "undefined start": three({"name": "formula", "formula": "log(x)"}, start=[-1.0, 0.0]),
    "nothing finite": three({"name": "formula", "formula": "log(0 - 1 - x^2)"}),
    "drop_last": Experiment.model_validate(
        {"problem": BOWL, "lanes": [lane({"name": "reshuffle", "batch_size": 5, "drop_last": True}, 0.1)]}
    ),
    "adaptive": Experiment.model_validate({"problem": BOWL, "lanes": [lane("full_batch", 0.1, "adam")] * 7}),
    "with replacement": Experiment.model_validate(
        {"problem": BOWL, "lanes": [lane({"name": "with_replacement", "batch_size": 16}, 0.1)]}
    ),
}


@pytest.mark.parametrize("e", CASES.values(), ids=CASES.keys())
def test_a_picture_holds_what_the_page_needs(e):
    traces = traced(e)
    shown = drawn(e, traces)
    header, arrays = unpack(message(shown, e))  # strict JSON: a NaN in the header would be refused
    ny, nx = arrays["z"].shape
    assert arrays["xs"].shape == (nx,) and arrays["ys"].shape == (ny,)
    x0, x1, y0, y1 = header["problem"]["view"]
    assert x0 < x1 and y0 < y1 and len(header["problem"]["axes"]) == 2
    assert set(header["headline"]) == set(CLOCKS) and all(line["text"] for line in header["headline"].values())
    for i, (trace, line) in enumerate(zip(traces, header["lanes"], strict=True)):
        records = line["records"]
        assert records == len(trace.update) and line["samples"] == e.problem.sample_count
        own = {name.split("/")[1]: a for name, a in arrays.items() if name.startswith(f"lane{i}/")}
        assert {own[name].shape for name in ("theta", "gradient", "batch_gradient")} == {(records, 2)}
        assert {own[name].shape for name in ("loss", "update", "samples", "rate")} == {(records,)}
        np.testing.assert_array_equal(np.isfinite(own["theta"]).all(1), np.isfinite(trace.theta[0]).all(1))
        assert np.isnan(own["batch_gradient"][-1]).all()
        assert line["badge"]["name"] in get_args(BadgeName) and line["badge"]["why"].endswith(".")
        assert set(line["cells"]) == {column["key"] for column in header["columns"]}
        assert (line["diverged_at"] is not None) <= (line["badge"]["name"] in ("diverged", "escaping"))
        assert line["summary"].startswith(line["label"]) and sum(line["sizes"]) <= e.problem.sample_count
        assert ("plane_loss" in own) == (e.problem.parameter_count > 2) == (header["problem"]["projection"] is not None)
        assert ("band" in own) == (e.runs > 1)
    cursor = at_cursor(e, [0] * len(traces), [t.theta[0, 0] for t in traces], shown["plane"])
    assert len(cursor) == len(traces)
    json.dumps(cursor, allow_nan=False)


@pytest.mark.parametrize("view_budget", [None, ViewBudget(20)], ids=["at rest", "moving"])
@pytest.mark.parametrize("name", [name for name, cls in problems().items() if issubclass(cls, DataProblem)])
def test_every_panel_of_a_model_has_what_it_shows(name, view_budget):
    e = three(default(name))
    lanes = trained(e)
    shown = report(e, lanes, View(panels(e), view_budget), 16)
    header, arrays = unpack(message(shown, e))
    assert header["panels"] == header["shown"] == list(panels(e))
    assert header["default_panels"] == list(first_panels(e)) and set(header["default_panels"]) <= set(header["panels"])
    assert header["scene"]["rows"]["all"] == e.problem.sample_count and header["curves"][0] == "loss"
    needs = {
        "path": {"theta", "gradient"},
        "boundary": {"learned/label", "learned/chance", "learned/xs", "learned/ys", "learned/batch"},
        "images": {"learned/prediction", "learned/batch_images", "learned/batch_labels"},
        "confusion": {"learned/confusion"},
        "filters": {"learned/filters"},
        "numbers": {"learned/prediction", "learned/truth"},
        "fit": set(),
    }
    for i, line in enumerate(header["lanes"]):
        own = {name.removeprefix(f"lane{i}/"): a for name, a in arrays.items() if name.startswith(f"lane{i}/")}
        assert set().union(*(needs[panel] for panel in panels(e))) <= set(own)
        seen = own["seen"]
        assert own["test_loss"].shape == own["test_accuracy"].shape == seen.shape and (np.diff(seen) > 0).all()
        assert seen[0] == 0 and seen[-1] == line["records"] - 1
        assert ("replay/at" in own) == (view_budget is None)
        if view_budget is None:
            frames = {name for name in own if name.startswith("replay/") and name != "replay/at"}
            assert frames and {len(own[name]) for name in frames} == {len(own["replay/at"])}
            assert max(own["replay/at"]) == line["records"] - 1
    alone = unpack(message(report(e, lanes, View(("confusion", "numbers"))), e))[1]
    assert "z" not in alone and "lane0/theta" not in alone and "lane0/loss" in alone


def test_the_grid_is_the_objective():
    e = three(BOWL)
    arrays = drawn(e)["arrays"]
    for row, column in ((0, 0), (3, 11), (15, 2)):
        x, y = arrays["xs"][column], arrays["ys"][row]
        assert arrays["z"][row, column] == pytest.approx((x**2 + 10 * y**2) / 2, rel=1e-12)


@pytest.mark.parametrize("problem", [BOWL, BMI, DIABETES], ids=["surface", "two", "many"])
@pytest.mark.parametrize("drop_last", [False, True])
def test_gradients_along_a_path_by_a_loop(problem, drop_last):
    sampler = {"name": "shuffle_once", "batch_size": 6, "drop_last": drop_last}
    e = Experiment.model_validate({"problem": problem, "budget": {"amount": 2}, "lanes": [lane(sampler, 0.01)]})
    total, (trace,) = engine.finite_sum(e), traced(e)
    full, batch = path_gradients.gradients(total, trace.theta[0]), path_gradients.next_batch_gradients(e, 0, trace)
    for k, theta in enumerate(torch.as_tensor(trace.theta[0])):
        leaf = theta[None].clone().requires_grad_()
        for found, indices in ((full, np.arange(total.samples)), (batch, None)):
            if indices is None and k + 1 < len(trace.update):
                (indices,) = engine.batch_indices(e, 0, range(k, k + 1))
            if indices is None:
                assert np.isnan(found[k]).all()
                continue
            loss = total.losses(leaf, torch.as_tensor(indices.copy())[None]).mean()
            np.testing.assert_allclose(found[k], torch.autograd.grad(loss, leaf)[0][0], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", [name for name, cls in registered(Sampler).items() if cls.draws])
@pytest.mark.parametrize("updates", [0, 3, 7, 20])
def test_batches_are_the_engines(name, updates):
    lanes = [lane(items.sampler(name, 5), 0.1)]
    e = Experiment.model_validate({"problem": BOWL, "lanes": lanes, "budget": {"amount": 6}, "runs": 2})
    expected = list(engine.batch_indices(e, 0, range(updates)))
    sent = path_gradients.all_batches(e, 0, updates)
    if not updates:
        assert sent is None
        return
    np.testing.assert_array_equal(sent, np.concatenate(expected))
    for update, batch in enumerate(expected):
        np.testing.assert_array_equal(path_gradients.batches(e, 0, np.array([update]))[0], batch)


def test_the_cursor_shows_the_batch_that_the_lane_used():
    e = three(BOWL, rates=(0.01, 0.01, 0.01), size=4)
    traces = traced(e)
    shown = drawn(e, traces)
    lanes = at_cursor(e, [1, 2, 3], [t.theta[0, k] for t, k in zip(traces, (1, 2, 3), strict=True)])
    for i, (k, line) in enumerate(zip((1, 2, 3), lanes, strict=True)):
        assert line["index"] == k and np.shape(line["fan"]) == (40, 2)
        np.testing.assert_allclose(line["gradient"], shown["arrays"][f"lane{i}/gradient"][k], rtol=1e-9)
        np.testing.assert_allclose(line["batch_gradient"], shown["arrays"][f"lane{i}/batch_gradient"][k], rtol=1e-9)
    assert not np.any(lanes[0]["measured"]) and not np.any(lanes[0]["predicted_without"])
    np.testing.assert_allclose(lanes[1]["measured"], lanes[1]["predicted_without"], atol=5 * (2 / 2000) ** 0.5)
    assert at_cursor(e, [0], [[np.nan, 0.0]]) == [None]
    assert at_cursor(e, [2], [traces[0].theta[0, 2]])[0]["batch_gradient"] is None


def test_measuring_does_not_move_the_run():
    e = three(BOWL, rates=(0.1, 0.1, 0.1))
    before = traced(e)
    drawn(e, before)
    at_cursor(e, [1, 1, 1], [t.theta[0, 1] for t in before])
    for one, two in zip(before, traced(e), strict=True):
        assert one.theta.tobytes() == two.theta.tobytes() and one.loss.tobytes() == two.loss.tobytes()


def test_the_window_rests_while_a_rate_is_dragged():
    for problem in (BOWL, BMI, MEAN):
        keys = {drawn(three(problem, rates=(rate,) * 3, size=2))["key"] for rate in (0.001, 0.01, 5.0)}
        assert len(keys) == 1
    calm, wild = (drawn(three(DIABETES, rates=(0.05, 0.001, r), epochs=3)) for r in (0.05, 5.0))
    width = [s["problem"]["view"][1] - s["problem"]["view"][0] for s in (calm, wild)]
    assert 0.2 < width[0] / width[1] < 5


def test_a_start_outside_the_window_widens_it():
    x0, x1, y0, y1 = drawn(three(BOWL, start=[7.0, 0.0]))["problem"]["view"]
    assert x0 < 0 < 7 < x1 and y0 < 0 < y1


def test_a_straight_unfinished_path_and_many_records():
    e = three(DIABETES, epochs=3)
    start = [engine.snapshot(engine.init(e, i)) for i in range(3)]
    shown = drawn(e, start)
    assert not shown["finished"] and shown["headline"]["epochs"]["text"] == "All lanes stand at the start."
    rows = np.arange(30)
    assert len(path_gradients._thin(rows, 7)) == 7 and path_gradients._thin(rows, 7)[[0, -1]].tolist() == [0, 29]


LONG = {
    "plane": three(BMI, rates=(0.1, 0.03, 0.1), epochs=2),
    "many dimensions": three(DIABETES, rates=(0.1, 0.01, 0.1), epochs=2),
    "diverging": three(BMI, rates=(0.1, 2.5, 0.1), epochs=2),
    "five runs": three(BMI, runs=5, epochs=2),
}


@pytest.mark.parametrize("clock", CLOCKS)
@pytest.mark.parametrize("e", LONG.values(), ids=LONG.keys())
def test_a_glance_shows_fewer_of_the_same_records_and_says_the_same(e, clock):
    traces = traced(e)
    when = {"updates": 300, "samples": 300, "epochs": 300 / 442, "seconds": 300e-5, "pytorch_seconds": 9e-2}[clock]
    whole, few = drawn(e, traces), drawn(e, traces, view_budget=ViewBudget(200, clock, when))
    assert whole["thinned"] is None and few["thinned"] == ViewBudget(200, clock, when)
    assert (
        drawn(e, traces, view_budget=ViewBudget(10_000, clock, when))["thinned"] is None
    )  # there was nothing to leave out
    exact = {"looked_at", "records"}
    for old, new in zip(whole["lanes"], few["lanes"], strict=True):
        assert {k: v for k, v in old.items() if k not in exact} == {k: v for k, v in new.items() if k not in exact}
    assert [whole[k] for k in ("key", "problem", "headline", "target")] == [
        few[k] for k in ("key", "problem", "headline", "target")
    ]
    np.testing.assert_array_equal(whole["arrays"]["z"], few["arrays"]["z"])
    for i, (trace, line) in enumerate(zip(traces, few["lanes"], strict=True)):
        old, new = ({k.split("/")[1]: v for k, v in p["arrays"].items() if f"lane{i}/" in k} for p in (whole, few))
        kept = np.searchsorted(old["update"], new["update"])
        assert line["records"] == len(kept) <= 206 and (kept[0], kept[-1]) == (0, len(trace.update) - 1)
        for name in ("theta", "loss", "update", "samples", "rate", *(["plane_loss"] if "plane_loss" in old else [])):
            np.testing.assert_array_equal(new[name], old[name][kept], err_msg=name)
        times = {"samples": trace.samples, "epochs": trace.update / e.updates_per_epoch(i), "updates": trace.update}
        times |= {"seconds": trace.update * 1e-5, "pytorch_seconds": trace.update * 30e-5}
        at_or_before = np.flatnonzero(times[clock] <= when * (1 + 1e-9))[-1]
        close = kept[line["looked_at"]]
        assert at_or_before in close and min(at_or_before, last_sound(old["theta"])) in close
        for name in ("gradient", "batch_gradient"):
            np.testing.assert_allclose(new[name], old[name][close], rtol=1e-12, atol=1e-12, err_msg=name)


def test_an_outline_keeps_every_extreme_of_its_pieces():
    draw = np.random.default_rng(0)
    curves = np.stack([draw.normal(size=5000).cumsum(), (-1.0) ** np.arange(5000)], 1)
    kept = outline(curves, 400)
    assert len(kept) <= 403 and (np.diff(kept) > 0).all() and set(range(100)) <= set(kept) and kept[-1] == 4999
    for piece in np.array_split(np.arange(100, 5000), 20):  # coarser than those of the outline: 65 records and more
        inside = kept[(kept >= piece[0]) & (kept <= piece[-1])]
        assert set(curves[inside, 1]) == {-1.0, 1.0}  # an even thinning by an even number would show one side alone
    np.testing.assert_array_equal(curves[kept].min(0), curves.min(0))
    np.testing.assert_array_equal(curves[kept].max(0), curves.max(0))
    curves[3210:] = np.nan
    assert {3209, 3210, 4999} <= set(outline(curves, 400))
    assert (last_sound(curves), last_sound(curves[:10]), last_sound(curves[4000:])) == (3209, 9, 0)


def test_bands_and_ellipses():
    draw = np.random.default_rng(0)
    loss = draw.normal(size=(11, 1500))
    theta = draw.normal(size=(11, 1500, 2)) @ [[2.0, 1.0], [0.0, 0.5]]
    counts = np.arange(1500)
    trace = Trace(counts, counts, np.ones(1500), theta, loss)
    updates, band = ensemble.band(trace)
    assert len(updates) == 1000 and updates[[0, -1]].tolist() == [0, 1499]
    np.testing.assert_allclose(band, np.quantile(loss[:, updates], [0.1, 0.5, 0.9], axis=0).T, rtol=1e-12)
    found = ensemble.ellipse(theta[:, -1])
    axes = np.array(found["axes"])
    np.testing.assert_allclose(found["centre"], theta[:, -1].mean(0))
    np.testing.assert_allclose(axes.T @ axes, 4 * np.cov(theta[:, -1].T), rtol=1e-9)  # 2 sigma
    loss[:2, 700:] = theta[:2, 700:] = np.nan
    _, band = ensemble.band(trace)
    assert np.isfinite(band[:, :2]).all() and np.isnan(band[-1, 2])  # a tenth of the runs are infinitely high
    spread = ensemble.spread(trace, plane.whole(2))
    assert spread["cloud"].shape == (11, 200, 2) and np.isnan(spread["ends"][:2]).all()
    np.testing.assert_allclose(ensemble.ellipse(spread["ends"])["centre"], theta[2:, -1].mean(0))
