"""Who got where, at what cost, who is ahead (floor 4). Lanes are ranked here and nowhere else; needs no torch."""

from collections.abc import Callable, Sequence

import numpy as np

from mbsgd_core.experiment import Experiment
from mbsgd_core.format import NONE, count, number, percent, seconds, steady
from mbsgd_core.measures.headline import NAMES, cost_of, headline, level_with
from mbsgd_core.results.cost import Costs
from mbsgd_core.results.verdict import Column, Diagnosis, Row, Spent, Target, Verdict
from mbsgd_core.types import CLOCKS, TIMES, Trace

SHARE = 0.01  # of the start's excess that the target leaves
INF = float("inf")


def target(traces: Sequence[Trace], lowest: float | None) -> Target:
    """1 % of the start's excess over the optimum, or over the best loss that any lane saw where none is known."""
    first = float(traces[0].loss[0, 0])
    seen = [float(np.nanmin(t.loss)) for t in traces if np.isfinite(t.loss).any()]
    if not np.isfinite(first) or not seen:
        return Target(None, "no target: the start has no finite loss")
    floor, over = (lowest, "the optimum") if lowest is not None else (min(seen), "the lowest loss seen")
    return Target(floor + SHARE * (first - floor), f"to 1 % of the start's excess over {over}")


def row(
    experiment: Experiment,
    lane: int,
    trace: Trace,
    costs: Costs | None,
    diagnosis: Diagnosis,
    *,
    goal: float | None = None,
    lowest: float | None = None,
    noise: float | None = None,
    test_loss: float | None = None,
    test_accuracy: float | None = None,
) -> Row:
    """One lane's row; losses are means over the runs that did not diverge, None where there are none.

    Args:
        experiment, lane: whose trace it is; theta is not looked at.
        costs: of an update of this lane; None: not measured yet.
        diagnosis: as measures.diagnosis made it of this trace.
        goal: the loss to be reached, where there is one.
        lowest: the least value of the objective, where known.
        noise: the relative noise of a batch gradient at the start.
        test_loss, test_accuracy: at the end; None, or not finite, where there are none.
    """
    each = max(experiment.updates_per_epoch(lane), 1)

    def spent(record: int) -> Spent:
        updates = int(trace.update[record])
        return Spent.of(updates, int(trace.samples[record]), updates / each, costs)

    sound = np.isfinite(trace.loss).all(1)
    if trace.loss.shape[0] == 1 and diagnosis.diverged_at is not None:
        sound[:] = False
    last, reached = len(trace.update) - 1, None
    final = best = None
    if sound.any():
        mean = trace.loss[sound].mean(0)
        final, best = float(mean[-1]), float(trace.loss[sound].min(1).mean())
        if goal is not None and (mean <= goal).any():
            reached = spent(int((mean <= goal).argmax()))
    elif diagnosis.diverged_at is not None:
        last = min(last, int(np.searchsorted(trace.update, diagnosis.diverged_at)))
    first = float(trace.loss[0, 0])
    return Row(
        label=experiment.lanes[lane].label,
        updates_per_epoch=each,
        spent=spent(last),
        to_target=reached,
        start_loss=_known(first),
        final_loss=final,
        best_loss=best,
        excess=None if final is None or lowest is None else final - lowest,
        diagnosis=diagnosis,
        noise=_known(noise),
        test_loss=_known(test_loss),
        test_accuracy=_known(test_accuracy),
    )


def verdict(rows: Sequence[Row], goal: Target | None = None) -> Verdict:
    """All that is said of lanes beside each other.

    Args:
        rows: of all lanes, in their order.
        goal: the loss to be reached. Without one lanes are ranked by what counts most of what is known of all of them:
            test accuracy, test loss, train loss.
    """
    aimed = goal is not None and goal.loss is not None
    by = next(iter(judged_by(rows)), "final_loss")
    orders = {clock: ranking(clock, rows, aimed) for clock in CLOCKS}
    columns = [column for column in _COLUMNS if any(_value(row, column.key) is not None for row in rows)]
    if aimed:
        columns += [
            Column(f"{clock}_to_target", f"to target, {NAMES.get(clock, clock)}", goal.text if goal else "")
            for clock in CLOCKS
        ]
    columns += _WORDS
    return Verdict(
        ranking=orders,
        headline={clock: headline(clock, rows, orders[clock], None if aimed else by) for clock in CLOCKS},
        columns=columns,
        cells=[{column.key: _cell(row, column.key) for column in columns} for row in rows],
        best={column.key: _best(rows, column.key) for column in columns},
    )


def ranking(clock: str, rows: Sequence[Row], aimed: bool = True) -> list[int]:
    """The lanes from best to worst.

    Aimed at a target: by what it cost, those that missed it by their final loss. Else by test accuracy, test loss and
    train loss, as far as all lanes that have an end know them. Those without an end come last, the latest lost first.
    """
    measure = judged_by(rows)

    def key(i: int) -> tuple[float, ...]:
        row = rows[i]
        if row.lost:
            return (1, -(INF if row.diagnosis.diverged_at is None else row.diagnosis.diverged_at))
        final = INF if row.final_loss is None else row.final_loss
        if aimed:
            return (0, _rank(clock, row, rows), final)
        return (0, *(value if value is not None else INF for value in (_ranked(row, name) for name in measure)))

    return sorted(range(len(rows)), key=key)


def _rank(clock: str, row: Row, rows: Sequence[Row]) -> float:
    """What the target cost by a clock; of times that are too close to call, the least of them."""
    if row.to_target is None:
        return INF
    others = [other.to_target for other in rows if clock in TIMES and other.to_target and not other.lost]
    return min(spent.by(clock) for spent in [row.to_target, *others] if level_with(clock, spent, row.to_target))


def judged_by(rows: Sequence[Row]) -> list[str]:
    """What lanes without a target are ranked by, what counts most first."""
    sound = [row for row in rows if not row.lost]
    names = ("test_accuracy", "test_loss", "final_loss")
    return [name for name in names if sound and all(getattr(row, name) is not None for row in sound)]


def _ranked(row: Row, name: str) -> float | None:
    """The smaller the better."""
    value: float | None = getattr(row, name)
    return -value if name == "test_accuracy" and value is not None else value


_COLUMNS = (
    Column("updates", "updates", "Updates made"),
    Column("samples", "samples", "Gradients of single samples computed"),
    Column("epochs", "epochs", "Passes over the data"),
    Column("seconds", "seconds", "Of these updates in this engine: their number times the calibrated cost of one"),
    Column(
        "pytorch_seconds", "PyTorch seconds", "The same of a plain PyTorch loop: nn.Module, torch.optim, one thread"
    ),
    Column("final_loss", "final loss", "Full objective at the end"),
    Column("best_loss", "best loss", "Lowest full objective on the way"),
    Column("excess", "excess", "Final loss above the optimum"),
    Column("test_loss", "test loss", "Mean loss of the test rows, without penalty"),
    Column("test_accuracy", "test accuracy", "Share of the test rows that are right"),
    Column("noise", "noise", "Spread of the batch gradients at the start, in lengths of the full gradient"),
)
_WORDS = (Column("badge", "how it ended", "What became of the lane"), Column("why", "why", "The reason, measured"))


def _value(row: Row, key: str) -> float | None:
    if key in CLOCKS:
        return None if row.spent.by(key) == INF else row.spent.by(key)
    if key.endswith("_to_target"):
        return row.to_target.by(key.removesuffix("_to_target")) if row.to_target else None
    value: float | None = getattr(row, key)
    return value


_WRITTEN: dict[str, Callable[[float | None], str]] = {
    "updates": count, "samples": count, "epochs": number, "seconds": seconds, "noise": number,
    "pytorch_seconds": seconds, "test_accuracy": percent,
}  # fmt: skip


_BADGE: dict[str, Callable[[Row], str]] = {
    "badge": lambda row: row.diagnosis.badge.name,
    "why": lambda row: row.diagnosis.badge.text,
}


def _cell(row: Row, key: str) -> str:
    if key in _BADGE:
        return _BADGE[key](row)
    value = _value(row, key)
    if key in TIMES and value is not None:
        return cost_of(key, row.spent)
    if not key.endswith("_to_target"):
        return _WRITTEN.get(key, steady)(value)
    if row.lost or row.to_target is None:
        return NONE if row.lost else "not reached"
    return cost_of(key.removesuffix("_to_target"), row.to_target)


def _best(rows: Sequence[Row], key: str) -> int | None:
    """The one lane that is best in a column; None where none is, or where the best are written alike."""
    if key in (*CLOCKS, "noise", *_BADGE):
        return None
    sign = -1 if key == "test_accuracy" else 1
    found = {i: sign * value for i, row in enumerate(rows) if not row.lost and (value := _value(row, key)) is not None}
    if len(found) < 2:
        return None
    first, second = sorted(found, key=lambda i: found[i])[:2]
    clock, one, other = key.removesuffix("_to_target"), rows[first].to_target, rows[second].to_target
    alike = _cell(rows[first], key) == _cell(rows[second], key)
    return None if alike or (clock in TIMES and one and other and level_with(clock, one, other)) else first


def _known(value: float | None) -> float | None:
    return float(value) if value is not None and np.isfinite(value) else None
