"""Who got where, at what cost, who is ahead (floor 4). Lanes are ranked here and nowhere else; needs no torch."""

from collections.abc import Callable, Sequence

import numpy as np

from mbsgd_core.experiment import Experiment
from mbsgd_core.format import NONE, count, number, percent, seconds, steady
from mbsgd_core.measures.headline import NAMES, cost_of, headline, level_with
from mbsgd_core.results.cost import Costs
from mbsgd_core.results.verdict import Column, Diagnosis, Passages, Row, Spent, Target, Verdict
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
    train_accuracy: float | None = None,
    rmse: float | None = None,
    r2: float | None = None,
    average_test_accuracy: float | None = None,
) -> Row:
    """One lane's row; losses are means over the runs that did not diverge, None where there are none.

    Args:
        experiment, lane: whose trace it is; theta is not looked at.
        costs: of an update of this lane; None: not measured yet.
        diagnosis: as measures.diagnosis made it of this trace.
        goal: the loss to be reached, where there is one.
        lowest: the least value of the objective, where known.
        noise: the relative noise of a batch gradient at the start.
        test_loss, test_accuracy, train_accuracy, rmse, r2, average_test_accuracy: at the end; None, or not finite,
            where there are none.
    """
    each = max(experiment.updates_per_epoch(lane), 1)

    def spent(record: int) -> Spent:
        updates = int(trace.update[record])
        return Spent.of(updates, int(trace.samples[record]), updates / each, costs)

    sound = np.isfinite(trace.loss).all(1)
    if trace.loss.shape[0] == 1 and diagnosis.diverged_at is not None:
        sound[:] = False
    last, passages = len(trace.update) - 1, Passages(runs=len(sound))
    final = best = floor = average = None
    if sound.any():
        mean = trace.loss[sound].mean(0)
        final, best = float(mean[-1]), float(trace.loss[sound].min(1).mean())
        average = float(trace.average_loss[sound, -1].mean()) if trace.averages else None
        if lowest is not None:
            floor = float(mean[2 * trace.update >= trace.update[-1]].mean()) - lowest
        if goal is not None:
            passages = _passages(trace.loss[sound] <= goal, len(sound), spent)
    elif diagnosis.diverged_at is not None:
        last = min(last, int(np.searchsorted(trace.update, diagnosis.diverged_at)))
    first = float(trace.loss[0, 0])
    return Row(
        label=experiment.lanes[lane].label,
        updates_per_epoch=each,
        spent=spent(last),
        passages=passages,
        start_loss=_known(first),
        final_loss=final,
        best_loss=best,
        excess=None if final is None or lowest is None else final - lowest,
        diagnosis=diagnosis,
        floor=floor,
        noise=_known(noise),
        test_loss=_known(test_loss),
        test_accuracy=_known(test_accuracy),
        train_accuracy=_known(train_accuracy),
        rmse=_known(rmse),
        r2=_known(r2),
        average_loss=_known(average),
        average_test_accuracy=_known(average_test_accuracy),
    )


def _passages(below: np.ndarray, runs: int, spent: Callable[[int], Spent]) -> Passages:
    """From whether each record of the sound runs is at or below the target, (S, K), of so many runs in all."""
    records = below.shape[1]
    first = np.where(below.any(1), below.argmax(1), records)
    stays = records - np.where(below.all(1), records, (~below[:, ::-1]).argmax(1))

    def half(found: np.ndarray) -> Spent | None:
        ordered = np.sort(found[found < records])  # a run that is lost never came
        needed = (runs + 1) // 2
        return spent(int(ordered[needed - 1])) if len(ordered) >= needed else None

    reached, stayed = int((first < records).sum()), int((stays < records).sum())
    return Passages(half(first), half(stays), reached, stayed, runs)


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
            Column(f"{clock}_{key}", f"{label}, {NAMES.get(clock, clock)}", f"{title}: {goal.text if goal else ''}")
            for clock in CLOCKS
            for key, label, title in _PASSAGES
        ]
    columns = [_BADGE, *columns, _WHY]
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
    Column("floor", "floor", "Mean excess over the optimum in the last half of the updates: where its noise holds it"),
    Column("test_loss", "test loss", "Mean loss of the test rows, without penalty"),
    Column("train_accuracy", "train accuracy", "Share of the training rows that are right"),
    Column("test_accuracy", "test accuracy", "Share of the test rows that are right"),
    Column("rmse", "RMSE", "Root mean squared error in the target's own units, of the test rows where there are any"),
    Column("r2", "R²", "1 perfect, 0 no better than predicting the mean of these rows"),
    Column("average_loss", "loss of the average", "Full objective of the averaged iterate at the end"),
    Column("average_test_accuracy", "its test accuracy", "Share of the test rows that the averaged iterate gets right"),
    Column("rate_limit", "rate limit", "The largest rate that is stable with the lane's own batches, if known"),
    Column("noise", "noise", "Spread of the batch gradients at the start, in lengths of the full gradient"),
)
_PASSAGES = (
    ("to_target", "first reached", "The first record at the target; of several runs, when half of them had been there"),
    ("stays", "stays below from", "From here on no record is above the target; of several runs, for half of them"),
)
_BADGE = Column("badge", "how it ended", "What became of the lane")
_WHY = Column("why", "why", "The reason, measured")


def _value(row: Row, key: str) -> float | None:
    if key in CLOCKS:
        return None if row.spent.by(key) == INF else row.spent.by(key)
    for end, found in (("_to_target", row.passages.first), ("_stays", row.passages.stays)):
        if key.endswith(end):
            return found.by(key.removesuffix(end)) if found else None
    if key == "rate_limit":
        return row.diagnosis.limit
    value: float | None = getattr(row, key)
    return value


_WRITTEN: dict[str, Callable[[float | None], str]] = {
    "updates": count, "samples": count, "epochs": number, "seconds": seconds, "noise": number, "rate_limit": number,
    "pytorch_seconds": seconds, "test_accuracy": percent, "train_accuracy": percent, "average_test_accuracy": percent,
    "r2": number,
}  # fmt: skip


_WORDS: dict[str, Callable[[Row], str]] = {
    "badge": lambda row: row.diagnosis.badge.name,
    "why": lambda row: row.diagnosis.badge.text,
}


def _cell(row: Row, key: str) -> str:
    if key in _WORDS:
        return _WORDS[key](row)
    value, passages = _value(row, key), row.passages
    if key in TIMES and value is not None:
        return cost_of(key, row.spent)
    for end, spent, made, missed in (
        ("_to_target", passages.first, passages.reached, "not reached"),
        ("_stays", passages.stays, passages.stayed, "never"),
    ):
        if key.endswith(end):
            several = f"{count(made)} of {count(passages.runs)} runs" if made < passages.runs else ""
            if row.lost or spent is None:
                return NONE if row.lost else missed if passages.runs == 1 else several
            clock = key.removesuffix(end)
            said = cost_of(clock, spent) if clock in TIMES else _WRITTEN[clock](value)
            return f"{said} ({several})" if several else said
    return _WRITTEN.get(key, steady)(value)


_HIGH = ("test_accuracy", "train_accuracy", "average_test_accuracy", "r2")  # the higher the better


def _best(rows: Sequence[Row], key: str) -> int | None:
    """The one lane that is best in a column; None where none is, or where the best are written alike."""
    if key in (*CLOCKS, "noise", "rate_limit", *_WORDS):
        return None
    sign = -1 if key in _HIGH else 1
    found = {i: sign * value for i, row in enumerate(rows) if not row.lost and (value := _value(row, key)) is not None}
    if len(found) < 2:
        return None
    first, second = sorted(found, key=lambda i: found[i])[:2]
    clock, one, other = key.removesuffix("_to_target"), rows[first].to_target, rows[second].to_target
    alike = _cell(rows[first], key) == _cell(rows[second], key)
    return None if alike or (clock in TIMES and one and other and level_with(clock, one, other)) else first


def _known(value: float | None) -> float | None:
    return float(value) if value is not None and np.isfinite(value) else None
