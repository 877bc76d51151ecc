"""Every sample in every update: batch gradient descent."""

from typing import ClassVar

from mbsgd_core.samplers.base import Sampler


class FullBatch(Sampler):
    """All m samples in one batch: the gradient is exact and nothing is drawn (BGD, b = m)."""

    draws: ClassVar[bool] = False
    random: ClassVar[bool] = False
    changes: ClassVar[bool] = False

    def size(self, samples: int) -> int:
        return samples

    def orders(self, seed: int, runs: int, epoch: int, samples: int) -> None:
        return None
