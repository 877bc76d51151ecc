"""Bytes, workers, averages: what a batch costs and what may be cut out of it (floor 4)."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from mbsgd_core import engine
from mbsgd_core.claims.base import Ending
from mbsgd_core.measures import cost
from mbsgd_core.measures.stability import curvature_spread, hessian, mean_square_limit


def activation_bytes(ending: Ending) -> float:
    """Bytes saved for the way back by one batch."""
    return float(cost.memory(ending.experiment, ending.lane).activations)


def activation_bytes_a_sample(ending: Ending, few: int, many: int) -> float:
    """The same, a sample: the slope between two batch sizes."""
    total = engine.finite_sum(ending.experiment)
    theta = total.start()[None].contiguous()
    one, two = (cost.activation_bytes(total, theta, size) for size in (few, many))
    return (two - one) / (many - few)


def weight_bytes(ending: Ending) -> float:
    """Bytes of the parameters."""
    return float(cost.memory(ending.experiment, ending.lane).parameters)


def optimizer_bytes(ending: Ending) -> float:
    """Bytes of parameters, gradient and the rule's state together."""
    found = cost.memory(ending.experiment, ending.lane)
    return float(found.parameters + found.gradient + found.optimizer)


def accumulated_difference(ending: Ending, chunk: int) -> float:
    """|sum of the chunks' gradients, each by its size, less the whole gradient| / |the whole one|, in float32."""
    total = engine.finite_sum(ending.experiment)
    theta, m = total.start(), total.samples
    parts = []
    for begin in range(0, m, chunk):
        rows = torch.arange(begin, min(begin + chunk, m))
        parts.append(_gradient(ending, theta, rows) * (len(rows) / m))
    whole = _gradient(ending, theta, torch.arange(m))
    return float(((torch.stack(parts).sum(0) - whole).norm() / whole.norm()).item())


def worker_difference(shares: Sequence[int]) -> float:
    """|mean of the workers' gradients - gradient of the whole batch| / |the latter|, a small net on random rows.

    Each worker takes the mean over its own share, then the means are averaged without weights, as DDP does.
    """
    torch.manual_seed(0)
    model, m = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10)), sum(shares)
    x, y = torch.randn(m, 64), torch.randint(10, (m,))

    def gradient(rows: torch.Tensor) -> torch.Tensor:
        loss = nn.functional.cross_entropy(model(x[rows]), y[rows])
        return torch.cat([part.flatten() for part in torch.autograd.grad(loss, list(model.parameters()))])

    each = torch.stack([gradient(rows) for rows in torch.arange(m).split(list(shares))]).mean(0)
    whole = gradient(torch.arange(m))
    return float(((each - whole).norm() / whole.norm()).item())


def averaged_variance(rate: float, updates: int, runs: int = 4_000) -> list[float | None]:
    """Variance of the average of all iterates, and of the last one: x - rate (x + e), e ~ N(0, 1), from 0."""
    draw = np.random.default_rng(0)
    x, total = np.zeros(runs), np.zeros(runs)
    for _ in range(updates):
        x = x - rate * (x + draw.standard_normal(runs))
        total += x
    return [float(np.square(total / updates).mean()), float(np.square(x).mean())]


def condition(ending: Ending) -> float:
    """Largest over smallest eigenvalue of the Hessian at the start."""
    total = engine.finite_sum(ending.experiment)
    values = np.linalg.eigvalsh(hessian(total, total.start().numpy()))
    return float(values[-1] / values[0])


def mean_square_limits(ending: Ending, sizes: Sequence[int], replacement: bool) -> list[float | None]:
    """The largest rate that the mean square bears without momentum, for each b."""
    total = engine.finite_sum(ending.experiment)
    spread = curvature_spread(total, total.start().numpy())
    assert spread is not None
    return [mean_square_limit(spread, size, replacement) for size in sizes]


def hit_range(ending: Ending, excess: float) -> list[float | None]:
    """Least and largest number of samples that a run reads until its excess is at most so much."""
    trace = ending.run[1]
    hits = [np.flatnonzero(loss - ending.least <= excess) for loss in trace.loss]
    found = [float(trace.samples[hit[0]]) for hit in hits if len(hit)]
    return [min(found), max(found)] if len(found) == len(hits) else [None, None]


def _gradient(ending: Ending, theta: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
    leaf = theta.detach().clone().requires_grad_()
    loss = engine.finite_sum(ending.experiment).losses(leaf[None], rows[None]).mean()
    (found,) = torch.autograd.grad(loss, leaf)
    return found
