"""How good a model is in words that people use: accuracy on its own rows, error in the target's units (floor 4)."""

from typing import NamedTuple

import numpy as np

from mbsgd_core import engine
from mbsgd_core.experiment import Experiment
from mbsgd_core.measures import evaluation, learning
from mbsgd_core.problems.models.base import DataProblem
from mbsgd_core.results.learning import Judged
from mbsgd_core.results.run import Frame


class Scores(NamedTuple):
    """What is known of a model at its last record; None where it cannot be said."""

    train_accuracy: float | None = None  # of classes: the share of its training rows that are right
    rmse: float | None = None  # of numbers: the root mean squared error of the test rows, else of the training rows
    r2: float | None = None  # 1 - squared error / that of predicting the mean of these rows: 1 perfect, 0 no better


class Level(NamedTuple):
    """A loss that needs no learning, to be drawn as a line."""

    curve: str  # "loss" | "test_loss": in which chart
    value: float
    text: str


def scores(experiment: Experiment, theta: np.ndarray, newest: Frame) -> Scores:
    """The scores of a model at theta (P,), or of its newest frame where lanes stop to be judged.

    RMSE = sqrt(2 loss), since a loss is half a squared error; R2 = 1 - sum (y - f)^2 / sum (y - mean y)^2.

    Reference: as sklearn.metrics.root_mean_squared_error and r2_score.
    """
    if evaluation.TRAIN_ACCURACY in newest:
        return Scores(train_accuracy=float(newest[evaluation.TRAIN_ACCURACY][0]))
    if not isinstance(experiment.problem, DataProblem) or not np.isfinite(theta).all():
        return Scores()
    if experiment.problem.learns == "classification":
        if evaluation.stops(experiment):  # dear: made once, at the lane's end
            return Scores()
        return Scores(train_accuracy=evaluation.train_accuracy(experiment, theta))
    return errors(_judged(experiment, theta))


def errors(judged: Judged) -> Scores:
    """RMSE and R2 of predicted numbers.

    Example:
        >>> truth, said = np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 6.0])
        >>> errors(Judged(truth, said, np.full(3, np.nan), (said - truth) ** 2 / 2))
        Scores(train_accuracy=None, rmse=1.7320508075688772, r2=-3.5)
    """
    truth = judged.truth
    squares = 2 * float(judged.loss.mean())
    if not np.isfinite(squares):
        return Scores()
    spread = float(((truth - truth.mean()) ** 2).mean())
    return Scores(rmse=squares**0.5, r2=1 - squares / spread if spread else None)


def baselines(experiment: Experiment) -> tuple[Level, ...]:
    """What predicting the mean of the training targets for every row costs; () for classes and surfaces."""
    problem = experiment.problem
    if not isinstance(problem, DataProblem) or problem.learns == "classification":
        return ()
    data = problem.prepare(experiment.seed)
    mean = data.y.mean()
    rows = {"loss": data.y, "test_loss": data.y_test}
    return tuple(
        Level(curve, float(((y - mean) ** 2).mean() / 2), "predicts the mean") for curve, y in rows.items() if len(y)
    )


def _judged(experiment: Experiment, theta: np.ndarray) -> Judged:
    problem, total = experiment.data_problem, engine.finite_sum(experiment)
    return learning.judge(
        problem, total, theta, experiment.seed, "test" if evaluation.test_rows(experiment) else "train"
    )
