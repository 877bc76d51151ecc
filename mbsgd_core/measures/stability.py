"""Which learning rates are stable, and why a lane blew up (floor 4)."""

import math
from typing import NamedTuple

import numpy as np
import torch

from mbsgd_core.measures import moments
from mbsgd_core.measures.curvatures import Curvatures, DenseCurvatures
from mbsgd_core.measures.noise import shrink
from mbsgd_core.problems.base import FiniteSum
from mbsgd_core.rules.base import Rule
from mbsgd_core.rules.sgd import SGD

PLAIN = SGD()
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


def curvature_spread(problem: FiniteSum, theta: np.ndarray) -> DenseCurvatures | None:
    """How the curvature differs from sample to sample at theta (P,); None if too large or not a bowl."""
    if problem.parameters > SQUARE_PARAMETERS or problem.samples * problem.parameters**2 > SQUARE_WORK:
        return None
    each = sample_hessians(problem, theta)
    found = DenseCurvatures(each) if np.isfinite(each).all() else None
    return found if found is not None and found.values.min(initial=math.inf) > 0 else None


def mean_square_limit(found: Curvatures, batch_size: int, replacement: bool, rule: SGD = PLAIN) -> float:
    """The largest rate at which the mean squared error does not grow with fresh batches of this size.

    Exact on quadratics, near theta elsewhere. For b = m it is `rate_limit`. Reference: see `moments`.
    """
    plain = rate_limit(float(found.values[-1]), rule)
    assert plain is not None, "a bowl has a limit"
    return moments.fresh_limit(found, [shrink(found.samples, batch_size, replacement)], rule, plain.rate)
