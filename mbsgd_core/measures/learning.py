"""What a model has learned, shown on the data: boundaries, judged rows, images, filters, test curves (floor 4)."""

from math import prod
from typing import Literal

import numpy as np
import torch

from mbsgd_core.errors import LabError
from mbsgd_core.measures.subsample import Subsample, point, subsample
from mbsgd_core.problems.base import FiniteSum
from mbsgd_core.problems.models.base import DataProblem
from mbsgd_core.results.learning import Curves, Field, Gallery, Judged

ROWS = 4096  # predicted at once
MARGIN = 0.1  # around the data, of their range

Which = Literal["train", "test"]


def rows_of(problem: DataProblem, seed: int, which: Which) -> tuple[np.ndarray, np.ndarray]:
    """(x (n, D) as the model sees them without the intercept's ones, y (n,)) of the training or the test rows."""
    data = problem.prepare(seed)
    x, y = (data.x, data.y) if which == "train" else (data.x_test, data.y_test)
    return x[:, : len(data.mean)], y


def predict(problem: DataProblem, total: FiniteSum, theta: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Probabilities of the classes, or the predicted number (C = 1), of rows (n, D): float64 (n, C).

    A single output z of two classes means sigmoid(z) for the second; several mean a softmax, or the probabilities
    nearest to them where the loss is squared.
    """
    z = _outputs(total, theta, rows)
    return (problem.log_chances(z).exp() if problem.learns == "classification" else z).numpy()


def _outputs(total: FiniteSum, theta: np.ndarray, rows: np.ndarray) -> torch.Tensor:
    """What the model computes of rows (n, D): float64 (n, outputs)."""
    at = point(total, theta)
    with torch.no_grad():
        pieces = [rows[first : first + ROWS] for first in range(0, max(len(rows), 1), ROWS)]
        found = [total.predict(at, torch.as_tensor(piece, dtype=at.dtype, device=at.device)) for piece in pieces]
    return torch.cat(found).double().cpu()


def field(problem: DataProblem, total: FiniteSum, theta: np.ndarray, seed: int, size: int = 80) -> Field:
    """What the model says around all rows of a data set with one or two features.

    Args:
        problem, total: an experiment's problem, and its finite sum at `seed`.
        theta: (P,).
        size: points along each axis.
    """
    data = problem.prepare(seed)
    width = len(data.mean)
    if width > 2:
        raise LabError(f"a boundary is drawn over one or two features; this model has {width}; choose two")
    seen = (
        np.concatenate([rows_of(problem, seed, which)[0] for which in ("train", "test")]) * data.deviation + data.mean
    )
    low, high = seen.min(0), seen.max(0)
    room = MARGIN * np.where(high > low, high - low, 1.0)
    axes = [np.linspace(a, b, size) for a, b in zip(low - room, high + room, strict=True)]
    xs, ys = axes if width == 2 else (axes[0], np.zeros(1))
    places = np.stack(np.meshgrid(xs, ys), -1).reshape(-1, 2)[:, :width]
    values = predict(problem, total, theta, (places - data.mean) / data.deviation)
    return Field(xs, ys, values.reshape(len(ys), len(xs), -1))


def judge(
    problem: DataProblem,
    total: FiniteSum,
    theta: np.ndarray,
    seed: int,
    which: Which = "test",
    rows: np.ndarray | None = None,
) -> Judged:
    """Every held-out row (or training row; or some of them) beside what the model at theta (P,) says about it."""
    x, y = rows_of(problem, seed, which)
    return _judged(problem, total, theta, *((x, y) if rows is None else (x[rows], y[rows])))


def _judged(problem: DataProblem, total: FiniteSum, theta: np.ndarray, rows: np.ndarray, truth: np.ndarray) -> Judged:
    z = _outputs(total, theta, rows)
    if problem.learns != "classification":
        with np.errstate(over="ignore"):  # of a model that diverges: an infinite loss is its loss
            said = z[:, 0].numpy()
            return Judged(truth, said, np.full(len(truth), np.nan), (said - truth) ** 2 / 2)
    chances, label = problem.log_chances(z).exp().numpy(), truth.astype(np.int64)
    loss = problem.row_losses(z, torch.as_tensor(label)).numpy()
    return Judged(label, chances.argmax(1), chances.max(1), loss)


def confusion(judged: Judged, classes: int) -> np.ndarray:
    """How many rows of class i the model takes for class j: counts (C, C), row i, column j.

    Example:
        >>> confusion(Judged(np.array([0, 0, 1]), np.array([0, 1, 1]), np.ones(3), np.zeros(3)), 2)
        array([[1, 1],
               [0, 1]])
    """
    counts = np.bincount(judged.truth * classes + judged.prediction, minlength=classes**2)
    return counts.reshape(classes, classes)


def gallery(problem: DataProblem, judged: Judged, seed: int, count: int = 20, worst: bool = False) -> Gallery:
    """The first test images, or those that the model finds hardest (largest loss first).

    Args:
        problem: on a data set of images.
        judged: its test rows, from `judge`.
        seed: the experiment's.
    """
    shape, data = problem.dataset.shape, problem.prepare(seed)
    if not shape or prod(shape) != len(data.mean):
        raise LabError(f"{problem.dataset.title} is shown as a table; only whole images make a gallery")
    row = np.argsort(-judged.loss, kind="stable")[:count] if worst else np.arange(min(count, len(judged.loss)))
    pixels = (rows_of(problem, seed, "test")[0][row] * data.deviation + data.mean) / problem.dataset.white
    some = (judged.truth[row], judged.prediction[row], judged.chance[row])
    return Gallery(row, pixels.clip(0, 1).reshape(-1, *shape), *some)


def filters(problem: DataProblem, total: FiniteSum, theta: np.ndarray) -> np.ndarray:
    """What each unit of the first layer looks for: its weights as an image, (units, channels, height, width).

    Of a convolution they are its kernels; of a dense layer on images, one weight for every pixel.
    """
    shape, pixels = total.shapes[0], problem.dataset.shape
    weights = np.asarray(theta[: prod(shape)], dtype=np.float64).reshape(shape)
    if len(shape) == 4:
        return weights
    if not pixels or prod(pixels) != shape[1]:
        raise LabError(
            f"the first layer of {problem.title} on {problem.dataset.title} sees no image; there is no filter"
        )
    return weights.reshape(-1, *pixels)


def curves(problem: DataProblem, total: FiniteSum, thetas: np.ndarray, seed: int, samples: int | None = None) -> Curves:
    """Test loss, test and training accuracy at the records of a path.

    Every record stands for itself: a job hands over as many as it likes and puts the answers end to end.

    Args:
        problem, total: an experiment's problem, and its finite sum at `seed`.
        thetas: (K, P); rows that are not finite give NaN.
        seed: the experiment's.
        samples: of the training rows, see `subsample`; None: all of them.
    """
    x, y = rows_of(problem, seed, "train")
    some = subsample(total, samples, seed)
    if isinstance(some, Subsample):
        x, y = x[some.rows.cpu().numpy()], y[some.rows.cpu().numpy()]
    found = np.full((len(thetas), 3), np.nan)
    for k in np.flatnonzero(np.isfinite(thetas).all(1)):
        with torch.no_grad():
            seen = total.test_metrics(point(total, thetas[k]))
        train = _judged(problem, total, thetas[k], x, y).accuracy
        found[k] = seen.get("test_loss", np.nan), seen.get("test_accuracy", np.nan), train
    return Curves(*found.T)
