"""Where the lowest point is, if anybody knows (floor 4)."""

from functools import lru_cache
from typing import NamedTuple

from mbsgd_core.experiment import Experiment
from mbsgd_core.problems.base import Problem


class Truth(NamedTuple):
    """The least value of the objective and the points that have it; None and () where unknown."""

    value: float | None
    minimizers: tuple[tuple[float, ...], ...]


def truth(experiment: Experiment) -> Truth:
    """The problem's own solution, as plain numbers; cached."""
    return _truth(experiment.problem, experiment.seed)


@lru_cache(maxsize=32)
def _truth(problem: Problem, seed: int) -> Truth:
    solution = problem.solution(seed)
    if solution is None:
        return Truth(None, problem.minimizers)
    return Truth(float(solution.value), tuple(tuple(float(v) for v in theta) for theta in solution.minimizers))
