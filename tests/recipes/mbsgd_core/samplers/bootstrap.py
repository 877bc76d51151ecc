"""One bootstrap sample of the rows an epoch."""

from typing import ClassVar

import numpy as np

from mbsgd_core.random import streams
from mbsgd_core.samplers.base import MiniBatchSampler


class Bootstrap(MiniBatchSampler):
    """m independent uniform draws an epoch, from a stream of its own (Efron 1979)."""

    draws_with_replacement: ClassVar[bool] = True

    def orders(self, seed: int, runs: int, epoch: int, samples: int) -> np.ndarray:
        return np.stack([draw.integers(samples, size=samples) for draw in streams(seed, "bootstrap", runs, epoch)])
