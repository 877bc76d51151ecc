"""The command "run" (floor 6): train all lanes, report them, save their trajectories."""

import json
import math
import os
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import torch

from mbsgd_core import engine
from mbsgd_core.errors import LabError
from mbsgd_core.experiment import Experiment
from mbsgd_core.types import State, Trace

CHUNK_SECONDS = 0.1  # between two movements of the bar
REPORT_EVERY = 100  # updates between two lines of --verbose


def run(experiment: Experiment, out: Path | None, every: int | None, quiet: bool, verbose: bool) -> None:
    """Train every lane; one JSON object a lane on standard output.

    Args:
        experiment: all of it.
        out: the npz file for the trajectories, or None.
        every: which updates to keep, as in `engine.records`.
        quiet: draw no progress bar.
        verbose: show the running batch loss instead of the bar.
    """
    if out is not None:
        _must_be_writable(out)
    problem = experiment.problem
    if problem.sample_count * problem.parameter_count * experiment.runs < 10_000_000:
        torch.set_num_threads(1)  # waking a second thread would cost more than the work
    arrays: dict[str, np.ndarray] = {"experiment": np.array(experiment.to_json())}
    for i in range(len(experiment.lanes)):
        state, trace, seconds = train(experiment, i, every, bar=not (quiet or verbose), losses=verbose)
        print(json.dumps(report(state, trace, seconds), allow_nan=False), flush=True)
        if out is not None:
            arrays |= {f"lane{i}/{name}": getattr(trace, name) for name in Trace._fields}
    if out is not None:
        with out.open("wb") as file:  # an open file, since numpy would append .npz to a bare name
            np.savez(file, **arrays)  # type: ignore[arg-type]


def train(experiment: Experiment, lane: int, every: int | None, bar: bool, losses: bool) -> tuple[State, Trace, float]:
    """A whole lane in chunks: the last state, the trace with record 0, and the seconds spent in `advance`."""
    state = engine.init(experiment, lane)
    engine.advance(state, 1, every)  # pays for the first call of everything, which is not training
    traces, seconds, chunk = [engine.snapshot(state)], 0.0, REPORT_EVERY
    batches = engine.batch_indices(experiment, lane, range(experiment.updates(lane)))
    updates = experiment.updates(lane)
    while state.update < updates:
        if losses and state.update + chunk <= updates:
            _report_losses(state, batches)
        began = perf_counter()
        state, trace = engine.advance(state, chunk, every)
        spent = perf_counter() - began
        seconds += spent
        traces.append(trace)
        if bar:
            _draw_bar(experiment.lanes[lane].label, state.update, updates)
        if not losses:
            chunk = max(1, int(chunk * min(2.0, CHUNK_SECONDS / spent)))
    if bar:
        print(file=sys.stderr)
    joined = [np.concatenate(parts, axis=int(i > 2)) for i, parts in enumerate(zip(*traces, strict=True))]
    return state, Trace(*joined), seconds


def report(state: State, trace: Trace, seconds: float) -> dict[str, Any]:
    """What a lane came to, in the units of every clock; means are over the runs that did not diverge."""
    experiment, sound = state.experiment, state.diverged_at < 0
    bad = state.diverged_at[~sound]
    epoch = sum(experiment.lanes[state.lane].sampler.sizes(experiment.problem.sample_count))
    loss = trace.loss[sound].astype(np.float64)
    line = {
        "label": experiment.lanes[state.lane].label,
        "updates": int(trace.update[-1]),
        "samples": int(trace.samples[-1]),
        "epochs": int(trace.samples[-1]) / epoch,
        "seconds": seconds,
        "loss": _mean(loss[:, -1]),
        "best_loss": _mean(loss.min(axis=1)),  # of the kept records
        "diverged_at": int(bad.min()) if len(bad) else None,
    }
    problem = engine.finite_sum(experiment)
    tests = [problem.test_metrics(theta) for theta in state.theta]
    for name in tests[0]:
        line[name] = _mean(np.array([test[name] for test in tests])[sound])
    return line


def _report_losses(state: State, batches: Iterator[np.ndarray | None]) -> None:
    """The mean batch loss of run 0 over the next 100 updates, each batch at the iterate where it is used.

    Makes these updates by itself, one at a time, so that measuring does not touch the run or its time.
    """
    problem, total = engine.finite_sum(state.experiment), 0.0
    for indices in islice(batches, REPORT_EVERY):
        theta = state.theta[:1]
        with torch.no_grad():
            if indices is None:
                loss = problem.objective(theta)
            else:
                loss = problem.losses(theta, torch.as_tensor(indices, device=theta.device)[None]).mean()
        total += loss.item()
        state, _ = engine.advance(state, 1, every=state.experiment.updates(state.lane))  # keeps, so evaluates, nothing
    label = _plain(state.experiment.lanes[state.lane].label)
    print(f"{label}: update {state.update}, running batch loss {total / REPORT_EVERY:.6g}", file=sys.stderr)


def _mean(values: np.ndarray) -> float | None:
    mean = float(values.mean()) if len(values) else math.nan
    return mean if math.isfinite(mean) else None


def _draw_bar(label: str, done: int, updates: int) -> None:
    # Into a file or a pipe goes the finished bar alone.
    if done < updates and not sys.stderr.isatty():
        return
    filled = "#" * (30 * done // updates)
    print(f"\r{_plain(label)[:20]:<20} [{filled:<30}] {done}/{updates} updates", end="", file=sys.stderr, flush=True)


def _plain(label: str) -> str:
    """A label that cannot move the terminal's cursor."""
    return label if label.isprintable() else ascii(label)[1:-1]


def _must_be_writable(path: Path) -> None:
    place = path if path.exists() else path.parent
    if path.is_dir() or not place.exists() or not os.access(place, os.W_OK):
        raise LabError(f"--out: {path} cannot be written; give a file in a folder that exists and is yours")
