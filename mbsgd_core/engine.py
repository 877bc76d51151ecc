"""The engine (floor 3): init(experiment, lane) -> State, advance(state, n) -> (State, Trace).

advance is pure and chunk-invariant: advance(state, 400) equals eight times advance(state, 50) bit for bit. Two things
make it so. Randomness is counter-based, so an epoch's order needs no history. And whatever is computed for several
updates at once (gathering batches, evaluating the objective) is cut on a grid that is fixed to the update's own
number, never to where a chunk begins: the shapes, and so the rounding, are the same for every chunking.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from mbsgd_core.errors import ExperimentError
from mbsgd_core.experiment import Experiment
from mbsgd_core.problems.base import Batch, FiniteSum, Problem
from mbsgd_core.types import State, Trace

# A run counts as diverged once it is not finite, or its loss has grown by this factor over the start (or over 1).
DIVERGED = 1e9
FULL_RECORDS = 20_000  # every update is kept up to here ...
FULL_PARAMETERS = 64  # ... for problems of at most this many parameters
SPARSE_RECORDS, SPARSE_BYTES = 200, 256e6  # for larger ones
WORK = 4_000_000  # numbers touched by one vectorised piece of work

_DTYPES = {"float64": torch.float64, "float32": torch.float32}


class _Plan:
    """What is derived from (experiment, lane) and never changes; it only remembers the last epoch's order."""

    def __init__(self, experiment: Experiment, lane: int):
        self.problem = finite_sum(experiment)
        self.experiment, self.method = experiment, experiment.lanes[lane]
        self.sizes = self.method.sampler.sizes(self.problem.samples)  # of one epoch's batches
        self.updates = experiment.updates(lane)
        if not self.sizes and self.updates:
            raise ExperimentError(
                f"lanes.{lane}.sampler: drop_last with this batch_size leaves no batch; lower batch_size"
            )
        runs, parameters = experiment.runs, self.problem.parameters
        size = self.sizes[0] if self.sizes else 1
        self.gather = _fit(runs * size * parameters)  # batches gathered at once, counted from the epoch's first
        self.block = _fit(runs * parameters)  # updates between two looks for divergence, counted from update 0
        self.evaluate = min(64, _fit(runs * max(self.problem.samples, parameters)))  # records evaluated at once
        self._epoch = -1
        self._orders: np.ndarray | None = None

    def batches(self, update: int, stop: int) -> Iterator[tuple[Batch, bool]]:
        """(batch, whether it ends its epoch) for the updates from `update` to `stop`."""
        per_epoch = len(self.sizes)
        while update < stop:
            epoch, position = divmod(update, per_epoch)
            segment = self._segment(epoch, position)[: stop - update]
            for i, batch in enumerate(segment):
                yield batch, position + i + 1 == per_epoch
            update += len(segment)

    def orders(self, epoch: int) -> np.ndarray | None:
        """Every run's visits in this epoch, (R, m)."""
        if epoch != self._epoch:
            e = self.experiment
            self._epoch = epoch
            self._orders = self.method.sampler.orders(e.seed, e.runs, epoch, self.problem.samples)
        return self._orders

    def _segment(self, epoch: int, position: int) -> Sequence[Batch]:
        """The batches from this position of the epoch to the next edge of the gathering grid."""
        orders, size = self.orders(epoch), self.sizes[0]
        if orders is None:
            return [None]
        whole = len(self.sizes) if self.sizes[-1] == size else len(self.sizes) - 1
        if position == whole:  # the ragged last batch
            first, last, size, skip = whole * size, whole * size + self.sizes[-1], self.sizes[-1], 0
        else:
            skip = position % self.gather
            last = min(position - skip + self.gather, whole) * size
            first = (position - skip) * size
        chosen = orders[:, first:last].reshape(len(orders), -1, size).swapaxes(0, 1)
        indices = torch.as_tensor(np.array(chosen), device=self.problem.start().device)
        return self.problem.gather(indices)[skip:]


def _fit(numbers: int) -> int:
    """How many rows of so many numbers make one vectorised piece of work, 1 ... 256."""
    return max(1, min(256, WORK // numbers))


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


@lru_cache(maxsize=64)
def _plan(experiment: Experiment, lane: int) -> _Plan:
    return _Plan(experiment, lane)


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
    traces = [_nothing(plan, state, kept[:0])]
    with torch.no_grad():
        while state.update < target and not (state.diverged_at >= 0).all():
            edge = (state.update // plan.block + 1) * plan.block
            state, trace = _block(plan, state, min(target, edge), kept)
            traces.append(trace)
    if state.update < target:  # every run has diverged: what remains needs no arithmetic
        traces.append(_nothing(plan, state, kept[(kept > state.update) & (kept <= target)]))
        state = state._replace(update=target)
    return state, join(traces)


def run(experiment: Experiment, lane: int, every: int | None = None) -> tuple[State, Trace]:
    """A whole lane: the final state, and the trace with record 0."""
    start = init(experiment, lane)
    state, trace = advance(start, experiment.updates(lane), every)
    return state, join([snapshot(start), trace])


def batch_indices(experiment: Experiment, lane: int, updates: range, run: int = 0) -> Iterator[np.ndarray | None]:
    """The samples of each update's batch in one run, as `advance` draws them; None for all."""
    plan = _plan(experiment, lane)
    for update in updates:
        epoch, position = divmod(update, len(plan.sizes))
        orders, at = plan.orders(epoch), position * plan.sizes[0]
        yield None if orders is None else orders[run, at : at + plan.sizes[position]]


def samples_spent(sizes: list[int], updates: np.ndarray) -> np.ndarray:
    """Gradients of single samples spent after so many updates, for epochs of these batch sizes."""
    spent = np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)])
    epochs, rest = np.divmod(updates, max(len(sizes), 1))
    return epochs * spent[-1] + spent[rest]


def _block(plan: _Plan, state: State, stop: int, kept: np.ndarray) -> tuple[State, Trace]:
    """The updates up to `stop`, with their records."""
    problem, rule, schedule = plan.problem, plan.method.rule, plan.method.schedule
    theta, rule_state, rates_now = state.theta, state.rule_state, state.schedule_state
    rate = _rate(rates_now, theta)
    rows, rates = [], []
    for batch, ends_epoch in plan.batches(state.update, stop):
        delta, rule_state = rule.update(problem.gradient(theta, batch), rule_state, theta, rate)
        theta = theta + delta
        rows.append(theta)
        rates.append(rates_now[0][1])
        if ends_epoch or schedule.interval == "update":
            if schedule.watches_objective:
                watched = _objective(plan, theta[None], np.zeros(1, dtype=np.int64))[:, 0]
                rates_now = tuple(schedule.step(s, float(f)) for s, f in zip(rates_now, watched, strict=True))
            else:
                rates_now = (schedule.step(rates_now[0]),)
            rate = _rate(rates_now, theta)
    updates = np.arange(state.update + 1, stop + 1)
    wanted = np.isin(updates, kept, assume_unique=True)
    block = torch.stack(rows)  # (n, R, P)
    seen = block[torch.as_tensor(wanted)]
    loss = _objective(plan, seen, np.searchsorted(kept, updates[wanted]))
    diverged_at = _diverged(state, updates, block, wanted, loss)
    fresh = diverged_at[state.diverged_at < 0]
    first = fresh[fresh >= 0].min(initial=stop)
    if first < stop:  # end the block there: what follows a divergence must not depend on where blocks end
        return _block(plan, state, int(first), kept)
    trace = Trace(
        updates[wanted],
        samples_spent(plan.sizes, updates[wanted]),
        np.array(rates, dtype=np.float64)[wanted],
        seen.transpose(0, 1).cpu().numpy().copy(),
        loss,
    )
    if (diverged_at >= 0).any():
        lost = (diverged_at[:, None] >= 0) & (trace.update >= diverged_at[:, None])
        trace.theta[lost] = trace.loss[lost] = np.nan
        theta = theta.clone()
        theta[torch.as_tensor(diverged_at >= 0)] = torch.nan
    return state._replace(
        update=stop, theta=theta, rule_state=rule_state, schedule_state=rates_now, diverged_at=diverged_at
    ), trace


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
    yardstick = np.maximum(np.abs(state.first_loss), 1.0)[:, None]
    bad[:, wanted] |= ~(np.abs(loss) / DIVERGED <= yardstick)  # divided, since a huge yardstick would overflow
    first = np.where(bad.any(1), numbers[bad.argmax(1)], -1)
    return np.where(state.diverged_at >= 0, state.diverged_at, first)


def _nothing(plan: _Plan, state: State, updates: np.ndarray) -> Trace:
    """Records that are not a number."""
    shape = (state.experiment.runs, len(updates))
    dtype = np.dtype(state.experiment.dtype)
    return Trace(
        updates,
        samples_spent(plan.sizes, updates),
        np.full(len(updates), state.schedule_state[0][1]),
        np.full((*shape, plan.problem.parameters), np.nan, dtype=dtype),
        np.full(shape, np.nan, dtype=dtype),
    )


def join(traces: Sequence[Trace]) -> Trace:
    """Traces end to end."""
    first = [np.concatenate([t[i] for t in traces]) for i in range(3)]
    rest = [np.concatenate([t[i] for t in traces], axis=1) for i in range(3, 5)]
    return Trace(*first, *rest)
