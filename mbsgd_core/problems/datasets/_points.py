"""What classes of points in the plane share (floor 1): how many, how noisy, in mixed order."""

from abc import abstractmethod
from typing import ClassVar

import numpy as np

from mbsgd_core.knobs import Real, Whole, knob
from mbsgd_core.memory_cache import byte_lru
from mbsgd_core.problems.datasets.base import Dataset, Table, Task
from mbsgd_core.random import stream


class PointSet(Dataset):
    """Points on a shape, each moved by a normal step of deviation `noise` along each axis; rows in mixed order."""

    task: ClassVar[Task] = "classification"
    generated: ClassVar[bool] = True

    samples: Whole = knob(
        200,
        label="Samples",
        help="How many points are drawn, all classes together.",
        unit="samples",
        ge=2,
        le=1_000_000,
        page=(4, 10_000),
        scale="log",
    )
    noise: Real = knob(
        0.1,
        label="Noise",
        help="Standard deviation of each point around its place, along each axis.",
        ge=0,
        le=1e6,
        page=(0.0, 1.0),
    )

    @abstractmethod
    def places(self, draws: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """(N, 2) points without noise and (N,) whole classes from 0, class by class."""

    @property
    def class_count(self) -> int:
        """How many classes there are."""
        return 2

    def shares(self) -> list[int]:
        """The points of each class: equal numbers, and the odd ones go to the last classes."""
        return [(self.samples + i) // self.class_count for i in range(self.class_count)]

    def table(self, seed: int) -> Table:
        return _table(self, seed)


@byte_lru(most=8)
def _table(points: PointSet, seed: int) -> Table:
    draws = stream(seed, "data")
    x, y = points.places(draws)
    mixed = draws.permutation(points.samples)  # an order sorted by class is a lesson of its own
    x = x[mixed] + points.noise * draws.standard_normal(x.shape)
    names = tuple(f"class {i}" for i in range(points.class_count))
    return Table(x, y[mixed].astype(float), ("x1", "x2"), "class", "classification", classes=names)
