"""Least squares: the problem with a closed-form answer."""

from functools import lru_cache
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from mbsgd_core.problems.datasets.base import Task
from mbsgd_core.problems.models._linear import LinearSum
from mbsgd_core.problems.models.base import DataProblem

if TYPE_CHECKING:
    import torch
    from torch import Tensor


class LinearRegression(DataProblem):
    """f = 1/(2m) sum (<w, x_i> + c - y_i)^2 + l2/2 |w|^2.

    Half the mean squared residual, so that the Hessian is X^T X / m; other texts drop the half and their learning
    rates are half of ours. Starts at zeros.

    Reference: Gauss 1809; Bottou, Curtis, Nocedal 2018, section 3.
    """

    title: ClassVar[str] = "Linear regression"
    summary: ClassVar[str] = "A straight fit to real data: the loss is an exact bowl and the optimum is known."
    task: ClassVar[Task] = "regression"

    @property
    def parameter_count(self) -> int:
        return self.columns(0).x.shape[1] + self.intercept

    @property
    def parameter_names(self) -> tuple[str, ...]:
        return self.columns(0).features + (("intercept",) if self.intercept else ())

    def optimum(self, seed: int) -> np.ndarray:
        """The least-squares solution (P,), of least norm where it is not unique."""
        return _optimum(self, seed)

    def realize(self, seed: int, dtype: "torch.dtype", device: str) -> "SquaredSum":
        return SquaredSum(self, seed, dtype, device)


@lru_cache(maxsize=32)
def _optimum(problem: LinearRegression, seed: int) -> np.ndarray:
    data = problem.prepare(seed)
    if not problem.l2:
        return np.linalg.lstsq(data.x, data.y, rcond=None)[0]
    penalty = np.full(data.x.shape[1], problem.l2)
    if problem.intercept:
        penalty[-1] = 0.0
    gram = data.x.T @ data.x / len(data.y) + np.diag(penalty)
    return np.linalg.lstsq(gram, data.x.T @ data.y / len(data.y), rcond=None)[0]


class SquaredSum(LinearSum):
    """Half squared residuals."""

    def loss(self, z: "Tensor", y: "Tensor") -> "Tensor":
        return (z - y).square() * 0.5

    def slope(self, z: "Tensor", y: "Tensor") -> "Tensor":
        return z - y

    def test_metrics(self, theta: "Tensor") -> dict[str, float]:
        if not len(self.y_test):
            return {}
        return {"test_loss": self.loss(self.x_test @ theta, self.y_test).mean().item()}
