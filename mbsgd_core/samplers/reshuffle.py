"""A fresh permutation every epoch: what DataLoader(shuffle=True) does."""

from typing import ClassVar

import numpy as np

from mbsgd_core.random import streams
from mbsgd_core.samplers.base import MiniBatchSampler


class Reshuffle(MiniBatchSampler):
    """Random reshuffling: every sample once an epoch, in a new order each epoch (Mishchenko et al. 2020)."""

    permutes_anew: ClassVar[bool] = True

    def orders(self, seed: int, runs: int, epoch: int, samples: int) -> np.ndarray:
        return np.stack([draw.permutation(samples) for draw in streams(seed, "order", runs, epoch)])
