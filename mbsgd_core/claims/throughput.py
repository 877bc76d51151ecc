"""How fast a plain PyTorch loop eats samples, by batch size, on one thread of this machine (floor 4).

In seconds of the processor, so that other programs do not count. A ratio of two is the claim, microseconds are ours.
"""

from collections.abc import Sequence
from functools import cache

from mbsgd_core.claims.base import Ending
from mbsgd_core.errors import DataError
from mbsgd_core.experiment import Experiment
from mbsgd_core.measures.cost_slope import slopes
from mbsgd_core.measures.cost_table import calibrate
from mbsgd_core.measures.cost_work import loop_work, probe

NETS = {
    "mlp": {"name": "mlp", "dataset": "digits", "hidden": [64], "activation": "relu"},
    "cnn": {"name": "cnn", "dataset": {"name": "mnist", "rows": "subset"}},
}


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
    """Seconds of an update of the plain loop with b real samples, all of one size."""
    sampler = {"name": "reshuffle", "batch_size": size, "drop_last": True}
    lane = {"sampler": sampler, "schedule": {"name": "constant", "learning_rate": 0.1}}
    alone = Experiment.model_validate({"problem": NETS[net], "dtype": "float32", "lanes": [lane]})
    work = loop_work(probe(alone, 0))
    (cost,) = slopes([] if work is None else [work])
    if cost is None:
        raise DataError(f"an update of the {net} with {size} samples could not be timed")
    return cost.seconds
