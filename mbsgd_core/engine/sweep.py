"""Sweeps (floor 3): every lane's whole run in each cell of a grid of one or two knobs.

sweep_init -> SweepState --sweep_advance--> (SweepState, parts), as often as one likes, and sweep_join makes a Sweep of
the parts there are. A cell is the run of the experiment that has the cell's values, no more and no less.

Cells that differ in knobs of the rule and the schedule alone see the same batches: they are a group, advanced together
where a compiled form is known (`advance_together`), else one after the other. Any other knob begins a new group.
"""

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from mbsgd_core.axes import Axis, Path, read_axes, replaced
from mbsgd_core.engine.lane import advance, init, snapshot
from mbsgd_core.engine.together import advance_together
from mbsgd_core.errors import ExperimentError
from mbsgd_core.experiment import Experiment
from mbsgd_core.types import Outcome, State, Trace

TOGETHER = 1024  # cells of a group at most: what is computed between two chances to cancel
RECORDS = 2_000  # of a cell at most, unless `every` says otherwise
PIECE_UPDATES, PIECE_WORK = 2_000, 1e8  # what one call makes of cells that run one after the other: about 0.1 s


class Sweep(NamedTuple):
    """What came of a sweep; Y is there only with a second axis."""

    names: tuple[str, ...]  # of the axes: x, then y
    values: tuple[np.ndarray, ...]  # (X,), (Y,)
    lanes: tuple[Outcome, ...]  # arrays (Y, X, R); NaN and -1 in cells that were not computed


class Part(NamedTuple):
    """Some finished cells of a lane."""

    lane: int
    cells: np.ndarray  # (C,) int64: their numbers in the lane's own grid
    outcome: Outcome  # arrays (C, R)


class SweepState(NamedTuple):
    """How far a sweep has come. Picklable; sweep_advance never changes it in place."""

    experiment: Experiment
    axes: tuple[Axis, ...]  # x, then y
    target: float | None
    every: int | None
    cells: tuple[int, ...]  # how many different ones each lane has, the sum of its parts' when it is finished
    lane: int = 0  # the next cell: of this lane ...
    group: int = 0  # ... this group ...
    cell: int = 0  # ... and this number in it
    running: tuple[State, Outcome] | None = None  # that cell, where it has begun; arrays (R,)

    @property
    def finished(self) -> bool:
        """Whether nothing is left to do."""
        return self.lane == len(self.cells)


class _Group(NamedTuple):
    experiment: Experiment  # of this lane alone, the knobs that are not `knobs` at their values
    knobs: dict[str, np.ndarray]  # (C,) values by full name: "rule.beta1"
    places: dict[str, Path]  # where these stand in the experiment
    cells: np.ndarray  # (C,)


class _Side(NamedTuple):
    """An axis as one lane sees it: a value given twice is one, and all are one where the lane has no such knob."""

    name: str  # of the knob, in full
    place: Path | None  # in an experiment of this lane alone
    values: np.ndarray  # the different ones
    which: np.ndarray  # (X,): the one that stands where

    @property
    def inner(self) -> bool:
        """Whether its values can stand side by side in a group."""
        return self.place is not None and self.name.startswith(("rule.", "schedule.")) and self.name.count(".") == 1


class _Grid:
    """The different cells of a lane, numbered, and their groups."""

    def __init__(self, experiment: Experiment, axes: Sequence[Axis], lane: int):
        self.alone = experiment.model_copy(update={"lanes": (experiment.lanes[lane],)})
        self.sides = [_side(axis, lane) for axis in reversed(axes)]  # y, then x, as the arrays have them
        self.shape = tuple(len(side.values) for side in self.sides)
        order = sorted(range(len(self.sides)), key=lambda d: self.sides[d].inner)  # the inner ones vary fastest
        length = math.prod(len(side.values) for side in self.sides if side.inner)
        rows = np.arange(math.prod(self.shape)).reshape(self.shape).transpose(order).reshape(-1, length)
        self.groups = [row[i : i + TOGETHER] for row in rows for i in range(0, length, TOGETHER)]

    def group(self, number: int) -> _Group:
        """The cells of a group, with what they share and where they differ."""
        cells = self.groups[number]
        fixed: dict[Path, int | float] = {}
        knobs: dict[str, np.ndarray] = {}
        places: dict[str, Path] = {}
        for side, at in zip(self.sides, np.unravel_index(cells, self.shape), strict=True):
            if side.place is None:
                continue
            if side.inner:
                knobs[side.name], places[side.name] = side.values[at], side.place
            else:
                fixed[side.place] = side.values[at[0]].item()
        return _Group(replaced(self.alone, fixed), knobs, places, cells)


def sweep(
    experiment: Experiment, axes: Mapping[str, Any], target: float | None = None, every: int | None = None
) -> Sweep:
    """Every lane's whole run in each cell of a grid of one or two knobs.

    Args:
        experiment: its lanes are the methods, its runs the repetitions of each cell.
        axes: {name: 1-D array of values}, x then y; any number of a schedule, rule, sampler or the problem by its name
            (see `axes`), or the seed. It is set in every lane that has it; a lane without it keeps its own value.
        target: the loss that `steps_to_target` waits for.
        every: which updates are looked at, as in `records`; None: all with two parameters, else the ends of epochs,
            thinned to 2,000.

    Returns:
        A Sweep: for each lane the final loss, the best loss, the steps to the target and the divergence of each cell.

    Raises:
        ExperimentError: an axis has no such knob or a refused value; nothing has run then.

    Example:
        >>> e = Experiment.model_validate({"problem": {"name": "quadratic"}, "budget": {"unit": "updates", "amount": 9},
        ...     "lanes": [{"sampler": {"name": "full_batch"}, "schedule": {"name": "constant"}}]})
        >>> grid = sweep(e, {"learning_rate": [0.01, 0.1, 50], "momentum": [0, 0.9]}, target=1)
        >>> grid.lanes[0].final_loss[..., 0].round(3).tolist()
        [[1.689, 0.169, nan], [2.336, 1.727, nan]]
        >>> grid.lanes[0].steps_to_target[..., 0].tolist()
        [[-1, 1, -1], [5, 1, -1]]
    """
    state, parts = sweep_init(experiment, axes, target, every), []
    while not state.finished:
        state, more = sweep_advance(state)
        parts += more
    return sweep_join(state, parts)


def sweep_init(
    experiment: Experiment, axes: Mapping[str, Any], target: float | None = None, every: int | None = None
) -> SweepState:
    """The state before the first cell; arguments and errors as in `sweep`."""
    if target is not None and math.isnan(target):
        raise ExperimentError("target: given nan; it should be a number, or nothing")
    if every is not None and every < 1:
        raise ExperimentError(f"every: given {every}; it should be a whole number from 1, or nothing")
    accepted = read_axes(experiment, axes)
    cells = tuple(math.prod(_grid(experiment, accepted, lane).shape) for lane in range(len(experiment.lanes)))
    return SweepState(experiment, accepted, target, every, cells)


def sweep_advance(state: SweepState, n_groups: int = 1) -> tuple[SweepState, list[Part]]:
    """Compute n groups of cells, or as many as are left.

    Args:
        state: from sweep_init or an earlier sweep_advance; it is not changed.
        n_groups: of at most 1,024 cells; where these run one after the other, pieces of about 0.1 s. A group is of one
            lane, and the lanes follow each other.

    Returns:
        (state, parts): the cells that were finished by this call, none where one run is longer than a piece.
    """
    parts = []
    for _ in range(n_groups):
        if state.finished:
            break
        state, part = _next(state)
        if len(part.cells):
            parts.append(part)
    return state, parts


def sweep_join(state: SweepState, parts: Sequence[Part]) -> Sweep:
    """The parts in their places; cells that none of them holds are NaN and -1.

    Args:
        state: any state of the sweep.
        parts: of this sweep, in any order.
    """
    experiment, lanes = state.experiment, []
    for lane, cells in enumerate(state.cells):
        grid = _grid(experiment, state.axes, lane)
        at = np.ix_(*(side.which for side in grid.sides))
        whole = _unknown((cells, experiment.runs))
        for part in parts:
            if part.lane == lane:
                for array, piece in zip(whole, part.outcome, strict=True):
                    array[part.cells] = piece
        lanes.append(Outcome(*(array.reshape(*grid.shape, -1)[at] for array in whole)))
    return Sweep(tuple(a.name for a in state.axes), tuple(np.array(a.values) for a in state.axes), tuple(lanes))


@lru_cache(maxsize=64)
def _grid(experiment: Experiment, axes: tuple[Axis, ...], lane: int) -> _Grid:
    return _Grid(experiment, axes, lane)


def _side(axis: Axis, lane: int) -> _Side:
    for place in axis.knob.places:
        if place[0] != "lanes" or place[1] == lane:
            values, which = np.unique(axis.values, return_inverse=True)
            return _Side(axis.knob.name, ("lanes", 0, *place[2:]) if place[0] == "lanes" else place, values, which)
    return _Side(axis.knob.name, None, np.array(axis.values[:1]), np.zeros(len(axis.values), dtype=np.int64))


def _records_every(experiment: Experiment) -> int:
    """The `every` of an experiment of one lane for which nobody chose one."""
    updates = experiment.updates(0)
    step = 1 if experiment.problem.parameter_count <= 2 else max(1, experiment.updates_per_epoch(0))
    return step * max(1, math.ceil(updates / (step * RECORDS)))


def _next(state: SweepState) -> tuple[SweepState, Part]:
    """The next group, or the next piece of one whose cells run one after the other."""
    grid = _grid(state.experiment, state.axes, state.lane)
    group = grid.group(state.group)
    every = state.every or _records_every(group.experiment)
    first, outcome = state.cell, None
    if not first and state.running is None:
        outcome = advance_together(group.experiment, 0, group.knobs, state.target, every)
    if outcome is not None:
        state = state._replace(cell=len(group.cells))
    else:
        state, outcome = _one_by_one(state, group, every)
    part = Part(state.lane, group.cells[first : state.cell], outcome)
    if state.cell == len(group.cells):
        state = state._replace(group=state.group + 1, cell=0)
    if state.group == len(grid.groups):
        state = state._replace(lane=state.lane + 1, group=0)
    return state, part


def _one_by_one(state: SweepState, group: _Group, every: int) -> tuple[SweepState, Outcome]:
    """The next cells of a group, each by the engine, as far as a piece goes."""
    e = group.experiment
    size = e.lanes[0].sampler.size(e.problem.sample_count)
    left = max(1, min(PIECE_UPDATES, int(PIECE_WORK // (e.runs * size * e.problem.parameter_count))))
    cell, running, finished = state.cell, state.running, []
    while left > 0 and cell < len(group.cells):
        if running is None:
            values = {group.places[name]: values[cell].item() for name, values in group.knobs.items()}
            start = init(replaced(e, values), 0)
            running = start, _seen(_unknown((e.runs,)), start, snapshot(start), state.target)
        run, outcome = running
        before = run.update
        run, trace = advance(run, left, every)
        outcome = _seen(outcome, run, trace, state.target)
        left -= max(1, run.update - before)
        if not run.over:
            running = run, outcome
        else:
            cell, running = cell + 1, None
            finished.append(outcome)
    joined = Outcome(*map(np.array, zip(*finished, strict=True))) if finished else _unknown((0, e.runs))
    return state._replace(cell=cell, running=running), joined


def _seen(outcome: Outcome, state: State, trace: Trace, target: float | None) -> Outcome:
    """The outcome of runs that have come as far as `state`, with these records on the way; arrays (R,)."""
    final, best, steps, _ = outcome
    if len(trace.update):
        loss = np.where(np.isfinite(trace.loss), trace.loss, np.nan).astype(np.float64)
        final, best = loss[:, -1], np.fmin(best, np.fmin.reduce(loss, axis=1))
        if target is not None:
            there = loss <= target
            first = np.where(there.any(1), trace.update[there.argmax(1)], -1)
            steps = np.where(steps >= 0, steps, first)
    return Outcome(final, best, steps, state.diverged_at)


def _unknown(shape: tuple[int, ...]) -> Outcome:
    losses = (np.full(shape, np.nan) for _ in range(2))
    numbers = (np.full(shape, -1, dtype=np.int64) for _ in range(2))
    return Outcome(*losses, *numbers)
