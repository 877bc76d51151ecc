"""At which rates the second moments of (error, velocity) stay bounded (floor 4).

With z = (e, v) and the curvature H_B of a batch, momentum descent near a minimum is z' = A(H_B) z plus noise. Then
E[z z^T] stays bounded where the operator S -> E[A(H_B) S A(H_B)^T] has a spectral radius below 1. It is
A(H) S A(H)^T, which works on each pair of H's axes by itself, plus the noise c b C(S_ee) b^T: C is the spread of the
samples' curvatures, c what batches leave of it, b where a gradient enters. For a positive operator T + N with T stable
the radius is below 1 exactly where that of (I - T)^-1 N is: that one is much smaller, since N sees errors only.

Reference: Varga 1962 (regular splittings); Polyak 1964; Wu, Ma, E 2018; Ma, Bassily, Belkin 2018.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from mbsgd_core.measures.curvatures import Curvatures
from mbsgd_core.rules.sgd import SGD

EXACT = 1e-5  # of a rate
RAGGED = 0.02  # of a rate: where a short last batch moves the limit by less, the middle stands for both
LONG = 4e7  # multiplications an epoch: of longer ones the short batch is averaged with the others
BASIS, RESTARTS = 24, 12  # of Arnoldi's method
LOWEST = 1e-4  # times the limit without noise: from there upwards fixed batches are looked at, in so many steps to it,
STEPS, FEWEST, WORK = 160, 24, 3e8  # or in fewer: multiplications of all of them

Matrix = np.ndarray


class Step(NamedTuple):
    """e' = e - rate (direct g + past v), v' = keep v + enter g, with g = (H_B + decay) e: one update of a rule."""

    keep: float
    enter: float
    direct: float
    past: float
    decay: float

    @classmethod
    def of(cls, rule: SGD) -> "Step":
        """Of plain descent, heavy ball or Nesterov's.

        Example:
            >>> Step.of(SGD(momentum=0.5, nesterov=True))
            Step(keep=0.5, enter=1.0, direct=1.5, past=0.25, decay=0.0)
        """
        momentum, enter = rule.momentum, 1 - rule.dampening if rule.momentum else 1.0
        if rule.nesterov:
            return cls(momentum, enter, 1 + momentum, momentum**2, rule.weight_decay)
        return cls(momentum, enter, enter, momentum, rule.weight_decay)

    def matrices(self, curvatures: np.ndarray, rate: float) -> np.ndarray:
        """A(H) of every curvature (..., p, p), on (e, v) or, without momentum, on e alone."""
        size = curvatures.shape[-1]
        bent, one = curvatures + self.decay * np.eye(size), np.eye(size)
        if not self.keep:
            plain: np.ndarray = one - rate * self.direct * bent
            return plain
        whole = np.empty((*curvatures.shape[:-2], 2 * size, 2 * size))
        whole[..., :size, :size] = one - rate * self.direct * bent
        whole[..., :size, size:] = -rate * self.past * one
        whole[..., size:, :size] = self.enter * bent
        whole[..., size:, size:] = self.keep * one
        return whole


def fresh_limit(found: Curvatures, factors: Sequence[float], rule: SGD, plain: float) -> float:
    """The largest rate with bounded second moments, where every batch is drawn anew; at most the limit without noise.

    Batches of one epoch count as independent, those without replacement too. A short last batch has its own noise: the
    operator of an epoch is the product of those of its batches.

    Args:
        found: the curvatures at the minimum.
        factors: what the batches of one epoch leave of the variance of one sample (`measures.noise.shrink`).
        rule: momentum, dampening, weight decay.
        plain: the limit without noise.

    Example:
        >>> from mbsgd_core.measures.curvatures import RowCurvatures
        >>> two = RowCurvatures(np.array([[1.0], [3.0]]), np.ones(2), np.zeros(1))  # curvatures 1 and 9
        >>> round(fresh_limit(two, [1.0], SGD(), plain=2 / 5), 6), round(10 / 41, 6)
        (0.243902, 0.243902)

    Where others differ: texts that bound the noise by the largest sample have smaller, sufficient limits.
    """
    step, most, least = Step.of(rule), max(factors), min(factors)
    if most == 0:
        return plain

    def even(factor: float) -> float:
        return _crossing(lambda rate, start: _gain(found, step, factor, rate, start), plain)

    high = even(least)
    low = high if most == least else even(most)
    if len(factors) * found.cost > LONG:
        return even(float(np.mean(factors)))
    radius = _Epoch(found, step, factors)

    def growth(rate: float) -> float:
        return math.log(max(radius(rate), 1e-300))

    above, below = growth(high), growth(low)
    if above <= 0 or low == high:
        return high
    own = _root(growth, low, below, high, above, 100 * EXACT) if below < 0 else low
    return (own + high) / 2 if own > (1 - RAGGED) * high else own


def fixed_limit(batches: np.ndarray, rule: SGD, plain: float) -> float | None:
    """The rate up to which a lane that repeats the same batches, of curvatures (U, p, p), in one order is stable.

    The spectral radius of the product A(H_U) ... A(H_1) passes 1 there for the first time; it can be above the limit of
    the full batch. None where it is unstable at all rates. Windows narrower than a step of the search are not seen.

    Example:
        >>> round(fixed_limit(np.array([[[1.0]], [[9.0]]]), SGD(), plain=2 / 5), 4)  # (1 - rate)(1 - 9 rate) = -1
        0.2616
    """
    step = Step.of(rule)

    def growth(rate: float) -> float:
        product = step.matrices(batches, rate)
        with np.errstate(over="ignore", invalid="ignore"):
            while len(product) > 1:  # neighbours at a time; an odd one waits
                even = len(product) // 2 * 2
                product = np.concatenate([product[1:even:2] @ product[:even:2], product[even:]])
        if not np.isfinite(product).all():
            return math.inf
        return math.log(max(np.abs(np.linalg.eigvals(product[0])).max(initial=0.0), 1e-300))

    low = LOWEST * plain
    below = growth(low)
    if below > 0:
        return None
    steps = np.clip(WORK / (len(batches) * step.matrices(batches[0], 0.0).size ** 1.5), FEWEST, STEPS)
    stride = LOWEST ** (-1 / steps)
    while (above := growth(low * stride)) <= 0:
        low, below = low * stride, above
        if low > plain / LOWEST:
            return None
    return float(_root(growth, low, below, low * stride, above, 10 * EXACT))


def _gain(found: Curvatures, step: Step, factor: float, rate: float, start: Matrix | None) -> tuple[float, Matrix]:
    """The spectral radius of (I - T)^-1 N, and the second moment of the errors that belongs to it."""
    bent = found.values + step.decay
    one = np.empty((len(bent), 2, 2))  # A(H) in each axis
    one[:, 0, 0], one[:, 0, 1] = 1 - rate * step.direct * bent, -rate * step.past
    one[:, 1, 0], one[:, 1, 1] = step.enter * bent, step.keep
    pairs = np.einsum("iab,jcd->ijacbd", one, one).reshape(len(bent), len(bent), 4, 4)
    enters = np.array([-rate * step.direct, step.enter])
    answer = np.linalg.solve(np.eye(4) - pairs, np.kron(enters, enters)[:, None])[..., 0, 0]  # E[e_i e_j] of unit noise
    first = np.eye(len(bent)) if start is None else start
    return _radius(lambda moment: factor * answer * found.noise(moment), first, EXACT / 10)


class _Epoch:
    """The spectral radius of an epoch's operator, by rates that are close to each other."""

    def __init__(self, found: Curvatures, step: Step, factors: Sequence[float]):
        self.found, self.step, self.factors = found, step, factors
        one = np.eye(len(found.values))
        self.start = np.stack([one, 0 * one, one * bool(step.keep)])

    def __call__(self, rate: float) -> float:
        radius, self.start = _radius(lambda moments: self.passed(moments, rate), self.start, 10 * EXACT)
        return radius

    def passed(self, moments: Matrix, rate: float) -> Matrix:
        """E[e e^T], E[e v^T], E[v v^T] after an epoch, (3, p, p)."""
        step, bent = self.step, self.found.values + self.step.decay
        turn, past, enter, keep = 1 - rate * step.direct * bent, -rate * step.past, step.enter * bent, step.keep
        into = -rate * step.direct  # how a gradient enters the error
        # Kept symmetric: rounding would grow along what is no second moment.
        errors, mixed, speeds = (moments[0] + moments[0].T) / 2, moments[1], (moments[2] + moments[2].T) / 2
        for factor in self.factors:
            spread = factor * self.found.noise(errors)
            if not keep:
                errors = np.outer(turn, turn) * errors + into**2 * spread
                continue
            from_error, from_speed = turn[:, None] * errors + past * mixed.T, turn[:, None] * mixed + past * speeds
            to_error, to_speed = enter[:, None] * errors + keep * mixed.T, enter[:, None] * mixed + keep * speeds
            errors = from_error * turn + past * from_speed + into**2 * spread
            mixed = from_error * enter + keep * from_speed + into * step.enter * spread
            speeds = to_error * enter + keep * to_speed + step.enter**2 * spread
        return np.stack([errors, mixed, speeds])


def _crossing(gain: Callable[[float, Matrix | None], tuple[float, Matrix]], plain: float) -> float:
    """The rate below `plain` at which the gain, which grows with the rate, is 1; `plain` where it stays below."""
    start: Matrix | None = None

    def short(inverse: float) -> float:  # nearly a straight line in 1 / rate
        nonlocal start
        value, start = gain(1 / inverse, start)
        return 1 / max(value, 1e-300) - 1

    low = (1 + 1e-7) / plain
    below = short(low)
    if below >= 0:
        return plain
    high = 2 * low
    while (above := short(high)) < 0:
        low, below, high = high, above, 2 * high
    return 1 / _root(short, low, below, high, above, EXACT)


def _root(
    function: Callable[[float], float], low: float, below: float, high: float, above: float, tolerance: float
) -> float:
    """Where a function is 0 between two places of different signs: secants; a stale end counts half (Illinois)."""
    side, at = 0, low
    while abs(high - low) > tolerance * high:
        last = at
        at = (low + high) / 2 if math.isinf(above) else (low * above - high * below) / (above - below)
        value = function(at)
        if abs(at - last) < tolerance * at or value == 0:
            break
        if (value < 0) == (below < 0):
            low, below, above, side = at, value, (above / 2 if side < 0 else above), -1
        else:
            high, above, below, side = at, value, (below / 2 if side > 0 else below), 1
    return at


def _radius(apply: Callable[[Matrix], Matrix], start: Matrix, tolerance: float) -> tuple[float, Matrix]:
    """The spectral radius of an operator that keeps second moments second moments, and the moment that it stretches so.

    Arnoldi's method from a matrix inside the cone, begun again from the best vector until that one stays.
    """
    vector, value, error = start, 0.0, math.inf
    basis, small = np.empty((BASIS + 1, start.size)), np.empty((BASIS + 1, BASIS))
    for _ in range(RESTARTS):
        basis[0], small[:] = vector.ravel() / np.linalg.norm(vector), 0.0
        for k in range(BASIS):
            turned, known = apply(basis[k].reshape(start.shape)).ravel(), basis[: k + 1]
            for _ in range(2):  # twice is enough
                shares = known @ turned
                turned = turned - shares @ known
                small[: k + 1, k] += shares
            small[k + 1, k] = length = float(np.linalg.norm(turned))
            values, vectors = np.linalg.eig(small[: k + 1, : k + 1])
            best = int(np.abs(values).argmax())
            value = float(np.abs(values[best]))
            error = length * float(np.abs(vectors[-1, best]))
            if error <= tolerance * value or length <= 1e-14 * value:
                break
            basis[k + 1] = turned / length
        vector = (vectors[:, best].real @ known).reshape(start.shape)
        if error <= tolerance * value or value == 0:
            break
    return value, vector
