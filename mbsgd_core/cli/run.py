"""The command "run" (floor 6): train all lanes, report them, save their trajectories."""

import argparse
import json
import math
import sys
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import torch

from mbsgd_core import engine
from mbsgd_core.cli.arguments import add_experiment, must_be_writable, read_experiment, whole_number
from mbsgd_core.cli.terminal import draw_bar, plain
from mbsgd_core.experiment import Experiment
from mbsgd_core.measures import cost_table
from mbsgd_core.measures.limits import rate_limit
from mbsgd_core.results.cost import Costs
from mbsgd_core.types import State, Trace

CHUNK_SECONDS = 0.1  # between two movements of the bar
LARGE_FLOPS, LARGE_SUM = 2e8, 1e7  # of a network's update; of the samples times parameters of anything else
REPORT_EVERY = 100  # updates between two lines of --verbose, at most


def options(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    add_experiment(parser)
    parser.add_argument("--out", metavar="FILE.npz", type=Path, help="save the trajectories")
    parser.add_argument("--every", metavar="N", type=whole_number, help="keep updates 0, N, 2N ... and the last")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    parser.add_argument("--verbose", action="store_true", help="show the running batch loss every 100 updates")


def execute(given: argparse.Namespace) -> None:
    """Train every lane; one JSON object a lane on standard output, the trajectories in the file of --out."""
    experiment, out, verbose = read_experiment(given.experiment), given.out, given.verbose
    if out is not None:
        must_be_writable(out)
    if not _large(experiment):
        torch.set_num_threads(1)  # waking a second thread would cost more than the work
    arrays: dict[str, np.ndarray] = {"experiment": np.array(experiment.to_json())}
    for i, costs in enumerate(cost_table.calibrate(experiment)):
        began = perf_counter()
        state, trace = train(experiment, i, given.every, bar=not (given.quiet or verbose), losses=verbose)
        told = report(state, trace, costs, perf_counter() - began)
        print(json.dumps(told, allow_nan=False), flush=True)
        if out is not None:
            arrays |= {f"lane{i}/{name}": values for name, values in trace._asdict().items() if len(values)}
    if out is not None:
        with out.open("wb") as file:  # an open file, since numpy would append .npz to a bare name
            np.savez(file, **arrays)  # type: ignore[arg-type]


def _large(experiment: Experiment) -> bool:
    """Whether the work between two meetings of the threads, a layer's or a vector's, is worth a meeting."""
    problem = experiment.problem
    if problem.flops:
        return problem.flops * max(lane.sampler.size(problem.sample_count) for lane in experiment.lanes) > LARGE_FLOPS
    return problem.sample_count * problem.parameter_count * experiment.runs > LARGE_SUM


def train(experiment: Experiment, lane: int, every: int | None, bar: bool, losses: bool) -> tuple[State, Trace]:
    """A whole lane in chunks: the last state, and the trace with record 0."""
    state, chunk = engine.init(experiment, lane), 1
    if not _large(experiment):
        engine.advance(state, 1, every)  # pays for the first call of everything, which is not training
        chunk = REPORT_EVERY
    traces = [engine.snapshot(state)]
    updates = experiment.updates(lane)
    while not state.over:
        before = state
        heard: list[torch.Tensor] | None = [] if losses else None
        if losses:
            chunk = _to_next_report(experiment, lane, state.update)
        began = perf_counter()
        state, trace = engine.advance(state, chunk, every, heard)
        spent = perf_counter() - began
        traces.append(trace)
        if heard is not None:
            _report_loss(before, state.update, heard)
        else:
            chunk = max(1, int(chunk * min(2.0, CHUNK_SECONDS / spent)))
        if bar:
            draw_bar(experiment.lanes[lane].label, state.update, state.update if state.over else updates)
    if bar:
        print(file=sys.stderr)
    return state, engine.join(traces)


def report(state: State, trace: Trace, costs: Costs, wall_seconds: float) -> dict[str, Any]:
    """What a lane came to, in the units of every clock; means are over the runs that did not diverge.

    Args:
        state, trace: at the lane's end.
        costs: of an update, from the table. A lane that diverged is charged with the updates that were made.
        wall_seconds: a stopwatch around the whole lane: first calls, records and all.
    """
    experiment, sound = state.experiment, state.diverged_at < 0
    bad = state.diverged_at[~sound]
    epoch = sum(experiment.lanes[state.lane].sampler.sizes(experiment.problem.sample_count))
    loss = trace.loss[sound].astype(np.float64)
    made = int(trace.update[-1]) if sound.any() else int(bad.max())
    here, loop = (cost and cost.times(made) for cost in costs)
    line = {
        "label": experiment.lanes[state.lane].label,
        "updates": int(trace.update[-1]),
        "samples": int(trace.samples[-1]),
        "epochs": int(trace.samples[-1]) / epoch,
        "seconds": here and here.seconds,
        "seconds_uncertainty": here and here.uncertainty,
        "pytorch_seconds": loop and loop.seconds,
        "wall_seconds": wall_seconds,
        "loss": _mean(loss[:, -1]),
        "best_loss": _mean(loss.min(axis=1)),  # of the kept records
        "diverged_at": int(bad.min()) if len(bad) else None,
        "rate_limit": rate_limit(experiment, state.lane),
    }
    problem = engine.finite_sum(experiment)
    tests = [problem.test_metrics(theta) for theta in state.theta]
    for name in tests[0]:
        line[name] = _mean(np.array([test[name] for test in tests])[sound])
    return line | _average(state, trace) | _patience(state)


def _average(state: State, trace: Trace) -> dict[str, Any]:
    """What the lane's average came to, if it has one: the same means over runs."""
    if state.averaged is None:
        return {}
    sound, problem = state.diverged_at < 0, engine.finite_sum(state.experiment)
    line = {"average_loss": _mean(trace.average_loss[sound, -1].astype(np.float64))}
    tests = [problem.test_metrics(theta) for theta in state.averaged.value]
    return line | {f"average_{name}": _mean(np.array([test[name] for test in tests])[sound]) for name in tests[0]}


def _patience(state: State) -> dict[str, Any]:
    """Where a lane with patience stopped, and where its watched loss was lowest; null where neither happened."""
    if not state.experiment.budget.patience:
        return {}
    found = {"stopped_at": state.watch.stopped_at, "best_at": state.watch.best_at}
    return {name: update if update >= 0 else None for name, update in found.items()}


def _to_next_report(experiment: Experiment, lane: int, update: int) -> int:
    """Updates to the next line of --verbose: at every hundredth, and where an epoch of more than a hundred ends."""
    per_epoch = experiment.updates_per_epoch(lane)
    steps = [REPORT_EVERY, per_epoch] if per_epoch > REPORT_EVERY else [REPORT_EVERY]
    return min(experiment.updates(lane) - update, *(step - update % step for step in steps))


def _report_loss(before: State, update: int, heard: list[torch.Tensor]) -> None:
    """A line with the mean batch loss of run 0 over the updates since the line before, each at the iterate it met."""
    count = update - before.update
    losses = [float(loss[0]) for loss in heard] if len(heard) == count else list(_batch_losses(before, count))
    label = plain(before.experiment.lanes[before.lane].label)
    print(f"{label}: update {update}, running batch loss {sum(losses) / count:.6g}", file=sys.stderr)


def _batch_losses(state: State, count: int) -> Iterator[float]:
    """The next batch losses of run 0, where the engine has not heard them on its way.

    Makes these updates by itself, one at a time, so that measuring does not touch the run or its time.
    """
    problem, updates = engine.finite_sum(state.experiment), range(state.update, state.update + count)
    for indices in engine.batch_indices(state.experiment, state.lane, updates):
        theta = state.theta[:1]
        with torch.no_grad():
            if indices is None:
                loss = problem.objective(theta)
            else:
                loss = problem.losses(theta, torch.as_tensor(indices, device=theta.device)[None]).mean()
        yield loss.item()
        state, _ = engine.advance(state, 1, every=state.experiment.updates(state.lane))  # keeps, so evaluates, nothing


def _mean(values: np.ndarray) -> float | None:
    mean = float(values.mean()) if len(values) else math.nan
    return mean if math.isfinite(mean) else None
