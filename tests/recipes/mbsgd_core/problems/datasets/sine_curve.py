"""Points scattered about one period of a sine."""

from typing import ClassVar

import numpy as np

from mbsgd_core.knobs import Real, Whole, knob
from mbsgd_core.problems.datasets.base import Dataset, Table, Task
from mbsgd_core.random import stream


class SineCurve(Dataset):
    """y = sin(pi x) + noise n, with x uniform on [-1, 1] and n standard normal.

    Example:
        >>> SineCurve(samples=5).table(0).x.shape
        (5, 1)
    """

    title: ClassVar[str] = "Sine curve"
    summary: ClassVar[str] = "What a straight line cannot follow and a small network can."
    task: ClassVar[Task] = "regression"
    generated: ClassVar[bool] = True

    samples: Whole = knob(100, label="Samples", help="How many points.", unit="samples", ge=1, page=(1, 1000))
    noise: Real = knob(0.1, label="Noise", help="Standard deviation of y around the curve.", ge=0, page=(0.0, 1.0))

    def table(self, seed: int) -> Table:
        draws = stream(seed, "data")
        x = draws.uniform(-1.0, 1.0, self.samples)
        y = np.sin(np.pi * x) + self.noise * draws.standard_normal(self.samples)
        return Table(x[:, None], y, ("x",), "y", "regression")
