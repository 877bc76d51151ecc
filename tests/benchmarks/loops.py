"""The other side: the loop that everyone writes. nn.Module, torch.optim, a DataLoader or torch.randperm."""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice, pairwise, repeat
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils import parameters_to_vector, vector_to_parameters
from torch.utils.data import DataLoader, TensorDataset

from mbsgd_core import engine
from mbsgd_core.experiment import Experiment
from mbsgd_core.registry import name_of
from tests.benchmarks.case import Side, Unequal, within

TOLERANCE = {"float64": 1e-9, "float32": 1e-4}

Batch = tuple[Tensor, ...]


class Himmelblau(nn.Module):
    """f + <xi, theta>, the mean over a batch of draws xi (B, 2)."""

    def __init__(self) -> None:
        super().__init__()
        self.theta = nn.Parameter(torch.zeros(2))

    def forward(self, draws: Tensor) -> Tensor:
        x, y = self.theta
        return (x * x + y - 11) ** 2 + (x + y * y - 7) ** 2 + draws.mean(0) @ self.theta


class Loop(NamedTuple):
    """A model with its data, loss and optimizer, as an experiment's lane describes them."""

    model: nn.Module
    data: Batch
    loss: Callable[..., Tensor]
    optimizer: torch.optim.Optimizer
    batch_size: int
    updates: int
    keeps_theta: bool  # a surface's loop keeps its path; a model's loop keeps the batch losses

    def train(self, batches: Iterable[Batch]) -> list:
        kept = []
        for inputs, *targets in islice(batches, self.updates):
            self.optimizer.zero_grad()
            value = self.loss(self.model(inputs), *targets)
            value.backward()
            self.optimizer.step()
            kept.append(self.model.theta.detach().clone() if self.keeps_theta else value.item())
        return kept

    def loaded(self) -> Iterator[Batch]:
        """Epochs without end, from a DataLoader."""
        loader = DataLoader(TensorDataset(*self.data), batch_size=self.batch_size, shuffle=True)
        while True:
            yield from loader

    def permuted(self) -> Iterator[Batch]:
        """The same from torch.randperm; all samples at once are not drawn."""
        samples = len(self.data[0])
        if self.batch_size == samples:
            yield from repeat(self.data)
        while True:
            for chosen in torch.randperm(samples).split(self.batch_size):
                yield tuple(part[chosen] for part in self.data)


def loop(experiment: Experiment, lane: int) -> Loop:
    """The loop that trains this lane; its start is PyTorch's."""
    problem, method = experiment.problem, experiment.lanes[lane]
    dtype = getattr(torch, experiment.dtype)
    rate = method.schedule.learning_rate
    build, loss, rate_factor = MODELS[name_of(problem)]
    model, data = build(experiment, dtype)
    rule = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}[name_of(method.rule)]
    knobs = {"momentum": method.rule.momentum} if name_of(method.rule) == "sgd" else {}
    return Loop(
        model.to(dtype),
        data,
        loss,
        rule(model.parameters(), lr=rate * rate_factor, **knobs),
        method.sampler.size(problem.sample_count),
        experiment.updates(lane),
        isinstance(model, Himmelblau),
    )


def side(experiment: Experiment, lanes: Iterable[int], source: Callable[[Loop], Iterator[Batch]]) -> Side:
    """These lanes one after the other, their batches from Loop.loaded or Loop.permuted."""

    def ready(turn: int) -> Callable[[], object]:
        torch.manual_seed(turn)
        made = [loop(experiment, lane) for lane in lanes]
        return lambda: [each.train(source(each)) for each in made]

    return ready


def same_theta(experiment: Experiment, lanes: Iterable[int]) -> str:
    """The loop on our batches, from our start, must end where the engine ends."""
    worst = 0.0
    for lane in lanes:
        theirs, ours = end(experiment, lane), engine.run(experiment, lane)[0].theta[0]
        worst = max(worst, apart(experiment, theirs, ours, experiment.lanes[lane].label))
    return f"theta {within(worst)} on the same batches"


def same_objective(experiment: Experiment, lane: int) -> str:
    """The same for the full objective at the end."""
    theirs, ours = (
        engine.finite_sum(experiment).objective(theta).item()
        for theta in (end(experiment, lane), engine.run(experiment, lane)[0].theta[0])
    )
    return f"objective {within(apart(experiment, theirs, ours, experiment.lanes[lane].label))}"


def end(experiment: Experiment, lane: int, run: int = 0) -> Tensor:
    """Where the loop comes from our start on our batches, theta (P,)."""
    theirs = loop(experiment, lane)
    vector_to_parameters(engine.init(experiment, lane).theta[run].clone(), theirs.model.parameters())
    chosen = engine.batch_indices(experiment, lane, range(theirs.updates), run)
    theirs.train(
        theirs.data if each is None else tuple(part[torch.as_tensor(each)] for part in theirs.data) for each in chosen
    )
    return parameters_to_vector(theirs.model.parameters()).detach()


def apart(experiment: Experiment, theirs: Tensor | float, ours: Tensor | float, where: str) -> float:
    """The largest difference, relative to the largest number of ours if that is above 1; Unequal if it is too large."""
    theirs, ours = (torch.as_tensor(side, dtype=torch.float64) for side in (theirs, ours))
    difference = (theirs - ours).abs().max().item() / max(1.0, ours.abs().max().item())
    if not difference <= TOLERANCE[experiment.dtype]:
        name = name_of(experiment.problem)
        raise Unequal(f"{name}, {where}: the PyTorch loop on the same batches ends {difference:.1e} off")
    return difference


def _surface(experiment: Experiment, dtype: torch.dtype) -> tuple[nn.Module, Batch]:
    return Himmelblau(), (engine.finite_sum(experiment).draws,)


def _rows(experiment: Experiment, dtype: torch.dtype) -> Batch:
    """Inputs (N, D) and targets (N, 1)."""
    data = experiment.problem.prepare(experiment.seed)
    x = data.x[:, : len(data.mean)]  # nn.Linear has an intercept of its own
    return torch.tensor(x, dtype=dtype), torch.tensor(data.y, dtype=dtype)[:, None]


def _linear(experiment: Experiment, dtype: torch.dtype) -> tuple[nn.Module, Batch]:
    data = _rows(experiment, dtype)
    return nn.Linear(data[0].shape[1], 1), data


def _mlp(experiment: Experiment, dtype: torch.dtype) -> tuple[nn.Module, Batch]:
    x, y = _seen(experiment)
    widths = (x.shape[1], *experiment.problem.hidden)
    layers = [part for pair in pairwise(widths) for part in (nn.Linear(*pair), nn.Tanh())]
    return nn.Sequential(*layers, nn.Linear(widths[-1], 1)), (x, y[:, None])


def _cnn(experiment: Experiment, dtype: torch.dtype) -> tuple[nn.Module, Batch]:
    """The text's network."""
    model = nn.Sequential(
        nn.Conv2d(1, 32, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(3136, 128),
        nn.ReLU(),
        nn.Dropout(experiment.problem.dropout),
        nn.Linear(128, 10),
    )
    x, y = _seen(experiment)
    return model, (x.reshape(-1, 1, 28, 28), y)


def _seen(experiment: Experiment) -> Batch:
    """The rows and targets of a network, as it sees them."""
    problem = engine.finite_sum(experiment)
    return problem.x, problem.y


# name: (model and data, loss, factor of the rate). MSELoss is twice our half mean square: half the rate, the same path.
MODELS = {
    "himmelblau": (_surface, lambda value: value, 1.0),
    "linear_regression": (_linear, nn.MSELoss(), 0.5),
    "logistic_regression": (_linear, nn.BCEWithLogitsLoss(), 1.0),
    "mlp": (_mlp, nn.BCEWithLogitsLoss(), 1.0),
    "cnn": (_cnn, nn.CrossEntropyLoss(), 1.0),
}
