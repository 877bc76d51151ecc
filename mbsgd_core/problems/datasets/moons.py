"""Two half circles that reach into each other."""

from typing import ClassVar

import numpy as np

from mbsgd_core.problems.datasets._points import PointSet


class Moons(PointSet):
    """Class 0: (cos t, sin t); class 1: (1 - cos t, 1/2 - sin t); t in equal steps from 0 to pi. Then noise.

    Where others differ: nowhere in law; this is scikit-learn's make_moons with other draws.

    Example:
        >>> Moons(samples=5).table(0).y.sum()
        np.float64(3.0)
    """

    title: ClassVar[str] = "Moons"
    summary: ClassVar[str] = "Two classes that no line separates and a small network does."

    def places(self, draws: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        upper, lower = (np.linspace(0, np.pi, count) for count in self.shares())
        x = np.concatenate([np.cos(upper), 1 - np.cos(lower)]), np.concatenate([np.sin(upper), 0.5 - np.sin(lower)])
        return np.stack(x, 1), np.repeat([0, 1], self.shares())
