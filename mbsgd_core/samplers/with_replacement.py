"""Independent draws: the sampling that most theorems assume."""

from typing import ClassVar

import numpy as np

from mbsgd_core.random import streams
from mbsgd_core.samplers.base import MiniBatchSampler


class WithReplacement(MiniBatchSampler):
    """m independent uniform draws an epoch; about 36.8 % of the samples are missed in each."""

    draws_with_replacement: ClassVar[bool] = True

    def orders(self, seed: int, runs: int, epoch: int, samples: int) -> np.ndarray:
        return np.stack([draw.integers(samples, size=samples) for draw in streams(seed, "order", runs, epoch)])
