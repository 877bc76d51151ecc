"""How long an update of a lane takes (floor 5; runs in a worker): training alone, without records and pictures."""

from functools import lru_cache
from time import perf_counter

from mbsgd_core.experiment import Experiment

TIMED = 1e-3  # seconds: fewer updates than take so long say little about the time of one
SLOW = 2e-2  # seconds: what takes so long needs no repetition
GROWTH, TRIES = 4, 3  # how a number of updates is found that takes long enough; how often it is timed
CALL, SPEED = 1e-4, 2e10  # seconds an update at least; operations a second: to guess before anything is measured


def seconds_per_update(experiment: Experiment, lane: int) -> float:
    """Measured once for lanes that take the same work, and kept."""
    return _seconds_per_update(_alone(experiment, lane))


def guess(experiment: Experiment) -> float:
    """Roughly how many seconds a run takes, from its operations: good enough to decide whether it starts by itself."""
    total = 0.0
    for i in range(len(experiment.lanes)):
        updates, problem = experiment.updates(i), experiment.problem
        samples = problem.sample_count * updates / max(experiment.updates_per_epoch(i), 1)
        total += (CALL if problem.flops else CALL / 50) * updates + 3 * problem.flops * samples / SPEED
    return total


def _alone(experiment: Experiment, lane: int) -> Experiment:
    """The lane alone, with numbers that take the same work and lead nowhere: dragging a knob measures nothing anew."""
    method = experiment.lanes[lane]
    still = method.schedule.model_copy(update={"learning_rate": 1e-9})
    terms = {name: 0.5 for name, value in method.rule if isinstance(value, float) and value}
    like = method.model_copy(update={"label": "", "schedule": still, "rule": method.rule.model_copy(update=terms)})
    budget = experiment.budget.model_copy(update={"patience": 0})  # such a lane would soon stop
    return experiment.model_copy(update={"start": None, "budget": budget, "lanes": (like,)})


@lru_cache(maxsize=256)
def _seconds_per_update(alone: Experiment) -> float:
    """Seconds an update: of many in one call, less a call for one, so that what a call costs is left out."""
    updates, n = alone.updates(0), 1
    if not updates:
        return 0.0
    _timed(alone, 1)  # the very first call also pays for what is made once: tensors, orders, kernels
    one = many = _quickest(alone, 1)
    while n < updates and many < max(TIMED, 4 * one) and one < SLOW:
        n = min(GROWTH * n, updates)
        many = _timed(alone, n)
    many = _quickest(alone, n) if n > 1 else one
    return (many - one) / (n - 1) if n > 1 and many > one else many / n


def _quickest(alone: Experiment, n: int) -> float:
    """The least seconds of some tries, since others use this machine too."""
    best = _timed(alone, n)
    for _ in range(TRIES - 1):
        if best > SLOW:
            break
        best = min(best, _timed(alone, n))
    return best


def _timed(alone: Experiment, n: int) -> float:
    """Seconds that n updates take without their objective."""
    from mbsgd_core import engine

    state, nothing = engine.init(alone, 0), alone.updates(0)
    begun = perf_counter()
    engine.advance(state, n, every=nothing)
    return perf_counter() - begun
