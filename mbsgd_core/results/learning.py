"""What the measures of training return (floor 0): plain values and arrays, read without torch by the web process."""

from typing import NamedTuple

import numpy as np

PRODUCTS = 60  # Hessian-vector products of one search for the sharpness, at most
GRADIENTS = 4  # that a Hessian-vector product takes as long as, about


class Sharpness(NamedTuple):
    """What Lanczos found at one theta."""

    value: float  # the largest eigenvalue of the Hessian of the objective; NaN where that is not finite
    bound: float  # some eigenvalue lies no further than this from it
    products: int  # Hessian-vector products made
    samples: int  # each was a mean over

    @property
    def cost(self) -> int:
        """Gradients of single samples that take about as long."""
        return sharpness_cost(self.samples, self.products)


def sharpness_cost(samples: int, products: int = PRODUCTS) -> int:
    """What a sharpness takes at most, in gradients of single samples; it usually ends after a third of that."""
    return GRADIENTS * samples * products


class Search(NamedTuple):
    """A search for the sharpness on its way: it can rest between two pieces and cross processes."""

    basis: np.ndarray  # (k + 1, P) orthonormal rows; the next product is with the last
    diagonal: tuple[float, ...]  # of the tridiagonal matrix, k
    beside: tuple[float, ...]  # next to it, k
    found: Sharpness  # so far
    done: bool


class Meter(NamedTuple):
    """The gradient at one theta against the noise of the batches."""

    gradient: float  # |G|, the length of the full gradient
    trace: float  # tr s2, the summed variance of one sample's gradient
    scale: float  # B_simple = tr s2 / |G|^2: the batch size at which noise and gradient are equally long
    samples: int  # whose gradients were taken, once each: the cost
    of: int  # samples of the objective


class Slices(NamedTuple):
    """A line as batches of b samples see it. The objective is one curve whatever b is; its estimates differ."""

    at: np.ndarray  # (S,) positions t on theta + t direction
    full: np.ndarray  # (S,) the objective
    batches: np.ndarray  # (k, S) the mean loss of each of k batches
    spread: np.ndarray  # (S,) root mean square of batches - full
    predicted: (
        np.ndarray
    )  # (S,) what sampling theory says: s sqrt(1/b), without replacement s sqrt((m - b)/(b (m - 1)))


class Field(NamedTuple):
    """What the model says all over the plane of two features, or along the line of one."""

    xs: np.ndarray  # (S,) the first feature, in original units
    ys: np.ndarray  # (S,) the second; [0] if there is one feature only
    values: np.ndarray  # (len(ys), S, C): the probability of each class; the prediction (C = 1) for a number

    @property
    def label(self) -> np.ndarray:
        """The likeliest class, (len(ys), S)."""
        likeliest: np.ndarray = self.values.argmax(-1)
        return likeliest


class Judged(NamedTuple):
    """Rows beside what the model says about them."""

    truth: np.ndarray  # (n,) the class, or the number
    prediction: np.ndarray  # (n,) the likeliest class, or the predicted number
    chance: np.ndarray  # (n,) the probability that the model gives its prediction; NaN for a number
    loss: np.ndarray  # (n,) of each row, without the penalty

    @property
    def accuracy(self) -> float:
        """The share of right classes; NaN for numbers or without rows."""
        known = len(self.chance) > 0 and not np.isnan(self.chance).all()
        return float((self.truth == self.prediction).mean()) if known else float("nan")


class Gallery(NamedTuple):
    """Some images with their truth and what the model takes them for."""

    row: np.ndarray  # (n,) which of the judged rows
    images: np.ndarray  # (n, channels, height, width), 0 ... 1
    truth: np.ndarray  # (n,)
    prediction: np.ndarray  # (n,)
    chance: np.ndarray  # (n,)


class Curves(NamedTuple):
    """How a model generalises along its path; NaN where it cannot be said."""

    test_loss: np.ndarray  # (K,)
    test_accuracy: np.ndarray  # (K,)
    train_accuracy: np.ndarray  # (K,) on the labels that it was trained with
