"""Finite sums that see theta only through z_i = <theta, x_i> (floor 1): linear and logistic regression."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING

from mbsgd_core.problems.base import Batch, FiniteSum
from mbsgd_core.problems.models.base import DataProblem

if TYPE_CHECKING:
    import torch
    from torch import Tensor


class LinearSum(FiniteSum):
    """f_i(theta) = loss(<theta, x_i>, y_i) + l2/2 |w|^2, with w = theta without the intercept."""

    def __init__(self, problem: DataProblem, seed: int, dtype: "torch.dtype", device: str):
        import torch

        data = problem.prepare(seed)
        self.x = torch.as_tensor(data.x, dtype=dtype, device=device)
        self.y = torch.as_tensor(data.y, dtype=dtype, device=device)
        self.x_test = torch.as_tensor(data.x_test, dtype=dtype, device=device)
        self.y_test = torch.as_tensor(data.y_test, dtype=dtype, device=device)
        self.samples, self.parameters = self.x.shape
        penalty = torch.full((self.parameters,), problem.l2, dtype=dtype, device=device)
        if problem.intercept:
            penalty[-1] = 0.0  # the intercept is never penalised
        self.penalty = penalty if problem.l2 else None

    @abstractmethod
    def loss(self, z: "Tensor", y: "Tensor") -> "Tensor":
        """loss(z, y), elementwise."""

    @abstractmethod
    def slope(self, z: "Tensor", y: "Tensor") -> "Tensor":
        """d loss / dz, elementwise; may overwrite z."""

    def start(self) -> "Tensor":
        return self.x.new_zeros(self.parameters)

    def _ridge(self, theta: "Tensor") -> "Tensor | float":
        return 0.0 if self.penalty is None else 0.5 * (self.penalty * theta.square()).sum(-1)

    def losses(self, theta: "Tensor", indices: "Tensor") -> "Tensor":
        z = (self.x[indices] * theta[:, None, :]).sum(-1)
        ridge = self._ridge(theta)
        return self.loss(z, self.y[indices]) + (ridge if isinstance(ridge, float) else ridge[:, None])

    def objective(self, theta: "Tensor") -> "Tensor":
        return self.loss(theta @ self.x.T, self.y).mean(-1) + self._ridge(theta)

    def gather(self, indices: "Tensor") -> Sequence[Batch]:
        return list(zip(self.x[indices].unbind(0), self.y[indices].unbind(0), strict=True))

    def gradient(self, theta: "Tensor", batch: Batch) -> "Tensor":
        if batch is None:
            gradient = self.slope(theta @ self.x.T, self.y) @ self.x / self.samples
        else:
            x, y = batch  # (R, B, P), (R, B)
            residual = self.slope((x @ theta[:, :, None])[..., 0], y)
            gradient = (residual[:, None, :] @ x)[:, 0] / y.shape[-1]
        return gradient if self.penalty is None else gradient.add_(self.penalty * theta)
