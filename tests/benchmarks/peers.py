"""The other side: scikit-learn's compiled SGD on the same rows, for the same epochs.

It draws orders of its own, so equality is shown twice: in the given order, without shuffling, it must walk our path;
shuffled, as it is timed, it must make as many updates as we do and end at a loss of the same size.
"""

import warnings
from collections.abc import Callable

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import SGDClassifier, SGDRegressor
from sklearn.neural_network import MLPClassifier

from mbsgd_core import engine
from mbsgd_core.experiment import Experiment
from mbsgd_core.registry import name_of
from tests.benchmarks.case import Side, Unequal, within

PATH = 1e-6  # apart in theta, float64: scikit-learn cuts the tails of the log-loss
NET_PATH = 1e-4  # float32
LOSS = 0.1  # relative, between two orders


def rows(experiment: Experiment) -> tuple[np.ndarray, np.ndarray]:
    """Inputs without the intercept's column, and targets."""
    data = experiment.problem.prepare(experiment.seed)
    return data.x[:, : len(data.mean)], data.y


def linear(experiment: Experiment, shuffle: bool = True, seed: int = 0) -> "SGDRegressor | SGDClassifier":
    """The estimator that makes the first lane's updates: plain SGD with b = 1."""
    kind = {"linear_regression": (SGDRegressor, "squared_error"), "logistic_regression": (SGDClassifier, "log_loss")}
    estimator, loss = kind[name_of(experiment.problem)]
    return estimator(
        loss=loss,
        penalty=None,
        learning_rate="constant",
        eta0=experiment.lanes[0].schedule.learning_rate,
        max_iter=experiment.budget.amount,
        tol=None,
        shuffle=shuffle,
        random_state=seed,
    )


def linear_side(experiment: Experiment) -> Side:
    x, y = rows(experiment)

    def ready(turn: int) -> Callable[[], object]:
        estimator = linear(experiment, seed=turn)
        return lambda: estimator.fit(x, y)

    return ready


def same_linear(experiment: Experiment) -> str:
    """See the top of the file."""
    x, y = rows(experiment)
    walked = linear(experiment, shuffle=False).fit(x, y)
    given = in_order(experiment)
    apart = np.abs(_theta(walked) - engine.run(given, 0)[0].theta[0].numpy()).max()
    if not apart <= PATH:
        raise Unequal(f"{name_of(experiment.problem)}: scikit-learn without shuffling ends {apart:.1e} off")
    shuffled = linear(experiment).fit(x, y)
    made = int(shuffled.t_) - 1
    if made != experiment.updates(0):
        raise Unequal(
            f"{name_of(experiment.problem)}: scikit-learn makes {made} updates, we make {experiment.updates(0)}"
        )
    theirs = experiment.problem.value(_theta(shuffled), experiment.seed)
    return f"theta {within(apart)} unshuffled; shuffled, {same_loss(experiment, theirs)}"


def net(experiment: Experiment, shuffle: bool = True, seed: int = 0) -> MLPClassifier:
    """The network of the first lane, with plain SGD."""
    return MLPClassifier(
        hidden_layer_sizes=experiment.problem.hidden,
        activation=experiment.problem.activation,
        solver="sgd",
        alpha=0.0,
        momentum=0.0,
        nesterovs_momentum=False,
        learning_rate_init=experiment.lanes[0].schedule.learning_rate,
        batch_size=experiment.lanes[0].sampler.batch_size,
        max_iter=experiment.budget.amount,
        tol=0.0,
        n_iter_no_change=experiment.budget.amount,
        shuffle=shuffle,
        random_state=seed,
    )


def net_side(experiment: Experiment) -> Side:
    x, y = _seen(experiment)

    def ready(turn: int) -> Callable[[], object]:
        classifier = net(experiment, seed=turn)

        def fit() -> None:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)  # it stops after the epochs that it was given
                classifier.fit(x, y)

        return fit

    return ready


def same_net(experiment: Experiment) -> str:
    """From our start in the given order it must walk our path; its shuffled run starts elsewhere, so it says little."""
    x, y = _seen(experiment)
    given = in_order(experiment)
    classifier = net(experiment, shuffle=False).partial_fit(x, y, classes=np.unique(y))
    parts = iter(engine.finite_sum(given).views(engine.init(given, 0).theta))
    for weight, bias in zip(classifier.coefs_, classifier.intercepts_, strict=True):  # its optimizer holds these arrays
        weight[:], bias[:] = next(parts)[0].numpy().T, next(parts)[0].numpy()
    for _ in range(experiment.budget.amount):
        classifier.partial_fit(x, y)
    pairs = zip(classifier.coefs_, classifier.intercepts_, strict=True)
    theirs = np.concatenate([part for weight, bias in pairs for part in (weight.T.ravel(), bias)])
    apart = np.abs(theirs - engine.run(given, 0)[0].theta[0].numpy()).max()
    if not apart <= NET_PATH:
        raise Unequal(f"scikit-learn's MLPClassifier on the same batches ends {apart:.1e} off")
    return f"theta {within(apart)} unshuffled"


def same_loss(experiment: Experiment, theirs: float) -> str:
    """The first lane's final objective against theirs."""
    ours = float(engine.run(experiment, 0)[1].loss[0, -1])
    if not abs(ours - theirs) <= LOSS * ours:
        raise Unequal(
            f"{name_of(experiment.problem)}: scikit-learn ends at a loss of {theirs:.3g}, we end at {ours:.3g}"
        )
    return f"loss {ours:.3g} and {theirs:.3g}"


def in_order(experiment: Experiment) -> Experiment:
    """The same, with the rows visited as they lie."""
    lane = experiment.lanes[0].model_dump()
    lane["sampler"] = {"name": "in_order", "batch_size": lane["sampler"]["batch_size"]}
    return Experiment.model_validate({**experiment.model_dump(), "lanes": [lane]})


def _seen(experiment: Experiment) -> tuple[np.ndarray, np.ndarray]:
    problem = engine.finite_sum(experiment)
    return problem.x.numpy(), problem.y.numpy()


def _theta(estimator: "SGDRegressor | SGDClassifier") -> np.ndarray:
    return np.append(estimator.coef_, estimator.intercept_)
