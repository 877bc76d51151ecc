"""What runs in a worker (floor 5): functions of plain values, so that any executor can run them, anywhere and again.

The engine's State crosses as opaque bytes, written and read in workers alone: the web process has no torch to read it
with, and hands back only what came from a worker of its own.
"""

import json
import pickle
from collections.abc import Sequence
from functools import lru_cache
from time import perf_counter
from typing import Any

import numpy as np

from mbsgd_core.experiment import Experiment
from mbsgd_core.jobs import pace
from mbsgd_core.results.cost import Costs
from mbsgd_core.results.run import Evaluations, LaneProgress, Replay, RunProgress, View, furthest_behind
from mbsgd_core.types import State, Trace

# A lane keeps about so many numbers at most, since its trace crosses processes and lives in the web process.
NUMBERS, RECORDS = 2_000_000, 200
FIRST = 64  # updates, before their pace is known
PATH_BYTES = 16e6  # of the iterates that are kept of a lane that stops to be judged
REPLAY_BYTES = 600_000  # of what was seen of it on the way


def begin(experiment_json: str, seconds: float, view: View) -> RunProgress:
    """One round trip: train all lanes from the start for so much wall time at most, in turns, then report.

    With no time at all, the start alone.
    """
    from mbsgd_core import engine

    experiment = experiment_of(experiment_json)
    states = [engine.init(experiment, i) for i in range(len(experiment.lanes))]
    lanes = [_start(state) for state in states]
    end = perf_counter() + seconds
    while (i := furthest_behind(lanes)) is not None and (left := end - perf_counter()) > 0:
        states[i], piece = _piece(states[i], min(left, seconds / len(lanes) / 2), lanes[i].pace)
        lanes[i] = lanes[i].grown(piece)
    lanes = [lane._replace(state=_pack(state, lane)) for lane, state in zip(lanes, states, strict=True)]
    return RunProgress(tuple(lanes), report(experiment_json, lanes, view))


def advance(packed: bytes, seconds: float, pace_so_far: float) -> LaneProgress:
    """The next piece of a lane: about so many seconds of wall time, at least one update.

    Args:
        packed: the state, as an earlier task returned it.
        seconds: how long.
        pace_so_far: seconds an update, as an earlier task measured it; 0 if none did.
    """
    state, piece = _piece(pickle.loads(packed), seconds, pace_so_far)
    return piece._replace(state=_pack(state, piece))


def report(experiment_json: str, lanes: Sequence[LaneProgress], view: View) -> dict[str, Any]:
    """What is shown of a run, as far as it has come."""
    from mbsgd_core.measures.report import report

    return report(experiment_of(experiment_json), lanes, view)


def calibrate(experiment_json: str, lanes: Sequence[int]) -> list[Costs]:
    """What an update of some lanes costs, measured where the table does not know it."""
    from mbsgd_core.measures import cost_table

    return cost_table.calibrate(experiment_of(experiment_json), lanes)


def weigh(experiment_json: str, lane: int) -> tuple[int, ...]:
    """The bytes that a lane occupies, split."""
    from mbsgd_core.measures.cost import memory

    return tuple(memory(experiment_of(experiment_json), lane))


def at_cursor(
    experiment_json: str, indices: Sequence[int], thetas: Sequence[Any], plane: Any, updates: Sequence[int]
) -> list[dict[str, Any] | None]:
    """What other batches would say at one record of each lane."""
    from mbsgd_core.measures.cursor import at_cursor

    return at_cursor(experiment_of(experiment_json), indices, thetas, plane, updates)


def suggestion(experiment_json: str) -> tuple[float, float, tuple[float, ...]]:
    """(rate, noise, rates of the lanes) that suit the experiment's problem, see measures.suggestion."""
    from mbsgd_core.measures.suggestion import suggestion

    rate, noise, rates = suggestion(experiment_of(experiment_json))
    return rate, noise, rates


@lru_cache(maxsize=16)
def experiment_of(experiment_json: str) -> Experiment:
    """The experiment that a task is about; the last few are kept."""
    return Experiment.model_validate(json.loads(experiment_json))


def _pack(state: State, lane: LaneProgress) -> bytes | None:
    return None if lane.over else pickle.dumps(state)


_UNDER_WAY = b""  # in place of a state, until it is packed


def _start(state: State) -> LaneProgress:
    """A lane before its first update."""
    from mbsgd_core import engine
    from mbsgd_core.measures import cost_table, evaluation

    experiment, i = state.experiment, state.lane
    updates, lost = experiment.updates(i), int(state.diverged_at.max(initial=-1))
    trace, evaluations, replay, newest = engine.snapshot(state), Evaluations.none(), Replay(), {}
    if evaluation.stops(experiment):
        seen = evaluation.judge(experiment, i, 0, state.theta[0].cpu().numpy())
        trace = trace._replace(theta=trace.theta[:1], loss=np.full((1, 1), seen.train_loss, dtype=trace.loss.dtype))
        evaluations = Evaluations(
            np.zeros(1, dtype=np.int64), np.array([seen.test_loss]), np.array([seen.test_accuracy])
        )
        if trace.averages:
            trace = trace._replace(average=trace.average[:1], average_loss=trace.loss)
        newest = seen.shown
        replay = Replay((0,), (evaluation.moving(newest),)) if newest else replay
    over = not updates or (evaluation.stops(experiment) and lost >= 0)
    return LaneProgress(
        None if over else _UNDER_WAY, trace, np.zeros(1, dtype=np.int64), 0, updates, 0.0, lost, evaluations, replay,
        newest, cost_table.known(experiment, i),
    )  # fmt: skip


def _piece(state: State, seconds: float, pace_so_far: float) -> tuple[State, LaneProgress]:
    from mbsgd_core.measures import evaluation

    stops = evaluation.stops(state.experiment)
    return (_judged if stops else _recorded)(state, seconds, pace_so_far)


def _recorded(state: State, seconds: float, spell: float) -> tuple[State, LaneProgress]:
    """A piece of a lane whose records the engine keeps; the model is judged afterwards."""
    from mbsgd_core import engine

    experiment, lane = state.experiment, state.lane
    updates, every, traces = experiment.updates(lane), _every(experiment, lane), []
    began = perf_counter()
    end, n = began + seconds, min(FIRST, int(seconds / (spell or pace.guess_update(experiment, lane))))
    while True:
        before, begun = state.update, perf_counter()
        state, trace = engine.advance(state, max(1, n), every)
        traces.append(trace)
        now = perf_counter()
        spell = (now - begun) / (state.update - before)
        n = min(4 * max(1, n), int((end - now) / spell))
        if n < 1 or state.over:
            break
    trace = engine.join(traces)
    lost = state.diverged_at[state.diverged_at >= 0].min(initial=updates + 1)
    return state, LaneProgress(
        None if state.over else _UNDER_WAY, trace, np.arange(len(trace.update)), state.update, updates,
        perf_counter() - began, int(lost) if lost <= updates else -1, Evaluations.none(), Replay(), {},
        watch=state.watch,
    )  # fmt: skip


def _judged(state: State, seconds: float, spell: float) -> tuple[State, LaneProgress]:
    """A piece of a lane that stops to be judged: theta is kept of some records, the rest is gone."""
    from mbsgd_core import engine
    from mbsgd_core.measures import evaluation

    experiment, lane = state.experiment, state.lane
    updates, when = experiment.updates(lane), evaluation.grid(experiment, lane)
    sizes = experiment.lanes[lane].sampler.sizes(experiment.problem.sample_count)
    stride, began, lost = _stride(experiment, len(when)), perf_counter(), -1
    rows: list[tuple[int, float, float]] = []  # update, rate, train loss
    means: list[float] = []  # train losses of the average ...
    accuracy = np.nan  # ... and its newest test accuracy
    seen: list[tuple[float, float]] = []
    kept: list[tuple[int, np.ndarray]] = []
    kept_means: list[np.ndarray] = []
    frames: list[tuple[int, dict[str, np.ndarray]]] = []
    newest: dict[str, np.ndarray] = {}
    while not state.over and lost < 0:
        k = int(np.searchsorted(when, state.update, side="right"))  # the next stop
        n = int(when[k]) - state.update
        left = seconds - (perf_counter() - began)
        n = min(n, max(1, int(left / spell) if spell else 1))
        before, tick = state.update, perf_counter()
        state, trace = engine.advance(state, n, every=updates, evaluate=False)
        spell = (perf_counter() - tick) / (state.update - before)
        lost = int(state.diverged_at[0])
        if (state.update == when[k] or state.over) and lost < 0:
            theta = state.theta[0].cpu().numpy()
            found = evaluation.judge(experiment, lane, state.update, theta)
            if engine.beyond(state, np.array([[found.train_loss]]))[0, 0]:
                lost = state.update
            rows.append((state.update, experiment.learning_rate(lane, state.update - 1), found.train_loss))
            seen.append((found.test_loss, found.test_accuracy))
            if state.averaged is not None:
                mean = state.averaged.value[0].cpu().numpy()
                judged = evaluation.judge(experiment, lane, state.update, mean)
                means, accuracy = [*means, judged.train_loss], judged.test_accuracy
            if k % stride == 0 or state.over:
                kept.append((len(rows) - 1, theta))
                kept_means += [] if state.averaged is None else [mean]
            newest = found.shown or newest
            moving = evaluation.moving(found.shown)
            if moving and (k % _replay_stride(moving, len(when)) == 0 or state.over):
                frames.append((len(rows) - 1, moving))
        if perf_counter() - began > seconds:
            break
    update = lost if lost >= 0 else state.update  # a lane that is lost ends there, wherever its pieces end
    if lost >= 0 and (not rows or rows[-1][0] != lost):  # it was lost between two stops
        rows.append((lost, experiment.learning_rate(lane, lost - 1), np.nan))
        seen.append((np.nan, np.nan))
    at = np.array([update for update, _, _ in rows], dtype=np.int64)
    dtype = np.dtype(experiment.dtype)
    loss = np.array([[value for _, _, value in rows]], dtype=dtype).reshape(1, -1)
    if lost >= 0:
        loss[0, at >= lost] = np.nan
    thetas = np.array([theta for _, theta in kept], dtype=dtype).reshape(1, -1, state.theta.shape[1])
    trace = Trace(at, engine.samples_spent(sizes, at), np.array([rate for _, rate, _ in rows]), thetas, loss)
    if state.averaged is not None:
        averages = np.array(kept_means, dtype=dtype).reshape(thetas.shape)
        mean_loss = np.full(loss.shape, np.nan, dtype=dtype)
        mean_loss[0, : len(means)] = means
        mean_loss[np.isnan(loss)] = np.nan
        trace = trace._replace(average=averages, average_loss=mean_loss)
    tests = np.array(seen).reshape(-1, 2).T
    replay = Replay(tuple(k for k, _ in frames), tuple(frame for _, frame in frames))
    return state, LaneProgress(
        None if lost >= 0 or state.over else _UNDER_WAY, trace, np.array([k for k, _ in kept], dtype=np.int64),
        update, updates, perf_counter() - began, lost,
        Evaluations(np.arange(len(at)), *tests), replay, newest, watch=state.watch, average_accuracy=accuracy,
    )  # fmt: skip


def _every(experiment: Experiment, lane: int) -> int | None:
    """Which updates are kept; None, the engine's own choice, unless the trace would be too large."""
    from mbsgd_core.engine.plan import FULL_PARAMETERS, FULL_RECORDS

    parameters, updates = experiment.problem.parameter_count, experiment.updates(lane)
    most = max(RECORDS, NUMBERS // (experiment.runs * (parameters + 1)))
    fits = parameters > FULL_PARAMETERS or min(updates, FULL_RECORDS) <= most
    return None if fits else -(-updates // most)


def _stride(experiment: Experiment, records: int) -> int:
    """Every which record's theta is kept."""
    most = max(2, int(PATH_BYTES // (experiment.problem.parameter_count * np.dtype(experiment.dtype).itemsize)))
    return -(-records // most)


def _replay_stride(frame: dict[str, np.ndarray], records: int) -> int:
    """Every which record's frame is kept."""
    size = sum(values.nbytes for values in frame.values())
    return -(-records // max(2, REPLAY_BYTES // size))
