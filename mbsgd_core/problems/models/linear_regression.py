"""Least squares: the problem with a closed-form answer."""

from functools import lru_cache
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from mbsgd_core.problems.datasets.base import Task
from mbsgd_core.problems.models._linear import LinearModel, LinearSum
from mbsgd_core.problems.models._losses import LossName

if TYPE_CHECKING:
    import torch
    from torch import Tensor


class LinearRegression(LinearModel):
    """f = 1/(2m) sum (<w, x_i> + c - y_i)^2 + l2/2 |w|^2.

    Half the mean squared residual, so that the Hessian is X^T X / m; texts that drop the half have curvatures twice
    ours and learning rates half of ours. Starts at zeros.

    Example:
        >>> mean = LinearRegression(dataset={"name": "inline", "x": [[1], [1]], "y": [2, 4]},
        ...     intercept=False, standardize=False)
        >>> mean.optimum(seed=0).round(12), round(mean.solution(seed=0).value, 12)
        (array([3.]), 0.5)

    Reference: Gauss 1809; Bottou, Curtis, Nocedal 2018, section 3.
    """

    title: ClassVar[str] = "Linear regression"
    summary: ClassVar[str] = "A straight fit to data: the loss is an exact bowl and the optimum is known."
    reference: ClassVar[str] = "Bottou, Curtis, Nocedal 2018, section 3"
    task: ClassVar[Task] = "regression"
    compiled: ClassVar[bool] = True
    quadratic: ClassVar[bool] = True
    coefficient: ClassVar[str] = "slope"

    def optimum(self, seed: int) -> np.ndarray:
        return _optimum(self, seed)

    def row_curvatures(self, seed: int, decay: float = 0.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        rows = self.prepare(seed).x
        return rows, np.ones(len(rows)), self.penalty()  # the same everywhere

    def pointwise(self, z: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return (z - y) ** 2 / 2, np.ones_like(z)

    def realize(self, seed: int, dtype: "torch.dtype", device: str) -> "SquaredSum":
        return SquaredSum(self, seed, dtype, device)


@lru_cache(maxsize=32)
def _optimum(problem: LinearRegression, seed: int) -> np.ndarray:
    theta: np.ndarray = np.linalg.lstsq(*_rows(problem, seed), rcond=None)[0]
    return theta


def _rows(problem: LinearRegression, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """X and y with the penalty as further rows sqrt(m l2) w_j = 0: no normal equations, no squared condition number."""
    data = problem.prepare(seed)
    if not problem.l2:
        return data.x, data.y
    extra = np.diag(np.sqrt(len(data.y) * problem.penalty()))
    return np.vstack([data.x, extra]), np.concatenate([data.y, np.zeros(len(extra))])


class SquaredSum(LinearSum):
    """Half squared residuals; the objective is evaluated as f* + |U (theta - theta*)|^2 / 2 with U^T U the Hessian."""

    loss_name: ClassVar[LossName | None] = "squared"

    def __init__(self, problem: LinearRegression, seed: int, dtype: "torch.dtype", device: str):
        super().__init__(problem, seed, dtype, device)
        rows, _ = _rows(problem, seed)
        _, root = np.linalg.qr(rows / np.sqrt(self.samples))  # (P, P) however many rows: many runs are cheap to watch
        best = problem.optimum(seed)
        # theta*, U^T and f*: what the objective is made of.
        self.bowl = self.x.new_tensor(best), self.x.new_tensor(root.T.copy()), problem.value(best, seed)

    def objective(self, theta: "Tensor") -> "Tensor":
        best, root, least = self.bowl
        return ((theta - best) @ root).square().sum(-1).mul_(0.5).add_(least)

    def loss(self, z: "Tensor", y: "Tensor") -> "Tensor":
        return (z - y).square() * 0.5

    def slope(self, z: "Tensor", y: "Tensor") -> "Tensor":
        return z.sub_(y)
