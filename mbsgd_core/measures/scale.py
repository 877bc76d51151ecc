"""How batch size, rate and progress trade against each other: the laws of McCandlish, Smith and Zhang (floor 4)."""

from typing import NamedTuple

import numpy as np


class Gain(NamedTuple):
    """The best single step with batches of b samples."""

    rate: float  # the best rate
    loss: float  # how much it lowers the loss
    share: float  # of what an exact gradient would gain
    noise_scale: float  # B_noise


def best_step(hessian: np.ndarray, gradient: np.ndarray, covariance: np.ndarray, batch_size: float) -> Gain:
    """The step that lowers a quadratic most on average.

    rate = rate_max / (1 + B_noise / b), with rate_max = |G|^2 / (G^T H G) and B_noise = tr(H s2) / (G^T H G).

    Args:
        hessian: H, (P, P).
        gradient: G, (P,).
        covariance: s2 of one sample's gradient, (P, P).
        batch_size: b.

    Reference: McCandlish et al. 2018, eq. 2.4-2.8.
    """
    bend, length = float(gradient @ hessian @ gradient), float(gradient @ gradient)
    scale = float(np.trace(hessian @ covariance)) / bend
    share = 1 / (1 + scale / batch_size)
    return Gain(length / bend * share, length**2 / (2 * bend) * share, share, scale)


def cost_at(batch_size: np.ndarray, least_updates: float, least_samples: float) -> tuple[np.ndarray, np.ndarray]:
    """(updates, samples) to a target at batch size b, on the hyperbola (S/S_min - 1)(E/E_min - 1) = 1.

    At the critical batch size E_min / S_min both cost twice their least.

    Example:
        >>> [float(v) for v in cost_at(64.0, 1000.0, 64000.0)]
        [2000.0, 128000.0]

    Reference: McCandlish et al. 2018, eq. 2.11-2.12. A model, not a law: measured fits are off by up to 25 %.
    """
    critical = least_samples / least_updates
    return least_updates * (1 + critical / batch_size), least_samples * (1 + batch_size / critical)


def fit_cost(batch_sizes: np.ndarray, updates: np.ndarray) -> tuple[float, float]:
    """(least updates, least samples) of the hyperbola through measured updates to a target.

    Least squares of S = S_min + E_min / b, each point weighted by 1 / S so that all count alike on a log axis.
    """
    design = np.stack([np.ones_like(updates), 1 / batch_sizes], axis=1) / updates[:, None]
    least_updates, least_samples = np.linalg.lstsq(design, np.ones_like(updates), rcond=None)[0]
    return float(least_updates), float(least_samples)


def noise_scale(learning_rate: float, samples: int, batch_size: int, momentum: float = 0.0) -> float:
    """g = rate (N/b - 1) / (1 - momentum), about rate N / (b (1 - momentum)): lanes of equal g jitter alike.

    Reference: Smith & Le 2018. It falls as much when the rate is halved as when the batch is doubled.
    """
    return learning_rate * (samples / batch_size - 1) / (1 - momentum)


def stationary_variance(
    learning_rate: float, curvature: np.ndarray | float, variance: np.ndarray | float, batch_size: int
) -> np.ndarray | float:
    """Where plain SGD on 1/2 curvature x^2 settles: rate s2 / (b curvature (2 - rate curvature)), elementwise.

    Fresh batches of additive noise with variance s2. Reference: Mandt, Hoffman, Blei 2017.
    """
    return learning_rate * variance / (batch_size * curvature * (2 - learning_rate * curvature))


def expected_loss(
    updates: float, learning_rate: float, curvature: np.ndarray, variance: np.ndarray, batch_size: int
) -> float:
    """The mean loss after t updates of the noisy quadratic model, from E theta_i^2 = 1.

    1/2 sum_i curvature_i [v_i + (1 - v_i)(1 - rate curvature_i)^(2t)], v_i the stationary variance.

    Reference: Zhang et al. 2019, "Which algorithmic choices matter at which batch sizes?".
    """
    settled = stationary_variance(learning_rate, curvature, variance, batch_size)
    left = (1 - learning_rate * curvature) ** (2 * updates)
    return float(0.5 * (curvature * (settled + (1 - settled) * left)).sum())
