"""The loss along a line, by the full objective and by mini-batches (floor 4)."""

import numpy as np

from mbsgd_core.measures.noise import batch_gradients, shrink
from mbsgd_core.measures.subsample import sample_losses
from mbsgd_core.problems.base import FiniteSum
from mbsgd_core.results.learning import Slices

BATCHES, POSITIONS = 20, 31


def line(total: FiniteSum, theta: np.ndarray, direction: np.ndarray, at: np.ndarray) -> np.ndarray:
    """f_i(theta + t direction) of every sample at every position, (S, N): what `slices` needs, once for all b."""
    return np.stack([sample_losses(total, theta + t * direction) for t in at])


def slices(
    losses: np.ndarray, at: np.ndarray, batch_size: int, replacement: bool, seed: int, count: int = BATCHES
) -> Slices:
    """The objective and `count` mini-batches of b samples along a line.

    Args:
        losses: from `line`, (S, N).
        at: the positions, (S,).
        batch_size: b, 1 ... N.
        replacement: whether one batch may hold a sample twice.
        seed: of the batches (stream "measure").
        count: batches, each the same samples all along the line.

    Reference: Bottou, Curtis, Nocedal 2018, section 4; Cochran 1977 (without replacement).
    """
    full = losses.mean(1)
    drawn = batch_gradients(losses.T, batch_size, replacement, seed, count)  # means over batches, of losses here
    factor = shrink(losses.shape[1], batch_size, replacement)
    spread = np.sqrt(np.square(drawn - full).mean(0))
    return Slices(at, full, drawn, spread, losses.std(1) * np.sqrt(factor))
