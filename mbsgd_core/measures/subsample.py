"""A sum over some of a problem's samples, and passes over the samples in bounded memory (floor 4)."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from mbsgd_core.errors import LabError
from mbsgd_core.measures.path_gradients import width
from mbsgd_core.problems.base import Batch, FiniteSum
from mbsgd_core.random import stream

PIECE = 4_000_000  # numbers touched at once; differentiating twice keeps a few times as many


class Subsample(FiniteSum):
    """The mean of f_i over chosen samples of another sum: what a dear measure looks at in place of all of them."""

    def __init__(self, whole: FiniteSum, rows: Tensor):
        self.whole, self.rows = whole, rows
        self.samples, self.parameters, self.width = len(rows), whole.parameters, whole.width

    def start(self) -> Tensor:
        return self.whole.start()

    @property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        return self.whole.shapes

    def losses(self, theta: Tensor, indices: Tensor) -> Tensor:
        return self.whole.losses(theta, self.rows[indices])

    def objective(self, theta: Tensor) -> Tensor:
        points = theta.reshape(-1, self.parameters)
        at_once = max(1, PIECE // width(self))
        values = [self._mean(group) for group in points.split(at_once)]
        return torch.cat(values).reshape(theta.shape[:-1])

    def _mean(self, theta: Tensor) -> Tensor:
        sums = [self.losses(theta, piece.expand(len(theta), -1)).sum(-1) for piece in pieces(self)]
        return torch.stack(sums).sum(0) / self.samples

    def gather(self, indices: Tensor) -> Sequence[Batch]:
        return self.whole.gather(self.rows[indices])

    def gradient(self, theta: Tensor, batch: Batch) -> Tensor:
        if batch is not None:
            return self.whole.gradient(theta, batch)
        found = torch.zeros_like(theta)
        for piece in pieces(self):
            (batch,) = self.gather(piece.expand(1, len(theta), -1))
            found += self.whole.gradient(theta, batch) * (len(piece) / self.samples)
        return found

    def predict(self, theta: Tensor, rows: Tensor) -> Tensor:
        return self.whole.predict(theta, rows)

    def test_metrics(self, theta: Tensor) -> dict[str, float]:
        return self.whole.test_metrics(theta)

    def test_curves(self, theta: Tensor) -> tuple[np.ndarray, np.ndarray]:
        return self.whole.test_curves(theta)


def subsample(total: FiniteSum, samples: int | None, seed: int) -> FiniteSum:
    """`total` itself, or the mean over so many of its samples, drawn once without replacement.

    Args:
        total: of N samples.
        samples: 1 ... ; None, or N and more: all of them.
        seed: of the stream "part": the same samples for every measure of one experiment.
    """
    if samples is not None and samples < 1:
        raise LabError(f"a part of {samples} samples; give 1 or more, or None for all {total.samples}")
    if samples is None or samples >= total.samples:
        return total
    rows = np.sort(stream(seed, "part").choice(total.samples, samples, replace=False))
    return Subsample(total, torch.as_tensor(rows, device=total.start().device))


def size(total: FiniteSum) -> int:
    """How many samples are looked at at once."""
    return max(1, min(total.samples, PIECE // max(1, width(total) // total.samples)))


def pieces(total: FiniteSum) -> Iterator[Tensor]:
    """All samples in order, as index tensors that are small enough to differentiate through."""
    yield from torch.arange(total.samples, device=total.start().device).split(size(total))


def point(total: FiniteSum, theta: np.ndarray) -> Tensor:
    """theta (P,) as the sum wants it."""
    start = total.start()
    # Copied: torch's memory starts on 64 bytes, numpy's on 16, and kernels round by it.
    return torch.tensor(np.asarray(theta), dtype=start.dtype, device=start.device)


def sample_losses(total: FiniteSum, theta: np.ndarray) -> np.ndarray:
    """f_i(theta) of every sample at theta (P,), float64 (N,)."""
    at = point(total, theta)[None]
    with torch.no_grad():
        values = torch.cat([total.losses(at, piece[None])[0] for piece in pieces(total)])
    return values.cpu().numpy().astype(np.float64)
