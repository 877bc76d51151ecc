"""How the curvature differs from sample to sample and from batch to batch, at one place (floor 4)."""

from abc import ABC, abstractmethod
from functools import cached_property

import numpy as np

FLAT = 1e-12  # of the largest curvature: gentler directions neither grow nor shrink
TABLE = 600  # entries of a symmetric matrix: the noise of larger ones is made from the samples each time


class Curvatures(ABC):
    """H_i of every sample in the axes of their mean H, without the directions that have no curvature.

    Attributes:
        samples: m.
        values: (p,) the eigenvalues of H that are not zero.
    """

    samples: int
    values: np.ndarray

    @abstractmethod
    def of_batches(self, indices: np.ndarray) -> np.ndarray:
        """H_B of the batches of the rows of indices (n, B): (n, p, p)."""

    @abstractmethod
    def _spread(self, moment: np.ndarray) -> np.ndarray:
        """`noise`, from the samples."""

    def noise(self, moment: np.ndarray) -> np.ndarray:
        """1/m sum (H_i - H) M (H_i - H): what one sample's curvature adds to errors of second moment M, (p, p).

        A batch adds `measures.noise.shrink` times as much.
        """
        if self._table is None:
            return self._spread(moment)
        upper, place, scale = self._symmetric
        mixed: np.ndarray = (self._table @ (moment[upper] * scale) / scale)[place]
        return mixed

    @property
    def cost(self) -> float:
        """Multiplications of `noise`, about; calls count as some."""
        size = len(self._symmetric[2])
        return 1e5 + (size**2 if size <= TABLE else 2 * self.samples * len(self.values) ** 2)

    @cached_property
    def _symmetric(self) -> tuple[tuple[np.ndarray, np.ndarray], np.ndarray, np.ndarray]:
        """Where the upper triangle lies, where in it each entry does, and sqrt 2 for what is there twice."""
        size = len(self.values)
        upper = np.triu_indices(size)
        place = np.empty((size, size), int)
        place[upper] = place.T[upper] = np.arange(len(upper[0]))
        return upper, place, np.where(upper[0] == upper[1], 1.0, np.sqrt(2))

    @cached_property
    def _table(self) -> np.ndarray | None:
        """`noise` as a matrix on symmetric matrices, where it is small."""
        return None if len(self._symmetric[2]) > TABLE else self._tabulate()

    def _tabulate(self) -> np.ndarray:
        upper, place, scale = self._symmetric
        units = np.eye(len(scale))
        return np.column_stack([self._spread((unit / scale)[place])[upper] * scale for unit in units])


class RowCurvatures(Curvatures):
    """H_i = w_i x_i x_i^T + D: models that see theta through <theta, x_i>; D is the same for all, a penalty's."""

    def __init__(self, x: np.ndarray, weight: np.ndarray, shared: np.ndarray):
        """Of rows x (m, P), their weights (m,), and D as its diagonal (P,)."""
        self.samples, x = len(x), np.asarray(x, dtype=np.float64)
        mean = (x * weight[:, None]).T @ x / len(x)
        self.values, axes = _curved(mean + np.diag(shared))
        self.rows, self.weight = x @ axes, weight
        self.own, self.shared = axes.T @ mean @ axes, axes.T @ (shared[:, None] * axes)

    def of_batches(self, indices: np.ndarray) -> np.ndarray:
        rows = self.rows[indices]
        weighted = rows * (self.weight[indices] / indices.shape[1])[..., None]
        own: np.ndarray = weighted.mT @ rows + self.shared
        return own

    def _spread(self, moment: np.ndarray) -> np.ndarray:
        along = ((self.rows @ moment) * self.rows).sum(1) * self.weight**2 / self.samples  # w_i^2 x_i^T M x_i / m
        spread: np.ndarray = (self.rows * along[:, None]).T @ self.rows - self.own @ moment @ self.own
        return spread

    def _tabulate(self) -> np.ndarray:
        (i, j), _, scale = self._symmetric
        each = self.rows[:, i] * self.rows[:, j] * (scale * self.weight[:, None] / np.sqrt(self.samples))
        own, twice = self.own, np.outer(scale, scale) / 2
        mean = own[np.ix_(i, i)] * own[np.ix_(j, j)] + own[np.ix_(i, j)] * own[np.ix_(j, i)]
        table: np.ndarray = each.T @ each - twice * mean
        return table


class DenseCurvatures(Curvatures):
    """Any H_i, one matrix a sample."""

    def __init__(self, each: np.ndarray):
        """Of the second derivatives (m, P, P)."""
        self.samples = len(each)
        self.values, axes = _curved(each.mean(0))
        self.each = axes.T @ each @ axes

    def of_batches(self, indices: np.ndarray) -> np.ndarray:
        return np.stack([self.each[batch].mean(0) for batch in indices])

    def _spread(self, moment: np.ndarray) -> np.ndarray:
        off = self.each - np.diag(self.values)
        spread: np.ndarray = (off @ moment @ off).mean(0)
        return spread


def _curved(mean: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The eigenvalues (p,) that are not zero, and their axes (P, p); negative ones are kept."""
    values, axes = np.linalg.eigh(mean)
    kept = np.abs(values) > FLAT * np.abs(values).max(initial=1e-300)
    return values[kept], axes[:, kept]
