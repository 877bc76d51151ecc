"""Points scattered about a line that is known."""

from typing import ClassVar

from mbsgd_core.knobs import Real, Whole, knob
from mbsgd_core.memory_cache import byte_lru
from mbsgd_core.problems.datasets.base import Dataset, Table, Task
from mbsgd_core.random import stream


class Line(Dataset):
    """y = slope x + intercept + noise n, with x uniform on [-1, 1] and n standard normal.

    Without noise every sample agrees on the optimum (interpolation), and SGD needs no decay.

    Example:
        >>> Line(samples=5, noise=0).table(0).y.shape
        (5,)
    """

    title: ClassVar[str] = "Line"
    summary: ClassVar[str] = "Made to order: the true slope and intercept are yours, and so is the noise."
    task: ClassVar[Task] = "regression"
    generated: ClassVar[bool] = True

    samples: Whole = knob(
        200,
        label="Samples",
        help="How many points are drawn.",
        unit="samples",
        ge=1,
        le=1_000_000,
        page=(1, 10_000),
        scale="log",
    )
    slope: Real = knob(2.0, label="Slope", help="Of the true line.", page=(-10.0, 10.0))
    intercept: Real = knob(1.0, label="Intercept", help="Of the true line: y at x = 0.", page=(-10.0, 10.0))
    noise: Real = knob(
        0.5, label="Noise", help="Standard deviation of y around the line; 0: all points on it.", ge=0, page=(0.0, 5.0)
    )

    def table(self, seed: int) -> Table:
        return _table(self, seed)


@byte_lru(most=8)
def _table(line: Line, seed: int) -> Table:
    draws = stream(seed, "data")
    x = draws.uniform(-1.0, 1.0, line.samples)
    y = line.slope * x + line.intercept + line.noise * draws.standard_normal(line.samples)
    return Table(x[:, None], y, ("x",), "y", "regression")
