"""A multilayer perceptron: the smallest network, for numbers and for classes."""

from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field, model_validator

from mbsgd_core.knobs import Real, Whole, knob
from mbsgd_core.problems.datasets.base import Dataset, Task
from mbsgd_core.problems.models._dense import Activation, DenseProblem, LayeredSum, sum_of
from mbsgd_core.problems.models._net import labels_fit

if TYPE_CHECKING:
    import torch

Width = Annotated[Whole, Field(ge=1, le=4096)]


class Mlp(DenseProblem):
    """a_0 = x, a_l = act(W_l a_{l-1} + b_l), z = W_L a_{L-1} + b_L; f = 1/m sum loss(z_i, y_i) + l2/2 sum |W_l|^2.

    The loss is (z - y)^2 / 2 for a number, the log-loss of one output for two classes (torch's BCEWithLogitsLoss), and
    the cross-entropy of one output a class for more; or, if so chosen, 1/2 sum over classes of (z_k - [y = k])^2. Not
    convex: runs from different seeds end in different minima.

    Dropout zeroes each hidden activation with its probability while training and divides the others by the rest of
    it; recorded objectives and test values use all units. `intercept` means the biases of all layers.

    Reference: Rumelhart, Hinton, Williams 1986; Srivastava et al. 2014 (dropout).
    Where others differ: scikit-learn's MLP has penalties of alpha / m, and its squared error has the half as here.

    Example:
        >>> Mlp(dataset="blobs").widths, Mlp(dataset="blobs").parameter_count
        ((2, 8, 8, 1), 105)
    """

    title: ClassVar[str] = "Multilayer perceptron"
    summary: ClassVar[str] = "A small network: bends the boundary that a linear model must keep straight."
    reference: ClassVar[str] = "Rumelhart, Hinton, Williams 1986; Srivastava et al. 2014"
    task: ClassVar[Task] = "any"
    compiled: ClassVar[bool] = True

    hidden: tuple[Width, ...] = knob(
        (8, 8),
        label="Hidden layers",
        help="Units of each hidden layer; none: a linear model.",
        max_length=16,
        page=(1, 256),
    )
    activation: Activation = knob("tanh", label="Activation", help="What a hidden unit makes of its weighted sum.")
    dropout: Real = knob(
        0.0,
        label="Dropout",
        help="Probability that a hidden activation is zeroed in an update.",
        ge=0,
        lt=1,
        page=(0.0, 0.9),
    )
    target: Literal["auto", "number", "class"] = knob(
        "auto",
        label="Target",
        help="What y is where the data do not say; auto: a class if all y are whole numbers 0, 1 ... without gaps.",
    )

    @model_validator(mode="after")
    def _classes_fit(self) -> "Mlp":
        if self.learns == "classification":
            labels_fit(self)
        return self

    @property
    def learns(self) -> Task:
        told = self.dataset.task if self.dataset.task != "any" else self.dataset.header().task
        if told != "any":
            return told
        if self.target != "auto":
            return "classification" if self.target == "class" else "regression"
        return "classification" if _looks_like_classes(self.dataset) else "regression"

    @property
    def widths(self) -> tuple[int, ...]:
        return (len(self.header.features), *self.hidden, self.outputs)

    def realize(self, seed: int, dtype: "torch.dtype", device: str) -> LayeredSum:
        return sum_of(self)(self, seed, dtype, device, self.activation, self.dropout)


@lru_cache(maxsize=64)
def _looks_like_classes(dataset: Dataset) -> bool:
    """Whether y holds every whole number from 0 up to its largest, at least 0 and 1."""
    labels = np.unique(dataset.table(0).y)
    return len(labels) > 1 and np.array_equal(labels, np.arange(len(labels)))
