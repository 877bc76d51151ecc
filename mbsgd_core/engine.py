"""The engine (floor 3): init(experiment, lane) -> State, advance(state, n) -> (State, Trace).

advance is pure and chunk-invariant: advance(state, 400) equals eight times advance(state, 50) bit for bit. Two things
make it so. Randomness is counter-based, so an epoch's order needs no history. And whatever is computed for several
updates at once (gathering batches, evaluating the objective) is cut on a grid that is fixed to the update's own
number, never to where a chunk begins: the shapes, and so the rounding, are the same for every chunking.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from mbsgd_core.errors import ExperimentError
from mbsgd_core.experiment import Experiment
from mbsgd_core.problems.base import FiniteSum, Problem
from mbsgd_core.types import State, Trace

# A run counts as diverged once it is not finite, or its loss has grown by this factor over the start (or over 1).
DIVERGED = 1e9
FULL_RECORDS = 20_000  # every update is kept up to here ...
FULL_PARAMETERS = 64  # ... for problems of at most this many parameters
SPARSE_RECORDS, SPARSE_BYTES = 200, 256e6  # for larger ones
WORK = 4_000_000  # numbers touched by one vectorised block: about an L2 cache's worth of rows

_DTYPES = {"float64": torch.float64, "float32": torch.float32}


class _Plan(NamedTuple):
    """What is derived from (experiment, lane) and never changes."""

    problem: FiniteSum
    sizes: list[int]  # batch sizes of one epoch
    updates: int  # the whole budget
    block: int  # batches gathered at once, counted from the epoch's first
    evaluate: int  # records evaluated at once, counted from record 0


@lru_cache(maxsize=16)
def _realize(problem: Problem, seed: int, dtype: str, device: str) -> FiniteSum:
    return problem.realize(seed, _DTYPES[dtype], device)


def finite_sum(experiment: Experiment) -> FiniteSum:
    """The experiment's problem as tensors on its device; cached."""
    return _realize(experiment.problem, experiment.seed, experiment.dtype, device_of(experiment))


def device_of(experiment: Experiment) -> str:
    """The device that "auto" means here; an ExperimentError where CUDA is asked for and missing."""
    has_gpu = torch.cuda.is_available()
    if experiment.device == "cuda" and not has_gpu:
        raise ExperimentError('device: given "cuda", but this machine has no CUDA GPU; use "auto" or "cpu"')
    if experiment.device != "auto":
        return experiment.device
    # Below about a million numbers a batch, launching kernels costs more than computing on the CPU.
    large = experiment.problem.sample_count * experiment.problem.parameter_count * experiment.runs > 10_000_000
    return "cuda" if has_gpu and large else "cpu"


@lru_cache(maxsize=256)
def _plan(experiment: Experiment, lane: int) -> _Plan:
    problem = finite_sum(experiment)
    sizes = experiment.lanes[lane].sampler.sizes(problem.samples)
    if not sizes and experiment.updates(lane):
        raise ExperimentError(f"lanes.{lane}.sampler: drop_last with this batch_size leaves no batch; lower batch_size")
    per_batch = experiment.runs * (sizes[0] if sizes else 1) * problem.parameters
    per_record = experiment.runs * max(problem.samples, problem.parameters)
    return _Plan(
        problem,
        sizes,
        experiment.updates(lane),
        max(1, min(256, WORK // per_batch)),
        max(1, min(64, WORK // per_record)),
    )


@lru_cache(maxsize=256)
def records(experiment: Experiment, lane: int, every: int | None = None) -> np.ndarray:
    """The update numbers that are kept, (K,) int64: always 0 and the last.

    Args:
        experiment, lane: whose budget.
        every: keep 0, every, 2 every ... and the last; None: all of them, or an even thinning (see the constants).
    """
    updates, parameters = experiment.updates(lane), experiment.problem.parameter_count
    if every is not None:
        kept = np.arange(0, updates + 1, every)
        return kept if kept[-1] == updates else np.append(kept, updates)
    most = FULL_RECORDS
    if parameters > FULL_PARAMETERS:
        width = experiment.runs * parameters * np.dtype(experiment.dtype).itemsize
        most = int(min(SPARSE_RECORDS, max(2, SPARSE_BYTES // width)))
    if updates + 1 <= most:
        return np.arange(updates + 1)
    return np.unique(np.round(np.linspace(0, updates, most)).astype(np.int64))


def init(experiment: Experiment, lane: int) -> State:
    """The state before the first update.

    Example:
        >>> e = Experiment.model_validate({"problem": {"name": "quadratic"}, "start": [1, 1], "lanes": [
        ...     {"sampler": {"name": "full_batch"}, "schedule": {"name": "constant", "learning_rate": 0.1}}]})
        >>> state, trace = advance(init(e, 0), 2)
        >>> trace.theta[0].round(12).tolist()
        [[0.9, 0.0], [0.81, 0.0]]
    """
    plan, method = _plan(experiment, lane), experiment.lanes[lane]
    start = plan.problem.start()
    if experiment.start is not None:
        start = torch.tensor(experiment.start, dtype=start.dtype, device=start.device)
    theta = start.expand(experiment.runs, -1).contiguous()
    schedule = method.schedule.init(experiment.intervals(lane))
    copies = experiment.runs if method.schedule.watches_objective else 1
    with torch.no_grad():
        first = plan.problem.objective(start[None])[0].item()
    return State(
        experiment,
        lane,
        0,
        theta,
        method.rule.init(theta),
        (schedule,) * copies,
        np.full(experiment.runs, -1 if np.isfinite(first) else 0, dtype=np.int64),
        np.full(experiment.runs, first),
    )


def snapshot(state: State) -> Trace:
    """Record 0: a trace of the start alone."""
    runs = state.experiment.runs
    theta = state.theta.cpu().numpy()
    return Trace(
        np.zeros(1, dtype=np.int64),
        np.zeros(1, dtype=np.int64),
        np.array([state.schedule_state[0][1]], dtype=np.float64),
        theta[:, None, :].copy(),
        np.broadcast_to(state.first_loss[:, None], (runs, 1)).astype(theta.dtype),
    )


def advance(state: State, n: int, every: int | None = None) -> tuple[State, Trace]:
    """Make n updates, or as many as the budget still holds.

    Args:
        state: from init or an earlier advance; it is not changed.
        n: updates, 0 ...
        every: which updates to keep, as in `records`; the same in all calls of a run.

    Returns:
        (state, trace): the trace holds the kept updates made by this call (not the start: see `snapshot`).
    """
    plan = _plan(state.experiment, state.lane)
    kept = records(state.experiment, state.lane, every)
    target = min(state.update + n, plan.updates)
    traces = [_empty(state)]
    with torch.no_grad():
        while state.update < target and not (state.diverged_at >= 0).all():
            state, trace = _block(plan, state, target, kept)
            traces.append(trace)
        if state.update < target:
            state, trace = _stand_still(plan, state, target, kept)
            traces.append(trace)
    return state, _join(traces)


def run(experiment: Experiment, lane: int, every: int | None = None) -> tuple[State, Trace]:
    """A whole lane: the final state, and the trace with record 0."""
    start = init(experiment, lane)
    state, trace = advance(start, experiment.updates(lane), every)
    return state, snapshot(start) + trace


def batch_indices(experiment: Experiment, lane: int, updates: range, run: int = 0) -> Iterator[np.ndarray | None]:
    """The samples of each update's batch in one run, as `advance` draws them; None for all."""
    plan, sampler = _plan(experiment, lane), experiment.lanes[lane].sampler
    epoch, order = -1, None
    for update in updates:
        if update // len(plan.sizes) != epoch:
            epoch = update // len(plan.sizes)
            orders = sampler.orders(experiment.seed, experiment.runs, epoch, plan.problem.samples)
            order = None if orders is None else orders[run]
        at = (update % len(plan.sizes)) * plan.sizes[0]
        yield None if order is None else order[at : at + plan.sizes[update % len(plan.sizes)]]


def samples_spent(sizes: list[int], updates: np.ndarray) -> np.ndarray:
    """Gradients of single samples spent after so many updates, for epochs of these batch sizes."""
    spent = np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)])
    epochs, rest = np.divmod(updates, max(len(sizes), 1))
    return epochs * spent[-1] + spent[rest]


def _block(plan: _Plan, state: State, target: int, kept: np.ndarray) -> tuple[State, Trace]:
    """The updates up to the next edge of the grid (or the target), with their records."""
    experiment, method = state.experiment, state.experiment.lanes[state.lane]
    position = state.update % len(plan.sizes)
    batches = _batches(plan, state, position)[: target - state.update]
    if method.schedule.watches_objective and method.schedule.interval == "update":
        batches = batches[:1]
    theta, rule_state, schedule = state.theta, state.rule_state, state.schedule_state
    rows, rates = [], []
    for i, batch in enumerate(batches):
        rate = _rate(schedule, theta)
        gradient = plan.problem.gradient(theta, batch)
        delta, rule_state = method.rule.update(gradient, rule_state, theta, rate)
        theta = theta + delta
        rows.append(theta)
        rates.append(schedule[0][1])
        ends = method.schedule.interval == "update" or position + i + 1 == len(plan.sizes)
        if ends and not method.schedule.watches_objective:
            schedule = (method.schedule.step(schedule[0]),)
        elif ends:
            objective = plan.problem.objective(theta).tolist()
            schedule = tuple(method.schedule.step(s, f) for s, f in zip(schedule, objective, strict=True))
    numbers = np.arange(state.update + 1, state.update + 1 + len(batches))
    block = torch.stack(rows)  # (n, R, P)
    wanted = np.isin(numbers, kept)
    loss = _objective(plan, block[torch.as_tensor(wanted)], np.searchsorted(kept, numbers[wanted]))
    diverged_at = _diverged(state, numbers, block, wanted, loss)
    theta_kept = block[torch.as_tensor(wanted)].transpose(0, 1).cpu().numpy().copy()  # (R, K, P)
    lost = (diverged_at[:, None] >= 0) & (numbers[wanted] >= diverged_at[:, None])
    theta_kept[lost] = np.nan
    loss[lost] = np.nan
    if (diverged_at >= 0).any():
        theta = theta.clone()
        theta[torch.as_tensor(diverged_at >= 0)] = torch.nan
    trace = Trace(
        numbers[wanted],
        samples_spent(plan.sizes, numbers[wanted]),
        np.array(rates, dtype=np.float64)[wanted],
        theta_kept,
        loss,
    )
    later = State(
        experiment, state.lane, int(numbers[-1]), theta, rule_state, schedule, diverged_at, state.first_loss
    )
    return later, trace


def _batches(plan: _Plan, state: State, position: int) -> list:
    """The batches from this position of the epoch to the next edge of the gathering grid."""
    experiment, sampler = state.experiment, state.experiment.lanes[state.lane].sampler
    size, whole = plan.sizes[0], sum(1 for s in plan.sizes if s == plan.sizes[0])
    orders = _orders(experiment, state.lane, state.update // len(plan.sizes))
    if orders is None:
        return [None]
    if position >= whole:  # the ragged last batch
        chosen = orders[:, None, whole * size : whole * size + plan.sizes[-1]]
        return list(plan.problem.gather(_indices(chosen, plan)))
    first = position - position % plan.block
    last = min(first + plan.block, whole)
    chosen = orders[:, first * size : last * size].reshape(len(orders), last - first, size)
    del sampler
    return list(plan.problem.gather(_indices(chosen, plan)))[position - first :]


@lru_cache(maxsize=2)
def _orders(experiment: Experiment, lane: int, epoch: int) -> np.ndarray | None:
    sampler = experiment.lanes[lane].sampler
    return sampler.orders(experiment.seed, experiment.runs, epoch, experiment.problem.sample_count)


def _indices(chosen: np.ndarray, plan: _Plan) -> Tensor:
    return torch.as_tensor(np.ascontiguousarray(chosen.swapaxes(0, 1)), device=plan.problem.start().device)


def _rate(schedule: tuple, theta: Tensor) -> float | Tensor:
    if len(schedule) == 1:
        return schedule[0][1]
    return torch.tensor([s[1] for s in schedule], dtype=theta.dtype, device=theta.device)[:, None]


def _objective(plan: _Plan, theta: Tensor, at: np.ndarray) -> np.ndarray:
    """The objective of the records `at` (their places among all records), (R, K), on the evaluation grid."""
    kept, runs, parameters = theta.shape
    loss = np.empty((runs, kept), dtype=theta.cpu().numpy().dtype)
    done = 0
    while done < kept:
        offset = int(at[done]) % plan.evaluate
        count = min(plan.evaluate - offset, kept - done)
        # Always the same shape with a record always at the same row: matrix products then round alike.
        frame = theta.new_zeros(plan.evaluate, runs, parameters)
        frame[offset : offset + count] = theta[done : done + count]
        value = plan.problem.objective(frame)[offset : offset + count]
        loss[:, done : done + count] = value.T.cpu().numpy()
        done += count
    return loss


def _diverged(state: State, numbers: np.ndarray, block: Tensor, wanted: np.ndarray, loss: np.ndarray) -> np.ndarray:
    """The first bad update of every run, -1 where there is none yet."""
    bad = ~torch.isfinite(block).all(-1).cpu().numpy().T  # (R, n)
    limit = DIVERGED * np.maximum(np.abs(state.first_loss), 1.0)
    bad[:, wanted] |= ~(np.abs(loss) <= limit[:, None])
    first = np.where(bad.any(1), numbers[bad.argmax(1)], -1)
    return np.where(state.diverged_at >= 0, state.diverged_at, first)


def _stand_still(plan: _Plan, state: State, target: int, kept: np.ndarray) -> tuple[State, Trace]:
    """Every run has diverged: the remaining records are not a number, and need no arithmetic."""
    numbers = kept[(kept > state.update) & (kept <= target)]
    shape = (state.experiment.runs, len(numbers))
    dtype = np.dtype(state.experiment.dtype)
    trace = Trace(
        numbers,
        samples_spent(plan.sizes, numbers),
        np.full(len(numbers), state.schedule_state[0][1]),
        np.full((*shape, plan.problem.parameters), np.nan, dtype=dtype),
        np.full(shape, np.nan, dtype=dtype),
    )
    return state._replace(update=target), trace


def _empty(state: State) -> Trace:
    runs, dtype = state.experiment.runs, np.dtype(state.experiment.dtype)
    none = np.zeros(0, dtype=np.int64)
    return Trace(
        none, none, np.zeros(0), np.zeros((runs, 0, state.theta.shape[1]), dtype=dtype), np.zeros((runs, 0), dtype=dtype)
    )


def _join(traces: list[Trace]) -> Trace:
    first = [np.concatenate([t[i] for t in traces]) for i in range(3)]
    rest = [np.concatenate([t[i] for t in traces], axis=1) for i in range(3, 5)]
    return Trace(*first, *rest)
