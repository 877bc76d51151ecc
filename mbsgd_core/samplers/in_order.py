"""No shuffling: the samples as they are stored."""

from typing import ClassVar

import numpy as np

from mbsgd_core.samplers.base import MiniBatchSampler


class InOrder(MiniBatchSampler):
    """The stored order in every epoch (DataLoader's default): biased when the data are sorted."""

    random: ClassVar[bool] = False
    changes: ClassVar[bool] = False

    def orders(self, seed: int, runs: int, epoch: int, samples: int) -> np.ndarray:
        return np.broadcast_to(np.arange(samples), (runs, samples))
