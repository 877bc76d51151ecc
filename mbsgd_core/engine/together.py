"""Runs of a lane that differ in knobs of their rule and schedule, side by side in the compiled machine (floor 3)."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from mbsgd_core.engine.block import DIVERGED
from mbsgd_core.engine.compiled import VISITS, rates_of
from mbsgd_core.engine.lane import init
from mbsgd_core.engine.plan import Plan, plan_of, records
from mbsgd_core.experiment import Experiment
from mbsgd_core.kernels.registers import Epochs, Registers, tape_of
from mbsgd_core.kernels.tape import RuleTape
from mbsgd_core.types import Outcome

NUMBERS = 2048  # of theta in all lanes that run side by side: they stay in the nearest cache


def advance_together(
    experiment: Experiment, lane: int, knobs: Mapping[str, np.ndarray], target: float | None, every: int
) -> Outcome | None:
    """Runs of a lane that differ in some knobs of its rule and schedule, side by side.

    Args:
        experiment, lane: all of it but the knobs.
        knobs: {full name, as "rule.beta1": (C,) values}; none where C = 1 and the experiment has all values.
        target: as in `sweep`.
        every: the updates whose objective is looked at, as in `records`.

    Returns:
        An Outcome of arrays (C, R); None where no compiled form of this lane is known.
    """
    plan = plan_of(experiment, lane)
    own = {name.removeprefix("rule."): values for name, values in knobs.items() if name.startswith("rule.")}
    tape = tape_of(plan.method.rule, tuple(own)) if plan.compiled else None
    if tape is None or not knobs or plan.method.schedule.watches_objective:
        return None
    rates, which = _rates(plan, knobs)
    cells = len(which)
    width = max(1, min(plan.compiled[0].most_lanes, NUMBERS // plan.problem.parameters))
    kept, first = records(experiment, lane, every), init(experiment, lane).first_loss[0]
    outcomes = []
    for begin in range(0, cells, width):
        tile = slice(begin, begin + width)
        values = {name: v[tile] for name, v in own.items()}
        own_rates = rates[:, which[tile]]
        runs = range(experiment.runs)
        outcomes.append([_run(plan, tape, values, own_rates, kept, r, first, target) for r in runs])
    parts = [np.concatenate([np.stack([o[i] for o in tile], axis=1) for tile in outcomes]) for i in range(4)]
    return Outcome(*parts)


def _rates(plan: Plan, knobs: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """The rates of every different schedule, (updates, S), and which of them each cell has, (C,)."""
    schedule, names = plan.method.schedule, [name for name in knobs if name.startswith("schedule.")]
    cells = len(next(iter(knobs.values())))
    rows = np.stack([knobs[name] for name in names], axis=1) if names else np.zeros((cells, 0))
    different, which = np.unique(rows, axis=0, return_inverse=True) if names else (rows[:1], np.zeros(cells, dtype=int))
    columns = []
    for row in different:
        update: dict[str, Any] = {}
        for name, value in zip(names, row, strict=True):
            name = name.removeprefix("schedule.")
            update[name] = int(value) if isinstance(getattr(schedule, name), int) else float(value)
        own = schedule.model_copy(update=update)
        columns.append(rates_of(own, own.init(plan.intervals), plan.per_epoch, 0, plan.updates)[0])
    return np.stack(columns, axis=1), which.reshape(-1)


def _run(
    plan: Plan,
    tape: RuleTape,
    knobs: dict[str, np.ndarray],
    rates: np.ndarray,
    kept: np.ndarray,
    run: int,
    first: float,
    target: float | None,
) -> Outcome:
    """One run in each of L cells: arrays (L,)."""
    assert plan.compiled is not None
    descent, start = plan.compiled[0], plan.start
    lanes, parameters = rates.shape[1], len(start)
    registers = Registers(tape, parameters, lanes, start.dtype, knobs)
    registers.begin(start[:, None])
    trace = np.empty((len(kept) - 1, parameters * lanes), dtype=start.dtype)
    lost, made, row = np.full(lanes, -1), 0, 0
    ahead = max(1, VISITS // (plan.experiment.runs * plan.problem.samples)) * plan.per_epoch
    while made < plan.updates and (lost < 0).any():
        stop = min(plan.updates, made + ahead)
        updates = kept[slice(*np.searchsorted(kept, (made, stop), side="right"))]
        keep = np.full(stop - made, -1)
        keep[updates - (made + 1)] = row + np.arange(len(updates))
        orders = plan.visits(made // plan.per_epoch, -(-stop // plan.per_epoch))
        epochs = Epochs(plan.sizes[0], plan.per_epoch, plan.problem.samples, made // plan.per_epoch)
        own = np.ascontiguousarray(rates[made:stop])
        descent.descend(registers, own, epochs, orders[run % len(orders)][None], keep, trace, made + 1, lost)
        made, row = stop, row + len(updates)
    theta = np.ascontiguousarray(trace.reshape(-1, parameters, lanes).transpose(0, 2, 1)).reshape(-1, parameters)
    theta[~np.isfinite(theta).all(1)] = np.nan  # also what was never reached
    return _outcome(_objective(plan, theta).reshape(-1, lanes), kept[1:], lost, first, target)


def _objective(plan: Plan, theta: np.ndarray) -> np.ndarray:
    """At theta (K, P): (K,)."""
    assert plan.compiled is not None
    loss = plan.compiled[0].objective(theta)
    if loss is not None:
        return loss
    with torch.no_grad():
        blocks = torch.from_numpy(theta).split(plan.evaluate)
        return torch.cat([plan.problem.objective(block) for block in blocks]).numpy()


def _outcome(loss: np.ndarray, updates: np.ndarray, lost: np.ndarray, first: float, target: float | None) -> Outcome:
    """What the records (K, L) come to; record 0, the start, has the loss `first` in every lane."""
    loss, updates = np.vstack([np.full(len(lost), first), loss]).astype(np.float64), np.concatenate([[0], updates])
    bad = ~(np.abs(loss) / DIVERGED <= max(abs(first), 1.0))
    at = np.where(bad.any(0), updates[bad.argmax(0)], -1)
    diverged_at = np.where((lost >= 0) & ((at < 0) | (lost < at)), lost, at)
    loss[(diverged_at >= 0) & (updates[:, None] >= diverged_at)] = np.nan
    steps = np.full(len(lost), -1)
    if target is not None:
        there = loss <= target
        steps = np.where(there.any(0), updates[there.argmax(0)], -1)
    return Outcome(loss[-1], np.fmin.reduce(loss, axis=0), steps, diverged_at)
