"""What a problem is (floor 1): settings (Problem), and the sum of functions they stand for (FiniteSum)."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
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


class Plain(NamedTuple):
    """A problem as everyone writes it in PyTorch, for a loop of loss, backward and an optimizer's step."""

    module: "torch.nn.Module"
    loss: "Callable[[Tensor | None], Tensor]"  # the mean over the samples at these indices (B,); None: over all


class FiniteSum(ABC):
    """f(theta) = 1/N sum_i f_i(theta): tensors on one device, ready to be optimised.

    `losses` is the definition; `gradient` and `objective` may be closed forms, proven equal to it by the tests.
    """

    samples: int
    parameters: int
    width: int = 1  # numbers that one sample occupies on its way through the model, where that is many
    data: ClassVar[tuple[str, ...]] = ()  # names of the tensors that hold its rows; what else it keeps are helpers

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

    def gradient_and_loss(self, theta: "Tensor", batch: Batch) -> "tuple[Tensor, Tensor | None]":
        """`gradient`, and each run's batch loss (R,) where it comes with the gradient at next to no cost, else None."""
        return self.gradient(theta, batch), None

    def sample_gradients(self, theta: "Tensor") -> "Tensor":
        """The gradient of every f_i at one theta: (P,) -> (N, P)."""
        import torch

        gradients = theta.new_empty(self.samples, self.parameters)
        together = max(1, 4_000_000 // self.parameters)  # as runs of one sample each: what they need adds up
        for rows in torch.arange(self.samples, device=theta.device).split(together):
            (batch,) = self.gather(rows.reshape(1, -1, 1))
            gradients[rows] = self.gradient(theta.expand(len(rows), -1).contiguous(), batch)
        return gradients

    def chunk(self, runs: int) -> int | None:
        """How many samples of a batch are on their way at once, the rest waits; None: all of them, always."""
        return None

    def plain(self) -> Plain:
        """The problem as a module of its own; by default theta is its one parameter and the definition its loss."""
        import torch

        module = torch.nn.Module()
        theta = module.theta = torch.nn.Parameter(self.start().clone())
        everyone = torch.arange(self.samples, device=theta.device)
        return Plain(
            module, lambda chosen: self.losses(theta[None], (everyone if chosen is None else chosen)[None]).mean()
        )

    @property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """The tensors that theta lays end to end: weights (out, ...), whose rows are filters, and biases (out,)."""
        return ((1, self.parameters),)

    def predict(self, theta: "Tensor", rows: "Tensor") -> "Tensor":
        """What the model says at theta (P,) about rows (n, D) as it sees them, without the intercept's ones: (n, C).

        In evaluation mode. Regression: the predictions, C = 1; two classes by one logit: C = 1; else the logits.
        """
        raise NotImplementedError("only a model on data predicts")

    def test_metrics(self, theta: "Tensor") -> dict[str, float]:
        """{"test_loss", "test_accuracy"} at theta (P,), as far as the problem has a test split."""
        return {}

    def test_curves(self, theta: "Tensor") -> tuple[np.ndarray, np.ndarray]:
        """(test loss, test accuracy) at every theta (K, P): each float64 (K,), NaN where there is none."""
        found = [self.test_metrics(row) for row in theta]
        return tuple(  # type: ignore[return-value]
            np.array([metrics.get(name, np.nan) for metrics in found]) for name in ("test_loss", "test_accuracy")
        )


class Problem(NamedItem):
    """The settings of a problem. Sizes and truths are known here without torch; `realize` makes the tensors."""

    title: ClassVar[str]
    summary: ClassVar[str]  # one sentence: what it teaches
    reference: ClassVar[str] = ""
    planar: ClassVar[bool] = True  # whether some of its settings leave two parameters, so that all of f can be drawn
    quadratic: ClassVar[bool] = False  # True: the curvature is the same everywhere
    compiled: ClassVar[bool] = False  # True: mbsgd_core.kernels has a compiled form for it, as long as it is small

    @property
    @abstractmethod
    def sample_count(self) -> int:
        """N, the training samples."""

    @property
    @abstractmethod
    def parameter_count(self) -> int:
        """P."""

    @property
    def flops(self) -> int:
        """Additions and multiplications of one sample's way through the model; 0 where they are too few to matter."""
        return 0

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

    def row_curvatures(self, seed: int, decay: float = 0.0) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
        """x (m, P), w (m,), D (P,): samples bend as w_i x_i x_i^T + diag(D) at the minimizer of f + decay/2 |theta|^2.

        None where they bend otherwise, and where there is no such minimizer.
        """
        return None

    @property
    def axis_labels(self) -> tuple[str, ...]:
        """What each coordinate of theta is, in words."""
        return self.parameter_names

    def window(self, seed: int) -> tuple[float, float, float, float] | None:
        """x0, x1, y0, y1: the part of the plane that a picture shows; None unless P = 2."""
        return None
