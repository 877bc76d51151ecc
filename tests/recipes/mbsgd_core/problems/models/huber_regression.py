"""Huber regression: a straight fit that outliers pull on, but not ever harder."""

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from mbsgd_core.knobs import Real, knob
from mbsgd_core.problems.datasets.base import Task
from mbsgd_core.problems.models._linear import LinearModel, LinearSum

if TYPE_CHECKING:
    import torch
    from torch import Tensor

STEPS = 1_000  # of the optimum's search, at most


class HuberRegression(LinearModel):
    """f = 1/m sum h(<w, x_i> + c - y_i) + l2/2 |w|^2, with h(r) = r^2/2 up to |r| = delta and linear from there on.

    Reference: Huber 1964, "Robust estimation of a location parameter".
    """

    title: ClassVar[str] = "Huber regression"
    summary: ClassVar[str] = "A straight fit whose gradient is bounded: one outlier moves it only so far."
    reference: ClassVar[str] = "Huber 1964"
    task: ClassVar[Task] = "regression"
    coefficient: ClassVar[str] = "slope"

    delta: Real = knob(
        50.0, label="Delta", help="Residuals up to here count squared, in the unit of y.", gt=0, page=(1.0, 100.0)
    )

    def optimum(self, seed: int) -> np.ndarray:
        """By weighted least squares, again and again: residuals beyond delta weigh delta / |r|."""
        data = self.prepare(seed)
        ridge, theta = np.diag(np.sqrt(len(data.y) * self.penalty())), np.zeros(self.parameter_count)
        for _ in range(STEPS):
            residual = np.abs(data.x @ theta - data.y)
            weight = np.sqrt(self.delta / np.maximum(residual, self.delta))
            rows, right = np.vstack([data.x * weight[:, None], ridge]), np.append(data.y * weight, np.zeros(len(ridge)))
            before, theta = theta, np.linalg.lstsq(rows, right, rcond=None)[0]
            if np.abs(theta - before).max() <= 1e-13 * np.abs(theta).max():
                break
        return theta

    def pointwise(self, z: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        size = np.abs(z - y)
        near = np.minimum(size, self.delta)
        return near * (size - near / 2), (size <= self.delta) * 1.0

    def realize(self, seed: int, dtype: "torch.dtype", device: str) -> "HuberSum":
        return HuberSum(self, seed, dtype, device)


class HuberSum(LinearSum):
    """Huber's losses."""

    def __init__(self, problem: HuberRegression, seed: int, dtype: "torch.dtype", device: str):
        super().__init__(problem, seed, dtype, device)
        self.delta = problem.delta

    def loss(self, z: "Tensor", y: "Tensor") -> "Tensor":
        size = (z - y).abs()
        near = size.clamp(max=self.delta)
        return near * (size - near / 2)

    def slope(self, z: "Tensor", y: "Tensor") -> "Tensor":
        return z.sub_(y).clamp_(-self.delta, self.delta)
