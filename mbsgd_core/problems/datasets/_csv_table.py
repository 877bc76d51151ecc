"""Cells to numbers (floor 1): which column is predicted from which, what is missing, what is a class."""

import difflib
import math
import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mbsgd_core.errors import DataError, ExperimentError
from mbsgd_core.problems.datasets._csv_text import MISSING, NUMBER, Sheet, harmless
from mbsgd_core.problems.datasets.base import Table, Task

MOST_CLASSES = 50
STEADY = 1e-8  # deviation / |mean| below which float64 leaves fewer than half of its digits to the differences
_PLAIN = re.compile(r"[0-9eE+\-.\n]*")


class Reading(NamedTuple):
    """A table, and what had to be done or should be known about it, in sentences."""

    table: Table
    notes: tuple[str, ...]


def reading(sheet: Sheet, target: str | None, inputs: Sequence[str] | None, labels: bool) -> Reading:
    """The numbers of a sheet.

    Args:
        sheet: from read_csv.
        target: the column that is predicted; None: the last.
        inputs: the columns it is predicted from; None: all others.
        labels: take each distinct value of the target for a class, numbers too; texts always are.

    Raises:
        ExperimentError: a column that is not there.
        DataError: a cell that is no number, or too few rows or classes; names the line.
    """
    target = sheet.names[-1] if target is None else _known(sheet, target, "target")
    chosen = [_known(sheet, name, "inputs") for name in inputs or [n for n in sheet.names if n != target]]
    if target in chosen:
        raise ExperimentError(f"{target!r} is the target; it cannot be an input too", ("inputs",))
    cells = dict(zip(sheet.names, sheet.columns, strict=True))
    x = np.stack([_numbers(cells[name], name, sheet.lines) for name in chosen], 1)
    y, distinct = _target(cells[target], target, sheet.lines, labels)
    classes: list[str] = []
    whole = np.isfinite(x).all(1) & np.isfinite(y)
    notes = list(sheet.notes)
    if not whole.all():
        first = sheet.lines[int(np.argmin(whole))]
        notes.append(
            f"Left out for want of a value: {(~whole).sum():,} of {len(whole):,} rows, the first in line {first}."
        )
        x, y = x[whole], y[whole]
    if len(y) < 2:
        raise DataError("fewer than 2 rows have a value in every column that is used; fill gaps, or leave columns out")
    if distinct:
        used = np.unique(y)
        y, classes = np.searchsorted(used, y).astype(float), [distinct[int(code)] for code in used]
        notes += _about_classes(target, classes)
    notes += _about_columns(x, chosen)
    repeated = len(y) - len(set(map(bytes, np.column_stack([x, y]))))
    if repeated:
        notes.append(f"{repeated:,} of {len(y):,} rows repeat another one: pictures draw them on top of each other.")
    task: Task = "classification" if classes else "any"
    return Reading(Table(x, y, tuple(chosen), target, task, classes=tuple(map(harmless, classes))), tuple(notes))


def _known(sheet: Sheet, name: str, field: str) -> str:
    if name not in sheet.names:
        near = difflib.get_close_matches(name[:60], sheet.names, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(sheet.names[:20])}"
        raise ExperimentError(f"no column is called {name[:60]!r}; {hint}", (field,))
    return name


def _numbers(cells: Sequence[str], name: str, lines: Sequence[int]) -> np.ndarray:
    """(N,) with NaN where a cell is empty."""
    if _PLAIN.fullmatch("\n".join(cells)):
        try:
            values = np.array(list(map(float, cells)))
        except ValueError:
            pass
        else:
            if np.isfinite(values).all():
                return values
    return np.array([_number(cell, name, line) for cell, line in zip(cells, lines, strict=True)])


def _number(cell: str, name: str, line: int) -> float:
    if cell.lower() in MISSING:
        return math.nan
    if not NUMBER.fullmatch(cell):
        comma = "; decimals are written with a point" if NUMBER.fullmatch(cell.replace(",", ".")) else ""
        raise DataError(
            f"line {line}, column {name}: {harmless(cell)!r} is no number{comma}; mend it, or leave the column out"
        )
    if not math.isfinite(float(cell)):
        raise DataError(f"line {line}, column {name}: {harmless(cell)!r} is too large; divide the column by a constant")
    return float(cell)


def _target(cells: Sequence[str], name: str, lines: Sequence[int], labels: bool) -> tuple[np.ndarray, list[str]]:
    """(N,) numbers without classes, or indices of classes; NaN where missing."""
    filled = [cell for cell in cells if cell.lower() not in MISSING]
    texts = [cell for cell in filled if not NUMBER.fullmatch(cell)]
    if not texts and not labels:
        return _numbers(cells, name, lines), []
    # Of numbers it is the value that counts: 1, 1.0 and 1e0 are one class.
    meant = {cell: cell if texts else repr(float(cell)).removesuffix(".0") for cell in set(filled)}
    distinct = sorted(set(meant.values()), key=None if texts else float)
    if len(distinct) > MOST_CLASSES:
        line = lines[cells.index(texts[0])] if texts else None
        culprit = f"line {line} holds {harmless(texts[0])!r}, which is no number; " if texts else ""
        raise DataError(
            f"column {name} has {len(distinct):,} different values, too many for classes (at most {MOST_CLASSES}); "
            f"{culprit}choose another target, or make it numbers"
        )
    code = {cell: float(i) for i, cell in enumerate(distinct)}
    return np.array([code[meant[cell]] if cell in meant else math.nan for cell in cells]), distinct


def _about_classes(target: str, classes: Sequence[str]) -> list[str]:
    if len(classes) < 2:
        raise DataError(f"column {target} has one value only, {harmless(classes[0])!r}; classes need 2 at least")
    spellings: dict[str, list[str]] = {}
    for label in classes:
        spellings.setdefault(" ".join(label.casefold().split()), []).append(label)
    texts = [label for label in classes if not NUMBER.fullmatch(label)]
    notes = []
    if 0 < len(texts) < len(classes):
        notes = [f"{target} holds numbers and texts, such as {harmless(texts[0])!r}: each value is a class of its own."]
    return notes + [
        f"{', '.join(map(harmless, alike))} differ in case or blanks alone and count as {len(alike)} classes."
        for alike in spellings.values()
        if len(alike) > 1
    ]


def _about_columns(x: np.ndarray, names: Sequence[str]) -> list[str]:
    notes = []
    with np.errstate(over="ignore", invalid="ignore"):
        mean, deviation = x.mean(0), x.std(0)
    for i, name in enumerate(names):
        if (x[:, i] == x[0, i]).all():
            notes.append(f"{name} is the same in every row ({x[0, i]:g}): it can tell nothing.")
        elif deviation[i] < STEADY * abs(mean[i]):
            notes.append(
                f"{name} hardly varies: its deviation is {deviation[i] / abs(mean[i]):.0e} of its mean, and rounding "
                "shows; subtract a constant in the file."
            )
    return notes
