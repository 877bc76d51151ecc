"""What runs in a worker (floor 5): functions of plain values, so that any executor can run them, anywhere and again.

The engine's State crosses as opaque bytes, written and read in workers alone: the web process has no torch to read it
with, and hands back only what came from a worker of its own.
"""

import json
import pickle
from collections.abc import Sequence
from functools import lru_cache
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np

from mbsgd_core.experiment import Experiment
from mbsgd_core.types import Glance, State, Trace

# A lane keeps about so many numbers at most, since its trace crosses processes and lives in the web process.
NUMBERS, RECORDS = 2_000_000, 200
FIRST = 64  # updates, before their pace is known
TIMED = 1e-3  # seconds: fewer updates than take so long say little about the time of one
SLOW = 2e-2  # seconds: what takes so long needs no repetition
GROWTH, TRIES = 4, 3  # how a number of updates is found that takes long enough; how often it is timed


class LaneRun(NamedTuple):
    """A lane as far as it has come, or one more piece of it."""

    state: bytes | None  # to go on from; None: finished
    trace: Trace  # from record 0 on; of a piece: its own records
    update: int  # updates made since the start
    updates: int  # ... and planned
    seconds_per_update: float  # of training alone: without records, objective and pictures
    pace: float  # seconds an update, all in

    def grown(self, piece: "LaneRun") -> "LaneRun":
        """This lane with the next piece at its end."""
        # Records are the first axis of update, samples and learning_rate, the second of theta and loss.
        pairs = zip(self.trace, piece.trace, strict=True)
        trace = Trace(*(np.concatenate(pair, axis=min(pair[0].ndim - 1, 1)) for pair in pairs))
        # Training with its records takes longer than training: if it did not, somebody disturbed the measurement.
        sound = np.isfinite(piece.trace.loss[:, -1:]).any()
        seconds = min(self.seconds_per_update, piece.pace) if sound else self.seconds_per_update
        return piece._replace(trace=trace, seconds_per_update=seconds)


def next_lane(lanes: Sequence[LaneRun]) -> int | None:
    """The unfinished lane that has the smallest share of its updates behind it; None when all are finished."""
    waiting = [i for i, lane in enumerate(lanes) if lane.update < lane.updates]
    return min(waiting, key=lambda i: lanes[i].update / lanes[i].updates, default=None)


def compare(experiment_json: str, budget_seconds: float) -> list[LaneRun]:
    """Train all lanes from the start, in turns, until they are finished or so much wall time is spent."""
    from mbsgd_core import engine

    experiment = _experiment(experiment_json)
    states = [engine.init(experiment, i) for i in range(len(experiment.lanes))]
    lanes = []
    for state in states:
        seconds = _seconds_per_update(_alone(experiment, state.lane))
        lanes.append(LaneRun(None, engine.snapshot(state), 0, experiment.updates(state.lane), seconds, seconds))
    end = perf_counter() + budget_seconds
    while (i := next_lane(lanes)) is not None and (left := end - perf_counter()) > 0:
        states[i], piece = _train(states[i], min(left, budget_seconds / len(lanes) / 2), lanes[i].pace)
        lanes[i] = lanes[i].grown(piece)
    return [lane._replace(state=_pack(state)) for lane, state in zip(lanes, states, strict=True)]


def compare_and_picture(
    experiment_json: str, budget_seconds: float, glance: Glance | None = None
) -> tuple[list[LaneRun], dict[str, Any]]:
    """One round trip: train all lanes for so much wall time at most, then draw what there is."""
    lanes = compare(experiment_json, budget_seconds)
    traces, seconds = [lane.trace for lane in lanes], [lane.seconds_per_update for lane in lanes]
    return lanes, draw(experiment_json, traces, seconds, glance)


def chunk(state: bytes, seconds: float, pace: float) -> LaneRun:
    """The next piece of a lane: about so many seconds of wall time, at least one update.

    Args:
        state: of the lane, as an earlier task returned it.
        seconds: how long.
        pace: seconds an update, as an earlier task measured it.
    """
    after, piece = _train(pickle.loads(state), seconds, pace)
    return piece._replace(state=_pack(after))


def draw(
    experiment_json: str, traces: Sequence[Trace], seconds_per_update: Sequence[float], glance: Glance | None = None
) -> dict[str, Any]:
    """Everything that the page shows of these traces; as much of it as a glance takes in, where one is given."""
    from mbsgd_core.measures.picture import picture

    return picture(_experiment(experiment_json), list(traces), list(seconds_per_update), glance=glance)


def at_cursor(
    experiment_json: str, indices: Sequence[int], thetas: Sequence[Any], plane: Any, updates: Sequence[int]
) -> list[dict[str, Any] | None]:
    """What other batches would say at one record of each lane."""
    from mbsgd_core.measures.cursor import at_cursor

    return at_cursor(_experiment(experiment_json), indices, thetas, plane, updates)


def suggestion(experiment_json: str) -> tuple[float, float]:
    """(rate, noise) that suit the experiment's problem, see measures.suggestion."""
    from mbsgd_core.measures.suggestion import suggestion

    rate, noise = suggestion(_experiment(experiment_json))
    return rate, noise


@lru_cache(maxsize=16)
def _experiment(experiment_json: str) -> Experiment:
    return Experiment.model_validate(json.loads(experiment_json))


def _pack(state: State) -> bytes | None:
    return pickle.dumps(state) if state.update < state.experiment.updates(state.lane) else None


def _every(experiment: Experiment, lane: int) -> int | None:
    """Which updates are kept; None, the engine's own choice, unless the trace would be too large."""
    from mbsgd_core.engine.plan import FULL_PARAMETERS, FULL_RECORDS

    parameters, updates = experiment.problem.parameter_count, experiment.updates(lane)
    most = max(RECORDS, NUMBERS // (experiment.runs * (parameters + 1)))
    fits = parameters > FULL_PARAMETERS or min(updates, FULL_RECORDS) <= most
    return None if fits else -(-updates // most)


def _train(state: State, seconds: float, pace: float) -> tuple[State, LaneRun]:
    from mbsgd_core import engine

    experiment, lane = state.experiment, state.lane
    updates, every, traces = experiment.updates(lane), _every(experiment, lane), []
    end, n = perf_counter() + seconds, min(FIRST, int(seconds / max(pace, 1e-9)))
    while True:
        before, begun = state.update, perf_counter()
        state, trace = engine.advance(state, max(1, n), every)
        traces.append(trace)
        now = perf_counter()
        pace = (now - begun) / (state.update - before)
        n = min(4 * max(1, n), int((end - now) / pace))
        if n < 1 or state.update == updates:
            return state, LaneRun(None, engine.join(traces), state.update, updates, 0.0, pace)


def _alone(experiment: Experiment, lane: int) -> Experiment:
    """The lane alone, with numbers that take the same work and lead nowhere: dragging a knob measures nothing anew."""
    method = experiment.lanes[lane]
    still = method.schedule.model_copy(update={"learning_rate": 1e-9})
    terms = {name: 0.5 for name, value in method.rule if isinstance(value, float) and value}
    like = method.model_copy(update={"label": "", "schedule": still, "rule": method.rule.model_copy(update=terms)})
    return experiment.model_copy(update={"start": None, "lanes": (like,)})


@lru_cache(maxsize=256)
def _seconds_per_update(alone: Experiment) -> float:
    """Seconds an update: of many in one call, less a call for one, so that what a call costs is left out."""
    updates, n = alone.updates(0), 1
    if not updates:
        return 0.0
    _timed(alone, 1)  # the very first call also pays for what is made once: tensors, orders, kernels
    one = many = _quickest(alone, 1)
    while n < updates and many < max(TIMED, 4 * one) and one < SLOW:
        n = min(GROWTH * n, updates)
        many = _timed(alone, n)
    many = _quickest(alone, n) if n > 1 else one
    return (many - one) / (n - 1) if n > 1 and many > one else many / n


def _quickest(alone: Experiment, n: int) -> float:
    """The least seconds of some tries, since others use this machine too."""
    best = _timed(alone, n)
    for _ in range(TRIES - 1):
        if best > SLOW:
            break
        best = min(best, _timed(alone, n))
    return best


def _timed(alone: Experiment, n: int) -> float:
    """Seconds that n updates take without their objective."""
    from mbsgd_core import engine

    state, nothing = engine.init(alone, 0), alone.updates(0)
    begun = perf_counter()
    engine.advance(state, n, every=nothing)
    return perf_counter() - begun
