"""The learning rates above which a lane's errors grow: of its own batches at the minimum, or at its start (floor 4)."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mbsgd_core import engine
from mbsgd_core.experiment import Experiment, Lane
from mbsgd_core.measures import moments, stability
from mbsgd_core.measures.curvatures import Curvatures, DenseCurvatures, RowCurvatures
from mbsgd_core.measures.noise import shrink
from mbsgd_core.measures.sharpness import sharpness
from mbsgd_core.measures.subsample import subsample
from mbsgd_core.measures.truth import truth
from mbsgd_core.memory_cache import derived_cache
from mbsgd_core.problems.base import FiniteSum, Problem
from mbsgd_core.rules.sgd import SGD
from mbsgd_core.samplers.base import Sampler

MINIMIZERS = 4  # of many are looked at for their curvature
FEW, FEWEST = 500, 64  # samples that a network's curvature is a mean over; of models where they are dear
DEAR = 1e6  # operations of a sample's way through the model
PRODUCTS, TOLERANCE = 15, 0.05  # of a search that is good enough for a rate to try
LARGE, ROWS, REPEATED = 2e7, 1e9, 1e9  # multiplications: noise and Newton's method, rows without, fixed batches


class Limits(NamedTuple):
    """The rate above which errors grow, and where it comes from."""

    rate: float
    plain: stability.Limit  # without noise
    noisy: float | None  # with this lane's batches, where that is another one
    exact: bool = False  # whether it is the lane's `rate_limit`, that at its minimum


def rate_limit(experiment: Experiment, lane: int) -> float | None:
    """The largest constant rate for which the lane's mean-square error at the minimum stays bounded.

    Exact for quadratic problems, and near the minimum for logistic regression, with the lane's own momentum, Nesterov,
    dampening, weight decay and batches. Batches that are drawn count as independent of each other; a sampler that
    repeats its first epoch is judged by that one, of run 0. Directions without curvature are left out. For the full
    batch it is the limit of a stable iteration.

    Returns:
        The rate; None for other problems and rules, and where there is no minimum.

    Example:
        >>> from mbsgd_core.experiment import Experiment
        >>> heavy = {"sampler": "full_batch", "rule": {"name": "sgd", "momentum": 0.9}, "schedule": "constant"}
        >>> round(rate_limit(Experiment.model_validate({"problem": "quadratic", "lanes": [heavy]}), 0), 6)
        0.38

    Reference: Wu, Ma, E 2018; see `moments`.
    """
    found = _at_minimum(experiment, lane)
    return found.rate if found is not None else None


def rate_limits(experiment: Experiment, lane: int) -> Limits | None:
    """`rate_limit` with its reasons; where there is none, that by the largest curvature at the start and minimizers."""
    found = _at_minimum(experiment, lane)
    if found is not None:
        return found
    return limits_at(experiment, lane, (start_of(experiment), *truth(experiment).minimizers[:MINIMIZERS]))


def limits_at(experiment: Experiment, lane: int, places: Sequence[tuple[float, ...]]) -> Limits | None:
    """The limits by the largest curvature at some places; None where there are none."""
    method = experiment.lanes[lane]
    problem = engine.finite_sum(experiment)
    if problem.parameters > stability.PARAMETERS or _is_moved(method):
        return None
    found = {place: curvature for place in places if (curvature := _curvature(problem, place)) is not None}
    steepest = max(found, key=lambda place: found[place], default=None)
    plain = None if steepest is None else stability.rate_limit(found[steepest], method.rule)
    if steepest is None or plain is None:
        return None
    if not any(_factors(method.sampler, problem.samples)):
        return Limits(plain.rate, plain, None)
    curvatures = _dense(problem, steepest)
    if curvatures is None:
        return Limits(plain.rate, plain, None)
    return _limits(curvatures, experiment, lane, plain)


def network_limits(experiment: Experiment, lane: int) -> Limits | None:
    """The limit by the largest curvature at the start over some samples: a search that networks of any size allow."""
    if _is_moved(experiment.lanes[lane]):
        return None
    total = engine.finite_sum(experiment)
    some = subsample(total, FEWEST if experiment.problem.flops > DEAR else FEW, experiment.seed)
    start = np.array(experiment.start) if experiment.start is not None else total.start().cpu().numpy()
    found = sharpness(some, start, experiment.seed, PRODUCTS, TOLERANCE).value
    plain = stability.rate_limit(found if np.isfinite(found) else None, experiment.lanes[lane].rule)
    return None if plain is None else Limits(plain.rate, plain, None)


def _is_moved(method: Lane) -> bool:
    """Whether the limit of a rate is another at every place, by a clip, or at every time, by a moving momentum."""
    return method.clip is not None or method.schedule.moves_momentum


def start_of(experiment: Experiment) -> tuple[float, ...]:
    """Where all lanes begin."""
    if experiment.start is not None:
        return experiment.start
    return tuple(engine.finite_sum(experiment).start().tolist())


def curvatures_at_minimum(experiment: Experiment, decay: float = 0.0) -> Curvatures | None:
    """The curvatures of a quadratic problem, or of logistic regression where lanes of this weight decay come to rest.

    None for other problems, where there is no minimum, and where there are too many numbers to look at.
    """
    problem = experiment.problem
    if problem.sample_count * problem.parameter_count**2 <= (ROWS if problem.quadratic else LARGE):
        rows = _of_rows(problem, experiment.seed, decay)
        if rows is not None:
            return rows
    if problem.quadratic:
        return _dense(engine.finite_sum(experiment), (0.0,) * problem.parameter_count)
    return None


def _at_minimum(experiment: Experiment, lane: int) -> Limits | None:
    rule, steady = experiment.lanes[lane].rule, not experiment.lanes[lane].schedule.moves_momentum
    found = curvatures_at_minimum(experiment, rule.weight_decay) if isinstance(rule, SGD) and steady else None
    plain = None if found is None else stability.rate_limit(float(found.values.max(initial=0.0)), rule)
    if found is None or plain is None or not experiment.lanes[lane].sampler.sizes(found.samples):
        return None
    noisy = any(_factors(experiment.lanes[lane].sampler, found.samples))
    if noisy and found.samples * len(found.values) ** 2 > LARGE:
        return None
    return _limits(found, experiment, lane, plain)._replace(exact=True)


def _limits(found: Curvatures, experiment: Experiment, lane: int, plain: stability.Limit) -> Limits:
    """Of the lane's batches at a place of these curvatures, whose limit without noise is known."""
    method = experiment.lanes[lane]
    assert isinstance(method.rule, SGD), "no other rule has a limit without noise"
    rate = _batch_limit(found, method.rule, method.sampler, experiment.seed, plain.rate)
    if rate is None or abs(rate - plain.rate) <= 1e-6 * plain.rate:
        return Limits(plain.rate, plain, None)
    return Limits(rate, plain, rate)


@derived_cache(most=64)
def _batch_limit(found: Curvatures, rule: SGD, sampler: Sampler, seed: int, plain: float) -> float | None:
    if not len(found.values):
        return None
    if not sampler.draws or sampler.changes:
        return moments.fresh_limit(found, _factors(sampler, found.samples), rule, plain)
    sizes = sampler.sizes(found.samples)
    if len(sizes) * len(found.values) ** 3 > REPEATED:
        return None
    orders = sampler.orders(seed, 1, 0, found.samples)
    assert orders is not None, "a sampler that draws has orders"
    batches = np.split(orders[0, : sum(sizes)], np.cumsum(sizes)[:-1])
    whole = [batch for batch in batches if len(batch) == sizes[0]]
    parts = [found.of_batches(np.stack(whole))]
    parts += [found.of_batches(batch[None]) for batch in batches[len(whole) :]]
    return moments.fixed_limit(np.concatenate(parts), rule, plain)


def _factors(sampler: Sampler, samples: int) -> list[float]:
    """What the batches of an epoch leave of the variance of one sample."""
    return [shrink(samples, size, sampler.draws_with_replacement) for size in sampler.sizes(samples)]


@derived_cache(most=32)
def _curvature(problem: FiniteSum, theta: tuple[float, ...]) -> float | None:
    return stability.largest_curvature(problem, np.array(theta))


@derived_cache(most=8)
def _dense(problem: FiniteSum, theta: tuple[float, ...]) -> DenseCurvatures | None:
    return stability.curvature_spread(problem, np.array(theta))


@derived_cache(most=8)
def _of_rows(problem: Problem, seed: int, decay: float) -> RowCurvatures | None:
    found = problem.row_curvatures(seed, decay)
    return None if found is None else RowCurvatures(*found)
