"""Which learning rates are stable, and why a lane blew up (floor 4)."""

import math
from typing import NamedTuple

import numpy as np
import torch

from mbsgd_core.measures.noise import shrink
from mbsgd_core.problems.base import FiniteSum
from mbsgd_core.rules.base import Rule
from mbsgd_core.rules.sgd import SGD

PARAMETERS = 64  # a Hessian is computed up to here
SQUARE_PARAMETERS, SQUARE_WORK = 12, 4_000_000  # and the mean-square limit up to here


class Limit(NamedTuple):
    """The rates below which a rule shrinks every error of a quadratic bowl."""

    rate: float
    formula: str  # in terms of L, the largest curvature
    curvature: float


def hessian(problem: FiniteSum, theta: np.ndarray) -> np.ndarray:
    """The second derivatives of the objective at theta (P,), by differentiating its losses twice: (P, P)."""
    everyone = torch.arange(problem.samples, device=problem.start().device)[None]
    (hessian,) = _second(problem, theta, everyone)
    return np.asarray(hessian)


def sample_hessians(problem: FiniteSum, theta: np.ndarray) -> np.ndarray:
    """The second derivatives of every sample's loss at theta (P,): (m, P, P)."""
    return _second(problem, theta, torch.arange(problem.samples, device=problem.start().device)[:, None])


def _second(problem: FiniteSum, theta: np.ndarray, indices: torch.Tensor) -> np.ndarray:
    """Hessians of the mean losses of the rows of indices (R, B): (R, P, P)."""
    start = problem.start()
    point = torch.as_tensor(np.array(theta), dtype=start.dtype, device=start.device)
    leaf = point.expand(len(indices), -1).clone().requires_grad_()
    with torch.enable_grad():
        total = problem.losses(leaf, indices).mean(-1).sum()
        (slope,) = torch.autograd.grad(total, leaf, create_graph=True)
        rows = [_differentiate(slope[:, i].sum(), leaf) for i in range(leaf.shape[1])]
    return torch.stack(rows, 1).detach().cpu().numpy().astype(np.float64)


def _differentiate(value: torch.Tensor, leaf: torch.Tensor) -> torch.Tensor:
    if not value.requires_grad:  # a constant slope
        return torch.zeros_like(leaf)
    (row,) = torch.autograd.grad(value, leaf, retain_graph=True, allow_unused=True)
    return torch.zeros_like(leaf) if row is None else row


def largest_curvature(problem: FiniteSum, theta: np.ndarray) -> float | None:
    """L, the largest eigenvalue of the Hessian at theta; None where it is not finite or too large to compute."""
    if problem.parameters > PARAMETERS:
        return None
    second = hessian(problem, theta)
    return float(np.linalg.eigvalsh(second)[-1]) if np.isfinite(second).all() else None


def rate_limit(curvature: float | None, rule: Rule) -> Limit | None:
    """The largest stable rate of full-batch descent on a bowl of largest curvature L; None if there is no simple one.

    plain: 2 / L; heavy ball: 2 (1 + momentum) / L; dampened: that / (1 - dampening);
    Nesterov: 2 (1 + momentum) / ((1 + 2 momentum) L). Weight decay adds itself to L.

    Example:
        >>> round(rate_limit(10.0, SGD(momentum=0.9)).rate, 6), round(rate_limit(10.0, SGD()).rate, 6)
        (0.38, 0.2)

    Reference: Polyak 1964; Goh 2017; for Nesterov the root of the two-step recursion at -1.
    """
    if curvature is None or not isinstance(rule, SGD):
        return None
    steep, momentum = curvature + rule.weight_decay, rule.momentum
    if steep <= 0 or (momentum and rule.dampening == 1):
        return None
    if not momentum:
        return Limit(2 / steep, "2/L", steep)
    if rule.nesterov:
        return Limit(2 * (1 + momentum) / ((1 + 2 * momentum) * steep), "2(1 + β)/((1 + 2β) L)", steep)
    if rule.dampening:
        rate = 2 * (1 + momentum) / ((1 - rule.dampening) * steep)
        return Limit(rate, "2(1 + β)/((1 - dampening) L)", steep)
    return Limit(2 * (1 + momentum) / steep, "2(1 + β)/L", steep)


class Spread(NamedTuple):
    """How the curvature differs between samples, in the axes of the mean curvature."""

    eigenvalues: np.ndarray  # (P,) of the mean Hessian H
    second_moment: np.ndarray  # (P*P, P*P): the mean over samples of H_i (x) H_i
    samples: int


def curvature_spread(problem: FiniteSum, theta: np.ndarray) -> Spread | None:
    """What `mean_square_limit` needs, once for all batch sizes; None if too large or not a bowl."""
    parameters = problem.parameters
    if parameters > SQUARE_PARAMETERS or problem.samples * parameters**2 > SQUARE_WORK:
        return None
    each = sample_hessians(problem, theta)
    if not np.isfinite(each).all():
        return None
    values, axes = np.linalg.eigh(each.mean(0))
    if values[0] < -1e-9 * abs(values[-1]) or values[-1] <= 0:
        return None
    turned = axes.T @ each @ axes
    moment = np.einsum("nij,nkl->ikjl", turned, turned, optimize=True) / len(each)
    return Spread(values, moment.reshape(parameters**2, parameters**2), len(each))


def mean_square_limit(spread: Spread, batch_size: int, replacement: bool) -> float:
    """The largest rate at which the mean squared error of plain mini-batch descent does not grow.

    With H_B the curvature of a fresh batch, E[(I - rate H_B) M (I - rate H_B)] must not enlarge any M:
    rate (H (x) H + c Cov(H_i)) <= H (x) I + I (x) H, with c = 1/b or 1/b (m - b)/(m - 1). For b = m it is 2/L.
    Exact on quadratics with fresh batches; elsewhere it holds near theta.

    Reference: Ma, Bassily, Belkin 2018; Wu, Ma, E 2018.
    """
    factor = shrink(spread.samples, batch_size, replacement)
    mean = np.diag(np.kron(spread.eigenvalues, spread.eigenvalues))
    second = mean + factor * (spread.second_moment - mean)
    sums = np.add.outer(spread.eigenvalues, spread.eigenvalues).ravel()
    curved = sums > 1e-12 * sums.max()  # flat directions do not move
    scale = 1 / np.sqrt(sums[curved])
    growth = np.linalg.eigvalsh(scale[:, None] * second[np.ix_(curved, curved)] * scale)[-1]
    return float(1 / growth) if growth > 0 else math.inf
