"""What a problem is (floor 1): settings (Problem), and the sum of functions they stand for (FiniteSum)."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np

from mbsgd_core.knobs import NamedItem

if TYPE_CHECKING:
    import torch
    from torch import Tensor

# One update's data, as FiniteSum.gather prepared it; None stands for all samples.
Batch = Any


class Place(NamedTuple):
    """Where in a lane an update stands: what a problem's own randomness (dropout, augmentation) is drawn from."""

    seed: int
    epoch: int
    position: int  # of the batch within its epoch; of the first one where several are gathered


class Solution(NamedTuple):
    """The least value of f and where it is attained."""

    minimizers: np.ndarray  # (K, P) float64; K = 0 where the value is known and no point that has it
    value: float


class FiniteSum(ABC):
    """f(theta) = 1/N sum_i f_i(theta): tensors on one device, ready to be optimised.

    `losses` is the definition; `gradient` and `objective` may be closed forms, proven equal to it by the tests.
    """

    samples: int
    parameters: int

    @abstractmethod
    def losses(self, theta: "Tensor", indices: "Tensor") -> "Tensor":
        """f_i(theta) for the chosen samples, differentiable: theta (R, P), indices (R, B) -> (R, B)."""

    @abstractmethod
    def objective(self, theta: "Tensor") -> "Tensor":
        """The full objective f, (..., P) -> (...): a mean over all samples, in evaluation mode."""

    @abstractmethod
    def start(self) -> "Tensor":
        """The problem's own start, (P,)."""

    def gather(self, indices: "Tensor") -> Sequence[Batch]:
        """Prepare n updates at once: indices (n, R, B) -> n batches for `gradient`."""
        return indices.unbind(0)

    def gather_at(self, indices: "Tensor", place: Place) -> Sequence[Batch]:
        """`gather` for a problem with randomness of its own: row i of the indices stands at position + i."""
        return self.gather(indices)

    def all_at(self, place: Place) -> Batch:
        """The batch of all samples at this place."""
        return None

    def gradient(self, theta: "Tensor", batch: Batch) -> "Tensor":
        """Mean gradient over a batch (None: over all samples): theta (R, P) -> (R, P)."""
        import torch

        if batch is None:
            batch = torch.arange(self.samples, device=theta.device).expand(len(theta), -1)
        leaf = theta.detach().requires_grad_()
        with torch.enable_grad():
            # The runs do not interact, so the gradient of the sum holds each run's own gradient.
            (gradient,) = torch.autograd.grad(self.losses(leaf, batch).mean(-1).sum(), leaf)
        return gradient

    def sample_gradients(self, theta: "Tensor") -> "Tensor":
        """The gradient of every f_i at one theta: (P,) -> (N, P)."""
        import torch

        each = torch.arange(self.samples, device=theta.device).reshape(1, -1, 1)
        (batch,) = self.gather(each)
        return self.gradient(theta.expand(self.samples, -1).contiguous(), batch)

    def test_metrics(self, theta: "Tensor") -> dict[str, float]:
        """{"test_loss", "test_accuracy"} at theta (P,), as far as the problem has a test split."""
        return {}


class Problem(NamedItem):
    """The settings of a problem. Sizes and truths are known here without torch; `realize` makes the tensors."""

    title: ClassVar[str]
    summary: ClassVar[str]  # one sentence: what it teaches
    reference: ClassVar[str] = ""

    @property
    @abstractmethod
    def sample_count(self) -> int:
        """N, the training samples."""

    @property
    @abstractmethod
    def parameter_count(self) -> int:
        """P."""

    @property
    def parameter_names(self) -> tuple[str, ...]:
        """A name for each coordinate of theta."""
        return tuple(f"theta{i}" for i in range(self.parameter_count))

    @abstractmethod
    def realize(self, seed: int, dtype: "torch.dtype", device: str) -> FiniteSum:
        """The finite sum itself; its data draws depend on `seed` alone, never on a lane or run."""

    @property
    def minimizers(self) -> tuple[tuple[float, ...], ...]:
        """Known global minimizers; () where unknown or none."""
        return ()

    @property
    def optimal_value(self) -> float | None:
        """The least value of f, None where unknown or unbounded."""
        return None

    def solution(self, seed: int) -> Solution | None:
        """The global minimizers and the least value of f; None where unknown, unbounded or never attained."""
        if self.optimal_value is None:
            return None
        return Solution(np.array(self.minimizers, dtype=float).reshape(-1, self.parameter_count), self.optimal_value)

    @property
    def axis_labels(self) -> tuple[str, ...]:
        """What each coordinate of theta is, in words."""
        return self.parameter_names

    def window(self, seed: int) -> tuple[float, float, float, float] | None:
        """x0, x1, y0, y1: the part of the plane that a picture shows; None unless P = 2."""
        return None
