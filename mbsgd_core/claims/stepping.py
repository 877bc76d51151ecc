"""One update, many updates: paths against a hand-written loop, momentum's own rates, adaptive rules (floor 4)."""

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from mbsgd_core import engine
from mbsgd_core.claims.base import Ending
from mbsgd_core.rules.adam import Adam
from mbsgd_core.rules.rmsprop import RMSprop


def by_hand(ending: Ending) -> float:
    """The largest relative difference to a loop in numpy: theta - rate * mean over the batch of x (x theta - y)."""
    e = ending.experiment
    data, rate = e.data_problem.prepare(e.seed), e.lanes[ending.lane].schedule.learning_rate
    theta = np.zeros(data.x.shape[1])
    for indices in engine.batch_indices(e, ending.lane, range(ending.updates)):
        rows = slice(None) if indices is None else indices
        theta = theta - rate * (data.x[rows].T @ (data.x[rows] @ theta - data.y[rows])) / len(data.y[rows])
    return float(np.max(np.abs(ending.run[1].theta[0, -1] / theta - 1)))


def path_difference(ending: Ending, other: int) -> float:
    """The largest difference between this lane's path and that of another lane, by its place."""
    one, two = ending.run[1].theta, Ending(ending.experiment, other).run[1].theta
    return float(np.abs(one - two).max())


def seeds_differ(ending: Ending) -> float:
    """The largest difference between the paths of two seeds, 0 and 1."""
    paths = [Ending(ending.experiment.model_copy(update={"seed": seed}), ending.lane).run[1].theta for seed in (0, 1)]
    return float(np.abs(paths[0] - paths[1]).max())


def textbook_loop(ending: Ending, zero_grad: bool = True) -> float:
    """The largest relative difference to the text's loop: MSELoss (no 1/2, so half our rate), zero_grad, step."""
    e = ending.experiment
    data, rate = e.data_problem.prepare(e.seed), e.lanes[ending.lane].schedule.learning_rate
    x, y = torch.tensor(data.x[:, : data.table.x.shape[1]]), torch.tensor(data.y)[:, None]
    model, criterion = nn.Linear(x.shape[1], 1).double(), nn.MSELoss()
    nn.utils.vector_to_parameters(torch.zeros(x.shape[1] + 1, dtype=torch.float64), model.parameters())
    optimizer = torch.optim.SGD(model.parameters(), lr=rate / 2)
    for indices in engine.batch_indices(e, ending.lane, range(ending.updates)):
        rows = torch.arange(len(y)) if indices is None else torch.tensor(indices)
        if zero_grad:
            optimizer.zero_grad()
        criterion(model(x[rows]), y[rows]).backward()
        optimizer.step()
    theirs = nn.utils.parameters_to_vector(model.parameters()).detach()
    return float(((ending.state.theta[0] - theirs).abs().max() / theirs.abs().max()).item())


def heavy_ball_by_hand(ending: Ending, rate: float, momentum: float, nesterov: bool = False) -> float:
    """The largest difference to a loop on x^2 / 2 from 1: v = momentum v + x, x = x - rate v; or Nesterov's."""
    path, worst = ending.run[1].theta[0, :, 0], 0.0
    x, v = 1.0, 0.0
    for found in path[1:]:
        v = momentum * v + x
        x = x - rate * (x + momentum * v if nesterov else v)
        worst = max(worst, abs(found - x))
    return worst


def after_a_change_of_rate(convention: str, rates: Sequence[float], momentum: float) -> float:
    """Where heavy ball is on x^2 / 2, from 1, after these rates: outside v ("torch") or inside ("sutskever")."""
    x, v = 1.0, 0.0
    for rate in rates:
        v = momentum * v + (x if convention == "torch" else rate * x)
        x -= rate * v if convention == "torch" else v
    return x


def factor(ending: Ending, axis: int = 0, begin: int = 60, end: int = 160) -> float:
    """The factor by which an update shrinks a coordinate, from the envelope of its energy."""
    theta = ending.run[1].theta[0]
    path = np.log(np.linalg.norm(np.stack([theta[1:, axis], theta[:-1, axis]]), axis=0))
    return math.exp(np.polyfit(np.arange(begin, end), path[begin:end], 1)[0])


def period(ending: Ending, axis: int = 0) -> float | None:
    """Updates of a full swing of a coordinate about 0; None: it does not cross 0."""
    crossings = np.flatnonzero(np.diff(np.sign(ending.run[1].theta[0, :, axis])))
    return float(2 * np.diff(crossings).mean()) if len(crossings) > 1 else None


def best_momentum(condition: float, momenta: int = 400, rates: int = 400) -> float:
    """The momentum of the fastest heavy ball between curvatures 1 and `condition`, by a search over both knobs.

    The factor an update on curvature h is the largest root of z^2 - (1 + beta - rate h) z + beta.
    """
    beta = np.linspace(0, 0.999, momenta)[:, None, None]
    rate = np.geomspace(0.2, 4, rates)[None, :, None] / condition
    trace = 1 + beta - rate * np.linspace(1, condition, 2)[None, None, :]
    root = np.sqrt(trace**2 - 4 * beta + 0j)
    worst = np.maximum(abs(trace + root), abs(trace - root)).max(-1) / 2
    return float(beta[worst.min(1).argmin(), 0, 0])


def steps_to_distance(ending: Ending, share: float) -> float | None:
    """Updates until theta is within `share` of the start's distance from the minimum."""
    goal = ending.minimizers[0]
    far = np.linalg.norm(ending.run[1].theta[0] - goal, axis=1)
    hit = np.flatnonzero(far <= share * (np.linalg.norm(goal) or 1.0))
    return float(hit[0]) if len(hit) else None


def first_step(rule: str, gradients: Sequence[float], rate: float) -> list[float | None]:
    """The length of the first step for each gradient, over the rate."""
    made, found = {"adam": Adam(), "rmsprop": RMSprop()}[rule], []
    for gradient in gradients:
        theta = torch.zeros(1, 1, dtype=torch.float64)
        delta, _ = made.update(torch.full_like(theta, gradient), made.init(theta), theta, rate)
        found.append(-float(delta.item()) / rate)
    return [*found]


def steady_step(gradients: Sequence[float], rate: float, steps: int = 100) -> list[float | None]:
    """How far Adam goes under constant gradients, over the rate and the updates."""
    theta = torch.zeros(1, len(gradients), dtype=torch.float64)
    gradient, state = torch.tensor([list(gradients)], dtype=torch.float64), Adam().init(theta)
    for _ in range(steps):
        delta, state = Adam().update(gradient, state, theta, rate)
        theta = theta + delta
    return [-float(value) / rate / steps for value in theta[0]]


def wrong_way() -> float:
    """Where Adam ends on f_t = 3x, -x, -x, ... over [-1, 1], whose best point is -1 (Reddi 2018)."""
    rule, x = Adam(betas=(0.0, 0.1)), torch.zeros(1, 1, dtype=torch.float64)
    state = rule.init(x)
    for t in range(1, 3_001):
        slope = torch.full_like(x, 3.0 if t % 3 == 1 else -1.0)
        delta, state = rule.update(slope, state, x, 0.1 / math.sqrt(t))
        x = (x + delta).clamp(-1, 1)
    return float(x.item())


def unseen_accuracy(ending: Ending) -> float:
    """Accuracy on new rows of Wilson's data, (label, 1, 1, features of its own), that a lane's theta gets right."""
    y, w = np.array(ending.experiment.data_problem.prepare(0).y), ending.state.theta[0].numpy()
    return float((np.sign(w[0] * y + w[1] + w[2]) == y).mean())
