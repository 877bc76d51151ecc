"""The table, as text that is also Markdown, and as JSON."""

from collections.abc import Sequence
from itertools import groupby
from typing import Any

from tests.benchmarks.case import Line
from tests.benchmarks.growth import Curve
from tests.benchmarks.shares import Share

HEADS = ("row", "what", "ours", "the other side", "takes", "ratio (least ... greatest)", "goal", "")


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Aligned Markdown.

    Example:
        >>> print(table(("a", "b"), [("1", "22")]))
        | a | b  |
        |---|----|
        | 1 | 22 |
    """
    widths = [max(len(row[i]) for row in (heads, *rows)) for i in range(len(heads))]

    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)) + " |"

    return "\n".join([line(heads), "|" + "|".join("-" * (width + 2) for width in widths) + "|", *map(line, rows)])


def goals(lines: Sequence[Line]) -> str:
    """The table of goals, with what was found equal below it."""
    cells = [
        (
            line.row,
            line.what,
            seconds(line.ours),
            line.rival,
            "" if line.theirs is None else seconds(line.theirs),
            "" if line.ratio is None else "{} ({} ... {})".format(*map(number, line.ratio)),
            line.goal,
            {None: "", True: "met", False: "missed"}[line.met],
        )
        for line in lines
    ]
    notes = [f"- {line.row}, {line.rival or line.what}: {line.note}." for line in lines if line.note]
    return "\n".join([table(HEADS, cells), "", *notes])


def growth(curves: Sequence[Curve]) -> str:
    """A table for all curves against the same values."""
    tables = [
        table(
            (f"ns an update, by {against}", *(f"{value:,}" for value in at)),
            [(curve.what, *map(number, curve.nanoseconds)) for curve in alike],
        )
        for (against, at), alike in groupby(curves, lambda curve: (curve.against, curve.at))
    ]
    return "\n\n".join(tables)


def shares(used: Sequence[Share]) -> str:
    rows = [
        (s.what, f"{number(s.used / 1e9)} G{s.unit}", f"{number(s.limit / 1e9)} G{s.unit}", f"{s.used / s.limit:.0%}")
        for s in used
    ]
    return table(("what", "used", "the machine's limit", "share"), rows)


def seconds(value: float) -> str:
    """With its unit: s, ms, us or ns.

    Example:
        >>> seconds(0.00123), seconds(132.0)
        ('1.23 ms', '132 s')
    """
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if value >= size:
            return f"{number(value / size)} {unit}"
    return f"{number(value / 1e-9)} ns"


def number(value: float) -> str:
    """Three digits.

    Example:
        >>> number(0.5), number(12.345), number(99.99), number(46767.0)
        ('0.500', '12.3', '100', '46,800')
    """
    if value >= 100:
        return f"{float(f'{value:.3g}'):,.0f}"
    return f"{value:#.3g}".rstrip(".")


def as_json(
    machine: dict[str, str], lines: Sequence[Line], curves: Sequence[Curve], used: Sequence[Share]
) -> dict[str, Any]:
    """The same figures for a program."""
    named = {"goals": lines, "growth": curves, "shares": used}
    return {"machine": machine} | {name: [row._asdict() for row in rows] for name, rows in named.items()}
