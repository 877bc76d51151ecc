"""How the error of a path grew along the steepest direction: what its loss does not show yet (floor 4)."""

import numpy as np

from mbsgd_core import engine
from mbsgd_core.experiment import Experiment
from mbsgd_core.measures.stability import PARAMETERS, hessian
from mbsgd_core.measures.truth import truth
from mbsgd_core.memory_cache import derived_cache
from mbsgd_core.problems.base import FiniteSum

TAIL = 0.25  # of the records: momentum swings, so the largest of the last quarter counts
SAME = 1e-6  # of the largest curvature: directions that are as steep
NOTHING = 1e-12  # of the error: a share in a direction that is rounding


def steepest_growth(experiment: Experiment, lane: int, theta: np.ndarray) -> float | None:
    """The error along the steepest direction at the end of a path, as a multiple of that at its start.

    Args:
        experiment, lane: whose path it is. Only a quadratic problem keeps its directions; a rule's weight decay moves
            the point from which errors are counted.
        theta: (K, P) the path's records, all finite.

    Returns:
        The multiple; 0 where the path has no share in that direction; None where the directions are not known.

    Example:
        >>> bowl = Experiment.model_validate({"problem": "quadratic", "lanes": [{"sampler": "full_batch",
        ...     "schedule": "constant"}]})  # curvatures 1 and 10
        >>> steepest_growth(bowl, 0, np.array([[1.0, 0.001], [0.1, 0.004]]))
        4.0
    """
    problem, known = experiment.problem, truth(experiment).minimizers
    if not problem.quadratic or not known or problem.parameter_count > PARAMETERS or len(theta) < 2:
        return None
    values, axes = _axes(engine.finite_sum(experiment), known[0])
    decay = getattr(experiment.lanes[lane].rule, "weight_decay", 0.0)
    best = axes.T @ np.array(known[0])
    error = theta @ axes - (best if not decay else best * values / (values + decay))
    along = np.linalg.norm(error[:, values >= (1 - SAME) * values[-1]], axis=1)
    if along[0] <= NOTHING * np.linalg.norm(error[0]):
        return 0.0
    return float(along[-max(1, int(TAIL * len(along))) :].max() / along[0])


@derived_cache(most=8)
def _axes(problem: FiniteSum, theta: tuple[float, ...]) -> tuple[np.ndarray, np.ndarray]:
    values, axes = np.linalg.eigh(hessian(problem, np.array(theta)))
    return values, axes
