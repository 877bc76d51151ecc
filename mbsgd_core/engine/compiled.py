"""A block of updates by the compiled lane, with its records (floor 3).

The same updates as `block` makes with torch, to rounding: problems and rules are recorded from their definitions. Every
lane is walked update by update, so nothing here depends on where a block begins or ends.
"""

from typing import Any

import numpy as np
import torch

from mbsgd_core.engine.block import beyond, objective_of
from mbsgd_core.engine.plan import Plan
from mbsgd_core.kernels.registers import Epochs, Registers
from mbsgd_core.kernels.rule_tape import Leaf
from mbsgd_core.kernels.tape import NARROW, WIDE
from mbsgd_core.schedules.base import Schedule
from mbsgd_core.types import State, Trace

VISITS = 2_000_000  # of samples, drawn ahead
SIDE_BY_SIDE = 64  # runs in one piece of work


def block(plan: Plan, state: State, stop: int, kept: np.ndarray, evaluate: bool = True) -> tuple[State, Trace]:
    """The updates up to `stop`, or as far as batches are drawn ahead; evaluate as in `advance`."""
    assert plan.compiled is not None
    descent, tape = plan.compiled
    stop, made = _stop(plan, state, stop), state.update
    rates, schedule_state = _rates(plan, state, stop)
    updates = kept[slice(*np.searchsorted(kept, (made, stop), side="right"))]
    whole = len(updates) == stop - made
    keep = np.arange(stop - made) if whole else np.full(stop - made, -1)
    if not whole:
        keep[updates - (made + 1)] = np.arange(len(updates))
    orders = plan.visits(made // plan.per_epoch, -(-stop // plan.per_epoch))
    epochs = Epochs(plan.sizes[0], plan.per_epoch, plan.problem.samples, made // plan.per_epoch)
    theta, lost = state.theta.numpy().copy(), state.diverged_at.copy()
    runs, parameters = theta.shape
    seen = np.full((runs, len(updates), parameters), np.nan, dtype=theta.dtype)
    before = {leaf.place: _value(leaf, state) for leaf in tape.leaves}
    after = {place: value.copy() if isinstance(value, np.ndarray) else value for place, value in before.items()}
    sound, width = np.flatnonzero(lost < 0), SIDE_BY_SIDE if descent.runs_are_lanes else 1
    furthest = made
    for group in np.split(sound, range(width, len(sound), width)):
        lanes = len(group)
        registers = Registers(tape, parameters, lanes, theta.dtype)
        registers.load(theta[group].T, {i: v if np.isscalar(v) else v[group].T for i, v in before.items()})
        trace = seen[0] if runs == 1 else np.empty((len(updates), parameters * lanes), dtype=theta.dtype)
        own = rates if rates.shape[1] == lanes else np.ascontiguousarray(rates[:, group % rates.shape[1]])
        gone = np.full(lanes, -1)
        descent.descend(registers, own, epochs, orders[group % len(orders)], keep, trace, made + 1, gone)
        lost[group], theta[group] = gone, registers.wide[0].reshape(parameters, lanes).T
        if runs > 1:
            seen[group] = trace.reshape(len(updates), parameters, lanes).transpose(2, 0, 1)
        reached = stop if (gone < 0).any() else int(gone.max())  # where all of a group are lost, it ends there
        for leaf in tape.leaves:
            if leaf.kind == WIDE:
                after[leaf.place][group] = registers.wide[leaf.register].reshape(parameters, lanes).T
            elif reached > furthest:  # numbers are every run's: those of a run that went on
                after[leaf.place] = _number(registers.narrow[leaf.register, 0], before[leaf.place])
        furthest = max(furthest, reached)
    loss = _loss(plan, seen, kept, updates) if evaluate else np.full(seen.shape[:2], np.nan, dtype=theta.dtype)
    if evaluate:
        lost = _first(lost, beyond(state, loss), updates)
    if (lost >= 0).all() and lost.max() < stop:  # what follows must not depend on where the block was to end
        return block(plan, state, int(lost.max()), kept, evaluate)
    if (lost >= 0).any():
        late = (lost[:, None] >= 0) & (updates >= lost[:, None])
        seen[late] = loss[late] = theta[lost >= 0] = np.nan
    moved = torch.from_numpy(theta)
    if plan.method.schedule.watches_objective and stop % plan.per_epoch == 0:
        watched = objective_of(plan, moved[None], np.zeros(1, dtype=np.int64))[:, 0]
        schedule = plan.method.schedule
        schedule_state = tuple(schedule.step(s, float(f)) for s, f in zip(schedule_state, watched, strict=True))
    rule_state = list(state.rule_state)
    for place, value in after.items():
        rule_state[place] = torch.from_numpy(value) if isinstance(value, np.ndarray) else value
    later = state._replace(
        update=stop, theta=moved, rule_state=tuple(rule_state), schedule_state=schedule_state, diverged_at=lost
    )
    seen_rates = rates[:, 0] if whole else rates[updates - (made + 1), 0]
    return later, Trace(updates, plan.spent(updates), seen_rates, seen, loss)


def _stop(plan: Plan, state: State, stop: int) -> int:
    """Where the block must end: before visits fill the memory, or where a schedule has to be asked."""
    per_epoch, epoch = plan.per_epoch, state.update // plan.per_epoch
    if plan.draws:
        stop = min(stop, (epoch + max(1, VISITS // (len(state.theta) * plan.problem.samples))) * per_epoch)
    if plan.method.schedule.watches_objective:
        stop = min(stop, (epoch + 1) * per_epoch)
    return stop


def _rates(plan: Plan, state: State, stop: int) -> tuple[np.ndarray, tuple[Any, ...]]:
    """The rates of the updates up to `stop`, (n, 1), or (n, R) where runs differ; and the schedule's state."""
    schedule, made = plan.method.schedule, state.update
    if schedule.watches_objective:
        return np.tile([s[1] for s in state.schedule_state], (stop - made, 1)), state.schedule_state
    rates, now = rates_of(schedule, state.schedule_state[0], plan.per_epoch, made, stop)
    return rates[:, None], (now,)


def rates_of(
    schedule: Schedule, now: tuple[Any, ...], per_epoch: int, made: int, stop: int
) -> tuple[np.ndarray, tuple[Any, ...]]:
    """The rates of the updates after `made` up to `stop`, (n,), and the schedule's state then."""
    each = 1 if schedule.interval == "update" else per_epoch
    if not schedule.changes:
        return np.full(stop - made, now[1]), (now[0] + stop // each - made // each, *now[1:])
    ends = np.arange(made // each, -(-stop // each)) * each + each  # of the intervals that are met
    rates = []
    for end in ends.tolist():
        rates.append(now[1])
        if end <= stop:
            now = schedule.step(now)
    return np.repeat(rates, np.diff(np.minimum(ends, stop), prepend=made)), now


def _value(leaf: Leaf, state: State) -> Any:
    """A part of a rule's state: a number, or an array (R, P), of zeros where the rule has not begun to keep it."""
    value = state.rule_state[leaf.place]
    if leaf.kind == NARROW:
        return value
    return np.zeros(state.theta.shape, state.theta.numpy().dtype) if value is None else value.numpy()


def _number(value: np.float64, before: float) -> float:
    """A number of a rule's state; a count stays a whole number."""
    return int(value) if isinstance(before, int) and value.is_integer() else float(value)


def _loss(plan: Plan, theta: np.ndarray, kept: np.ndarray, updates: np.ndarray) -> np.ndarray:
    """The objective of the records theta (R, K, P): (R, K)."""
    assert plan.compiled is not None
    loss = plan.compiled[0].objective(theta.reshape(-1, theta.shape[2]))
    if loss is None:
        return objective_of(plan, torch.from_numpy(theta).transpose(0, 1), np.searchsorted(kept, updates))
    return np.asarray(loss.reshape(theta.shape[:2]))


def _first(lost: np.ndarray, bad: np.ndarray, updates: np.ndarray) -> np.ndarray:
    """The earlier of an update noted in lost (R,) and the first bad record (R, K); -1 for neither."""
    if not bad.any():
        return lost
    at = np.where(bad.any(1), updates[bad.argmax(1)], -1)
    return np.where((lost >= 0) & ((at < 0) | (lost < at)), lost, at)
