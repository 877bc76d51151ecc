"""How fast a plain PyTorch loop eats samples, by batch size, on one thread of this machine (floor 4).

In seconds of the processor, so that other programs do not count. A ratio of two is the claim, microseconds are ours.
"""

from collections.abc import Callable, Sequence
from functools import cache
from time import thread_time

import torch
from torch import nn

from mbsgd_core.claims.base import Ending
from mbsgd_core.measures.cost_table import calibrate

REPEATS, SECONDS = 7, 0.04  # of each length; of the longer one, at least
SAMPLES = 1437


def microseconds_a_sample(net: str, sizes: Sequence[int]) -> list[float | None]:
    """Microseconds a sample costs in batches of b, for each b."""
    return [1e6 * _an_update(net, size) / size for size in sizes]


def milliseconds_an_update(net: str, sizes: Sequence[int]) -> list[float | None]:
    """Milliseconds of one update with b samples, for each b."""
    return [1e3 * _an_update(net, size) for size in sizes]


def speedup(net: str, small: int, large: int) -> float:
    """What a sample costs in small batches over what it costs in large ones."""
    return _an_update(net, small) / small * large / _an_update(net, large)


def update_ratio(net: str, small: int, large: int) -> float:
    """What an update with a large batch costs over one with a small batch."""
    return _an_update(net, large) / _an_update(net, small)


def pass_cost(ending: Ending, clock: str) -> float | None:
    """Seconds that the lane's updates take by a clock of time; None where that is not known."""
    cost = calibrate(ending.experiment)[ending.lane].by(clock)
    return None if cost is None else cost.times(ending.updates).seconds


@cache
def _an_update(net: str, size: int) -> float:
    """Seconds of an update: the slope between the least times of two lengths, which took turns."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        step, few = _loop(net, size), 1
        while _spent(step, few) < SECONDS / 4:
            few *= 2
        pairs = [(_spent(step, few), _spent(step, 4 * few)) for _ in range(REPEATS)]
        short, long = min(pair[0] for pair in pairs), min(pair[1] for pair in pairs)  # what disturbs makes longer
        return (long - short) / (3 * few)
    finally:
        torch.set_num_threads(before)


def _spent(step: Callable[[], None], count: int) -> float:
    began = thread_time()
    for _ in range(count):
        step()
    return thread_time() - began


def _loop(net: str, size: int) -> Callable[[], None]:
    """One update: gather rows by index, forward, backward, step; as any tutorial has it."""
    torch.manual_seed(0)
    model: nn.Module
    if net == "mlp":
        shape: tuple[int, ...] = (64,)
        model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    else:
        shape = (1, 28, 28)
        model = nn.Sequential(
            *(nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Flatten(), nn.Linear(3136, 128), nn.ReLU(), nn.Dropout(0.25), nn.Linear(128, 10)),
        )
    rows = max(SAMPLES, size)
    x, y = torch.randn(rows, *shape), torch.randint(10, (rows,))
    optimizer, criterion = torch.optim.SGD(model.parameters(), lr=1e-3), nn.CrossEntropyLoss()
    order = torch.randperm(rows)

    def step() -> None:
        batch = order[:size]
        optimizer.zero_grad()
        criterion(model(x[batch]), y[batch]).backward()
        optimizer.step()

    return step
