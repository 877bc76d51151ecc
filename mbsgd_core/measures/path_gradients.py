"""Gradients and losses at every record of a path, many records at once (floor 4)."""

from functools import lru_cache

import numpy as np
import torch

from mbsgd_core import engine
from mbsgd_core.experiment import Experiment
from mbsgd_core.measures.plane import Plane
from mbsgd_core.memory_cache import derived_cache
from mbsgd_core.problems.base import FiniteSum
from mbsgd_core.problems.surfaces.base import SurfaceSum
from mbsgd_core.samplers.base import Sampler
from mbsgd_core.types import Trace

BLOCK = 200_000  # numbers in one piece of work: fits a core's cache
WORK = 400_000_000  # numbers touched for one lane; longer paths are thinned evenly
BATCH_LIMIT = 100_000  # indices sent along


def width(total: FiniteSum) -> int:
    """Numbers that one evaluation of the objective or of the full gradient touches."""
    return 1 if isinstance(total, SurfaceSum) else total.samples * max(total.width, 1 + total.parameters // 8)


def _tensor(total: FiniteSum, values: np.ndarray) -> torch.Tensor:
    start = total.start()
    # Copied: torch's memory starts on 64 bytes, numpy's on 16, and kernels round by it.
    return torch.tensor(values, dtype=start.dtype, device=start.device)


def _numpy(tensor: torch.Tensor) -> np.ndarray:
    return tensor.detach().cpu().numpy().astype(np.float64)


def losses(total: FiniteSum, theta: np.ndarray) -> np.ndarray:
    """The objective at every theta (K, P): (K,)."""
    with torch.no_grad():
        parts = _tensor(total, theta).split(max(1, BLOCK // width(total)))
        return np.concatenate([_numpy(total.objective(part)) for part in parts])


def together(total: FiniteSum) -> int:
    """How many thetas of a plane are evaluated together."""
    return max(1, BLOCK // max(width(total), total.parameters))


def plane_losses(total: FiniteSum, drawn: Plane, points: np.ndarray) -> np.ndarray:
    """The objective at points (n, 2) of a plane: (n,). Few of them are lifted at once: a net's theta is long."""
    groups = np.split(points, range(together(total), len(points), together(total)))
    return np.concatenate([losses(total, drawn.lift(group)) for group in groups])


def path_losses(total: FiniteSum, theta: np.ndarray) -> np.ndarray:
    """The objective along theta (K, P): (K,); NaN where it was lost, or where a long path was thinned."""
    found = np.full(len(theta), np.nan)
    chosen = _thin(np.flatnonzero(np.isfinite(theta).all(1)), WORK // width(total))
    if len(chosen):
        found[chosen] = losses(total, theta[chosen])
    return found


def gradients(total: FiniteSum, theta: np.ndarray) -> np.ndarray:
    """The full gradient at theta (K, P): (K, P); NaN rows where a long path was thinned."""
    found = np.full(theta.shape, np.nan)
    chosen = _thin(np.flatnonzero(np.isfinite(theta).all(1)), WORK // width(total))
    if len(chosen):
        with torch.no_grad():
            parts = _tensor(total, theta[chosen]).split(max(1, BLOCK // width(total)))
            found[chosen] = np.concatenate([_numpy(total.gradient(part, None)) for part in parts])
    return found


def next_batch_gradients(experiment: Experiment, lane: int, trace: Trace) -> np.ndarray:
    """The gradient that the update after each record of run 0 used, (K, P); NaN at the end."""
    total, theta = engine.finite_sum(experiment), trace.theta[0]
    found = np.full(theta.shape, np.nan)
    ready = np.flatnonzero((trace.update < experiment.updates(lane)) & np.isfinite(theta).all(1))
    sizes = _sizes(experiment, lane)
    if not sizes:
        return found
    ready = _thin(ready, WORK // 10 // (sizes[0] * theta.shape[1]))
    places = trace.update[ready] % len(sizes)
    for size in {sizes[0], sizes[-1]}:
        rows = ready[np.array(sizes)[places] == size]
        for part in np.array_split(rows, -(-len(rows) * size // BLOCK) or 1):
            if len(part):
                indices = torch.as_tensor(batches(experiment, lane, trace.update[part]), device=total.start().device)
                with torch.no_grad():
                    (batch,) = total.gather(indices[None])
                    found[part] = _numpy(total.gradient(_tensor(total, theta[part]), batch))
    return found


def _thin(rows: np.ndarray, most: int) -> np.ndarray:
    if len(rows) <= max(most, 2):
        return rows
    return np.asarray(rows[np.unique(np.linspace(0, len(rows) - 1, max(most, 2)).round().astype(int))])


@lru_cache(maxsize=64)
def _sizes(experiment: Experiment, lane: int) -> list[int]:
    return experiment.lanes[lane].sampler.sizes(experiment.problem.sample_count)


@derived_cache(most=16)
def _visits(sampler: Sampler, seed: int, epoch: int, epochs: int, samples: int) -> np.ndarray:
    """The orders of some epochs of run 0, (epochs, m). Cached: a dragged learning rate leaves them as they are."""
    orders = (sampler.orders(seed, 1, e, samples) for e in range(epoch, epoch + epochs))
    return np.stack([np.arange(samples) if order is None else order[0] for order in orders])


def batches(experiment: Experiment, lane: int, updates: np.ndarray) -> np.ndarray:
    """The samples of the batches of these updates in run 0, (n, b); all batches must be of one size."""
    sizes, samples = _sizes(experiment, lane), experiment.problem.sample_count
    sampler, seed = experiment.lanes[lane].sampler, experiment.seed
    epochs, places = np.divmod(updates, len(sizes))
    within = np.arange(sizes[int(places[0])])
    chosen = np.empty((len(updates), len(within)), dtype=np.int64)
    together = max(1, BLOCK // samples)  # epochs whose orders are looked at at once
    for first in np.unique(epochs // together) * together:
        orders = _visits(sampler, seed, int(first), min(together, -(-experiment.updates(lane) // len(sizes))), samples)
        rows = (epochs >= first) & (epochs < first + together)
        chosen[rows] = orders[epochs[rows, None] - first, places[rows, None] * sizes[0] + within]
    return chosen


def all_batches(experiment: Experiment, lane: int, updates: int) -> np.ndarray | None:
    """The samples of the first `updates` batches of run 0, end to end, uint32; None for full batches or too many."""
    sizes, samples = _sizes(experiment, lane), experiment.problem.sample_count
    sampler = experiment.lanes[lane].sampler
    spent = int(engine.samples_spent(sizes, np.array([updates]))[0])
    if not spent or spent > BATCH_LIMIT or sampler.orders(experiment.seed, 1, 0, samples) is None:
        return None
    visits = _visits(sampler, experiment.seed, 0, -(-updates // len(sizes)), samples)
    return visits[:, : sum(sizes)].ravel()[:spent].astype(np.uint32)
