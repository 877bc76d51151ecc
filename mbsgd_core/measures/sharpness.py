"""The largest eigenvalue of the Hessian, for nets of any size, and the learning rate it would allow (floor 4)."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from mbsgd_core.format import number
from mbsgd_core.measures.stability import rate_limit
from mbsgd_core.measures.subsample import pieces, point
from mbsgd_core.problems.base import FiniteSum
from mbsgd_core.random import stream
from mbsgd_core.results.learning import PRODUCTS, Search, Sharpness
from mbsgd_core.rules.base import Rule

TOLERANCE = 1e-3
NEAR = 0.05  # so little off the edge counts as at it


def hessian_product(total: FiniteSum, theta: Tensor, vector: Tensor) -> Tensor:
    """H v at theta (P,) by differentiating <gradient, v>, the samples in pieces: (P,)."""
    found = torch.zeros_like(vector)
    for piece in pieces(total):
        leaf = theta[None].clone().requires_grad_()
        with torch.enable_grad():
            value = total.losses(leaf, piece[None]).sum() / total.samples
            (slope,) = torch.autograd.grad(value, leaf, create_graph=True)
            if not slope.requires_grad:  # a constant slope
                continue
            (row,) = torch.autograd.grad((slope[0] * vector).sum(), leaf, allow_unused=True)
        if row is not None:
            found += row[0]
    return found


def sharpness(
    total: FiniteSum, theta: np.ndarray, seed: int = 0, products: int = PRODUCTS, tolerance: float = TOLERANCE
) -> Sharpness:
    """lambda_max of the Hessian of f at theta, the curvature that limits the learning rate.

    Lanczos: after k products H v the largest eigenvalue of a k x k tridiagonal matrix; every vector is made orthogonal
    to all before it, which takes k P numbers of memory. It finds the largest, not the largest in size: a power
    iteration would return a strongly negative one.

    Args:
        total: the objective, or a `subsample` of it: a product takes about 4 gradients of all its samples.
        theta: (P,).
        seed: of the first vector (stream "sharpness").
        products: at most so many, 1 ...
        tolerance: stop once the bound is below this share of the value.

    Example:
        >>> from mbsgd_core.problems.surfaces.quadratic import Quadratic
        >>> bowl = Quadratic(eigenvalues=(1, 10)).realize(0, torch.float64, "cpu")
        >>> round(sharpness(bowl, np.zeros(2)).value, 9)
        10.0

    Reference: Lanczos 1950; Pearlmutter 1994 (H v); Cohen et al. 2021, "Gradient descent on neural networks typically
    occurs at the edge of stability".
    Where others differ: some report the largest in size, or the mean over batches of each batch's own largest.
    """
    search = begin(total, seed)
    while not search.done:
        search = advance(total, theta, search, products, products, tolerance)
    return search.found


def begin(total: FiniteSum, seed: int = 0) -> Search:
    """A search before its first product, for jobs: each `advance` is a piece of work of its own."""
    draw = point(total, stream(seed, "sharpness").standard_normal(total.parameters))
    return Search((draw / draw.norm())[None].cpu().numpy(), (), (), Sharpness(np.nan, np.nan, 0, total.samples), False)


def advance(
    total: FiniteSum,
    theta: np.ndarray,
    search: Search,
    products: int,
    most: int = PRODUCTS,
    tolerance: float = TOLERANCE,
) -> Search:
    """Make so many more products, or fewer if the search ends; the same bits however it is cut.

    Args:
        total, theta: the same in all calls of a search.
        search: from `begin` or an earlier call; it is not changed.
        products: 1 ...
        most: of the whole search.
        tolerance: as in `sharpness`.
    """
    at = point(total, theta)
    basis = [point(total, row) for row in search.basis]
    diagonal, beside, found, done = list(search.diagonal), list(search.beside), search.found, search.done
    while not done and len(diagonal) < search.found.products + max(1, products):
        turned = hessian_product(total, at, basis[-1])
        diagonal.append(float(turned @ basis[-1]))
        for _ in range(2):  # twice is enough: rounding would bring back what was found before
            for vector in basis:
                turned = turned - (vector @ turned) * vector
        length = float(turned.norm())
        if not np.isfinite(diagonal[-1] + length):
            found, done = Sharpness(np.nan, np.nan, len(diagonal), total.samples), True
            break
        values, vectors = np.linalg.eigh(np.diag(diagonal) + np.diag(beside, 1) + np.diag(beside, -1))
        bound = length * abs(vectors[-1, -1])
        found = Sharpness(float(values[-1]), float(bound), len(diagonal), total.samples)
        whole = len(diagonal) >= min(most, total.parameters) or length == 0
        done = whole or bound <= tolerance * abs(values[-1])
        if not done:
            beside.append(length)
            basis.append(turned / length)
    return Search(torch.stack(basis).cpu().numpy(), tuple(diagonal), tuple(beside), found, done)


class Edge(NamedTuple):
    """The sharpness that a learning rate can just bear."""

    sharpness: float
    formula: str  # in terms of the rate


def edge(rule: Rule, learning_rate: float) -> Edge | None:
    """The sharpness at which this rate is the limit of a bowl: 2 / rate, 2 (1 + momentum) / rate ...; None if none.

    Full-batch descent on a net drives the sharpness up to this edge and then keeps it there.

    Example:
        >>> from mbsgd_core.rules.sgd import SGD
        >>> edge(SGD(momentum=0.5), 0.25)
        Edge(sharpness=12.0, formula='2(1 + β)/rate')

    Reference: Cohen et al. 2021.
    """
    unit = rate_limit(1.0, rule)
    if unit is None:
        return None
    # The limit is c / (L + weight decay) for every L; unit.curvature is 1 + weight decay.
    decay = unit.curvature - 1.0
    return Edge(unit.rate * unit.curvature / learning_rate - decay, unit.formula.replace("L", "rate"))


def sentence(found: Sharpness, rule: Rule, learning_rate: float) -> str:
    """What was found, what it means for the rate, and what it cost."""
    paid = f"Cost: {found.products} Hessian-vector products over {found.samples:,} samples."
    if not np.isfinite(found.value):
        return f"The curvature is not finite here. {paid}"
    opening = f"The largest Hessian eigenvalue is {number(found.value)} (within {number(found.bound)})"
    limit = edge(rule, learning_rate)
    if limit is None:
        return f"{opening}; {type(rule).__name__} has no simple limit. {paid}"
    share = found.value / limit.sharpness
    where = "at" if abs(share - 1) < NEAR else "below" if share < 1 else "above"
    return f"{opening}, {where} the edge {limit.formula} = {number(limit.sharpness)}. {paid}"
