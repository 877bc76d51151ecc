"""A circle around a circle."""

from typing import ClassVar

import numpy as np

from mbsgd_core.knobs import Real, knob
from mbsgd_core.problems.datasets._points import PointSet


class Circles(PointSet):
    """Class 0: (cos t, sin t); class 1: `factor` (cos t, sin t); t in equal steps around the circle. Then noise.

    Where others differ: this is scikit-learn's make_circles with other draws; its factor is 0.8 by default.

    Example:
        >>> Circles(samples=5, factor=0.3).table(0).y.sum()
        np.float64(3.0)
    """

    title: ClassVar[str] = "Circles"
    summary: ClassVar[str] = "One class encloses the other: the squares of the features would do, lines never."

    factor: Real = knob(
        0.5, label="Inner radius", help="Of class 1; the outer circle has radius 1.", ge=0, le=1, page=(0.0, 1.0)
    )

    def places(self, draws: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        turns = np.concatenate([np.arange(count) / count for count in self.shares()])
        y = np.repeat([0, 1], self.shares())
        radius = np.where(y == 1, self.factor, 1.0)
        return radius[:, None] * np.stack([np.cos(2 * np.pi * turns), np.sin(2 * np.pi * turns)], 1), y
