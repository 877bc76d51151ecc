"""The headline (floor 4): in a sentence or two who is ahead by a clock, at what price, and why. Needs no torch."""

import math
from collections.abc import Callable, Sequence

from mbsgd_core.format import count, listed, number, plural, seconds, share
from mbsgd_core.results.verdict import Headline, Row, Spent
from mbsgd_core.types import TIMES

LEVEL = 1.3  # times the least cost: lanes that all stay below it are nearly level, as a person reads a race
DEARER = 2  # times the lowest excess: a winner that ends higher than that has its price ...
SEEN = 1e-3  # ... if the gap is so much of the way down, so that it can be seen
MANY = 5  # times as many updates are worth a word
ALL = ("", "it", "both", "all three", "all four", "all five", "all six")
NAMES = {"pytorch_seconds": "seconds in PyTorch"}  # of clocks whose own name is no words
UNKNOWN = "What an update takes is being measured: nobody is ahead by seconds yet."
NO_LOOP = "torch.optim has no such rule: by PyTorch's clock nobody can be compared."
METRICS = {"test_accuracy": "test accuracy", "test_loss": "test loss", "final_loss": "loss"}


def headline(clock: str, rows: Sequence[Row], order: Sequence[int], by: str | None = None) -> Headline:
    """The headline by one of CLOCKS.

    Args:
        clock: one of CLOCKS.
        rows: of all lanes.
        order: the lanes, best first.
        by: where there is no target: the field of Row that lanes are judged by, one of METRICS.
    """
    lost = _lost(rows)
    if all(row.lost for row in rows):
        return Headline(lost, None)
    if max(row.spent.updates for row in rows) == 0:
        return Headline("All lanes stand at the start.", None)
    order = [i for i in order if not rows[i].lost]
    if by is None and any(math.isinf(rows[i].spent.by(clock)) for i in order):
        known = not any(math.isinf(rows[i].spent.by("seconds")) for i in order)
        return Headline(" ".join(filter(None, (NO_LOOP if known else UNKNOWN, lost))), None)
    said = _race(clock, rows, order) if by is None else _standing(rows, order, by)
    return Headline(" ".join(filter(None, (said.text, lost))), said.winner)


def amount(clock: str, value: float) -> str:
    """A cost by a clock, with its unit.

    Example:
        >>> amount("epochs", 0.4375), amount("updates", 1), amount("samples", 1200), amount("seconds", 0.0123)
        ('0.438 epochs', '1 update', '1,200 samples', '12.3 ms')
    """
    if clock in TIMES:
        return "not measured" if math.isinf(value) else seconds(value)
    return f"{number(value)} {'epoch' if value == 1 else 'epochs'}" if clock == "epochs" else plural(value, clock[:-1])


def cost_of(clock: str, spent: Spent) -> str:
    """What was spent by a clock, a time with its half width.

    Example:
        >>> spent = Spent(1, 32, 1.0, 2e-6, 3e-7)
        >>> cost_of("updates", spent), cost_of("seconds", spent), cost_of("pytorch_seconds", spent)
        ('1 update', '2 µs ± 0.3 µs', 'not measured')
    """
    text = amount(clock, spent.by(clock))
    off = spent.time(clock).uncertainty if clock in TIMES else 0.0
    return f"{text} ± {seconds(off)}" if off else text


def level_with(clock: str, spent: Spent, other: Spent) -> bool:
    """Whether two costs are the same: written alike; of times, their intervals overlap."""
    if clock in TIMES and math.isfinite(spent.by(clock) + other.by(clock)):
        return spent.time(clock).meets(other.time(clock))
    return amount(clock, spent.by(clock)) == amount(clock, other.by(clock))


def _race(clock: str, rows: Sequence[Row], order: Sequence[int]) -> Headline:
    """Who reaches the target first; `order` has no lost lane."""
    cost = {i: found.by(clock) for i in order if (found := rows[i].to_target) is not None}
    if not cost:
        return _nobody(rows, order)
    arrived = sorted(cost, key=lambda i: (cost[i], order.index(i)))
    best = arrived[0]
    tied = [i for i in arrived if level_with(clock, _target(rows[i]), _target(rows[best]))]
    spent, missing = cost_of(clock, _target(rows[best])), [rows[i].label for i in order if i not in cost]
    name = NAMES.get(clock, clock)
    level = _level(clock, rows, order)
    if level and len(order) > 1:
        return Headline(f"By {name} {level}.{_contrast(clock, rows, order, [])}", None)
    if len(rows) == 1:
        text = f"{rows[best].label} reaches the target after {spent}"
    elif len(arrived) == 1:
        reaches = "reaches the target" if not _unfinished(rows, order) else "has reached the target so far"
        text = f"Only {rows[best].label} {reaches} ({spent})"
    elif len(tied) > 1:
        others = [f", {rows[i].label} after {amount(clock, cost[i])}" for i in arrived if i not in tied][:1]
        labels, last = listed([rows[i].label for i in tied]), cost_of(clock, _target(rows[tied[-1]]))
        if clock in TIMES:
            text = f"By {name} {labels} are too close to call: {spent} and {last} to the target{''.join(others)}"
        else:
            text = f"By {name} {labels} tie: {spent} to the target{''.join(others)}"
    else:
        second = arrived[1]
        against = cost_of(clock, _target(rows[second]))
        against = against if clock in TIMES else against.split()[0]
        text = f"By {name} {rows[best].label} is first to the target ({spent}; {rows[second].label} {against})"
    if len(tied) == 1:
        text += _price(rows, order, best)
    if missing and len(arrived) > 1:
        does = "does" if len(missing) == 1 else "do"
        text += f"; {listed(missing)} {does} not reach it{' yet' if _unfinished(rows, order) else ''}"
    return Headline(f"{text}.{_contrast(clock, rows, order, tied)}", best if len(tied) == 1 else None)


def _target(row: Row) -> Spent:
    """What a lane that arrives has spent then."""
    assert row.to_target is not None
    return row.to_target


def _level(clock: str, rows: Sequence[Row], order: Sequence[int]) -> str:
    """What is said where all sound lanes cost the same, or nearly; "" elsewhere, and of times with half widths."""
    costs = sorted(found.by(clock) for i in order if (found := rows[i].to_target) is not None)
    if clock in TIMES or len(costs) < max(2, len(order)) or costs[-1] > LEVEL * costs[0]:
        return ""
    low, high = amount(clock, costs[0]), amount(clock, costs[-1])
    if low == high:
        return f"{listed([rows[i].label for i in order])} tie: {low} to the target"
    if low.split()[1:] == high.split()[1:]:
        low = low.split()[0]
    return f"{_who(rows, order)} are nearly level: {low} to {high} to the target"


def _price(rows: Sequence[Row], order: Sequence[int], winner: int) -> str:
    """What the winner pays: it never settles, or it ends higher than another."""
    row, lowest = rows[winner], min(order, key=lambda i: _final(rows[i]))
    least = rows[lowest]
    ends = f"it ends at {number(row.final_loss)}"
    behind = _final(row) - _final(least) > SEEN * ((row.start_loss or 0.0) - _final(least))
    if row.excess is not None and least.excess is not None:
        behind = behind and row.excess > DEARER * least.excess
    other = f", {least.label} at {number(least.final_loss)}" if behind else ""
    if row.diagnosis.badge.name == "bouncing":
        return f", but it never settles: {ends}{other}"
    return f", but {ends}{other}" if behind else ""


def _contrast(clock: str, rows: Sequence[Row], order: Sequence[int], winners: Sequence[int]) -> str:
    """What another clock says, where that is something else, and why: " By updates both are nearly level: ..."."""
    other = "epochs" if clock == "updates" else "updates"
    costs = {i: found.by(other) for i in order if (found := rows[i].to_target) is not None}
    if len(costs) < 2:
        return ""
    first = min(costs, key=lambda i: costs[i])
    level = _level(other, rows, order)
    if level:
        said = f" By {other} {level.split(':')[0]}" if winners else ""
    elif first not in winners:
        said = f" By {other} {rows[first].label} is first ({amount(other, costs[first])})"
    else:
        said = ""
    return f"{said}{_why(clock, rows, order)}." if said else ""


def _why(clock: str, rows: Sequence[Row], order: Sequence[int]) -> str:
    """Why two clocks differ: how many updates an epoch has, or how long they take."""

    def pace(i: int) -> float:
        return rows[i].spent.by(clock) / max(rows[i].spent.updates, 1)

    def epoch(i: int) -> float:
        return rows[i].updates_per_epoch

    of: Callable[[int], float] = pace if clock in TIMES else epoch
    low, high = min(order, key=of), max(order, key=of)
    if of(high) < MANY / 2 * of(low):
        return ""
    if clock in TIMES:
        return f": an update takes {rows[high].label} {seconds(pace(high))}, {rows[low].label} {seconds(pace(low))}"
    many, few = plural(epoch(high), "update"), count(epoch(low))
    return f": an epoch is {many} for {rows[high].label}, {few} for {rows[low].label}"


def _nobody(rows: Sequence[Row], order: Sequence[int]) -> Headline:
    names = {rows[i].diagnosis.badge.name for i in order}
    common = names.pop() if len(names) == 1 and not names & {"unfinished", "settled"} else ""
    lowest, remedy = number(rows[order[0]].final_loss), _shared_remedy(rows, order)
    if len(order) == 1:
        misses = "has not reached the target yet" if _unfinished(rows, order) else "does not reach the target"
        is_so = f"it is {common}, at" if common else "it is at"
        return Headline(f"{rows[order[0]].label} {misses}: {is_so} a loss of {lowest}.{remedy}", None)
    opening = "Nobody has reached the target yet" if _unfinished(rows, order) else "Nobody reaches the target"
    opening += f": {_who(rows, order)} are {common}" if common else ""
    equal = [rows[i].label for i in order if number(rows[i].final_loss) == lowest]
    return Headline(f"{opening}; the lowest loss is {lowest}, by {listed(equal)}.{remedy}", None)


def _standing(rows: Sequence[Row], order: Sequence[int], by: str) -> Headline:
    """Who is best by what the test rows, or the loss, say; `order` has no lost lane."""
    write = share if by == "test_accuracy" else number
    said = {i: write(getattr(rows[i], by)) for i in order}
    level = [i for i in order if said[i] == said[order[0]]]
    others = ", ".join(f"{rows[i].label} {said[i]}" for i in order if i not in level)
    others = f", {others}" if others else ""
    so_far = " so far" if _unfinished(rows, order) else ""
    flat = [i for i in sorted(order) if rows[i].diagnosis.badge.name == "flat"]
    if len(order) == 1:
        text = f"{rows[order[0]].label} has a {METRICS[by]} of {said[order[0]]}{so_far}."
    elif len(level) == 1:
        text = f"{rows[order[0]].label} is ahead by {METRICS[by]}{so_far}: {said[order[0]]}{others}."
    else:
        who = _who(rows, level) if not others else listed([rows[i].label for i in level])
        text = f"{who[0].upper()}{who[1:]} are level by {METRICS[by]}{so_far}: {said[order[0]]}{others}."
    most, fewest = (pick(order, key=lambda i: rows[i].spent.updates) for pick in (max, min))
    if rows[most].spent.updates >= MANY * rows[fewest].spent.updates > 0:
        few, many = count(rows[fewest].spent.updates), count(rows[most].spent.updates)
        text += f" {rows[fewest].label} made {few} updates, {rows[most].label} {many}."
    if flat:
        labels = listed([rows[i].label for i in flat])
        text += f" {labels} {'is' if len(flat) == 1 else 'are'} flat: the same answer for every row."
    return Headline(text, order[0] if len(level) == 1 < len(order) and order[0] not in flat else None)


def _lost(rows: Sequence[Row]) -> str:
    """The sentences about lanes that diverged or fell out of the surface; "" where there are none."""
    escaping = [i for i, row in enumerate(rows) if row.lost and row.diagnosis.badge.name == "escaping"]
    diverged = [i for i, row in enumerate(rows) if row.lost and i not in escaping]
    said = []
    if diverged and all(rows[i].diagnosis.diverged_at == 0 for i in diverged):
        said.append(rows[diverged[0]].diagnosis.badge.why)
    elif diverged:
        found = [rows[i].diagnosis for i in diverged]
        rates = {number(d.rate) for d in found}
        opening = f"{'At this rate' if len(rates) == 1 else 'At these rates'} " if len(diverged) == len(rows) else ""
        limits = list(dict.fromkeys(number(d.limit) for d in found if d.limit is not None and d.limit < d.rate))
        text = f"{opening}{_who(rows, diverged)} {'diverges' if len(diverged) == 1 else 'diverge'}"
        if limits:
            text += f": the limit is {limits[0]}" if len(limits) == 1 else f": the limits are {listed(limits)}"
        remedies = [d.badge.remedy for d in found if d.badge.remedy is not None]
        if len(remedies) == len(found):
            text += f"; try {min(remedies, key=lambda r: r.value).text.split()[-1]}"
        said.append(f"{text[0].upper()}{text[1:]}.")
    if escaping:
        who, falls = _who(rows, escaping), "falls" if len(escaping) == 1 else "fall"
        said.append(f"{who[0].upper()}{who[1:]} {falls} without end: the surface has no lowest point on the way.")
    return " ".join(said)


def _shared_remedy(rows: Sequence[Row], order: Sequence[int]) -> str:
    found = {rows[i].diagnosis.badge.remedy for i in order}
    remedy = found.pop() if len(found) == 1 else None
    return f" {remedy.text}." if remedy else ""


def _who(rows: Sequence[Row], some: Sequence[int]) -> str:
    """ "all three" for all lanes of several, else their labels."""
    everyone = 1 < len(some) == len(rows)
    if everyone:
        return ALL[len(some)] if len(some) < len(ALL) else f"all {len(some)}"
    return listed([rows[i].label for i in some])


def _final(row: Row) -> float:
    return float("inf") if row.final_loss is None else row.final_loss


def _unfinished(rows: Sequence[Row], order: Sequence[int]) -> bool:
    return any(rows[i].diagnosis.badge.name == "unfinished" for i in order)
