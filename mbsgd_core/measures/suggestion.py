"""A learning rate to begin with (floor 4)."""

import math

import numpy as np

from mbsgd_core import engine
from mbsgd_core.experiment import Experiment
from mbsgd_core.measures.diagnosis import start_of
from mbsgd_core.measures.stability import largest_curvature
from mbsgd_core.measures.truth import truth

LEAST, MOST = 1e-4, 1.0


def suggested_rate(experiment: Experiment) -> float:
    """Half of 1/L, with L the largest curvature at the start and at the minimizers, cut to one digit.

    Plain descent is stable below 2/L on a bowl; a quarter of that leaves room for noise and for curvatures that are
    larger on the way.
    """
    total, known = engine.finite_sum(experiment), truth(experiment)
    places = [np.array(start_of(experiment)), *(np.array(point) for point in known.minimizers)]
    curvatures = [largest_curvature(total, place) for place in places]
    largest = max((c for c in curvatures if c is not None and np.isfinite(c)), default=0.0)
    rate = min(MOST, max(LEAST, 0.5 / largest)) if largest > 0 else 0.1
    digit = 10.0 ** math.floor(math.log10(rate))
    return round(rate // digit * digit, 10)
