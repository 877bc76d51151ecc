"""Why a lane in training diverged, in a sentence with a rate to try (floor 4): for networks of any size."""

import numpy as np

from mbsgd_core import engine
from mbsgd_core.experiment import Experiment
from mbsgd_core.measures import stability
from mbsgd_core.measures.diagnosis import rate_limits
from mbsgd_core.measures.part import part
from mbsgd_core.measures.sharpness import sharpness
from mbsgd_core.measures.text import number

FEW, FEWEST = 500, 64  # samples that the curvature at the start is a mean over; of models where they are dear
DEAR = 1e6  # operations of a sample's way through the model
PRODUCTS, TOLERANCE = 15, 0.05  # of a search that is good enough for a rate to try


def why(experiment: Experiment, lane: int, update: int, losses: np.ndarray) -> str:
    """The sentence.

    Args:
        experiment, lane: whose run.
        update: after which it was seen to have diverged.
        losses: train losses on the way, the start's first; those that are not finite say nothing.

    Example:
        >>> e = Experiment.model_validate({"problem": {"name": "linear_regression", "dataset": "diabetes"}, "lanes": [
        ...     {"sampler": "full_batch", "schedule": {"name": "constant", "learning_rate": 5}}]})
        >>> why(e, 0, 4, np.array([14000.0, 1.9e13]))
        'Diverged at update 4: the train loss grew from 14,000 to 1.9e+13. Rates above 2/L = 0.492 grow here (largest \
curvature 4.07). Try 0.246.'
    """
    known = losses[np.isfinite(losses)]
    opening = f"Diverged at update {update:,}"
    if len(known) > 1 and known[-1] > known[0]:
        opening += f": the train loss grew from {number(known[0])} to {number(known[-1])}"
    return f"{opening}. {_advice(experiment, lane, experiment.learning_rate(lane, max(update - 1, 0)))}"


def _advice(experiment: Experiment, lane: int, rate: float) -> str:
    """Which rates grow here, and one to try."""
    rule, limits = experiment.lanes[lane].rule, rate_limits(experiment, lane)
    plain = limits.plain if limits is not None else stability.rate_limit(_curvature(experiment), rule)
    smaller = f"Try {number(rate / 10)}."
    if plain is None:
        return f"{type(rule).__name__} has no simple limit here. {smaller}"
    limit = f"{plain.formula} = {number(plain.rate)}"
    if rate > plain.rate:
        half = f"Try {number(min(plain.rate, limits.rate if limits else plain.rate) / 2)}."
        return f"Rates above {limit} grow here (largest curvature {number(plain.curvature)}). {half}"
    if limits is not None and limits.noisy is not None and rate > limits.noisy:
        size = experiment.lanes[lane].sampler.size(experiment.problem.sample_count)
        what = f"With batches of {size}, rates above {number(limits.noisy)} grow here"
        return f"{what}, although the limit without noise is {limit}. Try {number(limits.noisy / 2)}."
    return f"The rate is below {limit} at the start: small batches or steeper places on the way ask for less. {smaller}"


def _curvature(experiment: Experiment) -> float | None:
    """The largest curvature at the start, over some of the samples; None where it is not finite."""
    total = engine.finite_sum(experiment)
    some = part(total, FEWEST if experiment.problem.flops > DEAR else FEW, experiment.seed)
    start = np.array(experiment.start) if experiment.start is not None else total.start().cpu().numpy()
    found = sharpness(some, start, experiment.seed, PRODUCTS, TOLERANCE).value
    return found if np.isfinite(found) else None
