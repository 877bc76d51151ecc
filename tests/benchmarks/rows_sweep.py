"""Rows C and D: grids of hyperparameters. The loop would take minutes: a part of it is run, the rest inferred."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from mbsgd_core import engine
from mbsgd_core.experiment import Experiment, problems
from mbsgd_core.problems.surfaces.base import Surface
from tests.benchmarks import loops
from tests.benchmarks.case import Case, Rival, Side, within
from tests.benchmarks.ours import redrawn
from tests.benchmarks.rows_nets import MLP

SIDE, UPDATES, EPOCHS, RUNS = 64, 300, 20, 16
SMALL, LONG = 8, 0.1  # a grid, and the seconds in which it should be done
CELLS = ((10, 20), (20, 50), (40, 30), (60, 60))  # (momentum, rate) numbers of the cells that the loop runs

Axes = Mapping[str, np.ndarray]


def plane(side: int = SIDE, most: float = 0.01) -> Axes:
    """Rates and momenta."""
    return {"learning_rate": np.geomspace(most / 1000, most, side), "momentum": np.linspace(0, 0.99, side)}


def surface(name: str = "himmelblau", updates: int = UPDATES) -> Experiment:
    return _one_lane({"name": name, "noise": 1.0, "samples": 64}, 8, {"unit": "updates", "amount": updates})


def logistic(epochs: int = 5) -> Experiment:
    return _one_lane(
        {"name": "logistic_regression", "dataset": "breast_cancer"}, 32, {"unit": "epochs", "amount": epochs}
    )


def network(epochs: int = EPOCHS, runs: int = RUNS) -> Experiment:
    experiment = _one_lane(MLP, 32, {"unit": "epochs", "amount": epochs})
    return experiment.model_copy(update={"runs": runs, "dtype": "float32"})


def cases() -> Iterator[Case]:
    yield _plane_case("C", "surface", surface(), plane(), 10_000, 0.3)
    yield from _surfaces()
    yield _plane_case("C", "logistic, 30 features, 5 epochs", logistic(), plane(most=1.0), None, 3)
    yield sizes_and_rates()


def _plane_case(row: str, what: str, experiment: Experiment, axes: Axes, goal: float | None, seconds: float) -> Case:
    chosen = [cell(experiment, axes, at) for at in CELLS]
    loop = Rival(
        "PyTorch loop, randperm",
        _each(chosen),
        lambda: same_loss(experiment, axes, CELLS),
        goal,
        whole=SIDE * SIDE / len(CELLS),
    )
    what = f"{SIDE} x {SIDE} rates and momenta, {what}, {experiment.updates(0)} updates"
    return Case(row, what, sweep(experiment, axes), (loop,), seconds, "wall")


def sizes_and_rates(epochs: int = EPOCHS, runs: int = RUNS, sizes: int = 8, rates: int = 8) -> Case:
    """Row D."""
    experiment = network(epochs, runs)
    axes = {"learning_rate": np.geomspace(0.01, 1.0, rates), "batch_size": 2 ** np.arange(sizes)}
    short = experiment.model_copy(update={"budget": experiment.budget.model_copy(update={"amount": 1})})
    loop = Rival(
        "PyTorch loop, randperm",
        _each([cell(short, axes, (i, rates // 2)) for i in range(sizes)]),  # an epoch of each batch size
        lambda: same_loss(experiment, axes, ((sizes - 1, rates // 2), (sizes // 2, 0))),
        goal=100,
        whole=rates * runs * epochs,
    )
    what = f"{sizes} batch sizes x {rates} rates x {runs} runs, MLP 2-8-8-1, {epochs} epochs"
    return Case("D", what, sweep(experiment, axes), (loop,))


def sweep(experiment: Experiment, axes: Axes, every: int | None = None) -> Side:
    """The whole grid; `every` as in engine.sweep."""

    def ready(turn: int) -> Callable[[], object]:
        fresh = redrawn(experiment, turn)
        return lambda: engine.sweep(fresh, axes, every=every)

    return ready


def cell(experiment: Experiment, axes: Axes, at: Sequence[int]) -> Experiment:
    """The experiment of one cell, (number in y, number in x)."""
    values = {name: numbers[i].item() for (name, numbers), i in zip(axes.items(), reversed(at), strict=True)}
    lane = experiment.lanes[0]
    parts = {
        part: getattr(lane, part).model_copy(
            update={name: value for name, value in values.items() if name in type(getattr(lane, part)).model_fields}
        )
        for part in ("sampler", "rule", "schedule")
    }
    return experiment.model_copy(update={"lanes": (lane.model_copy(update=parts),)})


def same_loss(experiment: Experiment, axes: Axes, cells: Sequence[Sequence[int]]) -> str:
    """The loop on our batches must end at the loss that the sweep gives for the cell; the last run of each is tried."""
    found = engine.sweep(experiment, axes).lanes[0].final_loss[..., -1]
    worst = 0.0
    for at in cells:
        e, run = cell(experiment, axes, at), experiment.runs - 1
        theirs = engine.finite_sum(e).objective(loops.end(e, 0, run)).item()
        worst = max(worst, loops.apart(e, theirs, found[tuple(at)].item(), f"cell {tuple(at)}"))
    diverged = np.isnan(found).mean()
    return f"{len(cells)} cells' losses {within(worst)} on the same batches; {diverged:.0%} of the cells diverge"


def _each(experiments: Sequence[Experiment]) -> Side:
    sides = [loops.side(e, [0], loops.Loop.permuted) for e in experiments]

    def ready(turn: int) -> Callable[[], object]:
        jobs = [side(turn) for side in sides]
        return lambda: [job() for job in jobs]

    return ready


def _surfaces() -> Iterator[Case]:
    """Of all surfaces the sweep that takes longest, as a small grid tells; and those that would take minutes."""
    taken = {}
    for name, kind in problems().items():
        if issubclass(kind, Surface):
            side = sweep(surface(name), plane(SMALL))
            side(0)()
            job = side(1)
            begun = time.process_time()
            job()
            taken[name] = time.process_time() - begun
    slow = [name for name, seconds in taken.items() if seconds > LONG]
    for name in slow:
        side = sweep(surface(name), plane(SMALL))
        yield Case("C", f"the same, {name}", side, seconds=0.3, clock="wall", whole=(SIDE / SMALL) ** 2)
    name = max(taken.keys() - slow, key=taken.__getitem__)
    what = f"the same, the slowest of {len(taken) - len(slow)} surfaces: {name}"
    yield Case("C", what, sweep(surface(name), plane()), seconds=0.3, clock="wall")


def _one_lane(problem: dict, size: int, budget: dict) -> Experiment:
    return Experiment.model_validate(
        {
            "problem": problem,
            "budget": budget,
            "lanes": [{"sampler": {"name": "reshuffle", "batch_size": size}, "rule": "sgd", "schedule": "constant"}],
        }
    )
