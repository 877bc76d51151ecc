"""Two classes, each a round cloud in the plane."""

from typing import ClassVar

import numpy as np

from mbsgd_core.knobs import Real, Whole, knob
from mbsgd_core.memory_cache import byte_lru
from mbsgd_core.problems.datasets.base import Dataset, Table, Task
from mbsgd_core.random import stream


class Blobs(Dataset):
    """Class 0 around (-a, -a), class 1 around (a, a), a = distance / (2 sqrt 2); normal clouds of deviation `spread`.

    With equal shares the best boundary goes through the origin, so two weights without an intercept are enough; the
    least error rate is Phi(-distance / (2 spread)), with Phi the normal distribution function.

    Example:
        >>> Blobs(samples=10, share=0.3).table(0).y.sum()
        np.float64(3.0)
    """

    title: ClassVar[str] = "Blobs"
    summary: ClassVar[str] = "Two clouds whose overlap, and so the hardness, is yours to choose."
    task: ClassVar[Task] = "classification"
    generated: ClassVar[bool] = True

    samples: Whole = knob(
        200,
        label="Samples",
        help="How many points are drawn, both classes together.",
        unit="samples",
        ge=2,
        le=1_000_000,
        page=(2, 10_000),
        scale="log",
    )
    distance: Real = knob(2.0, label="Distance", help="Between the two centres.", ge=0, le=1e6, page=(0.0, 10.0))
    spread: Real = knob(
        1.0, label="Spread", help="Standard deviation of each cloud along each axis.", ge=0, le=1e6, page=(0.1, 5.0)
    )
    share: Real = knob(0.5, label="Share of class 1", help="0.5: balanced classes.", ge=0, le=1, page=(0.05, 0.95))

    def table(self, seed: int) -> Table:
        return _table(self, seed)


@byte_lru(most=8)
def _table(blobs: Blobs, seed: int) -> Table:
    draws = stream(seed, "data")
    y = (np.arange(blobs.samples) < round(blobs.samples * blobs.share)).astype(float)
    y = draws.permutation(y)  # mixed rows: an order sorted by class is a lesson of its own
    centre = blobs.distance / np.sqrt(8) * (2 * y - 1)
    x = centre[:, None] + blobs.spread * draws.standard_normal((blobs.samples, 2))
    return Table(x, y, ("x1", "x2"), "class", "classification", classes=("class 0", "class 1"))
