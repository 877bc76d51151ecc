"""Random directions that suit a net (floor 4)."""

import math

import numpy as np

from mbsgd_core.random import stream


def filter_normalised(theta: np.ndarray, shapes: tuple[tuple[int, ...], ...], seed: int, number: int = 0) -> np.ndarray:
    """A random direction in which every filter is as long as theta's: d_ij <- d_ij |theta_ij| / |d_ij|.

    A net of rectifiers does the same when one layer is scaled up and the next one down; a direction that is scaled
    with the filters does not see the difference, so that pictures of different nets can be compared. A filter is what
    makes one output: a row of a weight matrix, one kernel of a convolution. Biases do not move.

    Args:
        theta: (P,).
        shapes: the tensors that theta lays end to end, see FiniteSum.shapes.
        seed, number: of the draw; the stream is "direction".

    Returns:
        (P,) float64. A theta of zeros has no scale: the direction then has length 1.

    Example:
        >>> d = filter_normalised(np.array([3.0, 4.0, 0.0, 2.0, 7.0, 7.0]), ((2, 2), (2,)), seed=0)
        >>> np.hypot(*d[:2]).round(12), np.hypot(*d[2:4]).round(12), d[4:].tolist()
        (np.float64(5.0), np.float64(2.0), [0.0, 0.0])

    Reference: Li et al. 2018, "Visualizing the loss landscape of neural nets", section 4.
    """
    drawn = stream(seed, "direction", number).standard_normal(len(theta))
    found, first = np.zeros(len(theta)), 0
    for shape in shapes:
        last = first + math.prod(shape)
        if len(shape) > 1:
            rows = drawn[first:last].reshape(shape[0], -1)
            lengths = np.linalg.norm(np.asarray(theta[first:last], dtype=np.float64).reshape(rows.shape), axis=1)
            found[first:last] = (rows * (lengths / np.linalg.norm(rows, axis=1))[:, None]).ravel()
        first = last
    return found if found.any() else drawn / np.linalg.norm(drawn)
