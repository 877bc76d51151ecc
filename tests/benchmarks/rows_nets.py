"""Rows B2 and CNN: a small network on moons, and the convolutional one on 28 x 28 images. float32, as people train."""

from collections.abc import Callable
from functools import cache

from mbsgd_core import engine
from mbsgd_core.experiment import Experiment
from tests.benchmarks import loops, peers
from tests.benchmarks.case import Case, Rival, Side
from tests.benchmarks.ours import redrawn, run_lanes

SAMPLES, EPOCHS, BLOCK = 500, 20, 20
MLP = {
    "name": "mlp",
    "dataset": {"name": "moons", "samples": SAMPLES},
    "hidden": [8, 8],
    "activation": "tanh",
    "test_fraction": 0.0,
}


def methods(epochs: int = EPOCHS, sizes: tuple[int, ...] = (SAMPLES, 1, 32)) -> Experiment:
    """b = m, 1 and 32 on a 2-8-8-1 network with tanh, 105 parameters."""
    rates = {SAMPLES: 0.5, 1: 0.05, 32: 0.2}
    lanes = [
        {
            "sampler": "full_batch" if size == SAMPLES else {"name": "reshuffle", "batch_size": size},
            "schedule": {"name": "constant", "learning_rate": rates[size]},
        }
        for size in sizes
    ]
    return Experiment.model_validate(
        {"problem": MLP, "budget": {"unit": "epochs", "amount": epochs}, "lanes": lanes, "dtype": "float32"}
    )


def images(dropout: float, updates: int = BLOCK) -> Experiment:
    """The network of the text, 421,642 parameters, Adam, b = 64, one epoch of so many updates on real images."""
    mnist = {"name": "mnist", "rows": "subset"}
    return Experiment.model_validate(
        {
            "problem": {"name": "cnn", "dataset": mnist, "dropout": dropout, "train_rows": 64 * updates},
            "budget": {"unit": "updates", "amount": updates},
            "lanes": [
                {
                    "sampler": {"name": "reshuffle", "batch_size": 64},
                    "rule": "adam",
                    "schedule": {"name": "constant", "learning_rate": 0.001},
                }
            ],
            "dtype": "float32",
            "device": "cpu",
        }
    )


def cases(epochs: int = EPOCHS, updates: int = BLOCK) -> list[Case]:
    return [small(epochs), alone(epochs, 1), alone(epochs, 32), convolutional(updates)]


def small(epochs: int) -> Case:
    experiment, lanes = methods(epochs), range(3)
    check = cache(lambda: loops.same_theta(experiment, lanes))
    rivals = tuple(
        Rival(f"PyTorch loop, {name}", loops.side(experiment, lanes, source), check, goal=150)
        for name, source in (("DataLoader", loops.Loop.loaded), ("randperm", loops.Loop.permuted))
    )
    what = f"{epochs} epochs x 3 methods, MLP 2-8-8-1, m = {SAMPLES}"
    return Case("B2", what, run_lanes(experiment, lanes), rivals)


def alone(epochs: int, size: int) -> Case:
    experiment = methods(epochs, (size,))
    rival = Rival("scikit-learn MLPClassifier", peers.net_side(experiment), lambda: peers.same_net(experiment))
    return Case("B2", f"{epochs} epochs, b = {size}, MLP 2-8-8-1, m = {SAMPLES}", run_lanes(experiment, [0]), (rival,))


def convolutional(updates: int) -> Case:
    dropped, plain = images(0.25, updates), images(0.0, updates)
    exact = plain.model_copy(update={"dtype": "float64"})  # Adam turns the rounding of tiny gradients into whole steps
    check = cache(
        lambda: (
            f"without dropout {loops.same_theta(exact, [0])} in float64, {loops.same_objective(plain, 0)} in float32"
        )
    )
    rivals = tuple(
        Rival(f"PyTorch loop, {name}", loops.side(dropped, [0], source), check, goal=1.2)
        for name, source in (("DataLoader", loops.Loop.loaded), ("randperm", loops.Loop.permuted))
    )
    return Case("CNN", f"{updates} updates, CNN 28 x 28, b = 64, Adam, dropout", block(dropped), rivals)


def block(experiment: Experiment) -> Side:
    """The updates alone: a loop evaluates no full objective either."""

    def ready(turn: int) -> Callable[[], object]:
        updates = experiment.updates(0)
        longer = experiment.budget.model_copy(update={"amount": updates + 1})  # the last update is always a record
        start = engine.init(redrawn(experiment, turn).model_copy(update={"budget": longer}), 0)
        return lambda: engine.advance(start, updates, every=updates + 1)

    return ready
