"""Row B: linear regression on 500 samples, and scikit-learn's own ground, one sample at a time."""

from functools import cache

from mbsgd_core.experiment import Experiment
from tests.benchmarks import loops, peers
from tests.benchmarks.case import Case, Rival
from tests.benchmarks.ours import run_lanes

SAMPLES, EPOCHS = 500, 20
LINE = {"name": "linear_regression", "dataset": {"name": "line", "samples": SAMPLES}}
BLOBS = {"name": "logistic_regression", "dataset": {"name": "blobs", "samples": SAMPLES}, "test_fraction": 0.0}


def methods(epochs: int = EPOCHS) -> Experiment:
    """b = m, 1 and 32 on a line's slope and intercept."""
    return _experiment(LINE, epochs, {SAMPLES: 0.1, 1: 0.01, 32: 0.02})


def single(problem: dict, epochs: int = EPOCHS) -> Experiment:
    """The lane with b = 1 alone."""
    return _experiment(problem, epochs, {1: 0.01})


def cases(epochs: int = EPOCHS) -> list[Case]:
    line, lanes = methods(epochs), range(3)
    check = cache(lambda: loops.same_theta(line, lanes))
    sources = (("DataLoader", loops.Loop.loaded, 1000), ("randperm", loops.Loop.permuted, 800))
    rivals = tuple(
        Rival(f"PyTorch loop, {name}", loops.side(line, lanes, source), check, goal) for name, source, goal in sources
    )
    alone = [_alone(LINE, epochs, "SGDRegressor", 1), _alone(BLOBS, epochs, "SGDClassifier", None)]
    return [Case("B", f"{epochs} epochs x 3 methods, linear, m = {SAMPLES}", run_lanes(line, lanes), rivals), *alone]


def _alone(problem: dict, epochs: int, name: str, goal: float | None) -> Case:
    experiment = single(problem, epochs)
    rival = Rival(
        f"scikit-learn {name}",
        peers.linear_side(experiment),
        lambda: peers.same_linear(experiment),
        goal,
    )
    what = f"{epochs} epochs, b = 1, {problem['name'].split('_')[0]}, m = {SAMPLES}"
    return Case("B", what, run_lanes(experiment, [0]), (rival,))


def _experiment(problem: dict, epochs: int, rates: dict[int, float]) -> Experiment:
    lanes = [
        {
            "sampler": "full_batch" if size == SAMPLES else {"name": "reshuffle", "batch_size": size},
            "schedule": {"name": "constant", "learning_rate": rate},
        }
        for size, rate in rates.items()
    ]
    return Experiment.model_validate(
        {"problem": problem, "budget": {"unit": "epochs", "amount": epochs}, "lanes": lanes}
    )
