"""Logistic regression: two classes, one hyperplane."""

from functools import lru_cache
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from pydantic import model_validator

from mbsgd_core.errors import ExperimentError
from mbsgd_core.problems.datasets.base import Task
from mbsgd_core.problems.models._linear import LinearModel, LinearSum
from mbsgd_core.problems.models._losses import LossName

if TYPE_CHECKING:
    import torch
    from torch import Tensor

MOST_STEPS = 100
FEW_STEPS = 4  # of Newton, to centre a picture of classes that can be separated: a loss of a few hundredths


class LogisticRegression(LinearModel):
    """f = 1/m sum log(1 + exp(-s_i z_i)) + l2/2 |w|^2, with z_i = <w, x_i> + c and s_i = 2 y_i - 1 for y_i in {0, 1}.

    The Hessian X^T diag(p (1 - p)) X / m is at most a quarter of X^T X / m, and far less where the classes are told
    apart: rates well above the global bound 8 / lambda_max(X^T X / m) can work. Classes that a plane separates
    have no optimum without a penalty: the loss falls for ever as theta grows. Starts at zeros, where f = log 2.

    Reference: Cox 1958; Albert and Anderson 1984 (when there is an optimum).
    Where others differ: scikit-learn's C is 1 / (m l2), and its sum of losses is m times our mean.
    """

    title: ClassVar[str] = "Logistic regression"
    summary: ClassVar[str] = "Tells two classes apart: convex, but with a curvature that fades as the fit improves."
    reference: ClassVar[str] = "Cox 1958; Albert and Anderson 1984"
    task: ClassVar[Task] = "classification"
    compiled: ClassVar[bool] = True
    coefficient: ClassVar[str] = "weight"
    rate_hint: ClassVar[float] = 0.2

    @model_validator(mode="after")
    def _two_classes(self) -> "LogisticRegression":
        named = self.dataset.task == "classification"  # then the classes are known without their rows
        labels = np.arange(len(self.header.classes)) if named else np.unique(self.columns(0).y)
        if not np.isin(labels, (0, 1)).all():
            shown = ", ".join(f"{label:g}" for label in labels[:5]) + (" ..." if len(labels) > 5 else "")
            raise ExperimentError(
                f"logistic regression needs every y to be 0 or 1; given {shown}; recode y into two classes",
                ("dataset", "y"),
            )
        return self

    def optimum(self, seed: int) -> np.ndarray | None:
        theta, settled = _newton(self, seed, MOST_STEPS)
        return theta if settled else None

    def landmark(self, seed: int) -> np.ndarray:
        theta, settled = _newton(self, seed, MOST_STEPS)
        return theta if settled else _newton(self, seed, FEW_STEPS)[0]

    def row_curvatures(self, seed: int, decay: float = 0.0) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
        theta, settled = _newton(self, seed, MOST_STEPS, decay)
        if not settled:
            return None
        data = self.prepare(seed)
        return data.x, self.pointwise(data.x @ theta, data.y)[1], self.penalty()

    def pointwise(self, z: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        chance = np.exp(-np.logaddexp(0, -z))
        return np.logaddexp(0, (1 - 2 * y) * z), chance * (1 - chance)

    def realize(self, seed: int, dtype: "torch.dtype", device: str) -> "LogSum":
        return LogSum(self, seed, dtype, device)


@lru_cache(maxsize=64)
def _newton(problem: LogisticRegression, seed: int, steps: int, decay: float = 0.0) -> tuple[np.ndarray, bool]:
    """Newton's method with halved steps from zeros: (theta, whether it has settled), for f + decay/2 |theta|^2.

    It settles when a step no longer moves any z_i. On separable classes every step adds about 1 to the margins and
    the curvature along it fades: it never settles, while the gradient alone would soon look like zero.
    """
    data = problem.prepare(seed)
    basis = np.eye(problem.parameter_count)
    if not problem.l2 and not decay:
        # Coordinates in which the columns are orthonormal: well conditioned, and without the directions that
        # collinear columns leave undetermined.
        _, size, axes = np.linalg.svd(data.x, full_matrices=False)
        kept = size > size[0] * max(data.x.shape) * np.finfo(float).eps
        basis = axes[kept].T * (np.sqrt(len(data.y)) / size[kept])
    x, penalty = data.x @ basis, problem.penalty() + decay
    at = np.zeros(x.shape[1])
    if not x.size:
        return basis @ at, True  # every column is zero: no theta matters

    def value(point: np.ndarray) -> float:
        theta = basis @ point
        return problem.value(theta, seed) + decay / 2 * float(theta @ theta)

    for _ in range(steps):
        theta = basis @ at
        chance = np.exp(-np.logaddexp(0, -(x @ at)))
        gradient = x.T @ (chance - data.y) / len(data.y) + basis.T @ (penalty * theta)
        hessian = basis.T @ problem.hessian(theta, seed) @ basis + decay * (basis.T @ basis)
        curvature, directions = np.linalg.eigh(hessian)
        if not curvature[0] > 1e-13 * curvature[-1]:
            return theta, False  # nothing holds theta back in some direction
        step = -directions @ (directions.T @ gradient / curvature)
        if np.abs(x @ step).max() < 1e-9:  # the error after a Newton step is of the order of the step squared
            return basis @ (at + step), True
        length = 1.0
        while value(at + length * step) > value(at) and length > 1e-6:
            length /= 2
        at = at + length * step
    return basis @ at, False


class LogSum(LinearSum):
    """Log-losses of two classes."""

    loss_name: ClassVar[LossName | None] = "log"

    def loss(self, z: "Tensor", y: "Tensor") -> "Tensor":
        # log(1 + e^-sz): never overflows, keeps its digits when it is tiny, and has the right derivative at 0.
        return (z * (1 - 2 * y)).logaddexp(z.new_zeros(()))

    def slope(self, z: "Tensor", y: "Tensor") -> "Tensor":
        return z.sigmoid_().sub_(y)

    def test_metrics(self, theta: "Tensor") -> dict[str, float]:
        if not len(self.y_test):
            return {}
        right = ((self.x_test @ theta > 0) == (self.y_test > 0.5)).double()
        return super().test_metrics(theta) | {"test_accuracy": right.mean().item()}
