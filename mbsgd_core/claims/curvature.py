"""Curvature of a net under full and mini-batches: half squares on one-hot digits, in plain torch (floor 4)."""

from collections.abc import Sequence
from functools import cache

import numpy as np
import torch
from torch import Tensor, nn

from mbsgd_core.problems.datasets.digits import Digits

ROWS, CLASSES = 500, 10


def digits_sharpness(sizes: Sequence[int], rate: float, updates: int, momentum: float = 0.0) -> list[float | None]:
    """The largest Hessian eigenvalue after so many updates for each b, times rate / (2 (1 + momentum)).

    64-32-10 with tanh on pixels / 16 less their means, f = half the mean
    squared distance to the one-hot label. 1 is the edge that the rate bears.
    """
    return [_trained(size, rate, updates, momentum) * rate / (2 * (1 + momentum)) for size in sizes]


@cache
def _trained(size: int, rate: float, updates: int, momentum: float) -> float:
    table = Digits().table(0)
    x = torch.tensor((table.x[:ROWS] - table.x[:ROWS].mean(0)) / 16, dtype=torch.float32)
    y = nn.functional.one_hot(torch.tensor(table.y[:ROWS]).long(), CLASSES).float()
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(64, 32), nn.Tanh(), nn.Linear(32, CLASSES))
    weights = list(model.parameters())
    optimizer = torch.optim.SGD(weights, lr=rate, momentum=momentum)

    def loss(rows: Tensor) -> Tensor:
        return nn.functional.mse_loss(model(x[rows]), y[rows], reduction="sum") / (2 * len(rows))

    found, every = [], torch.arange(ROWS)
    for update in range(updates):
        rows = every if size == ROWS else torch.randperm(ROWS)[:size]
        optimizer.zero_grad()
        loss(rows).backward()
        optimizer.step()
        if update >= updates - 100 and update % 20 == 0:
            found.append(_largest(loss(every), weights))
    return float(np.mean(found))


def _largest(loss: Tensor, weights: Sequence[Tensor]) -> float:
    """The largest Hessian eigenvalue, by 40 power iterations."""
    slopes = torch.autograd.grad(loss, weights, create_graph=True)
    direction = [torch.ones_like(part) for part in weights]
    value = 0.0
    for _ in range(40):
        length = torch.sqrt(sum((part**2).sum() for part in direction))  # type: ignore[arg-type]
        direction = [part / length for part in direction]
        along = sum((slope * part).sum() for slope, part in zip(slopes, direction, strict=True))
        product = torch.autograd.grad(along, weights, retain_graph=True)  # type: ignore[arg-type]
        value = float(sum((a * b).sum() for a, b in zip(product, direction, strict=True)))
        direction = [part.detach() for part in product]
    return value
