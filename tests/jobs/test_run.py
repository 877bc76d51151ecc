"""A run, task by task: the engine's numbers however it is cut, and all that is shown of it."""

import json

import numpy as np
import pytest

from mbsgd_core import engine
from mbsgd_core.cli.main import main
from mbsgd_core.jobs import run as chain
from mbsgd_core.jobs import tasks
from mbsgd_core.measures import evaluation
from mbsgd_core.measures.evaluation import BATCH, LEAST, MOST, NOBODY, POINTS, SAMPLES, SIDE, STILL, grid
from mbsgd_core.measures.subsample import point, subsample
from mbsgd_core.results.run import RunProgress, View
from mbsgd_core.types import ViewBudget
from tests.jobs._runs import (
    DIGITS,
    LARGE,
    WAIT,
    assert_engines,
    assert_same_run,
    follow,
    model,
    surface,
    train,
    unowned,
)

WHOLE = View(("path",))
STOPPING = [pytest.param(False, id="recorded"), pytest.param(True, id="judged")]


@pytest.fixture
def judged(monkeypatch):
    """Let every model be judged at stops, however small it is."""

    def choose(whether: bool = True) -> None:
        monkeypatch.setattr(evaluation, "NUMBERS", 0 if whether else 10**12)
        evaluation.stops.cache_clear()

    yield choose
    monkeypatch.undo()
    evaluation.stops.cache_clear()


def cut_small(monkeypatch) -> None:
    """One update a task."""
    monkeypatch.setattr(chain, "BUDGET", 1e-9)
    monkeypatch.setattr(chain, "CHUNK", 1e-9)


def test_chunks_change_nothing_on_a_surface(monkeypatch):
    cut_small(monkeypatch)
    wanted, seen, mine = surface(epochs=1), [], unowned()
    result, count = follow(chain.run(wanted.to_json(), None, mine), lambda: seen.append(mine.progress))
    assert count > 50  # one update at a time
    assert seen == sorted(seen) and 0 < seen[len(seen) // 2] < 1
    assert isinstance(mine.result, RunProgress) and mine.result.report["lanes"]  # the newest partial one
    assert_engines(result.lanes, wanted)


def test_costs_come_behind_the_first_picture_and_are_the_command_lines(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("MBSGD_COSTS", str(tmp_path / "costs"))
    wanted, seen, mine = surface(epochs=2), [], unowned()
    glance = train(wanted, view=View((), ViewBudget(400)))  # while a knob is dragged nothing is measured
    assert all(lane.costs is None for lane in glance.lanes) and not (tmp_path / "costs").exists()
    found, _ = follow(chain.run(wanted.to_json(), None, mine), lambda: seen.append(mine.result))
    first = next(result.report for result in seen if result is not None)
    assert {lane["seconds_per_update"] for lane in first["lanes"]} == {None}
    assert first["headline"]["seconds"]["text"].startswith("What an update takes is being measured")
    (tmp_path / "e.json").write_text(wanted.to_json())
    assert main(["run", str(tmp_path / "e.json"), "--quiet"]) == 0
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    for lane, shown, line in zip(found.lanes, found.report["lanes"], told, strict=True):
        for name, (here, off) in (("", lane.costs.engine), ("pytorch_", lane.costs.loop)):
            assert shown[f"{name}seconds_per_update"] == here
            assert shown[f"{name}uncertainty" if name else "seconds_uncertainty"] == off
            assert line[f"{name}seconds"] == here * line["updates"] > 0
    assert train(wanted, found).report["lanes"] == found.report["lanes"]


def test_many_runs_keep_fewer_records(monkeypatch):
    monkeypatch.setattr(tasks, "NUMBERS", 0)
    for lane in tasks.begin(surface(epochs=10, runs=3).to_json(), WAIT, View()).lanes:
        assert len(lane.trace.update) <= tasks.RECORDS + 1
        assert (lane.trace.update[0], lane.trace.update[-1]) == (0, lane.updates)


@pytest.mark.parametrize("problem", [None, {"name": "linear_regression", "dataset": "diabetes"}])
def test_a_judged_run_is_the_engines(problem, judged):
    judged()
    wanted = model(problem)
    found, total = train(wanted), engine.finite_sum(wanted)
    assert found.done and found.progress == 1 and found.left == 0
    for i, lane in enumerate(found.lanes):
        state, trace = engine.run(wanted, i, every=1)
        np.testing.assert_array_equal(lane.trace.theta[0], trace.theta[0][lane.trace.update[lane.kept]])
        np.testing.assert_allclose(lane.trace.loss[0], trace.loss[0][lane.trace.update], rtol=1e-12)
        tests = total.test_metrics(state.theta[0])
        assert lane.evaluations.test_loss[-1] == pytest.approx(tests["test_loss"], rel=1e-9)
        np.testing.assert_array_equal(lane.evaluations.test_accuracy[-1], tests.get("test_accuracy", np.nan))
        np.testing.assert_array_equal(lane.trace.samples, trace.samples[lane.trace.update])
        np.testing.assert_array_equal(lane.trace.learning_rate, trace.learning_rate[lane.trace.update])
        assert (lane.update, lane.evaluations.at.tolist()) == (trace.update[-1], list(range(len(lane.trace.update))))
        assert lane.costs.engine.seconds > 0 and lane.costs.loop.seconds > 0


def test_a_recorded_run_is_judged_afterwards(judged):
    judged(False)
    wanted = model()
    found, total = train(wanted), engine.finite_sum(wanted)
    assert_engines(found.lanes, wanted)
    arrays = found.report["arrays"]
    for i, lane in enumerate(found.lanes):
        assert lane.evaluations.at.size == 0 and not lane.replay.frames
        seen = arrays[f"lane{i}/seen"]
        assert (seen[0], seen[-1]) == (0, len(lane.trace.update) - 1)
        for k, loss, right in zip(seen, arrays[f"lane{i}/test_loss"], arrays[f"lane{i}/test_accuracy"], strict=True):
            tests = total.test_metrics(point(total, lane.trace.theta[0, k]))
            assert (loss, right) == pytest.approx((tests["test_loss"], tests["test_accuracy"]), rel=1e-9)


@pytest.mark.parametrize("stops", STOPPING)
def test_chunks_change_nothing(stops, judged, monkeypatch):
    judged(stops)
    whole = train(model())
    cut_small(monkeypatch)
    seen, mine = [], unowned()
    cut = train(model(), between=lambda: seen.append((mine.progress, mine.result)), mine=mine)
    assert_same_run(cut, whole)
    assert len(seen) > 30 and 0 < seen[len(seen) // 2][0] < 1
    assert isinstance(seen[-1][1], RunProgress) and len(seen[-1][1].lanes[0].trace.update) > 1
    np.testing.assert_array_equal(cut.report["arrays"]["lane1/test_loss"], whole.report["arrays"]["lane1/test_loss"])


@pytest.mark.parametrize("stops", STOPPING)
def test_going_on_is_the_same_run(stops, judged, monkeypatch):
    judged(stops)
    whole = train(model())
    cut_small(monkeypatch)
    mine, steps = unowned(), []

    def stop():
        steps.append(1)
        if len(steps) == 12:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(model(), between=stop, mine=mine)
    assert 0 < mine.progress < 1 and not mine.result.done
    assert_same_run(train(model(), mine.result), whole)


@pytest.mark.parametrize("stops", STOPPING)
@pytest.mark.parametrize("small", [False, True])
def test_a_lost_lane_is_the_same_however_it_is_cut_and_says_why(stops, small, judged, monkeypatch):
    judged(stops)
    if small:
        cut_small(monkeypatch)
    schedules = {"wild": 1e3, "tame": 0.01}
    lanes = [
        {"sampler": "full_batch", "schedule": {"name": "constant", "learning_rate": rate}, "label": label}
        for label, rate in schedules.items()
    ]
    wanted = model({"name": "linear_regression", "dataset": "diabetes"}, lanes=lanes)
    found = train(wanted)
    wild, tame = found.lanes
    assert wild.over and 0 < wild.diverged_at < wild.updates
    assert tame.update == tame.updates and tame.diverged_at == -1
    lost, sound = found.report["lanes"]
    assert lost["diverged_at"] == wild.diverged_at == 2 and sound["diverged_at"] is None
    assert f"Diverged at update {wild.diverged_at}" in lost["summary"] and "grew" in lost["summary"]
    assert "Try" in lost["summary"] and "iverged" not in sound["summary"]


def test_a_lane_lost_between_two_stops_ends_there(judged, monkeypatch):
    """What is not finite is seen at once, where its pieces end or not; the last picture stays the last that was."""
    judged()
    monkeypatch.setattr(evaluation, "grid", lambda e, lane: np.array([0, 1, e.updates(lane)]))
    lanes = [{"sampler": "full_batch", "schedule": {"name": "constant", "learning_rate": 1e100}}]
    wanted = model({"name": "linear_regression", "dataset": "diabetes"}, lanes=lanes, budget={"amount": 50})
    whole = train(wanted)
    (lane,) = whole.lanes
    assert lane.trace.update.tolist() == [0, 1, lane.diverged_at] or lane.diverged_at == 1
    assert lane.update == lane.diverged_at and np.isnan(lane.trace.loss[0, -1])
    assert lane.newest and f"Diverged at update {lane.diverged_at}" in whole.report["lanes"][0]["summary"]
    cut_small(monkeypatch)
    assert_same_run(train(wanted), whole)


@pytest.mark.parametrize("stops", STOPPING)
def test_a_lane_without_updates_is_over_at_once(stops, judged):
    judged(stops)
    found = train(model(budget={"unit": "epochs", "amount": 0}))
    assert found.done and found.progress == 1 and found.left == 0
    for i, lane in enumerate(found.lanes):
        assert (lane.update, lane.updates, lane.share, lane.left) == (0, 0, 1, 0) and len(lane.trace.update) == 1
        assert found.report["lanes"][i]["records"] == 1 and f"lane{i}/learned/confusion" in found.report["arrays"]


def test_several_runs_are_lost_one_by_one():
    """The first bad update of all runs, however the lane is cut; what is left is still measured."""
    schedule = {"name": "constant", "learning_rate": 0.15}
    lanes = [{"sampler": {"name": "reshuffle", "batch_size": 1}, "schedule": schedule}]
    problem = {"name": "quadratic", "noise": 1.5, "noise_kind": "scale"}
    wanted = surface(epochs=3, lanes=lanes, runs=8, problem=problem)
    state, _ = engine.run(wanted, 0)
    (lane,) = train(wanted).lanes
    lost = state.diverged_at[state.diverged_at >= 0]
    assert 0 < len(lost) < 8 and lane.diverged_at == lost.min()
    assert_engines([lane], wanted)
    assert lane.costs.engine.seconds > 0


@pytest.mark.parametrize(
    "problem, kind, names",
    [
        (None, "boundary", {"label", "chance", "xs", "ys", "confusion", "batch", "batch_rows"}),
        (
            {"name": "softmax_regression", "dataset": "digits"},
            "images",
            {"prediction", "confusion", "filters", "batch_images", "batch_labels", "batch_rows"},
        ),
        ({"name": "softmax_regression", "dataset": "wine"}, "classes", {"confusion"}),
        ({"name": "linear_regression", "dataset": "diabetes"}, "numbers", {"truth", "prediction"}),
    ],
)
@pytest.mark.parametrize("stops", STOPPING)
def test_what_is_shown_depends_on_the_data(problem, kind, names, stops, judged):
    judged(stops)
    wanted = model(problem, budget={"unit": "epochs", "amount": 1})
    report = train(wanted, view=View(("boundary", "images", "confusion", "numbers"))).report
    scene, arrays = report["scene"], report["arrays"]
    assert scene.kind == kind and "CPU" in scene.device
    shown = {name.removeprefix("lane1/learned/"): a for name, a in arrays.items() if name.startswith("lane1/learned/")}
    assert set(shown) == names
    if kind == "images":
        right = (shown["prediction"] == scene.arrays["truth"]).mean()
        assert shown["confusion"].sum() == scene.test_rows and right > 0.5


@pytest.mark.parametrize("problem", [None, {"name": "softmax_regression", "dataset": "digits", "label_noise": 0.2}])
@pytest.mark.parametrize("stops", STOPPING)
def test_the_last_batch_is_the_one_that_was_used(problem, stops, judged):
    judged(stops)
    wanted = model(problem, budget={"unit": "updates", "amount": 7})
    data = wanted.problem.prepare(wanted.seed)
    arrays = train(wanted, view=View(("boundary", "images"))).report["arrays"]
    for i in range(2):
        (used,) = engine.batch_indices(wanted, i, range(6, 7))
        used = np.arange(len(data.y)) if used is None else used
        shown = {name: arrays[f"lane{i}/learned/{name}"] for name in ("batch_rows",)}
        assert shown["batch_rows"].tolist() == [len(used)]
        if problem is None:
            marked = np.flatnonzero(arrays[f"lane{i}/learned/batch"])
            assert marked.tolist() == sorted(set(used.tolist()) & set(range(POINTS)))
            continue
        some, labels = used[:BATCH], arrays[f"lane{i}/learned/batch_labels"]
        assert labels[: len(some)].tolist() == data.y[some].tolist() and (labels[len(some) :] == NOBODY).all()
        images = arrays[f"lane{i}/learned/batch_images"][: len(some)].reshape(-1, 64)
        np.testing.assert_allclose(images / 255, data.table.x[data.rows[some]] / 16, atol=0.5 / 255 + 1e-6)


@pytest.mark.parametrize("most", [tasks.REPLAY_BYTES, 60_000])
def test_the_replay_of_a_judged_lane_holds_what_was_seen(most, judged, monkeypatch):
    judged()
    monkeypatch.setattr(tasks, "REPLAY_BYTES", most)
    found = train(model())
    for i, lane in enumerate(found.lanes):
        at, frames = lane.replay
        assert len(frames) == len(at) and sorted(set(at)) == list(at)
        assert at[0] == 0 and at[-1] == len(lane.trace.update) - 1
        assert sum(values.nbytes for frame in frames for values in frame.values()) <= most + 10_000
        for name, values in frames[-1].items():
            np.testing.assert_array_equal(values, lane.newest[name])
        assert not set(frames[0]) & set(STILL)
        right = [np.trace(frame["confusion"]) / frame["confusion"].sum() for frame in frames]
        np.testing.assert_allclose(right, lane.evaluations.test_accuracy[list(at)])
        arrays = found.report["arrays"]
        assert arrays[f"lane{i}/replay/at"].tolist() == list(at)
        label = arrays[f"lane{i}/replay/label"]
        assert label.shape == (len(frames), SIDE, SIDE) and label.dtype == np.uint8
        np.testing.assert_array_equal(arrays[f"lane{i}/replay/confusion"][2], frames[2]["confusion"])


def test_the_replay_of_a_recorded_lane_is_made_at_rest(judged):
    judged(False)
    arrays = train(model()).report["arrays"]
    assert arrays["lane1/replay/at"].tolist() == arrays["lane1/seen"].tolist()
    right = [np.trace(counts) / counts.sum() for counts in arrays["lane1/replay/confusion"]]
    np.testing.assert_allclose(right, arrays["lane1/test_accuracy"])
    moving = train(model(), view=View(("boundary",), ViewBudget(10))).report["arrays"]
    assert "lane1/learned/label" in moving and "lane1/replay/at" not in moving


@pytest.mark.parametrize("stops", STOPPING)
def test_memory_is_measured_when_training_is_over_and_not_while_a_knob_is_dragged(stops, judged):
    judged(stops)
    result = train(model())
    big, small = (lane.memory for lane in result.lanes)
    assert len(big) == 6 and big[5] > small[5]  # activations grow with the batch
    assert [told["memory"] for told in result.report["lanes"]] == [list(big), list(small)]
    dragged = train(model(), view=View(view_budget=ViewBudget(10_000)))
    assert [lane.memory for lane in dragged.lanes] == [None, None]
    assert dragged.report["thinned"] is None
    assert [lane.memory for lane in train(model(), dragged).lanes] == [big, small]
    assert train(surface()).lanes[0].memory is None


def test_stops_are_thinned_by_the_work_they_take(judged):
    judged()
    cheap, dear = model(), model({"name": "cnn", "dataset": {"name": "mnist", "rows": "subset"}})
    assert grid(cheap, 0).tolist() == [0, 1, 2, 3, 4]
    assert LEAST // 2 <= len(grid(dear, 1)) <= MOST // 2
    for wanted in (cheap, dear):
        for i in range(2):
            when = grid(wanted, i)
            assert when[0] == 0 and when[-1] == wanted.updates(i) and (np.diff(when) > 0).all()


def test_a_model_stops_once_its_records_would_be_too_large():
    assert not evaluation.stops(model()) and not evaluation.stops(surface()) and evaluation.stops(model(LARGE))
    assert evaluation.stops(model({"name": "cnn", "dataset": {"name": "mnist", "rows": "subset"}}))


def test_the_train_loss_of_many_rows_is_that_of_a_part(judged, monkeypatch):
    judged()
    monkeypatch.setattr(evaluation, "MANY", SAMPLES)
    wanted = model(DIGITS, budget={"unit": "updates", "amount": 2})
    lane = train(wanted).lanes[1]
    total = engine.finite_sum(wanted)
    some = subsample(total, SAMPLES, wanted.seed)
    assert some.samples == SAMPLES < total.samples
    expected = [float(some.objective(point(total, theta)[None])[0]) for theta in lane.trace.theta[0]]
    np.testing.assert_allclose(lane.trace.loss[0, lane.kept], expected, rtol=1e-12)


def test_panels_that_are_asked_for_later_are_in_a_later_report():
    mine, seen = unowned(), []

    def look():
        seen.append(mine.result and mine.result.report["shown"])
        if seen[-1]:
            mine.view = View(("confusion",))

    result = train(model(), between=look, mine=mine, view=WHOLE)
    assert result.report["shown"] == ("confusion",) and "z" not in result.report["arrays"]
    assert "lane0/learned/confusion" in result.report["arrays"] and ("path",) in seen


def test_panels_that_are_asked_for_at_the_last_moment_are_in_the_last_report():
    mine = unowned()

    def look():
        mine.view = View(("confusion",))  # while the one task of this run is under way

    result = train(surface_of_data(), between=look, mine=mine, view=WHOLE)
    assert result.report["shown"] == ("confusion",)


def surface_of_data():
    """A run that is over within its first task."""
    return model({"name": "logistic_regression", "dataset": "breast_cancer"}, budget={"unit": "updates", "amount": 1})
