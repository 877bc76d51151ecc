"""Clip, average, accumulate and patience through every door: command line, links, sweeps, the page's report."""

import json
from typing import Any

import numpy as np
import pytest
import torch

from mbsgd_core import axes, engine
from mbsgd_core.cli.main import main
from mbsgd_core.errors import ExperimentError
from mbsgd_core.experiment import Experiment
from mbsgd_core.figures.lane_style import describe, role
from mbsgd_core.figures.payload import message, unpack
from mbsgd_core.jobs import tasks
from mbsgd_core.measures.cost import memory
from mbsgd_core.results.run import View
from mbsgd_core.share import from_query, to_query

BOWL = {"name": "quadratic", "samples": 20, "noise": 1}
MOONS = {"name": "mlp", "dataset": {"name": "moons", "samples": 60}, "hidden": [3]}
SMALL = {"name": "reshuffle", "batch_size": 2, "accumulate": 3}
FULL = {"sampler": SMALL, "clip": {"name": "norm", "max": 0.5}, "average": {"name": "ema", "decay": 0.9}}


def described(problem: Any = BOWL, lane: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    rate = {"name": "constant", "learning_rate": 0.05}
    method = {"sampler": {"name": "reshuffle", "batch_size": 2}, "schedule": rate}
    # Through JSON, so that no part is shared and each can be changed alone.
    return json.loads(json.dumps({"problem": problem, "lanes": [method | (FULL if lane is None else lane)], **fields}))


def experiment(*args: Any, **fields: Any) -> Experiment:
    return Experiment.model_validate(described(*args, **fields))


def ran(given: dict[str, Any], tmp_path, capsys) -> tuple[list[dict[str, Any]], dict[str, np.ndarray]]:
    """What `run` prints and saves."""
    (tmp_path / "e.json").write_text(json.dumps(given))
    assert main(["run", str(tmp_path / "e.json"), "--quiet", "--out", str(tmp_path / "e.npz")]) == 0
    with np.load(tmp_path / "e.npz") as saved:
        return [json.loads(line) for line in capsys.readouterr().out.splitlines()], dict(saved)


def test_the_command_line_prints_and_saves_the_average(tmp_path, capsys):
    (line,), saved = ran(described(MOONS, budget={"amount": 3}, runs=2), tmp_path, capsys)
    theta, average = saved["lane0/theta"], saved["lane0/average"]
    assert average.shape == theta.shape and saved["lane0/average_loss"].shape == saved["lane0/loss"].shape
    total = engine.finite_sum(experiment(MOONS))
    tests = [total.test_metrics(torch.tensor(end)) for end in average[:, -1]]
    assert line["average_test_accuracy"] == pytest.approx(np.mean([test["test_accuracy"] for test in tests]))
    assert line["average_loss"] == pytest.approx(saved["lane0/average_loss"][:, -1].mean())
    assert "stopped_at" not in line


def test_what_is_off_is_neither_printed_nor_saved(tmp_path, capsys):
    (line,), saved = ran(described(MOONS, {}, budget={"amount": 2}), tmp_path, capsys)
    assert not {"average_loss", "average_test_accuracy", "stopped_at", "best_at"} & set(line)
    assert not any("average" in name for name in saved)


def test_the_command_line_ends_where_patience_does(tmp_path, capsys):
    given = described(BOWL, {}, budget={"amount": 200, "patience": 3, "min_delta": 0.01})
    (line,), saved = ran(given, tmp_path, capsys)
    state, trace = engine.run(Experiment.model_validate(given), 0)
    assert line["updates"] == line["stopped_at"] == saved["lane0/update"][-1] == state.watch.stopped_at < 2000
    assert line["best_at"] == line["stopped_at"] - 30 and np.array_equal(saved["lane0/theta"], trace.theta)
    (line,), _ = ran(described(BOWL, {}, budget={"amount": 2, "patience": 3}), tmp_path, capsys)
    assert (line["updates"], line["stopped_at"]) == (20, None)


HOSTILE = [
    ("lanes.0.clip", {"name": "norm", "max": 0}, "lanes.0.clip.max: given 0; it should be greater than 0"),
    (
        "lanes.0.clip",
        {"name": "norm", "max": float("inf")},
        "clip.max: given inf; it should be a finite number",
    ),
    ("lanes.0.clip", {"name": "length"}, "lanes.0.clip: no clip is called 'length'. Known: norm, value"),
    ("lanes.0.clip", {"name": "norm", "maximum": 1}, "did you mean 'max'?"),
    (
        "lanes.0.average",
        {"name": "ema", "decay": 1.5},
        "decay: given 1.5; it should be less than or equal to 1",
    ),
    ("lanes.0.average", {"name": "polyak", "begin": -1}, "begin: given -1; it should be greater than or equal to 0"),
    ("lanes.0.average", True, 'an average is an object with a "name"; given True'),
    ("lanes.0.sampler.accumulate", 0, "accumulate: given 0; it should be greater than or equal to 1"),
    ("lanes.0.sampler.accumulate", 1.5, "accumulate: given 1.5; it should be a valid integer"),
    ("budget.patience", -1, "budget.patience: given -1; it should be greater than or equal to 0"),
    ("budget.min_delta", -1e-9, "budget.min_delta: given -1e-09; it should be greater than or equal to 0"),
]


@pytest.mark.parametrize(("path", "value", "said"), HOSTILE, ids=lambda v: str(v)[:40])
def test_what_is_refused_is_one_line(path, value, said):
    draft = described(budget={"amount": 2})
    *way, last = path.split(".")
    part: Any = draft
    for step in way:
        part = part[int(step)] if isinstance(part, list) else part[step]
    part[last] = value
    with pytest.raises(ExperimentError) as error:
        Experiment.model_validate(draft)
    assert said in str(error.value) and "\n" not in str(error.value)


def test_a_link_says_what_is_on_and_what_is_off():
    e = experiment(budget={"amount": 3, "patience": 2})
    link = to_query(e)
    assert "&lane1.clip=norm&lane1.clip.max=0.5&lane1.average=ema&lane1.average.decay=0.9" in link
    assert from_query(link) == (e, [])
    off = experiment(lane={"sampler": SMALL})
    assert "&lane1.clip=off&lane1.average=off" in to_query(off) and from_query(to_query(off)) == (off, [])
    old = to_query(off).replace("&lane1.clip=off&lane1.average=off", "")
    assert from_query(old) == (off, []) and from_query(old, fallback=e) == (off, [])
    assert from_query("clip=1", fallback=e)[0] == e  # what names no lane leaves the fallback's as they are


@pytest.mark.parametrize(
    ("change", "said", "clip"),
    [
        ("lane1.clip=length", "known are norm, value, or off", None),
        ("lane1.clip=value", "", 1.0),
        ("lane1.clip=value&lane1.clip.max=-1", "it should be", 1e-6),
        ("lane1.clip=off&lane1.clip.max=2", "there is no such parameter here", None),
    ],
)
def test_a_link_with_a_bad_clip_runs_and_says_so(change, said, clip):
    link = f"{to_query(experiment(lane={})).replace('&lane1.clip=off', '')}&{change}"
    found, notices = from_query(link, page=True)
    assert (found.lanes[0].clip.max if found.lanes[0].clip else None) == clip
    assert [said in notice.text for notice in notices] == [True] * bool(said)


@pytest.mark.parametrize("name", ["clip.max", "average.decay", "accumulate", "patience"])
def test_a_cell_of_a_sweep_is_the_run_that_has_its_value(name):
    e = experiment(budget={"amount": 12, "patience": 2}, runs=2)
    values = {"clip.max": [0.1, 1.0], "average.decay": [0.0, 0.9], "accumulate": [1, 4], "patience": [0, 1]}[name]
    knob = axes.find(e, name)
    grid = engine.sweep(e, {name: values, "learning_rate": [0.02, 0.1]}, every=1).lanes[0]
    for x, value in enumerate(values):
        rate = axes.find(e, "learning_rate")
        for y, speed in enumerate((0.02, 0.1)):
            cell = axes.validated(e, {knob.places[0]: value, rate.places[0]: speed})
            assert np.array_equal(grid.final_loss[y, x], engine.run(cell, 0)[1].loss[:, -1])


def test_lanes_beside_each_other_in_a_sweep_lose_their_patience_one_by_one():
    e = experiment(BOWL, {}, budget={"amount": 60, "patience": 2})
    grid = engine.sweep(e, {"learning_rate": [0.02, 0.1, 0.15]}, every=1).lanes[0].final_loss[:, 0]
    runs = [engine.run(e.with_value(0, "learning_rate", rate), 0)[1] for rate in (0.02, 0.1, 0.15)]
    assert np.array_equal(grid, [trace.loss[0, -1] for trace in runs]) and len({len(t.update) for t in runs}) > 1


def test_an_update_is_spoken_of_by_its_size_and_memory_by_its_batches():
    lane = experiment(lane={"sampler": SMALL}).lanes[0]
    assert describe(lane, 20) == "reshuffle, b = 6 of 20 in batches of 2 · SGD · rate 0.05"
    assert describe(experiment().lanes[0], 20).endswith("rate 0.05 · clip norm 0.5 · average ema, decay 0.9")
    ones = Experiment.model_validate(described(lane={"sampler": SMALL | {"batch_size": 1}})).lanes[0]
    assert (ones.label, role(ones)) == ("Mini-batch", "mini")
    costs = [memory(experiment(MOONS, {"sampler": s}), 0) for s in (SMALL, {**SMALL, "batch_size": 6, "accumulate": 1})]
    alone = memory(experiment(MOONS, {"sampler": {"name": "reshuffle", "batch_size": 2}}), 0)
    assert costs[0].activations == alone.activations < costs[1].activations
    assert memory(experiment(MOONS), 0).parameters == 2 * alone.parameters


def trained(e: Experiment, seconds: float):
    """A run as the page makes it, in pieces of so many seconds: its lane, and the report."""
    lane = tasks.begin(e.to_json(), 0.0, View()).lanes[0]
    while lane.state is not None:
        lane = lane.grown(tasks.advance(lane.state, seconds, lane.pace))
    return lane, tasks.report(e.to_json(), [lane], View())


DEAR = {"name": "mlp", "dataset": {"name": "digits"}, "hidden": [200, 200]}
ON_PAGE = {"P = 2": (BOWL, 4, 0.05), "net": (MOONS, 8, 0.5), "judged": (DEAR, 1000, 0.5)}


@pytest.mark.parametrize(("problem", "size", "rate"), ON_PAGE.values(), ids=ON_PAGE)
def test_the_page_shows_the_average_and_the_early_end(problem, size, rate):
    lane = {
        "sampler": {"name": "reshuffle", "batch_size": size}, "average": {"name": "ema", "decay": 0.8},
        "schedule": {"name": "constant", "learning_rate": rate},
    }  # fmt: skip
    e = experiment(problem, lane, budget={"amount": 60, "patience": 1, "min_delta": 0.02})
    state, whole = engine.run(e, 0)
    stopped = state.watch.stopped_at
    assert 0 < stopped < e.updates(0), "choose a case that stops"
    for seconds in (1e-6, 10.0):
        found, told = trained(e, seconds)
        assert found.watch == state.watch and found.update == found.trace.update[-1] == stopped
        np.testing.assert_allclose(found.trace.average[0, -1], whole.average[0, -1], rtol=1e-12, atol=1e-15)
        header, arrays = unpack(message(told, e))
        (one,) = header["lanes"]
        assert one["updates"] == stopped and one["badge"]["why"].startswith(f"Stopped early, after update {stopped}")
        assert "average_loss" in header["curves"] and len(arrays["lane0/average_loss"]) == one["records"]
        assert {"average_loss", "average_test_accuracy"} & set(one["cells"]) >= {"average_loss"}
        assert ("average_test_accuracy" in one["cells"]) == (problem is not BOWL)
        if problem is not DEAR:  # whose losses on the page are those of some rows
            np.testing.assert_allclose(arrays["lane0/average_loss"][-1], whole.average_loss[0, -1], rtol=1e-6)


def test_a_page_without_them_says_nothing_of_them():
    header, arrays = unpack(message(trained(experiment(lane={}), 1.0)[1], experiment(lane={})))
    assert "average_loss" not in header["curves"] and "average_loss" not in header["lanes"][0]["cells"]
    assert "lane0/average_loss" not in arrays
