"""Pieces of a lane put together: in whatever order they are joined, the same lane bit for bit."""

from functools import reduce

import numpy as np
import pytest

from mbsgd_core.jobs import tasks
from mbsgd_core.jobs.results import Results, _size
from mbsgd_core.measures import evaluation
from mbsgd_core.results.cost import Cost, Costs
from mbsgd_core.results.run import EVERYTHING, Evaluations, LaneProgress, Replay, RunProgress, View
from mbsgd_core.types import Trace
from tests.jobs._runs import LARGE, assert_same, model, surface, train

RUNS = {
    "surface": surface(epochs=2, runs=3),
    "recorded model": model(),
    "judged model": model(LARGE),
    "a lane that is lost": surface(epochs=1, rate=1.0),
}


def pieces(experiment, lane: int) -> list[LaneProgress]:
    """A lane in tasks of an update or some."""
    found = [tasks.begin(experiment.to_json(), 0.0, EVERYTHING).lanes[lane]]
    while not found[-1].over:
        assert found[-1].state is not None
        found.append(tasks.advance(found[-1].state, 1e-9, 0.0))
    return found


def joined(parts: list[LaneProgress], draw: np.random.Generator) -> LaneProgress:
    """All pieces in one, neighbours joined in a random order."""
    parts = list(parts)
    while len(parts) > 1:
        k = int(draw.integers(len(parts) - 1))
        parts[k : k + 2] = [parts[k].grown(parts[k + 1])]
    return parts[0]


@pytest.mark.parametrize("experiment", RUNS.values(), ids=RUNS.keys())
@pytest.mark.parametrize("lane", [0, 1])
def test_growing_is_associative(experiment, lane):
    assert evaluation.stops(experiment) == (experiment.problem == RUNS["judged model"].problem)
    parts = pieces(experiment, lane)
    # Times are whole numbers here, whose sums are exact: then they too are the same, bit for bit.
    parts = [part._replace(spent=float(k)) for k, part in enumerate(parts)]
    whole = reduce(LaneProgress.grown, parts)
    for seed in range(5):
        found = joined(parts, np.random.default_rng(seed))
        assert_same(found, whole)
        assert found[:1] == whole[:1]
        for name in ("spent", "pace", "costs", "left"):
            assert getattr(found, name) == getattr(whole, name), name
    assert len(whole.kept) == whole.trace.theta.shape[1] and whole.over
    assert_same(whole, train(experiment).lanes[lane])


def lane(update=0, updates=10, spent=0.0, over=False) -> LaneProgress:
    trace = Trace(np.zeros(1), np.zeros(1), np.zeros(1), np.zeros((1, 1, 2)), np.zeros((1, 1)))
    nothing = Evaluations.none(), Replay(), {}
    state = None if over else b"state"
    return LaneProgress(state, trace, np.zeros(1, int), update, updates, spent, -1, *nothing)


def test_time_left_is_said_once_all_lanes_are_measured():
    fast, slow = lane(5, spent=1.0), lane(2, spent=4.0)
    assert (fast.pace, fast.left, slow.left) == (0.2, 1.0, 16.0)
    assert RunProgress((fast, slow), {}).left == 17 and RunProgress((fast, slow), {}).progress == pytest.approx(5 / 22)
    begun = RunProgress((fast, lane()), {})
    assert (begun.left, begun.progress, begun.done) == (None, 0.0, False)
    done = RunProgress((lane(10, spent=2.0, over=True), lane(0, 0, over=True)), {})
    assert (done.left, done.progress, done.done) == (0, 1.0, True)
    half = RunProgress((lane(10, spent=2.0, over=True), fast), {})
    assert half.left == 1 and half.progress == pytest.approx(3 / 4)
    lost = RunProgress((lane(3, spent=2.0, over=True), fast), {})  # what a lost lane does not train is not to come
    assert lost.left == 1 and lost.progress == pytest.approx(3 / 4)


def test_what_an_update_costs_stays_with_a_lane_that_grows():
    costs = Costs(Cost(0.5, 0.1), None)
    grown = lane(2, spent=4.0)._replace(costs=costs).grown(lane(4, spent=4.0))
    assert (grown.costs, grown.pace) == (costs, 2.0)  # how fast the run gets on is another matter
    assert lane().pace == 0


def test_what_is_remembered_is_bounded_by_its_bytes(monkeypatch):
    result = train(model(LARGE), view=View(("boundary", "confusion")))
    arrays = sum(a.nbytes for a in result.report["arrays"].values())
    for one in result.lanes:
        arrays += sum(a.nbytes for a in [*one.trace, one.kept, *one.evaluations, *one.newest.values()])
        arrays += sum(a.nbytes for frame in one.replay.frames for a in frame.values())
    arrays += sum(a.nbytes for a in result.report["scene"].arrays.values())
    assert arrays < _size(result) < 1.2 * arrays + 100_000
    long = result._replace(report={"lanes": [{"sizes": [3] * 20_000}], "thinned": None})
    assert _size(long) > 600_000 + _size(long.lanes)
    monkeypatch.setattr("mbsgd_core.jobs.results.CAPACITY", 3.5 * _size(result))
    kept = Results()
    for i in range(10):
        kept.put(f"{i}", result)
        kept.get("0")
    assert [i for i in range(10) if kept.get(f"{i}")] == [0, 8, 9]
    kept.put("a" * round(4 * _size(result)), result)  # what names it is kept too
    assert not any(kept.get(f"{i}") for i in range(10))
