"""The command "sweep" (floor 6): train all lanes in every cell of a grid, say where it went best, save the grid."""

import argparse
import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import torch

from mbsgd_core import engine
from mbsgd_core.axes import Axis, changes, find, validated
from mbsgd_core.cli.arguments import add_experiment, must_be_writable, read_experiment, whole_number
from mbsgd_core.cli.terminal import draw_bar
from mbsgd_core.engine import Part, Sweep, SweepState
from mbsgd_core.errors import ExperimentError, LabError
from mbsgd_core.experiment import Experiment
from mbsgd_core.texts import parse

BAR_SECONDS = 0.1  # between two movements of the bar
COUNT = 10_000  # values of an axis at most
SYNTAX = "NAME=FIRST:LAST:COUNT, NAME=FIRST:LAST:COUNT:log or NAME=V1,V2,V3"


def options(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    add_experiment(parser)
    parser.add_argument("--x", metavar="AXIS", required=True, help=f"a knob and its values: {SYNTAX}")
    parser.add_argument("--y", metavar="AXIS", help="the same for a second knob")
    parser.add_argument("--target", metavar="LOSS", help="count the updates until the loss is this low")
    parser.add_argument("--out", metavar="FILE.npz", type=Path, help="save losses, steps and divergence of every cell")
    parser.add_argument("--every", metavar="N", type=whole_number, help="look at updates 0, N, 2N ... and the last")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")


def execute(given: argparse.Namespace) -> None:
    """Compute every cell; one JSON object a lane on standard output, the grid in the file of --out.

    The experiment's lanes are the methods, its runs the repetitions of each cell.
    """
    experiment, out = read_experiment(given.experiment), given.out
    texts = {"--x": given.x} | ({"--y": given.y} if given.y is not None else {})
    axes = [read_axis(experiment, option, text) for option, text in texts.items()]
    if len({name for name, _ in axes}) < len(axes):
        raise LabError(f"--x and --y are both {axes[0][0]}; give two different knobs")
    loss = None if given.target is None else _number(given.target, "--target")
    state = engine.sweep_init(experiment, dict(axes), loss, given.every)
    if out is not None:
        must_be_writable(out)
    problem = experiment.problem
    if problem.sample_count * problem.parameter_count * experiment.runs < 10_000_000:
        torch.set_num_threads(1)  # waking a second thread would cost more than the work
    parts: list[Part] = []
    try:
        while not state.finished:
            state = _lane(state, parts, given.quiet)
    finally:  # Ctrl-C keeps what is there
        if out is not None and parts:
            _save(out, state, parts)


def read_axis(experiment: Experiment, option: str, text: str) -> tuple[str, list[int | float]]:
    """(name, values) of an axis; a range of a knob that takes whole numbers is rounded to them.

    Args:
        experiment: has the knob.
        option: --x or --y, to name in an error.
        text: NAME=FIRST:LAST:COUNT, with :log evenly spaced in the logarithm, or NAME=V1,V2,V3.

    Raises:
        LabError: the text is none of these, or names no knob of the experiment.

    Example:
        >>> e = Experiment.model_validate({"problem": "quadratic", "lanes": [
        ...     {"sampler": "reshuffle", "schedule": "constant"}]})
        >>> read_axis(e, "--x", "momentum=0:0.9:4"), read_axis(e, "--y", "batch_size=1:64:4:log")
        (('momentum', [0.0, 0.3, 0.6, 0.9]), ('batch_size', [1.0, 4.0, 16.0, 64.0]))
    """
    name, equals, rest = (part.strip() for part in text.partition("="))
    if not (name and equals and rest):
        raise LabError(f"{option}: given {text[:60]!r}; expected {SYNTAX}")
    whole = find(experiment, name).whole
    if ":" not in rest:
        return name, [_number(part, f"{option} {name[:60]}", int if whole else float) for part in rest.split(",")]
    parts = [part.strip() for part in rest.split(":")]
    if len(parts) not in (3, 4) or parts[3:] not in ([], ["log"]):
        raise LabError(f"{option}: given {text[:60]!r}; expected {SYNTAX}")
    first, last, count, *scale = parts
    begin, end = (_number(part, f"{option} {name[:60]}") for part in (first, last))
    number = _number(count, f"{option} {name[:60]}", int)
    if not (isinstance(number, int) and 1 <= number <= COUNT):
        raise LabError(f"{option}: given {count[:20]} values; COUNT is a whole number from 1 to {COUNT:,}")
    if scale and min(begin, end) <= 0:
        raise LabError(f"{option}: given {first[:20]} to {last[:20]}; a log axis runs between numbers above 0")
    with np.errstate(all="ignore"):  # what overflows is refused with the other values
        values = np.geomspace(begin, end, number) if scale else np.linspace(begin, end, number)
    return name, np.round(values).tolist() if whole else values.tolist()


def report(state: SweepState, sweep: Sweep, lane: int, seconds: float) -> dict[str, Any]:
    """What a lane's grid came to; losses and steps are means over a cell's runs, of cells where none diverged."""
    final, best, steps, diverged_at = sweep.lanes[lane]
    known = (np.isfinite(final) | (diverged_at >= 0)).all(-1)
    sound = known & (diverged_at < 0).all(-1)
    measured = {
        "final_loss": np.where(sound, final.mean(-1), np.inf),
        "best_loss": np.where(sound, best.mean(-1), np.inf),
        "steps_to_target": np.where(sound & (steps >= 0).all(-1), steps.mean(-1), np.inf),
    }
    own = [i for i, axis in enumerate(state.axes) if _concerns(axis, lane)]
    line: dict[str, Any] = {
        "label": state.experiment.lanes[lane].label,
        "cells": int(known.sum()),
        "wall_seconds": seconds,
        "diverged": int((diverged_at >= 0).any(-1).sum()),
    }
    warning = None
    for name, values in measured.items():
        at = _lowest(values, state.axes)
        line[name] = None
        if at is not None:
            where = [state.axes[i].values[at[i]] for i in range(len(at))]
            line[name] = {"value": float(values[at[::-1]]), **{state.axes[i].name: where[i] for i in own}}
            if name != "best_loss":  # the target's, where it is asked for and reached
                warning = _edge_warning(state, where, own, name)
    return {**line, "warning": warning}


def _lane(state: SweepState, parts: list[Part], quiet: bool) -> SweepState:
    """The next lane's cells, added to `parts`, with their line on standard output, an interrupted lane's too."""
    lane, seconds, done, drawn = state.lane, 0.0, 0, -math.inf
    label, cells = state.experiment.lanes[lane].label, state.cells[lane]
    try:
        while state.lane == lane:
            began = perf_counter()
            state, more = engine.sweep_advance(state)
            seconds += perf_counter() - began
            parts += more
            done += sum(len(part.cells) for part in more)
            if not quiet and (done == cells or perf_counter() > drawn + BAR_SECONDS):
                draw_bar(label, done, cells, "cells")
                drawn = perf_counter()
    finally:
        if not quiet and (done == cells or sys.stderr.isatty()):
            print(file=sys.stderr)
        if done:
            line = report(state, engine.sweep_join(state, parts), lane, seconds)
            print(json.dumps(line, allow_nan=False), flush=True)
    return state


def _concerns(axis: Axis, lane: int) -> bool:
    """Whether the lane has the axis' knob, or shares it."""
    return any(place[0] != "lanes" or place[1] == lane for place in axis.knob.places)


def _lowest(values: np.ndarray, axes: Sequence[Axis]) -> tuple[int, ...] | None:
    """Where the lowest value lies, as (x, y); of equals one inside the grid. None if none is finite."""
    if not np.isfinite(values).any():
        return None
    equals = np.argwhere(values == values.min())[:, ::-1]
    within = np.zeros(len(equals), dtype=int)
    for i, axis in enumerate(axes):
        at = np.array(axis.values)[equals[:, i]]
        within += (at > min(axis.values)) & (at < max(axis.values))
    return tuple(equals[within.argmax()].tolist())


def _edge_warning(state: SweepState, where: Sequence[int | float], own: Sequence[int], measure: str) -> str | None:
    """A sentence, if the lowest value lies on an edge of the grid beyond which the knob could go on."""
    edges = []
    for i in own:
        axis, value = state.axes[i], where[i]
        low, high = min(axis.values), max(axis.values)
        if axis.knob.name != "seed" and low < high and value in (low, high):
            beyond = list(where)
            beyond[i] = _next(value, value == high)
            if _accepted(state, beyond):
                edges.append(f"the {'upper' if value == high else 'lower'} end of {axis.name} ({value:g})")
    if not edges:
        return None
    words = measure.replace("_", " ")
    return f"the lowest {words} lies at {' and '.join(edges)}: a better one may lie beyond; widen the axis"


def _next(value: int | float, up: bool) -> int | float:
    if isinstance(value, int):
        return value + 1 if up else value - 1
    return math.nextafter(value, math.inf if up else -math.inf)


def _accepted(state: SweepState, values: Sequence[int | float]) -> bool:
    try:
        validated(state.experiment, changes(state.axes, values))
    except ExperimentError:
        return False
    return True


def _number(text: str, where: str, kind: type = float) -> int | float:
    try:
        number: int | float = parse(text.strip(), kind)
        return number
    except ValueError as error:
        raise LabError(f"{where}: given {text[:20]!r}; it should be {error}") from None


def _save(out: Path, state: SweepState, parts: Sequence[Part]) -> None:
    sweep = engine.sweep_join(state, parts)
    arrays: dict[str, np.ndarray] = {"experiment": np.array(state.experiment.to_json())}
    for letter, name, values in zip("xy", sweep.names, sweep.values, strict=False):
        arrays |= {letter: values, f"{letter}_name": np.array(name)}
    if state.target is not None:
        arrays["target"] = np.array(state.target)
    for i, outcome in enumerate(sweep.lanes):
        arrays |= {f"lane{i}/{name}": getattr(outcome, name) for name in outcome._fields}
    with out.open("wb") as file:  # an open file, since numpy would append .npz to a bare name
        np.savez(file, **arrays)  # type: ignore[arg-type]
