"""How long a run will take, before anything is measured (floor 5): what its updates cost is measures.cost_table's."""

from mbsgd_core.experiment import Experiment

CALL, SPEED = 1e-4, 2e10  # seconds an update at least; operations a second


def guess(experiment: Experiment) -> float:
    """Roughly how many seconds a run takes, from its operations: good enough to decide whether it starts by itself."""
    total = 0.0
    for i in range(len(experiment.lanes)):
        updates, problem = experiment.updates(i), experiment.problem
        samples = problem.sample_count * updates / max(experiment.updates_per_epoch(i), 1)
        total += (CALL if problem.flops else CALL / 50) * updates + 3 * problem.flops * samples / SPEED
    return total
