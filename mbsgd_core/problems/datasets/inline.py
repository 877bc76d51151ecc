"""Rows written into the experiment itself."""

from functools import lru_cache
from typing import ClassVar

import numpy as np
from pydantic import model_validator

from mbsgd_core.knobs import Examples, Real, knob
from mbsgd_core.problems.datasets.base import Dataset, Table, Task

LIMIT = 2_000
_POINTS = tuple((i / 4, i * i % 5, 0.1) for i in range(12))


class Inline(Dataset):
    """x (rows of numbers) and y (a number each), at most 2,000 numbers in all; whole y from 0 up can be classes."""

    title: ClassVar[str] = "Inline numbers"
    summary: ClassVar[str] = "Your own few rows, carried by the link."
    task: ClassVar[Task] = "any"
    own_split: ClassVar[bool] = False
    examples: ClassVar[Examples] = (
        {"x": _POINTS, "y": tuple(i / 3 for i in range(12))},
        {"x": _POINTS, "y": tuple(i % 2 for i in range(12))},
        {"x": _POINTS, "y": tuple(i % 3 for i in range(12))},
    )

    x: tuple[tuple[Real, ...], ...] = knob(label="x", help="Rows of feature values.", min_length=1)
    y: tuple[Real, ...] = knob(label="y", help="One target, or class 0, 1, 2 ..., a row.", min_length=1)

    @model_validator(mode="after")
    def _is_a_table(self) -> "Inline":
        widths = {len(row) for row in self.x}
        if len(widths) != 1 or 0 in widths:
            raise ValueError(f"every row of x needs the same number of values, at least one; given {sorted(widths)}")
        if len(self.x) != len(self.y):
            raise ValueError(f"x and y need the same number of rows; given {len(self.x)} and {len(self.y)}")
        numbers = len(self.y) * (1 + widths.pop())
        if numbers > LIMIT:
            raise ValueError(f"inline data may hold {LIMIT} numbers; given {numbers}")
        return self

    def table(self, seed: int) -> Table:
        return _table(self)


@lru_cache(maxsize=32)
def _table(data: Inline) -> Table:
    x, y = np.array(data.x, dtype=float), np.array(data.y, dtype=float)
    names = tuple(f"x{i + 1}" for i in range(x.shape[1]))
    return Table(x, y, names, "y", "any")
