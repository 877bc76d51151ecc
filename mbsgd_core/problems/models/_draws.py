"""What a network draws while it trains (floor 1): dropout, shifted images; the same however a run is cut."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mbsgd_core.problems.base import Place
from mbsgd_core.random import stream

if TYPE_CHECKING:
    from torch import Tensor


class Draws(NamedTuple):
    """The randomness of one chunk of one update, None of it drawn yet."""

    place: Place
    chunk: int = 0

    def stream(self, purpose: str) -> np.random.Generator:
        """Numbers for one purpose; draw run by run (the runs are the first axis)."""
        place = self.place
        return stream(place.seed, f"{purpose} {self.chunk}", run=place.position, epoch=place.epoch)

    def dropout(self, purpose: str, shape: Sequence[int], rate: float, like: "Tensor") -> "Tensor":
        """Factors of inverted dropout: 0 with probability `rate`, else 1 / (1 - rate)."""
        import torch

        kept = self.stream(purpose).random(shape, dtype=np.float32) >= rate
        return torch.from_numpy(kept).to(device=like.device, dtype=like.dtype).div_(1 - rate)
