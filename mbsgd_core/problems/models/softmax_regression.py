"""Softmax regression: several classes, one hyperplane each."""

from typing import TYPE_CHECKING, ClassVar

import numpy as np
from pydantic import model_validator

from mbsgd_core.problems.datasets.base import Task
from mbsgd_core.problems.models._dense import DenseProblem, LayeredSum, sum_of
from mbsgd_core.problems.models._losses import LossName
from mbsgd_core.problems.models._net import labels_fit

if TYPE_CHECKING:
    import torch


class SoftmaxRegression(DenseProblem):
    """f = 1/m sum (log sum_k exp(z_ik) - z_i,y_i) + l2/2 |W|^2, with z_i = W x_i + c; theta = (W row by row, c).

    Adding one vector to all rows of W changes no prediction: without l2 the optimum is never a single point. Starts
    at zeros, where f = log of the number of classes. With loss "squared" it is least squares on one-hot targets.

    Reference: Bishop 2006, section 4.3.4 (multinomial logistic regression).
    Where others differ: scikit-learn's C is 1 / (m l2), and its sum of losses is m times our mean. For two classes
    logistic regression has half as many parameters and the same predictions.

    Example:
        >>> SoftmaxRegression(dataset="blobs").parameter_names[:2]
        ('weight of x1 for class 0', 'weight of x2 for class 0')
    """

    title: ClassVar[str] = "Softmax regression"
    summary: ClassVar[str] = "Tells several classes apart: logistic regression with one row of weights a class."
    reference: ClassVar[str] = "Bishop 2006, section 4.3.4"
    task: ClassVar[Task] = "classification"
    compiled: ClassVar[bool] = True
    rate_hint: ClassVar[float] = 0.2

    @model_validator(mode="after")
    def _classes_fit(self) -> "SoftmaxRegression":
        labels_fit(self)
        return self

    @property
    def outputs(self) -> int:
        return self.class_count

    @property
    def loss_name(self) -> LossName:
        return "one_hot" if self.loss == "squared" else "softmax"

    @property
    def widths(self) -> tuple[int, ...]:
        return (len(self.header.features), self.outputs)

    @property
    def parameter_names(self) -> tuple[str, ...]:
        table = self.header
        classes = table.classes or tuple(f"class {i}" for i in range(self.outputs))
        weights = tuple(f"weight of {name} for {label}" for label in classes for name in table.features)
        return weights + (tuple(f"intercept for {label}" for label in classes) if self.intercept else ())

    def initial(self, seed: int) -> np.ndarray:
        return np.zeros(self.parameter_count)

    def realize(self, seed: int, dtype: "torch.dtype", device: str) -> LayeredSum:
        return sum_of(self)(self, seed, dtype, device)
