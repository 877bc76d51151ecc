"""One permutation, reused in every epoch."""

from typing import ClassVar

import numpy as np

from mbsgd_core.random import streams
from mbsgd_core.samplers.base import MiniBatchSampler


class ShuffleOnce(MiniBatchSampler):
    """Shuffle before the first epoch, then keep that order (Safran & Shamir 2020)."""

    changes: ClassVar[bool] = False

    def orders(self, seed: int, runs: int, epoch: int, samples: int) -> np.ndarray:
        return np.stack([draw.permutation(samples) for draw in streams(seed, "order", runs)])
