"""The learning rates above which a lane's errors grow, at its start and at the minimum (floor 4)."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mbsgd_core import engine
from mbsgd_core.experiment import Experiment
from mbsgd_core.measures import stability
from mbsgd_core.measures.sharpness import sharpness
from mbsgd_core.measures.subsample import subsample
from mbsgd_core.measures.truth import truth
from mbsgd_core.memory_cache import derived_cache
from mbsgd_core.problems.base import FiniteSum
from mbsgd_core.rules.sgd import SGD

MINIMIZERS = 4  # of many are looked at for their curvature
FEW, FEWEST = 500, 64  # samples that a network's curvature is a mean over; of models where they are dear
DEAR = 1e6  # operations of a sample's way through the model
PRODUCTS, TOLERANCE = 15, 0.05  # of a search that is good enough for a rate to try


class Limits(NamedTuple):
    """The rate above which errors grow, and where it comes from."""

    rate: float
    plain: stability.Limit  # without noise
    noisy: float | None  # with this lane's batches, where that is lower


def rate_limits(experiment: Experiment, lane: int) -> Limits | None:
    """The limits by the largest curvature at the start and at the known minimizers; None where there are none."""
    return limits_at(experiment, lane, (start_of(experiment), *truth(experiment).minimizers[:MINIMIZERS]))


def limits_at(experiment: Experiment, lane: int, places: Sequence[tuple[float, ...]]) -> Limits | None:
    """The limits by the largest curvature at some places; None where there are none."""
    method = experiment.lanes[lane]
    problem = engine.finite_sum(experiment)
    if problem.parameters > stability.PARAMETERS or method.clip is not None:  # a clip moves the limit
        return None
    found = {place: curvature for place in places if (curvature := _curvature(problem, place)) is not None}
    steepest = max(found, key=lambda place: found[place], default=None)
    plain = None if steepest is None else stability.rate_limit(found[steepest], method.rule)
    if steepest is None or plain is None:
        return None
    samples = experiment.problem.sample_count
    size = method.sampler.size(samples)
    noisy = None
    if size < samples and isinstance(method.rule, SGD) and not method.rule.momentum and not method.rule.weight_decay:
        noisy = _noisy_limit(problem, steepest, size, method.sampler.draws_with_replacement)
    if noisy is None or noisy >= plain.rate * (1 - 1e-9):
        return Limits(plain.rate, plain, None)
    return Limits(noisy, plain, noisy)


def network_limits(experiment: Experiment, lane: int) -> Limits | None:
    """The limit by the largest curvature at the start over some samples: a search that networks of any size allow."""
    if experiment.lanes[lane].clip is not None:
        return None
    total = engine.finite_sum(experiment)
    some = subsample(total, FEWEST if experiment.problem.flops > DEAR else FEW, experiment.seed)
    start = np.array(experiment.start) if experiment.start is not None else total.start().cpu().numpy()
    found = sharpness(some, start, experiment.seed, PRODUCTS, TOLERANCE).value
    plain = stability.rate_limit(found if np.isfinite(found) else None, experiment.lanes[lane].rule)
    return None if plain is None else Limits(plain.rate, plain, None)


def start_of(experiment: Experiment) -> tuple[float, ...]:
    """Where all lanes begin."""
    if experiment.start is not None:
        return experiment.start
    return tuple(engine.finite_sum(experiment).start().tolist())


@derived_cache(most=32)
def _curvature(problem: FiniteSum, theta: tuple[float, ...]) -> float | None:
    return stability.largest_curvature(problem, np.array(theta))


@derived_cache(most=8)
def _spread(problem: FiniteSum, theta: tuple[float, ...]) -> stability.Spread | None:
    return stability.curvature_spread(problem, np.array(theta))


@derived_cache(most=64)
def _noisy_limit(problem: FiniteSum, theta: tuple[float, ...], size: int, replacement: bool) -> float | None:
    spread = _spread(problem, theta)
    return None if spread is None else stability.mean_square_limit(spread, size, replacement)
