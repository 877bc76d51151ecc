"""Models that see theta only through z_i = <theta, x_i> (floor 1): linear and logistic regression."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from mbsgd_core.problems.base import Batch, FiniteSum, Plain, Solution
from mbsgd_core.problems.models import _losses
from mbsgd_core.problems.models.base import DataProblem

if TYPE_CHECKING:
    import torch
    from torch import Tensor

MARGIN = 1.25  # how far a picture reaches beyond what it must show


class LinearModel(DataProblem):
    """f = 1/m sum_i loss(z_i, y_i) + l2/2 |w|^2, with z_i = <w, x_i> + c and theta = (w, c). Starts at zeros."""

    coefficient: ClassVar[str]  # what a weight is called: "slope", "weight"

    @property
    def parameter_count(self) -> int:
        return len(self.header.features) + self.intercept

    @property
    def parameter_names(self) -> tuple[str, ...]:
        return self.header.features + (("intercept",) if self.intercept else ())

    @property
    def axis_labels(self) -> tuple[str, ...]:
        table = self.header
        units = ("standard deviation",) * len(table.features) if self.standardize else table.units
        per = [f" (per {unit})" if unit else "" for unit in units or ("",) * len(table.features)]
        names = (f"{self.coefficient} of {name}{unit}" for name, unit in zip(table.features, per, strict=True))
        return tuple(names) + (("intercept",) if self.intercept else ())

    @abstractmethod
    def optimum(self, seed: int) -> np.ndarray | None:
        """The minimizer (P,), of least norm where it is not unique; None where there is none."""

    @abstractmethod
    def pointwise(self, z: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(loss, d2 loss / dz2) of every sample, in numpy."""

    def penalty(self) -> np.ndarray:
        """(P,) the curvature that l2 adds to each coordinate: l2, and 0 for the intercept."""
        weights = np.full(self.parameter_count, self.l2)
        if self.intercept:
            weights[-1] = 0.0
        return weights

    def value(self, theta: np.ndarray, seed: int) -> float:
        """f at theta (P,), in numpy."""
        data = self.prepare(seed)
        return float(self.pointwise(data.x @ theta, data.y)[0].mean() + self.penalty() @ theta**2 / 2)

    def hessian(self, theta: np.ndarray, seed: int) -> np.ndarray:
        """(P, P) curvature of f at theta (P,): X^T diag(loss'') X / m, plus l2 on the weights."""
        data = self.prepare(seed)
        curvature = self.pointwise(data.x @ theta, data.y)[1]
        of_losses: np.ndarray = (data.x * curvature[:, None]).T @ data.x / len(data.y)
        return of_losses + np.diag(self.penalty())

    def solution(self, seed: int) -> Solution | None:
        theta = self.optimum(seed)
        return None if theta is None else Solution(theta[None], self.value(theta, seed))

    def landmark(self, seed: int) -> np.ndarray:
        """What a picture is centred on: the optimum, or a point far along the way where there is none."""
        theta = self.optimum(seed)
        assert theta is not None, "a model without an optimum says where its picture is centred"
        return theta

    def window(self, seed: int) -> tuple[float, float, float, float] | None:
        """A box around the optimum that holds the start and, roughly, the level set through it.

        The level set is that of the quadratic model at the optimum, an ellipse with half-widths
        sqrt(2 (f(start) - f*) (H^-1)_jj). A very narrow valley would make it all box and no path: it is cut at 1.5
        times the way from the start to the optimum.
        """
        if self.parameter_count != 2:
            return None
        centre = self.landmark(seed)
        way = np.abs(centre)
        fall = max(self.value(np.zeros(2), seed) - self.value(centre, seed), 0.0)
        ellipse = np.sqrt(2 * fall * np.diag(np.linalg.pinv(self.hessian(centre, seed))).clip(0))
        half = np.maximum(way, np.minimum(ellipse, 1.5 * way.max()))
        half = MARGIN * np.maximum(half, 0.1 * half.max() or 1.0)
        (x0, y0), (x1, y1) = centre - half, centre + half
        return float(x0), float(x1), float(y0), float(y1)

    def original_units(self, theta: np.ndarray, seed: int) -> np.ndarray:
        """The same predictions from raw columns: theta (..., P) -> (..., D + 1), weights, then the constant.

        w'_j = w_j / deviation_j,  c' = c - sum_j w'_j mean_j  (c = 0 without an intercept).
        """
        data = self.prepare(seed)
        weights = theta[..., : len(data.mean)] / data.deviation
        constant = (theta[..., -1] if self.intercept else 0.0) - weights @ data.mean
        return np.concatenate([weights, np.asarray(constant)[..., None]], -1)

    def own_units(self, raw: np.ndarray, seed: int) -> np.ndarray:
        """The inverse of original_units: (..., D + 1) -> (..., P).

        w_j = w'_j deviation_j,  c = c' + sum_j w'_j mean_j; without an intercept the constant has no say.
        """
        data = self.prepare(seed)
        weights: np.ndarray = raw[..., :-1] * data.deviation
        if not self.intercept:
            return weights
        return np.concatenate([weights, (raw[..., -1] + raw[..., :-1] @ data.mean)[..., None]], -1)


class LinearSum(FiniteSum):
    """f_i(theta) = loss(z_i, y_i) + l2/2 |w|^2 as tensors, with the gradient in closed form.

    Matrix products run along the rows of a stored matrix in both directions, so every batch is kept upright and
    lying (x and its transpose): the kernels for the other direction round differently by where in memory a batch
    begins, and the same batch must give the same bits however many are gathered at once. (For single samples theta
    too should begin where torch puts a fresh tensor, as the result of any update does.)
    """

    data: ClassVar[tuple[str, ...]] = ("x", "y", "x_test", "y_test")
    loss_name: ClassVar[_losses.LossName | None] = None  # where torch has the loss

    def __init__(self, problem: LinearModel, seed: int, dtype: "torch.dtype", device: str):
        import torch

        data = problem.prepare(seed)
        # torch.tensor copies: torch's memory starts on 64 bytes, numpy's on 16, and kernels round by it.
        self.x = torch.tensor(data.x, dtype=dtype, device=device)
        self.y = torch.tensor(data.y, dtype=dtype, device=device)
        self.x_test = torch.tensor(data.x_test, dtype=dtype, device=device)
        self.y_test = torch.tensor(data.y_test, dtype=dtype, device=device)
        self.samples, self.parameters = self.x.shape
        self.columns = self.parameters - problem.intercept  # D
        self.penalty = torch.tensor(problem.penalty(), dtype=dtype, device=device) if problem.l2 else None
        self.l2 = problem.l2
        self._all = (self.x, self.x.T.contiguous(), self.y[None])

    @abstractmethod
    def loss(self, z: "Tensor", y: "Tensor") -> "Tensor":
        """loss(z, y), elementwise."""

    @abstractmethod
    def slope(self, z: "Tensor", y: "Tensor") -> "Tensor":
        """d loss / dz, elementwise; may overwrite z."""

    def start(self) -> "Tensor":
        return self.x.new_zeros(self.parameters)

    def plain(self) -> Plain:
        import torch

        name = self.loss_name
        if name is None:
            return super().plain()
        bias = self.columns < self.parameters
        module = torch.nn.Linear(self.columns, 1, bias=bias, dtype=self.x.dtype, device=self.x.device)
        x = self.x[:, : self.columns].contiguous()  # nn.Linear has an intercept of its own

        def loss(chosen: "Tensor | None") -> "Tensor":
            rows, y = (x, self.y) if chosen is None else (x[chosen], self.y[chosen])
            return _losses.plain(name, module(rows), y) + _losses.ridge(module, self.l2)

        return Plain(module, loss)

    def _ridge(self, theta: "Tensor") -> "Tensor":
        return 0.5 * (self.penalty * theta.square()).sum(-1) if self.penalty is not None else theta.new_zeros(())

    def losses(self, theta: "Tensor", indices: "Tensor") -> "Tensor":
        z = (self.x[indices] * theta[:, None, :]).sum(-1)
        return self.loss(z, self.y[indices]) + self._ridge(theta)[..., None]

    def objective(self, theta: "Tensor") -> "Tensor":
        return self.loss(theta @ self.x.T, self.y).mean(-1) + self._ridge(theta)

    @property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        return ((1, self.columns), (1,)) if self.columns < self.parameters else ((1, self.columns),)

    def predict(self, theta: "Tensor", rows: "Tensor") -> "Tensor":
        return (rows @ theta[: self.columns] + theta[self.columns :].sum())[:, None]  # the sum of one or of nothing

    def test_metrics(self, theta: "Tensor") -> dict[str, float]:
        if not len(self.y_test):
            return {}
        return {"test_loss": self.loss(self.x_test @ theta, self.y_test).mean().item()}

    def gather(self, indices: "Tensor") -> Sequence[Batch]:
        x, y = self.x[indices], self.y[indices]  # (n, R, B, P), (n, R, B)
        if indices.shape[1] == 1:
            x = x[:, 0]  # one run: plain matrices (B, P) and (1, B), the cheapest products
        else:
            y = y[:, :, None]  # one row (1, B) for each run
        return list(zip(x.unbind(0), x.mT.contiguous().unbind(0), y.unbind(0), strict=True))

    def gradient(self, theta: "Tensor", batch: Batch) -> "Tensor":
        x, x_lying, y = self._all if batch is None else batch
        if x.dim() == 2:
            gradient = self.slope(theta.mm(x_lying), y).mm(x)
        else:
            gradient = self.slope(theta[:, None].bmm(x_lying), y).bmm(x)[:, 0]
        if y.shape[-1] > 1:
            gradient.div_(y.shape[-1])
        return gradient if self.penalty is None else gradient.addcmul_(self.penalty, theta)

    def sample_gradients(self, theta: "Tensor") -> "Tensor":
        gradients = self.slope(self.x @ theta, self.y)[:, None] * self.x
        return gradients if self.penalty is None else gradients.add_(self.penalty * theta)
