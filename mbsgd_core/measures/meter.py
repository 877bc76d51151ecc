"""Gradient and gradient noise of large problems, without keeping a gradient of every sample (floor 4)."""

import math

import numpy as np
import torch

from mbsgd_core.measures.noise import SAMPLE_WORK, ratio, shrink
from mbsgd_core.measures.subsample import PIECE, Subsample, point
from mbsgd_core.problems.base import FiniteSum
from mbsgd_core.random import stream
from mbsgd_core.results.learning import Meter

GROUP = 32  # samples a group where all single gradients are too many numbers


def meter(total: FiniteSum, theta: np.ndarray, group: int | None = None, seed: int = 0) -> Meter:
    """|G|, tr s2 and B_simple at theta, in memory for a few gradients.

    The samples are parted at random into k groups of n_j; with the mean gradient g_j of each group
    tr s2 = 1/(k - 1) sum n_j |g_j - G|^2 is unbiased, and for groups of one it is the variance itself (ddof 1, then
    scaled to ddof 0). Larger groups cost less and tell less: the relative error is about sqrt(2 / k) at most.

    Args:
        total: the objective, or a `subsample` of it: |G|^2 is then corrected by the noise of the part's own mean.
        theta: (P,).
        group: samples a group; None: 1 where that is cheap, else 32.
        seed: of the parting (stream "meter").

    Reference: McCandlish et al. 2018, section 2.2 and appendix A.1.
    """
    n = total.samples
    size = min(n, group or (1 if n * total.parameters <= SAMPLE_WORK else GROUP))
    order = torch.as_tensor(stream(seed, "meter").permutation(n), device=total.start().device)
    whole, ragged = order[: n - n % size].reshape(-1, size), order[n - n % size :].reshape(1, -1)
    at_once = max(1, PIECE // (total.parameters + size * total.width))
    at = point(total, theta)
    mean = torch.zeros(total.parameters, dtype=torch.float64, device=at.device)
    seen, squares = 0, 0.0
    for groups in (*whole.split(at_once), *((ragged,) if ragged.numel() else ())):
        (batch,) = total.gather(groups[None])
        with torch.no_grad():
            each = total.gradient(at.expand(len(groups), -1).contiguous(), batch).double()
        # Chan et al. 1983: joining means and sums of squares loses no digits where the noise is far below the gradient.
        own, added = each.mean(0), groups.numel()
        squares += groups.shape[1] * float((each - own).square().sum())
        squares += float((own - mean).square().sum()) * seen * added / (seen + added)
        mean += (own - mean) * (added / (seen + added))
        seen += added
    parts = len(whole) + (ragged.numel() > 0)
    of = total.whole.samples if isinstance(total, Subsample) else n
    trace = squares / (parts - 1) * (of - 1) / of if parts > 1 else math.nan
    length = float(mean.square().sum())
    if n < of:
        length = max(length - trace * shrink(of, n, False), 0.0)
    scale = ratio(trace, length) if math.isfinite(trace) and math.isfinite(length) else math.nan
    return Meter(math.sqrt(length), trace, scale, n, of)


def relative(found: Meter, batch_size: int, replacement: bool) -> float:
    """sqrt(tr Cov(g_B)) / |G|: the noise of a batch gradient against its length; 0 for the full batch."""
    factor = shrink(found.of, batch_size, replacement)
    return math.sqrt(factor * found.scale) if factor else 0.0
