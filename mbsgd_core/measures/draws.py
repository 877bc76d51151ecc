"""The batches that a lane can meet at an update: drawn afresh, or its own few that come back (floor 4)."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from mbsgd_core.experiment import Experiment
from mbsgd_core.measures import noise
from mbsgd_core.samplers.base import Sampler


class Draw(NamedTuple):
    """How the batch of one update comes about."""

    size: int  # of this batch: an epoch's last one may be short
    full: int  # of the lane's other batches
    replacement: bool
    own: tuple[np.ndarray, ...]  # the samples of the batches that come back in every epoch; () where all are fresh

    @property
    def fixed(self) -> bool:
        """Whether the lane repeats its own batches."""
        return bool(self.own)


def draw_at(experiment: Experiment, lane: int, update: int) -> Draw | None:
    """The draw of the update after so many, of run 0; None where an epoch has no batch.

    Example:
        >>> e = Experiment.model_validate({"problem": {"name": "quadratic", "samples": 10}, "lanes": [
        ...     {"sampler": {"name": "in_order", "batch_size": 4},
        ...      "schedule": {"name": "constant", "learning_rate": 0.1}}]})
        >>> draw_at(e, 0, 2).size, [batch.tolist() for batch in draw_at(e, 0, 2).own]
        (2, [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]])
    """
    sampler, samples = experiment.lanes[lane].sampler, experiment.problem.sample_count
    sizes = sampler.sizes(samples)
    if not sizes:
        return None
    own = own_batches(sampler, experiment.seed, samples) if sampler.draws and not sampler.changes else ()
    return Draw(sizes[update % len(sizes)], sizes[0], sampler.draws_with_replacement, own)


@lru_cache(maxsize=32)
def own_batches(sampler: Sampler, seed: int, samples: int) -> tuple[np.ndarray, ...]:
    """The samples of the first epoch's batches of run 0, in their order."""
    sizes, orders = sampler.sizes(samples), sampler.orders(seed, 1, 0, samples)
    order = np.arange(samples) if orders is None else orders[0]
    return tuple(np.split(order[: sum(sizes)], np.cumsum(sizes)[:-1]))


def variance(gradients: np.ndarray, draw: Draw) -> float:
    """E |g_B - G|^2 over the batches that the draw allows, from per-sample gradients (m, P).

    Of fresh batches tr s2 times `noise.shrink`; of a lane's own ones their mean square.
    """
    if draw.fixed:
        return float(np.square(_means(gradients, draw) - gradients.mean(0)).sum(1).mean())
    factor = noise.shrink(len(gradients), draw.size, draw.replacement)
    return factor * noise.trace(gradients) if factor else 0.0


def fan(gradients: np.ndarray, draw: Draw, seed: int, update: int) -> np.ndarray:
    """What up to 40 of the batches say that this one might have been, (n, P): a fresh sample at every update."""
    if not draw.fixed:
        return noise.batch_gradients(gradients, draw.size, draw.replacement, seed, noise.FAN, update)
    means = _means(gradients, draw)
    return np.asarray(means[np.unique(np.linspace(0, len(means) - 1, min(noise.FAN, len(means))).round().astype(int))])


def covariance(gradients: np.ndarray, draw: Draw, seed: int, update: int) -> np.ndarray:
    """The covariance of the batch gradient about G, (P, P): exact of a lane's own batches, else of up to 2,000."""
    if not draw.fixed:
        return noise.measured_covariance(gradients, draw.size, draw.replacement, seed, update)
    off = _means(gradients, draw) - gradients.mean(0)
    return np.asarray(off.T @ off / len(off))


def _means(gradients: np.ndarray, draw: Draw) -> np.ndarray:
    return np.stack([gradients[batch].mean(0) for batch in draw.own])
