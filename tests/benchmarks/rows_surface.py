"""Row A: three methods on a surface."""

from mbsgd_core.experiment import Experiment
from tests.benchmarks import loops
from tests.benchmarks.case import Case, Rival
from tests.benchmarks.ours import run_lanes

UPDATES = 500


def methods(updates: int = UPDATES) -> Experiment:
    """b = m, 1 and 8 with momentum on Himmelblau's surface with noise."""
    lanes = [
        {"sampler": sampler, "rule": {"name": "sgd", "momentum": 0.9}, "schedule": _constant(0.001)}
        for sampler in ("full_batch", _batches(1), _batches(8))
    ]
    return Experiment.model_validate(
        {
            "problem": {"name": "himmelblau", "noise": 1.0, "samples": 64},
            "budget": {"unit": "updates", "amount": updates},
            "lanes": lanes,
        }
    )


def cases(updates: int = UPDATES) -> list[Case]:
    experiment = methods(updates)
    lanes = range(len(experiment.lanes))
    loop = Rival(
        "PyTorch loop, randperm",
        loops.side(experiment, lanes, loops.Loop.permuted),
        lambda: loops.same_theta(experiment, lanes),
        goal=100,
    )
    return [Case("A", f"{updates} updates x 3 methods, surface, momentum", run_lanes(experiment, lanes), (loop,))]


def _constant(rate: float) -> dict:
    return {"name": "constant", "learning_rate": rate}


def _batches(size: int) -> dict:
    return {"name": "reshuffle", "batch_size": size}
