"""Rates that fall: what a plateau is taken for, where schedules lead (floor 4)."""

from collections.abc import Sequence

import numpy as np

from mbsgd_core import engine
from mbsgd_core.claims.base import Ending
from mbsgd_core.schedules.reduce_on_plateau import ReduceOnPlateau


def rates_used(ending: Ending) -> list[float | None]:
    """The rate of each update."""
    return [float(rate) for rate in ending.run[1].learning_rate[1:]]


def last_rate(ending: Ending) -> float:
    """The rate of the last update."""
    return float(ending.run[1].learning_rate[-1])


def plateau_rates(values: Sequence[float], patience: int, factor: float) -> list[float | None]:
    """The rate after each value shown to reduce_on_plateau, from 1."""
    schedule = ReduceOnPlateau(learning_rate=1.0, patience=patience, factor=factor)
    state, found = schedule.init(len(values)), []
    for value in values:
        state = schedule.step(state, float(value))
        found.append(float(state[1]))
    return [*found]


def rate_left_by_batch_losses(ending: Ending) -> float:
    """The share of the rate that reduce_on_plateau leaves if it watches the batch losses of this path."""
    e = ending.experiment
    data, trace = e.data_problem.prepare(e.seed), ending.run[1]
    path = zip(trace.theta[0], engine.batch_indices(e, ending.lane, range(e.updates(ending.lane))), strict=False)
    losses = [float(np.square(data.x[i] @ theta - data.y[i]).mean() / 2) for theta, i in path]
    return float(plateau_rates(losses, 10, 0.5)[-1] or 0.0)


def rate_left_by_objective(ending: Ending) -> float:
    """The same if it watches the full objective."""
    return float(plateau_rates(ending.run[1].loss[0, 1:].tolist(), 10, 0.5)[-1] or 0.0)


def running_mean_difference(ending: Ending) -> float:
    """The largest difference between the path at rate 1/t and the running mean of the targets met so far."""
    e = ending.experiment
    order = np.concatenate(list(engine.batch_indices(e, ending.lane, range(e.updates(ending.lane)))))
    means = np.cumsum(np.array(e.data_problem.prepare(0).y)[order]) / np.arange(1, len(order) + 1)
    return float(np.abs(ending.run[1].theta[0, 1:, 0] - means).max())


def distance_of_means(ending: Ending) -> float:
    """Distance of the mean end of the runs from the minimum."""
    return float(np.linalg.norm(ending.run[1].theta[:, -1].mean(0) - ending.minimizers[0]))


def near_a_minimum(ending: Ending, within: float = 0.5) -> float:
    """The share of the runs that end near one of the best points."""
    far = np.linalg.norm(ending.run[1].theta[:, -1, None] - ending.minimizers, axis=-1).min(-1)
    return float((far < within).mean())
