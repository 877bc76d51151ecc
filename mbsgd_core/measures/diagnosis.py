"""Whether a lane is stable, and the sentence that says why (floor 4)."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mbsgd_core import engine
from mbsgd_core.experiment import Experiment
from mbsgd_core.kept import beside
from mbsgd_core.measures import stability
from mbsgd_core.measures.text import number, point
from mbsgd_core.measures.truth import truth
from mbsgd_core.problems.base import FiniteSum
from mbsgd_core.rules.base import Rule
from mbsgd_core.rules.sgd import SGD
from mbsgd_core.types import Trace

MINIMIZERS = 4  # of many are looked at for their curvature
GROWTH = 10  # a finite lane is unstable once its excess is this many times the start's


class Diagnosis(NamedTuple):
    """The verdict on one lane."""

    stable: str  # "stable" | "unstable" | "diverged"
    why: str
    diverged_at: int | None  # the first update that was lost, the earliest over the runs


def diagnose(experiment: Experiment, lane: int, trace: Trace, lowest: float | None = None) -> Diagnosis:
    """Judge a lane by its records.

    Args:
        experiment, lane: whose trace it is.
        trace: with record 0; it may be unfinished.
        lowest: the least value of the objective, where known.
    """
    lost = ~np.isfinite(trace.loss)
    if lost.any():
        run = int(np.argmin(np.where(lost.any(1), lost.argmax(1), lost.shape[1])))
        at = int(lost[run].argmax())
        return Diagnosis("diverged", _why_lost(experiment, lane, trace, run, at), int(trace.update[at]))
    loss = trace.loss.mean(0)
    floor = min(float(loss.min()), np.inf if lowest is None else lowest)
    first, last = float(loss[0]) - floor, float(loss[-1]) - floor
    rate = float(trace.learning_rate.max())
    limits = rate_limits(experiment, lane)
    above = limits is not None and rate > limits.rate
    if last > first and (above or last > GROWTH * first > 0):
        grew = f"The loss grew from {number(loss[0])} to {number(loss[-1])}."
        return Diagnosis("unstable", f"{grew} {_advice(experiment, lane, rate, trace)}", None)
    return Diagnosis("stable", _why_stable(experiment.lanes[lane].rule, rate, limits), None)


class Limits(NamedTuple):
    """The rate above which errors grow, and where it comes from."""

    rate: float
    plain: stability.Limit  # without noise
    noisy: float | None  # with this lane's batches, where that is lower


def rate_limits(experiment: Experiment, lane: int) -> Limits | None:
    """The limits by the largest curvature at the start and at the known minimizers; None where there are none."""
    return _limits(experiment, lane, (start_of(experiment), *truth(experiment).minimizers[:MINIMIZERS]))


def start_of(experiment: Experiment) -> tuple[float, ...]:
    """Where all lanes begin."""
    if experiment.start is not None:
        return experiment.start
    return tuple(engine.finite_sum(experiment).start().tolist())


def _limits(experiment: Experiment, lane: int, places: Sequence[tuple[float, ...]]) -> Limits | None:
    method = experiment.lanes[lane]
    problem = engine.finite_sum(experiment)
    if problem.parameters > stability.PARAMETERS:
        return None
    found = {place: curvature for place in places if (curvature := _curvature(problem, place)) is not None}
    steepest = max(found, key=lambda place: found[place], default=None)
    plain = None if steepest is None else stability.rate_limit(found[steepest], method.rule)
    if steepest is None or plain is None:
        return None
    samples = experiment.problem.sample_count
    size = method.sampler.size(samples)
    noisy = None
    if size < samples and isinstance(method.rule, SGD) and not method.rule.momentum and not method.rule.weight_decay:
        noisy = _noisy_limit(problem, steepest, size, method.sampler.draws_with_replacement)
    if noisy is None or noisy >= plain.rate * (1 - 1e-9):
        return Limits(plain.rate, plain, None)
    return Limits(noisy, plain, noisy)


@beside(most=32)
def _curvature(problem: FiniteSum, theta: tuple[float, ...]) -> float | None:
    return stability.largest_curvature(problem, np.array(theta))


@beside(most=8)
def _spread(problem: FiniteSum, theta: tuple[float, ...]) -> stability.Spread | None:
    return stability.curvature_spread(problem, np.array(theta))


@beside(most=64)
def _noisy_limit(problem: FiniteSum, theta: tuple[float, ...], size: int, replacement: bool) -> float | None:
    spread = _spread(problem, theta)
    return None if spread is None else stability.mean_square_limit(spread, size, replacement)


def _why_lost(experiment: Experiment, lane: int, trace: Trace, run: int, at: int) -> str:
    """The sentence about a run whose record `at` is the first that is not finite."""
    loss, theta = trace.loss[run], trace.theta[run]
    if at == 0:
        return f"f is not defined at the start point {point(start_of(experiment))}. Choose another start."
    last = theta[at - 1]
    opening = f"Diverged at update {int(trace.update[at]):,}: the loss"
    before = loss[:at]
    if before[-1] < before[0] - 10 * max(abs(before[0]), 1.0):
        return (
            f"{opening} fell from {number(before[0])} below {number(before[-1])}; "
            "the surface has no lowest point along this path."
        )
    if at == 1:
        grew = f"{opening} left {number(before[0])} in a single step."
    elif before[-1] > before[0]:
        grew = f"{opening} grew from {number(before[0])} to {number(before[-1])}."
    else:
        grew = f"{opening}, {number(before[-1])} at {point(last)}, is not defined where the next step leads."
    return f"{grew} {_advice(experiment, lane, float(trace.learning_rate[at]), trace)}"


def _advice(experiment: Experiment, lane: int, rate: float, trace: Trace) -> str:
    """Which rates grow here, and one to try."""
    rule, limits = experiment.lanes[lane].rule, rate_limits(experiment, lane)
    if limits is None and not isinstance(rule, SGD):
        return f"{_name(rule)} has no simple limit. Try {number(rate / 10)}."
    if limits is not None and rate <= limits.rate:
        steeper = _limits_on_the_way(experiment, lane, trace)
        limits = steeper if steeper is not None and steeper.rate < rate else limits
    if limits is None:
        return f"No limit is known here. Try {number(rate / 10)}."
    if rate <= limits.rate:
        below = f"The rate is below {number(limits.rate)}, the limit at the start and the minimum"
        return f"{below}, but the surface is steeper on the way. Try {number(rate / 10)}."
    plain, noisy = limits.plain, limits.noisy
    steepest = f"largest curvature {number(plain.curvature)}"
    half = f"Try {number(limits.rate / 2)}."
    if noisy is not None and rate <= plain.rate:
        size = experiment.lanes[lane].sampler.size(experiment.problem.sample_count)
        return (
            f"With batches of {size}, rates above {number(noisy)} grow here, although the limit without noise "
            f"is {plain.formula} = {number(plain.rate)}. {half}"
        )
    return f"Rates above {plain.formula} = {number(plain.rate)} grow here ({steepest}). {half}"


def _limits_on_the_way(experiment: Experiment, lane: int, trace: Trace) -> Limits | None:
    """The limits at the lowest record: a run that starts on gentle ground can meet a steeper place on its way down."""
    run, at = np.unravel_index(np.nanargmin(trace.loss), trace.loss.shape)
    return _limits(experiment, lane, [tuple(trace.theta[run, at].tolist())])


def _why_stable(rule: Rule, rate: float, limits: Limits | None) -> str:
    if limits is None:
        if isinstance(rule, SGD):
            return "The loss stays finite; no limit is known here."
        return f"The loss stays finite; {_name(rule)} has no simple limit."
    if math.isclose(rate, limits.rate):
        return f"The rate {number(rate)} is the limit itself: the steepest direction neither shrinks nor grows."
    if rate > limits.rate:
        formula = "the limit of its batches" if limits.noisy else limits.plain.formula
        return f"The rate {number(rate)} is above {formula} = {number(limits.rate)}, yet nothing grows along this path."
    if limits.noisy is not None:
        return f"The rate {number(rate)} is below {number(limits.noisy)}, the limit of its batches."
    return f"The rate {number(rate)} is below {limits.plain.formula} = {number(limits.plain.rate)}."


def _name(rule: Rule) -> str:
    return type(rule).__name__
