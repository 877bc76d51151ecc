"""Four squares, the opposite ones alike."""

from typing import ClassVar

import numpy as np

from mbsgd_core.problems.datasets._points import PointSet


class Xor(PointSet):
    """Points uniform on [-1, 1]^2, as many in each quadrant; class 1 where the signs of x1 and x2 differ. Then noise.

    No line is right about more than three of the quadrants; one product of the features, or two hidden units, do it.

    Reference: Minsky, Papert 1969, Perceptrons.

    Example:
        >>> table = Xor(noise=0).table(0)
        >>> bool((table.y == (table.x.prod(1) < 0)).all())
        True
    """

    title: ClassVar[str] = "XOR"
    summary: ClassVar[str] = "The smallest pattern that a linear model cannot learn at all and two hidden units can."
    reference: ClassVar[str] = "Minsky, Papert 1969"

    def places(self, draws: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        alike, unlike = self.shares()
        x = draws.uniform(0, 1, (self.samples, 2))
        x[1:alike:2] *= -1  # every other one of class 0 lies in the third quadrant
        x[alike::2, 0] *= -1
        x[alike + 1 :: 2, 1] *= -1
        return x, np.repeat([0, 1], (alike, unlike))
