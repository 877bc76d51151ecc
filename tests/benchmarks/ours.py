"""Our side, through the public API alone."""

from collections.abc import Callable, Sequence

from mbsgd_core import engine
from mbsgd_core.experiment import Experiment
from tests.benchmarks.case import Side


def run_lanes(experiment: Experiment, lanes: Sequence[int], every: int | None = None) -> Side:
    """Whole lanes with their records; `every` as in engine.run."""

    def ready(turn: int) -> Callable[[], object]:
        fresh = redrawn(experiment, turn)
        return lambda: [engine.run(fresh, lane, every) for lane in lanes]

    return ready


def redrawn(experiment: Experiment, seed: int) -> Experiment:
    """The experiment with another seed: the data are made tensors here, the orders are still to be drawn."""
    fresh = experiment.model_copy(update={"seed": seed})
    engine.finite_sum(fresh)
    return fresh
