"""Gradient noise at one theta: what batches of b samples would say there, measured and predicted (floor 4).

Everything is a function of the per-sample gradients (m, P). The draws come from a stream of their own ("measure"):
measuring never moves the run.
"""

import math

import numpy as np
import torch

from mbsgd_core.problems.base import FiniteSum
from mbsgd_core.random import stream

DRAWS, FAN = 2_000, 40
SAMPLE_WORK = 50_000_000  # per-sample gradients are computed up to so many numbers
WORK = 20_000_000  # numbers touched by one measurement; fewer batches are drawn where they are larger


def sample_gradients(problem: FiniteSum, theta: np.ndarray) -> np.ndarray:
    """The gradient of every sample's loss at theta (P,), as (m, P) float64."""
    start = problem.start()
    at = torch.as_tensor(np.array(theta), dtype=start.dtype, device=start.device)
    return problem.sample_gradients(at).detach().cpu().numpy().astype(np.float64, copy=False)


def covariance(gradients: np.ndarray) -> np.ndarray:
    """s2 = 1/m sum (g_i - G)(g_i - G)^T, the population covariance (ddof 0), (P, P).

    Example:
        >>> covariance(np.arange(1.0, 11.0)[:, None]).item()
        8.25
    """
    centred = gradients - gradients.mean(0)
    return np.asarray(centred.T @ centred / len(gradients))


def trace(gradients: np.ndarray) -> float:
    """tr s2: the summed variance of one sample's gradient."""
    return float(np.square(gradients - gradients.mean(0)).sum() / len(gradients))


def shrink(samples: int, batch_size: int, replacement: bool) -> float:
    """The factor between the variance of one sample and of a batch mean.

    1 / b with replacement, 1/b (m - b)/(m - 1) without (Cochran 1977): exactly 0 for b = m.

    Example:
        >>> shrink(10, 4, True), round(shrink(10, 4, False), 6), shrink(10, 10, False)
        (0.25, 0.166667, 0.0)
    """
    if replacement or samples == 1:
        return 1 / batch_size if replacement else 0.0
    return (samples - batch_size) / (batch_size * (samples - 1))


def simple_scale(gradients: np.ndarray) -> float:
    """B_simple = tr s2 / |G|^2: the batch size at which noise and gradient are equally long.

    Infinite at a stationary point. Reference: McCandlish et al. 2018, eq. 2.9.
    """
    return ratio(trace(gradients), float((gradients.mean(0) ** 2).sum()))


def relative(gradients: np.ndarray, batch_size: int, replacement: bool) -> float:
    """sqrt(tr Cov(g_B)) / |G|: the noise of a batch gradient against its length; 0 for the full batch."""
    factor = shrink(len(gradients), batch_size, replacement)
    return math.sqrt(factor * simple_scale(gradients)) if factor else 0.0


def ratio(noise: float, signal: float) -> float:
    """noise / signal; infinite where the signal is none."""
    if noise == 0:
        return 0.0
    # At a minimum the gradient is rounding: twelve decades below the noise counts as none.
    return noise / signal if signal > 1e-24 * noise else math.inf


def batch_gradients(
    gradients: np.ndarray, batch_size: int, replacement: bool, seed: int, count: int = DRAWS, update: int = 0
) -> np.ndarray:
    """The gradients of `count` freshly drawn batches, (count, P), independent of each other.

    Args:
        gradients: per-sample gradients, (m, P).
        batch_size: b, 1 ... m.
        replacement: whether one batch may hold a sample twice.
        seed: of the stream "measure".
        count: batches.
        update: the number of the update; each has draws of its own.
    """
    samples = len(gradients)
    if shrink(samples, batch_size, replacement) == 0:
        return np.tile(gradients.mean(0), (count, 1))
    draw = stream(seed, "measure", 2 * batch_size + replacement, update)
    if replacement:
        chosen = draw.integers(samples, size=(count, batch_size))
    elif samples * count <= WORK:
        everyone = np.tile(np.arange(samples, dtype=np.int32), (count, 1))
        chosen = draw.permuted(everyone, axis=1)[:, :batch_size]
    else:
        chosen = np.stack([draw.choice(samples, batch_size, replace=False, shuffle=False) for _ in range(count)])
    return np.asarray(gradients[chosen].mean(1))


def measured_covariance(
    gradients: np.ndarray, batch_size: int, replacement: bool, seed: int, update: int = 0
) -> np.ndarray:
    """The covariance of a batch gradient about G, from up to 2,000 drawn batches, (P, P)."""
    # Numpy draws a large share of the samples by shuffling all of them.
    touched = max(batch_size * gradients.shape[1], len(gradients) if 50 * batch_size > len(gradients) else 1)
    count = max(FAN, min(DRAWS, WORK // touched))
    off = batch_gradients(gradients, batch_size, replacement, seed, count, update) - gradients.mean(0)
    return np.asarray(off.T @ off / count)
