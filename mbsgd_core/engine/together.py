"""Runs of a lane that differ in knobs of their rule and schedule, side by side in the compiled machine (floor 3)."""

import math
import sys
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
from mbsgd_core.kernels.rule_tape import RuleTape, with_knobs
from mbsgd_core.rules.base import Rule
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
    if not plan.compiled or not knobs or plan.patience or plan.method.schedule.watches_objective:
        return None
    own = {name.removeprefix("rule."): values for name, values in knobs.items() if name.startswith("rule.")}
    rates, which = _rates(plan, knobs)
    tapes = _tapes(plan.method.rule, own, len(which))
    if tapes is None:
        return None
    width = max(1, min(plan.compiled[0].most_lanes, NUMBERS // plan.problem.parameters))
    kept, first = records(experiment, lane, every), init(experiment, lane).first_loss[0]
    tiles, outcomes = [], []
    for cells, tape in tapes:
        for tile in np.split(cells, range(width, len(cells), width)):
            values = {name: own[name][tile] for name in tape.knobs}
            own_rates = rates[:, which[tile]]
            runs = range(experiment.runs)
            tiles.append(tile)
            outcomes.append([_run(plan, tape, values, own_rates, kept, r, first, target) for r in runs])
    parts = [np.concatenate([np.stack([o[i] for o in tile], axis=1) for tile in outcomes]) for i in range(4)]
    order = np.argsort(np.concatenate(tiles))
    return Outcome(*(part[order] for part in parts))


def _tapes(rule: Rule, knobs: Mapping[str, np.ndarray], cells: int) -> list[tuple[np.ndarray, RuleTape]] | None:
    """Cells, and the tape that does for them. What is 0 is a constant: a rule may leave out what a 0 stands for."""
    zero = np.array([values == 0 for values in knobs.values()]).reshape(-1, cells).T
    patterns, which = np.unique(zero, axis=0, return_inverse=True) if knobs else (zero[:1], np.zeros(cells, dtype=int))
    found = []
    for number, pattern in enumerate(patterns):
        constant = {name: 0.0 for name, is_zero in zip(knobs, pattern, strict=True) if is_zero}
        tape = tape_of(with_knobs(rule, constant), tuple(name for name in knobs if name not in constant))
        if tape is None:
            return None
        found.append((np.flatnonzero(which.reshape(-1) == number), tape))
    return found


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
    loss = descent.objective_of_lanes(trace, lanes)
    if loss is None:
        loss = _objective(plan, trace, lanes)
    final, best, steps = np.empty(lanes), np.empty(lanes), np.empty(lanes, dtype=np.int64)
    limit = min(DIVERGED * max(abs(float(first)), 1.0), sys.float_info.max)
    descent.judge(loss, kept[1:], lost, first, limit, math.nan if target is None else float(target), final, best, steps)
    return Outcome(final, best, steps, lost)


def _objective(plan: Plan, trace: np.ndarray, lanes: int) -> np.ndarray:
    """By the torch definition, at the records (K, P L): (K, L)."""
    by_lane = torch.from_numpy(trace).reshape(len(trace), -1, lanes).transpose(1, 2).reshape(len(trace) * lanes, -1)
    with torch.no_grad():
        blocks = by_lane.split(plan.evaluate)
        return torch.cat([plan.problem.objective(block) for block in blocks]).reshape(-1, lanes).numpy()
