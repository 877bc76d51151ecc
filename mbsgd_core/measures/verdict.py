"""Who got where, by which clock (floor 4)."""

from typing import Any, NamedTuple

import numpy as np

from mbsgd_core.experiment import Experiment
from mbsgd_core.measures.diagnosis import Diagnosis
from mbsgd_core.measures.text import number
from mbsgd_core.types import CLOCKS, Trace

SHARE = 0.01  # of the start's excess that the target leaves
_BY = {"updates": "Per update", "samples": "Per sample", "epochs": "Per epoch", "seconds": "By the clock"}


class Target(NamedTuple):
    """The loss to be reached."""

    loss: float | None
    text: str


def target(traces: list[Trace], lowest: float | None) -> Target:
    """1 % of the start's excess over the optimum, or over the best loss that any lane saw where none is known."""
    first = float(traces[0].loss[0, 0])
    seen = [float(np.nanmin(t.loss)) for t in traces if np.isfinite(t.loss).any()]
    if not np.isfinite(first) or not seen:
        return Target(None, "no target: the start has no finite loss")
    floor, over = (lowest, "the optimum") if lowest is not None else (min(seen), "the lowest loss seen")
    return Target(floor + SHARE * (first - floor), f"to 1 % of the start's excess over {over}")


def verdict(
    experiment: Experiment,
    lane: int,
    trace: Trace,
    seconds_per_update: float,
    lowest: float | None,
    goal: float | None,
    noise: float | None,
    diagnosis: Diagnosis,
) -> dict[str, Any]:
    """One lane's row of the verdict table; losses are means over the runs that did not diverge, None if none."""
    loss = trace.loss[np.isfinite(trace.loss).all(1)]
    final: float | None = None
    best: float | None = None
    reached: int | None = None
    if len(loss):
        mean = loss.mean(0)
        final, best = float(mean[-1]), float(loss.min(1).mean())
        if goal is not None and (mean <= goal).any():
            reached = int((mean <= goal).argmax())
    row: dict[str, Any] = _clocks(experiment, lane, trace, len(trace.update) - 1, seconds_per_update)
    to_target = (
        dict.fromkeys(CLOCKS) if reached is None else _clocks(experiment, lane, trace, reached, seconds_per_update)
    )
    return (
        row
        | {"final_loss": final, "best_loss": best}
        | {"excess": None if final is None or lowest is None else final - lowest}
        | {f"{clock}_to_target": to_target[clock] for clock in CLOCKS}
        | {"noise": noise, "stable": diagnosis.stable, "why": diagnosis.why}
    )


def _clocks(experiment: Experiment, lane: int, trace: Trace, record: int, seconds_per_update: float) -> dict[str, Any]:
    updates = int(trace.update[record])
    return {
        "updates": updates,
        "samples": int(trace.samples[record]),
        "epochs": updates / max(experiment.updates_per_epoch(lane), 1),
        "seconds": updates * seconds_per_update,
    }


def sentence(clock: str, labels: list[str], rows: list[dict[str, Any]], finished: bool) -> str:
    """Who reaches the target first by this clock, in one sentence; ties and failures are said."""
    times = {i: row[f"{clock}_to_target"] for i, row in enumerate(rows)}
    arrived = sorted((i for i in times if times[i] is not None), key=lambda i: times[i])
    if not arrived:
        return _nobody(labels, rows, finished)
    missing = [labels[i] for i in times if times[i] is None]
    verb = "does" if len(missing) == 1 else "do"
    rest = f"; {_list(missing)} {verb} not{'' if finished else ' yet'} reach it" if missing else ""
    winners = [labels[i] for i in arrived if times[i] == times[arrived[0]]]
    others = [i for i in arrived if times[i] != times[arrived[0]]]
    best = _amount(clock, times[arrived[0]])
    if len(winners) > 1:
        against = f", {labels[others[0]]} after {_amount(clock, times[others[0]])}" if others else ""
        return f"{_BY[clock]}, {_list(winners)} tie: they reach the target after {best}{against}{rest}."
    if not others:
        only = f"Only {winners[0]} reaches" if missing else f"{winners[0]} reaches"
        return f"{only} the target, after {best}."
    second = _amount(clock, times[others[0]])
    if clock != "seconds":  # the unit was just said
        second = second.split()[0]
    return f"{_BY[clock]}, {winners[0]} gets there first: {best} against {second} for {labels[others[0]]}{rest}."


def _nobody(labels: list[str], rows: list[dict[str, Any]], finished: bool) -> str:
    final = {i: row["final_loss"] for i, row in enumerate(rows) if row["final_loss"] is not None}
    if not final:
        return "Every lane diverged."
    low = min(final, key=lambda i: final[i])
    equal = [labels[i] for i in final if final[i] == final[low]]
    opening = "Nobody reached the target" if finished else "Nobody has reached the target yet"
    return f"{opening}; the lowest loss is {number(final[low])}, by {_list(equal)}."


def _list(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _amount(clock: str, value: float) -> str:
    if clock == "seconds":
        return f"{number(value * 1e3)} ms" if value < 1 else f"{number(value)} s"
    shown = number(value) if clock == "epochs" else f"{value:,}"
    return f"{shown} {clock[:-1] if value == 1 else clock}"
