"""init, advance, run: a lane from its start to its end (floor 3)."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from mbsgd_core import kernels
from mbsgd_core.averages.base import Averaged
from mbsgd_core.engine import compiled, patience
from mbsgd_core.engine.block import block, rule_of
from mbsgd_core.engine.plan import Plan, plan_of
from mbsgd_core.experiment import Experiment
from mbsgd_core.types import State, Trace


def init(experiment: Experiment, lane: int) -> State:
    """The state before the first update.

    Example:
        >>> e = Experiment.model_validate({"problem": {"name": "quadratic"}, "start": [1, 1], "lanes": [
        ...     {"sampler": {"name": "full_batch"}, "schedule": {"name": "constant", "learning_rate": 0.1}}]})
        >>> state, trace = advance(init(e, 0), 2)
        >>> trace.theta[0].round(12).tolist()
        [[0.9, 0.0], [0.81, 0.0]]
    """
    return _start(plan_of(experiment, lane))


def _start(plan: Plan) -> State:
    experiment, method = plan.experiment, plan.method
    start = plan.problem.start()
    if experiment.start is not None:
        start = torch.tensor(experiment.start, dtype=start.dtype, device=start.device)
    theta = start.expand(experiment.runs, -1).contiguous()
    schedule = method.schedule.init(plan.intervals)
    copies = experiment.runs if method.schedule.watches_objective else 1
    first = _first_loss(plan, start)
    return State(
        experiment,
        plan.lane,
        0,
        theta,
        rule_of(plan, (schedule,)).init(theta),
        (schedule,) * copies,
        np.full(experiment.runs, -1 if np.isfinite(first) else 0, dtype=np.int64),
        np.full(experiment.runs, first),
        plan.compiled is not None,
        None if method.average is None else Averaged(theta),
    )


def _first_loss(plan: Plan, start: Tensor) -> float:
    if plan.compiled is not None:
        value = plan.compiled[0].objective(start.numpy()[None])
        if value is not None:
            return float(value[0])
    with torch.no_grad():
        return plan.problem.objective(start[None])[0].item()


def snapshot(state: State) -> Trace:
    """Record 0: a trace of the start alone."""
    runs = state.experiment.runs
    theta = state.theta.cpu().numpy()
    start = Trace(
        np.zeros(1, dtype=np.int64),
        np.zeros(1, dtype=np.int64),
        np.array([state.schedule_state[0][1]], dtype=np.float64),
        theta[:, None, :].copy(),
        np.broadcast_to(state.first_loss[:, None], (runs, 1)).astype(theta.dtype),
    )
    return _with_equal_average(state, start)


def advance(
    state: State,
    n: int,
    every: int | None = None,
    batch_losses: list[Tensor] | None = None,
    evaluate: bool = True,
) -> tuple[State, Trace]:
    """Make n updates, or as many as the budget and the lane's patience still hold.

    Args:
        state: from init or an earlier advance; it is not changed.
        n: updates, 0 ...
        every: which updates to keep, as in `records`; the same in all calls of a run.
        batch_losses: if given, each update's batch loss (R,) is appended, as far as it comes with the gradient: that
            of a network which is not compiled does, and it is the loss in training mode.
        evaluate: False leaves the losses not-a-number, for those who want the path alone; a run then counts as
            diverged only when theta is no longer finite.

    Returns:
        (state, trace): the trace holds the kept updates made by this call (not the start: see `snapshot`).
    """
    return _advance(plan_of(state.experiment, state.lane), state, n, every, batch_losses, evaluate)


def _advance(
    plan: Plan, state: State, n: int, every: int | None, batch_losses: list[Tensor] | None, evaluate: bool
) -> tuple[State, Trace]:
    if state.compiled and plan.compiled is None:  # begun elsewhere after this process had decided for torch
        kernels.load()
        plan.look_for_compiled()
    kept, looks = plan.records(every), plan.looks(every)
    target, traces = min(state.update + n, plan.updates), []
    if state.watch.stopped_at >= 0:
        target = state.update
    with torch.no_grad():
        while state.update < target and not (state.diverged_at >= 0).all():
            stop = target
            if plan.patience:
                stop = min(stop, (state.update // plan.per_epoch + 1) * plan.per_epoch)
            if state.compiled and plan.compiled is not None:
                state, trace = compiled.block(plan, state, stop, looks, evaluate)
            else:
                edge = (state.update // plan.block + 1) * plan.block
                state, trace = block(plan, state, min(stop, edge), looks, batch_losses, evaluate)
            if plan.patience:
                state = patience.look(plan, state, trace, looks, evaluate)
                trace = patience.only(trace, kept, state)
                if state.watch.stopped_at >= 0:
                    target = state.update
            traces.append(trace)
    if state.update < target or not traces:  # every run has diverged: what remains needs no arithmetic
        traces.append(_nothing(plan, state, kept[(kept > state.update) & (kept <= target)]))
        state = state._replace(update=target)
    return state, join(traces)


def run(experiment: Experiment, lane: int, every: int | None = None, evaluate: bool = True) -> tuple[State, Trace]:
    """A whole lane: the final state, and the trace with record 0."""
    plan = plan_of(experiment, lane)
    start = _start(plan)
    state, trace = _advance(plan, start, plan.updates, every, None, evaluate)
    return state, join([snapshot(start), trace])


def _nothing(plan: Plan, state: State, updates: np.ndarray) -> Trace:
    """Records that are not a number."""
    shape = (state.experiment.runs, len(updates))
    dtype = np.dtype(state.experiment.dtype)
    nothing = Trace(
        updates,
        plan.spent(updates),
        np.full(len(updates), state.schedule_state[0][1]),
        np.full((*shape, plan.problem.parameters), np.nan, dtype=dtype),
        np.full(shape, np.nan, dtype=dtype),
    )
    return _with_equal_average(state, nothing)


def _with_equal_average(state: State, trace: Trace) -> Trace:
    """The trace, with an average that is theta itself if the lane has one."""
    if state.averaged is None:
        return trace
    return trace._replace(average=trace.theta.copy(), average_loss=trace.loss.copy())


def join(traces: Sequence[Trace]) -> Trace:
    """Traces end to end."""
    return Trace.joined(traces)
