"""What became of a lane: its badge, the sentence that says why, and one thing to try (floor 4)."""

import math
from typing import NamedTuple

import numpy as np

from mbsgd_core import engine
from mbsgd_core.experiment import Experiment
from mbsgd_core.format import count, number, point, share
from mbsgd_core.measures import evaluation, learning, stability
from mbsgd_core.measures.ending import GROWTH, SHARE, Ending, ending
from mbsgd_core.measures.growth import steepest_growth
from mbsgd_core.measures.limits import Limits, limits_at, network_limits, rate_limits, start_of
from mbsgd_core.problems.models.base import DataProblem
from mbsgd_core.results.run import Frame
from mbsgd_core.results.verdict import Badge, Diagnosis, Remedy
from mbsgd_core.rules.sgd import SGD
from mbsgd_core.types import Trace

SAME = 0.02  # of the truth's spread: predictions that spread less are one value for every row
FAR = 10  # times the start's size, below it: a run that was lost there has fallen out of the surface
SPARE = 2  # times the rate that a slow lane's pace asks for: gentler directions are still to come
GAIN = 1.5  # a rate that is less than so many times the old one is no remedy for a slow lane
MOMENTUM = 0.9  # what is tried where the rate cannot be raised, and where momentum is higher
CALMER = (0.05, 0.5)  # times the rate: a remedy against swinging stays within


class _Lane(NamedTuple):
    """What all sentences about a lane need."""

    experiment: Experiment
    lane: int
    trace: Trace
    rate: float  # the largest that it used
    limits: Limits | None


def diagnose(
    experiment: Experiment,
    lane: int,
    trace: Trace,
    lowest: float | None = None,
    learned: Frame | None = None,
) -> Diagnosis:
    """Judge a lane by its records; of several runs those that diverged, else the first, which is the one drawn.

    Args:
        experiment, lane: whose trace it is.
        trace: with record 0; it may be unfinished. Its theta is looked at where that of every record is kept.
        lowest: the least value of the objective, where known.
        learned: the newest frame of a model; without one its predictions are made here, if theta is kept.
    """
    about = _Lane(experiment, lane, trace, float(trace.learning_rate.max()), rate_limits(experiment, lane))
    limit = about.limits.rate if about.limits else None
    lost = ~np.isfinite(trace.loss)
    if lost.any():
        run = int(np.argmin(np.where(lost.any(1), lost.argmax(1), lost.shape[1])))
        at = int(lost[run].argmax())
        return Diagnosis(_lost(about, run, at), int(trace.update[at]), about.rate, limit)
    above = about.limits is not None and about.rate > about.limits.rate
    end = ending(trace.update, trace.loss[0], lowest, above, bottomless(experiment))
    return Diagnosis(_ended(about, end, learned), None, about.rate, limit)


def bottomless(experiment: Experiment) -> bool:
    """Whether the surface is known to have no lowest point: its stationary points are known and are all saddles."""
    problem = experiment.problem
    return bool(getattr(problem, "saddles", ())) and problem.optimal_value is None and not problem.minimizers


def _ended(about: _Lane, end: Ending, learned: Frame | None) -> Badge:
    """The badge of a lane whose losses are finite."""
    made, planned = int(about.trace.update[-1]), about.experiment.updates(about.lane)
    calm = end.kind in ("swinging", "resting") or (end.kind == "growing" and end.last < GROWTH * end.first)
    there = end.excess is not None and end.excess <= SHARE
    if calm and made == planned and not there:
        constant = _constant(about.experiment, learned or _learned(about))
        if constant:
            return Badge("flat", constant, _rate(about, about.rate / 10))
    if end.kind == "growing":
        why, remedy = _advice(about, about.rate)
        return Badge("unstable", f"The loss grew from {number(end.first)} to {number(end.last)}. {why}", remedy)
    sampler, limits = about.experiment.lanes[about.lane].sampler, about.limits
    if limits is not None and about.rate > limits.plain.rate * (1 + 1e-9) and (sampler.changes or not sampler.draws):
        grown = _growth(about)  # batches that repeat in one order may make up for each other
        if grown is not None and grown > 1:
            why, remedy = _advice(about, about.rate)
            unseen = "The loss has not grown yet, but along the steepest direction the error grew"
            return Badge("unstable", f"{unseen} {number(grown)} times. {why}", remedy)
    if end.kind == "escaping":
        fell = f"The loss falls and does not slow down, from {number(end.first)} to {number(end.last)}"
        return Badge("escaping", f"{fell}: the surface has no lowest point along this path.")
    if made < planned:
        return Badge("unfinished", f"{count(made)} of {count(planned)} updates are made.")
    if end.kind == "swinging":
        return _swinging(about, end)
    if end.kind == "falling":
        return _slow(about, end)
    if end.kind == "drifting":
        why = f"{share(end.late)} of all that the loss fell, it fell in the last quarter of the updates"
        return Badge("still falling", f"{why}: it has not come to rest at {number(end.last)}.")
    # Where the lowest loss is not known: a loss that is where it began, at such a rate, jumps from side to side.
    high = end.last >= (1 - SHARE) * end.first > 0 if end.excess is None else end.excess > SHARE
    if about.limits and about.rate >= about.limits.rate * (1 - 1e-9) and high:
        return Badge("bouncing", _by_the_limit(about), _rate(about, about.limits.rate / 2))
    return Badge("settled", _at_rest(about, end))


def _learned(about: _Lane) -> Frame | None:
    """What the model says of its test rows, or of its training rows, at the last record; None where there is none."""
    experiment, problem = about.experiment, about.experiment.problem
    if not isinstance(problem, DataProblem) or not _whole(about.trace):
        return None
    total, theta = engine.finite_sum(experiment), about.trace.theta[0, -1]
    judged = learning.judge(
        problem, total, theta, experiment.seed, "test" if evaluation.test_rows(experiment) else "train"
    )
    if problem.learns == "classification":
        return {"confusion": learning.confusion(judged, problem.class_count)}
    return {"truth": judged.truth, "prediction": judged.prediction}


def _constant(experiment: Experiment, learned: Frame | None) -> str:
    """The sentence about a model that says the same of every row; "" for all others."""
    if learned and "confusion" in learned:
        counts = learned["confusion"]
        said, truths = counts.sum(0), counts.sum(1)
        if (said > 0).sum() != 1 or (truths > 0).sum() < 2:
            return ""
        chosen, classes = int(said.argmax()), experiment.data_problem.header.classes
        right = share(float(counts[chosen, chosen] / counts.sum()))
        return f"It takes every row for {classes[chosen] if classes else chosen}; that is right for {right} of them."
    if learned and "truth" in learned:
        truth, said = learned["truth"], learned["prediction"]
        if len(truth) > 1 and 0 < np.std(truth) * SAME > np.std(said):
            mean = ", about their mean" if abs(said.mean() - truth.mean()) < np.std(truth) / 10 else ""
            return f"It predicts {number(said.mean())} for every row{mean}."
    return ""


def _swinging(about: _Lane, end: Ending) -> Badge:
    method, samples = about.experiment.lanes[about.lane], about.experiment.problem.sample_count
    size, momentum = method.sampler.size(samples), getattr(method.rule, "momentum", 0.0)
    swing = f"In its last quarter the loss swings between {number(end.low)} and {number(end.high)}"
    if size == samples and momentum:
        why = f"{swing}: momentum {number(momentum)} carries it past the minimum again and again."
        calmer = MOMENTUM if momentum > MOMENTUM else momentum / 2
        return Badge("bouncing", why, Remedy.of("momentum", calmer))
    least, most = CALMER  # noise is about proportional to the rate, and swings to a few times its mean
    factor = most if not end.excess else float(np.clip(SHARE / (4 * end.excess), least, most))
    noise = f"the noise of batches of {count(size)}" if size < samples else "a step from side to side of the valley"
    why = f"{swing}: at rate {number(float(about.trace.learning_rate[-1]))}, {noise} does not die out."
    if about.limits and about.limits.noisy is not None and about.rate > about.limits.rate:
        why = f"{swing}. {_by_the_limit(about)}"
    return Badge("bouncing", why, _rate(about, about.rate * factor))


def _slow(about: _Lane, end: Ending) -> Badge:
    rule = about.experiment.lanes[about.lane].rule
    why = f"The loss still falls: it came from {number(end.first)} to {number(end.last)}"
    if end.budgets:
        budgets = "100 times this budget or more" if end.budgets > 100 else f"{number(end.budgets)} times this budget"
        why += f", and would need {budgets} to come within {share(SHARE)} of the start's excess"
    wish = about.rate * float(np.clip(SPARE * (end.budgets or 5), GAIN, 1e6))
    if about.limits is not None:
        wish = min(wish, about.limits.rate / 2)
    if wish >= GAIN * about.rate:
        return Badge("too slow", f"{why}.", _rate(about, wish))
    if about.limits is not None and isinstance(rule, SGD):
        why += f"; the rate cannot be much higher, since {number(about.limits.rate)} is the limit"
        if not rule.momentum:
            heavy = rate_limits(about.experiment.with_value(about.lane, "momentum", MOMENTUM), about.lane)
            if heavy is None or about.rate < heavy.rate:  # where noise is the limit, momentum asks for less
                return Badge("too slow", f"{why}.", Remedy.of("momentum", MOMENTUM))
    return Badge("too slow", f"{why}.")


def _at_rest(about: _Lane, end: Ending) -> str:
    now, ends = float(about.trace.learning_rate[-1]), f"The loss ends at {number(end.last)}"
    if end.excess is None:
        return f"The loss levels off at {number(end.last)}. {_by_the_limit(about)}"
    if end.excess <= SHARE:
        return f"{ends}, within {share(SHARE)} of the start's excess. {_by_the_limit(about)}"
    if now < SHARE * about.rate:
        return f"{ends}, above the lowest value: the rate has fallen to {number(now)} before it was there."
    return f"{ends}, above the lowest value: a place without slope, or the noise of its batches, holds it."


def _by_the_limit(about: _Lane) -> str:
    """How the rate stands to its limit."""
    rule, rate, limits = about.experiment.lanes[about.lane].rule, about.rate, about.limits
    if limits is None:
        return "No limit of its rate is known." if isinstance(rule, SGD) else f"{_name(rule)} has no simple limit."
    if math.isclose(rate, limits.rate):
        still = "the mean squared error" if limits.noisy else "the steepest direction"
        return f"The rate {number(rate)} is the limit itself: {still} neither shrinks nor grows."
    if rate > limits.rate and limits.noisy is not None:
        above = f"The rate {number(rate)} is above {number(limits.rate)}, the limit of its batches"
        if not about.experiment.problem.quadratic:
            return f"{above}: they do not let it come to rest at the minimum."
        return f"{above}: over many runs the mean squared error grows, even where that of a single one does not."
    if rate > limits.rate:
        above = f"The rate {number(rate)} is above {limits.plain.formula} = {number(limits.rate)}"
        if _growth(about) == 0:
            return f"{above}, but this path has no share in the steepest direction, and so nothing that would grow."
        return f"{above}, yet the loss has not grown."
    if limits.noisy is not None:
        return f"The rate {number(rate)} is below {number(limits.noisy)}, the limit of its batches."
    return f"The rate {number(rate)} is below {limits.plain.formula} = {number(limits.plain.rate)}."


def _lost(about: _Lane, run: int, at: int) -> Badge:
    """The badge of a lane of which a run was lost at record `at`."""
    trace, before, update = about.trace, about.trace.loss[run, :at], int(about.trace.update[at])
    if at == 0:
        start = point(start_of(about.experiment))
        return Badge("diverged", f"f is not defined at the start point {start}. Choose another start.")
    opening = f"Diverged at update {count(update)}: the loss"
    first, last = float(before[0]), float(before[-1])
    if last < first - FAR * max(abs(first), 1.0):
        fell = f"At update {count(update)} the loss, which came from {number(first)}, has fallen below {number(last)}"
        return Badge("escaping", f"{fell}: the surface has no lowest point along this path.")
    if at == 1:
        grew = f"{opening} left {number(first)} in a single step."
    elif last > first:
        grew = f"{opening} grew from {number(first)} to {number(last)}."
    elif _whole(trace):
        here = point(trace.theta[run, at - 1].tolist())
        grew = f"{opening}, {number(last)} at {here}, is not defined where the next step leads."
    else:
        grew = f"Diverged at update {count(update)}."
    why, remedy = _advice(about, float(trace.learning_rate[at]))
    return Badge("diverged", f"{grew} {why}", remedy)


def _advice(about: _Lane, rate: float) -> tuple[str, Remedy]:
    """Which rates grow here, and one to try."""
    experiment, rule, limits = about.experiment, about.experiment.lanes[about.lane].rule, about.limits
    place = "the limit at the minimum" if limits and limits.exact else "the limit at the start and the minimum"
    if limits is None and experiment.problem.parameter_count > stability.PARAMETERS:
        limits, place = network_limits(experiment, about.lane), "the limit at the start"
    elif limits is not None and rate <= limits.rate:
        steeper = _limits_on_the_way(about)
        limits = steeper if steeper is not None and steeper.rate < rate else limits
    if limits is None:
        known = "No limit of its rate is known." if isinstance(rule, SGD) else f"{_name(rule)} has no simple limit."
        return known, _rate(about, rate / 10)
    plain, noisy = limits.plain, limits.noisy
    sampler = experiment.lanes[about.lane].sampler
    if rate <= limits.rate:
        below = f"The rate is below {number(limits.rate)}, {place}"
        less = "but steeper places on the way, or small batches, ask for less"
        if limits.exact and experiment.problem.quadratic:
            less = "where the mean squared error stays bounded; a run of unlucky batches can still be lost"
        return f"{below}, {less}.", _rate(about, rate / 10)
    half = _rate(about, limits.rate / 2)
    if noisy is not None and (rate <= plain.rate or noisy > plain.rate):
        size = count(sampler.size(experiment.problem.sample_count))
        without = f"{plain.formula} = {number(plain.rate)}"
        if not sampler.changes:
            grow = f"With its own batches of {size}, the same in every epoch, rates above {number(noisy)} grow here"
            return f"{grow}; the limit of the full batch is {without}.", half
        grow = f"With batches of {size}, rates above {number(noisy)} grow here"
        return f"{grow}, although the limit without noise is {without}.", half
    steepest = f"largest curvature {number(plain.curvature)}"
    return f"Rates above {plain.formula} = {number(plain.rate)} grow here ({steepest}).", half


def _growth(about: _Lane) -> float | None:
    """How the error of the path that is drawn grew along the steepest direction; None where that is not known."""
    return steepest_growth(about.experiment, about.lane, about.trace.theta[0]) if _whole(about.trace) else None


def _limits_on_the_way(about: _Lane) -> Limits | None:
    """The limits at the start and the lowest record: a run can meet a place that is steeper than the minimum."""
    trace, start = about.trace, start_of(about.experiment)
    if not _whole(trace):
        return limits_at(about.experiment, about.lane, [start])
    run, at = np.unravel_index(np.nanargmin(trace.loss), trace.loss.shape)
    return limits_at(about.experiment, about.lane, [start, tuple(trace.theta[run, at].tolist())])


def _rate(about: _Lane, rate: float) -> Remedy:
    """To try this as the largest rate: the schedule's base rate in proportion."""
    base = about.experiment.lanes[about.lane].schedule.learning_rate
    return Remedy.of("learning_rate", base * rate / about.rate)


def _whole(trace: Trace) -> bool:
    """Whether theta is kept of every record."""
    return bool(trace.theta.shape[1] == trace.loss.shape[1])


def _name(rule: object) -> str:
    return type(rule).__name__
