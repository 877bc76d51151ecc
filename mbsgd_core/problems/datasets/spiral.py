"""Arms that wind around each other."""

from typing import ClassVar

import numpy as np
from pydantic import model_validator

from mbsgd_core.errors import ExperimentError
from mbsgd_core.knobs import Real, Whole, knob
from mbsgd_core.problems.datasets._points import PointSet


class Spiral(PointSet):
    """Class k of C: r (cos a, sin a) with a = 2 pi (turns r + k/C), and r in equal steps from 0 to 1. Then noise.

    Reference: Lang, Witbrock 1988, Learning to tell two spirals apart (three turns, two arms, r not down to 0).

    Example:
        >>> Spiral(samples=30, classes=3).table(0).classes
        ('class 0', 'class 1', 'class 2')
    """

    title: ClassVar[str] = "Spiral"
    summary: ClassVar[str] = "Hard for a small network: the boundary winds, and training stalls before it does."
    reference: ClassVar[str] = "Lang, Witbrock 1988"

    noise: Real = knob(
        0.02,
        label="Noise",
        help="Standard deviation of each point around its place, along each axis.",
        ge=0,
        le=1e6,
        page=(0.0, 0.2),
    )
    classes: Whole = knob(2, label="Arms", help="Each arm is a class.", unit="classes", ge=2, le=20, page=(2, 6))
    turns: Real = knob(
        1.5, label="Turns", help="How often an arm goes around.", unit="turns", ge=0, le=20, page=(0.25, 3.0)
    )

    @property
    def class_count(self) -> int:
        return self.classes

    @model_validator(mode="after")
    def _every_arm_has_a_point(self) -> "Spiral":
        if self.samples < self.classes:
            raise ExperimentError(
                f"given {self.samples} for {self.classes} arms; each arm needs a point", ("samples",), self.classes
            )
        return self

    def places(self, draws: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        radius = np.concatenate([np.linspace(0, 1, count) for count in self.shares()])
        y = np.repeat(np.arange(self.classes), self.shares())
        angle = 2 * np.pi * (self.turns * radius + y / self.classes)
        return radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], 1), y
