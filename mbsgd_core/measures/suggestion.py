"""Settings to begin with on a problem that somebody has just picked (floor 4)."""

import math
from typing import NamedTuple

import numpy as np
import torch

from mbsgd_core import engine
from mbsgd_core.experiment import Experiment
from mbsgd_core.measures.limits import rate_limits, start_of
from mbsgd_core.measures.stability import largest_curvature
from mbsgd_core.measures.truth import truth
from mbsgd_core.problems.base import FiniteSum

LEAST, MOST = 1e-4, 1.0  # of a rate
TRIAL = 50  # updates
ROOM = 0.25  # of a limit
SHARE, NOISIEST = 0.4, 100.0  # of the gradient at the start: noise that is seen, and does not drown the way


class Suggestion(NamedTuple):
    """What suits a problem."""

    rate: float  # without noise
    noise: float
    rates: tuple[float, ...]  # of each lane, as its own batches bear them


def suggestion(experiment: Experiment) -> Suggestion:
    """A rate and a noise level for the experiment's problem.

    The rate is half of 1/L, with L the largest curvature at the start and at the minimizers: plain descent is stable
    below 2/L on a bowl, and a quarter of that leaves room for noise. Where the surface is steeper on the way it is
    halved until plain descent falls. A lane whose own limit, with its momentum and batches, is lower gets a quarter of
    that. The noise is a share of the gradient's length at the start. Both are cut to one
    digit.
    """
    total, known = engine.finite_sum(experiment), truth(experiment)
    start = np.array(start_of(experiment))
    places = [start, *(np.array(point) for point in known.minimizers)]
    curvatures = [largest_curvature(total, place) for place in places]
    largest = max((c for c in curvatures if c is not None and np.isfinite(c)), default=0.0)
    rate = min(MOST, max(LEAST, 0.5 / largest)) if largest > 0 else 0.1
    theta = torch.as_tensor(start, dtype=total.start().dtype, device=total.start().device)[None]
    while rate > LEAST and not _falls(total, theta, rate):
        rate /= 2
    slope = total.gradient(theta, None).norm().item()
    limits = [rate_limits(experiment, i) for i in range(len(experiment.lanes))]
    rates = tuple(_one_digit(min(rate, max(LEAST, ROOM * own.rate)) if own else rate) for own in limits)
    noise = min(NOISIEST, _one_digit(SHARE * slope)) if np.isfinite(slope) else 0.0
    return Suggestion(_one_digit(rate), noise, rates)


def _falls(total: FiniteSum, theta: torch.Tensor, rate: float) -> bool:
    first = total.objective(theta)
    for _ in range(TRIAL):
        theta = theta - rate * total.gradient(theta, None)
    return bool(total.objective(theta) < first)


def _one_digit(value: float) -> float:
    if value <= 0:
        return 0.0
    digit = 10.0 ** math.floor(math.log10(value))
    return round(value // digit * digit, 10)
