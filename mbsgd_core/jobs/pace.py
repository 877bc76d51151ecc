"""How long a run will take, before anything is measured (floor 5): what its updates cost is measures.cost_table's."""

from mbsgd_core.experiment import Experiment

CALL, SPEED = 1e-4, 2e10  # seconds an update at least; operations a second


def guess(experiment: Experiment) -> float:
    """Roughly how many seconds a run takes, from its operations: good enough to decide whether it starts by itself."""
    return sum(experiment.updates(i) * guess_update(experiment, i) for i in range(len(experiment.lanes)))


def guess_update(experiment: Experiment, lane: int) -> float:
    """Roughly how many seconds an update of a lane takes."""
    problem, updates = experiment.problem, max(experiment.updates_per_epoch(lane), 1)
    each = 3 * (problem.flops or 2 * problem.parameter_count)
    return (CALL if problem.flops else CALL / 50) + each * problem.sample_count / updates / SPEED
