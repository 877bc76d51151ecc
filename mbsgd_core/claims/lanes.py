"""What is measured of a lane of any experiment: excess, first passages, floors, spread, limits (floor 4).

Each is a mean over the runs of a lane; excess is the loss above the least value known, else the loss itself.
"""

import math
from collections.abc import Sequence

import numpy as np

from mbsgd_core import engine
from mbsgd_core.claims.base import Ending
from mbsgd_core.measures import evaluation, learning
from mbsgd_core.measures.limits import rate_limits
from mbsgd_core.measures.noise import covariance, sample_gradients
from mbsgd_core.measures.scale import stationary_variance
from mbsgd_core.measures.sharpness import edge
from mbsgd_core.measures.sharpness import sharpness as largest_eigenvalue
from mbsgd_core.measures.stability import hessian
from mbsgd_core.problems.datasets.mnist import Mnist


def final(ending: Ending, times: float = 1.0) -> float:
    """Excess at the end."""
    return times * float(_excess(ending)[-1])


def final_loss(ending: Ending, times: float = 1.0) -> float:
    """The loss at the end."""
    return times * float(ending.run[1].loss.mean(0)[-1])


def final_share(ending: Ending) -> float:
    """Excess at the end over the least loss; a median over the runs."""
    return float(np.median(ending.run[1].loss[:, -1] / ending.least - 1))


def best(ending: Ending) -> float:
    """The least excess on the way."""
    return float(_excess(ending).min())


def settled(ending: Ending) -> float:
    """Mean excess over the second half of the records."""
    excess = _excess(ending)
    return float(excess[len(excess) // 2 :].mean())


def average_settled(ending: Ending) -> float:
    """The same of the lane's average."""
    losses = ending.run[1].average_loss.mean(0)
    return float(losses[len(losses) // 2 :].mean()) - _least(ending)


def average_share(ending: Ending) -> float:
    """The same over the lane's own."""
    return average_settled(ending) / settled(ending)


def updates_to(ending: Ending, target: float | None = None, excess: float | None = None) -> float | None:
    """Updates until the excess is at most `target` times the start's, or at most `excess`; None: never."""
    at = _first(ending, target, excess)
    return None if at is None else float(ending.run[1].update[at])


def samples_to(ending: Ending, target: float | None = None, excess: float | None = None) -> float | None:
    """The samples that were read until then."""
    at = _first(ending, target, excess)
    return None if at is None else float(ending.run[1].samples[at])


def epochs_to(ending: Ending, target: float | None = None, excess: float | None = None) -> float | None:
    """The epochs until then."""
    at = updates_to(ending, target, excess)
    return None if at is None else at / ending.experiment.updates_per_epoch(ending.lane)


def touched_share(ending: Ending, target: float) -> float:
    """The share of the runs whose excess was once at most `target` times the start's."""
    return float(_below(ending, target).any(1).mean())


def stays_share(ending: Ending, target: float) -> float:
    """The share of the runs whose excess is at most that at the end."""
    return float(_below(ending, target)[:, -1].mean())


def diverged_at(ending: Ending) -> float | None:
    """The first update that was lost in any run; None: never."""
    lost = ending.run[0].diverged_at
    return float(lost[lost >= 0].min()) if (lost >= 0).any() else None


def diverged_share(ending: Ending) -> float:
    """The share of the runs that diverged."""
    return float((ending.run[0].diverged_at >= 0).mean())


def limit(ending: Ending) -> float | None:
    """The largest stable rate of the lane with its own batches, as its badge names it."""
    found = rate_limits(ending.experiment, ending.lane)
    return None if found is None else found.rate


def spread(ending: Ending) -> float:
    """Root of the summed variances of the end points of the runs."""
    return float(np.sqrt(_end(ending).var(0).sum()))


def spread_in_theory(ending: Ending) -> float:
    """The same on a bowl, without momentum, with replacement: sum of rate c_i / (b lambda_i (2 - rate lambda_i)).

    lambda_i are the Hessian's eigenvalues, c_i the variance of a sample's gradient along their directions.
    """
    total, lane = engine.finite_sum(ending.experiment), ending.experiment.lanes[ending.lane]
    curvatures, directions = np.linalg.eigh(hessian(total, ending.minimizers[0]))
    each = directions.T @ covariance(sample_gradients(total, ending.minimizers[0])) @ directions
    rate, size = lane.schedule.learning_rate, lane.sampler.size(total.samples)
    return float(np.sqrt(sum(map(float, stationary_variance(rate, curvatures, np.diag(each), size)))))  # type: ignore


def variance(ending: Ending) -> float:
    """The mean variance of the coordinates of the end points."""
    return float(_end(ending).var(0).mean())


def loss_spread(ending: Ending) -> float:
    """Standard deviation of the runs' last loss, over the least loss."""
    return float((ending.run[1].loss[:, -1] / ending.least).std())


def loss_mean(ending: Ending) -> float:
    """Mean of the runs' last loss above the least one, over the least one."""
    return float(ending.run[1].loss[:, -1].mean() / ending.least - 1)


def away(ending: Ending, point: Sequence[float]) -> float:
    """Distance of the end from a point."""
    return float(np.linalg.norm(_end(ending) - np.array(point), axis=1).mean())


def reach(ending: Ending, axis: int) -> float:
    """Distance of the end from 0 along an axis."""
    return float(np.abs(_end(ending)[:, axis]).mean())


def square(ending: Ending, axis: int) -> float:
    """Mean square of the end along an axis."""
    return float(np.square(_end(ending)[:, axis]).mean())


def turns(ending: Ending, axis: int) -> float:
    """How often the path crosses 0 along an axis."""
    side = np.sign(ending.run[1].theta[:, :, axis])
    return float((side[:, 1:] * side[:, :-1] < 0).sum(1).mean())


def minima(ending: Ending) -> float:
    """How many of the known minimizers are nearest to some run's end."""
    return float(len(set(np.linalg.norm(_end(ending)[:, None] - ending.minimizers, axis=-1).argmin(1).tolist())))


def updates(ending: Ending) -> float:
    """Updates of the whole budget."""
    return float(ending.experiment.updates(ending.lane))


def samples(ending: Ending) -> float:
    """Samples of the problem, copies too."""
    return float(ending.experiment.problem.sample_count)


def parameters(ending: Ending) -> float:
    """Numbers in theta."""
    return float(ending.experiment.problem.parameter_count)


def train_rows(ending: Ending) -> float:
    """Rows of the data set's own training part."""
    return float(ending.experiment.data_problem.dataset.counts()[0])


def test_rows(ending: Ending) -> float:
    """Rows of its own test part."""
    return float(ending.experiment.data_problem.dataset.counts()[1])


def held_out(ending: Ending) -> float:
    """Rows that no update sees."""
    return float(evaluation.test_rows(ending.experiment))


def share_of_one(ending: Ending) -> float:
    """The share of the test accuracy that one of them is."""
    return 1 / held_out(ending)


def whole_updates(ending: Ending) -> float:
    """Updates with all images of MNIST."""
    return _whole(ending)[0]


def whole_rows(ending: Ending) -> float:
    """All images of MNIST to learn from."""
    return _whole(ending)[1]


def _whole(ending: Ending) -> list[float]:
    """Updates and rows with all images of MNIST."""
    e = ending.experiment
    all_images = e.model_copy(update={"problem": e.problem.model_copy(update={"dataset": Mnist()})})
    return [float(all_images.updates(ending.lane)), float(all_images.problem.sample_count)]


def train_loss(ending: Ending) -> float:
    """The objective at the end, as the page shows it."""
    return float(_judged(ending).train_loss)


def test_loss(ending: Ending) -> float:
    """Of the rows that no update sees."""
    return float(_judged(ending).test_loss)


def test_accuracy(ending: Ending) -> float:
    """Share of the held-out rows that are right."""
    return float(_judged(ending).test_accuracy)


def train_accuracy(ending: Ending) -> float:
    """Share of the training rows that are right."""
    e = ending.experiment
    total = engine.finite_sum(e)
    return float(learning.judge(e.data_problem, total, _theta(ending), e.seed, "train").accuracy)


def sharpness(ending: Ending) -> float:
    """The largest eigenvalue of the Hessian at the end."""
    return float(largest_eigenvalue(engine.finite_sum(ending.experiment), _theta(ending)).value)


def edge_share(ending: Ending) -> float:
    """The same over the sharpness that the rate can just bear."""
    lane = ending.experiment.lanes[ending.lane]
    bearable = edge(lane.rule, lane.schedule.learning_rate)
    return sharpness(ending) / bearable.sharpness if bearable else math.nan


def _judged(ending: Ending) -> evaluation.Judgement:
    return evaluation.judge(ending.experiment, ending.lane, ending.state.update, _theta(ending))


def _theta(ending: Ending) -> np.ndarray:
    return np.asarray(ending.state.theta[0].cpu().numpy())


def _end(ending: Ending) -> np.ndarray:
    return np.asarray(ending.run[1].theta[:, -1])


def _excess(ending: Ending) -> np.ndarray:
    return np.asarray(ending.run[1].loss.mean(0) - _least(ending))


def _below(ending: Ending, target: float) -> np.ndarray:
    excess = ending.run[1].loss - _least(ending)
    return np.asarray(excess <= target * excess[:, :1])


def _least(ending: Ending) -> float:
    """The least value that is known, else 0."""
    truth = ending.experiment.problem.solution(ending.experiment.seed)
    return float(truth.value) if truth else 0.0


def _first(ending: Ending, target: float | None, excess: float | None) -> int | None:
    found = _excess(ending)
    level = target * found[0] if target is not None else excess
    hit = np.flatnonzero(found <= level)
    return int(hit[0]) if len(hit) else None
