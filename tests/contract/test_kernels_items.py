"""A new rule or surface is compiled without a line in kernels/; one that cannot be recorded runs on torch by itself."""

import math

import numpy as np
import pytest
import torch

from mbsgd_core import engine
from mbsgd_core.engine.plan import plan_of
from mbsgd_core.experiment import Budget, Experiment, Lane
from mbsgd_core.kernels.registers import tape_of
from mbsgd_core.problems.surfaces.base import Surface
from mbsgd_core.problems.surfaces.booth import Booth
from mbsgd_core.problems.surfaces.himmelblau import Himmelblau
from mbsgd_core.rules.base import Rule
from mbsgd_core.samplers.reshuffle import Reshuffle
from mbsgd_core.schedules.constant import Constant
from tests.contract import _lanes as lanes

pytestmark = pytest.mark.usefixtures("compiled_lanes")


class Plain(Rule):
    """What the others are made of: descent."""

    def init(self, theta):
        return ()

    def update(self, gradient, state, theta, learning_rate):
        return gradient * -learning_rate, state


class Previous(Plain):
    """Keeps theta itself, from before the update."""

    def init(self, theta):
        return (theta.new_zeros(theta.shape),)

    def update(self, gradient, state, theta, learning_rate):
        return (gradient * -learning_rate).add_(theta - state[0], alpha=0.1), (theta,)


class Shifted(Plain):
    """Two numbers and two tensors, each becoming the next."""

    def init(self, theta):
        return (1.0, 2.0, theta.new_zeros(theta.shape), theta.new_full(theta.shape, 3.0))

    def update(self, gradient, state, theta, learning_rate):
        a, b, new, old = state
        return (gradient + 0.1 * old) * (-learning_rate * b), (a * 0.9, a, gradient, new)


class Turned(Plain):
    """Numbers and tensors that change places."""

    def init(self, theta):
        return (1.0, 0.5, theta.new_zeros(theta.shape), theta.new_full(theta.shape, 1.0))

    def update(self, gradient, state, theta, learning_rate):
        a, b, this, that = state
        return (gradient + this) * (-learning_rate * a), (b, a, that, this)


class Shrinking(Plain):
    """A whole number at first, and then a broken one; and the last rate."""

    def init(self, theta):
        return (1, 0)

    def update(self, gradient, state, theta, learning_rate):
        return gradient * (-learning_rate * state[0]), (state[0] * 0.95, learning_rate)


class Renewing(Plain):
    """Writes over what it has made, and starts to keep something at the first update."""

    def init(self, theta):
        return (None, 0)

    def update(self, gradient, state, theta, learning_rate):
        kept, count = state
        kept = gradient.clone() if kept is None else kept.mul(0.5).add_(gradient)
        size = kept.abs().add_(1).sqrt_().mul_(1 + 0.1**count)
        return kept.mul(-learning_rate).div_(size).neg_().neg_(), (kept, count + 1)


class TakesTheNorm(Plain):
    def update(self, gradient, state, theta, learning_rate):
        return gradient * -learning_rate / (1 + gradient.norm(dim=-1, keepdim=True)), state


class CallsTorch(Plain):
    def update(self, gradient, state, theta, learning_rate):
        return torch.sign(gradient) * -learning_rate, state


class Branches(Plain):
    def update(self, gradient, state, theta, learning_rate):
        return (gradient if (gradient == 0).all() else gradient * 2) * -learning_rate, state


class Compares(Plain):
    def update(self, gradient, state, theta, learning_rate):
        return gradient * (gradient < 1e9) * -learning_rate, state


class Counts(Plain):
    def init(self, theta):
        return (0,)

    def update(self, gradient, state, theta, learning_rate):
        return gradient * (-learning_rate if state[0] < 5 else -learning_rate / 2), (state[0] + 1,)


class NeedsAFloat(Plain):
    def init(self, theta):
        return (1,)

    def update(self, gradient, state, theta, learning_rate):
        return gradient * (-learning_rate / math.sqrt(state[0])), (state[0] + 1,)


class BeginsLate(Plain):
    """Keeps a second tensor from the second update on."""

    def init(self, theta):
        return (None, None)

    def update(self, gradient, state, theta, learning_rate):
        last, before = state
        whole = gradient if last is None else gradient + last if before is None else gradient + last + before
        return whole * -learning_rate, (gradient, last)


class BeginsAsANumber(Plain):
    def init(self, theta):
        return (None,)

    def update(self, gradient, state, theta, learning_rate):
        share = 1.0 if state[0] is None else state[0] * 0.9
        return gradient * (-learning_rate * share), (learning_rate * 0 + share,)


class OneNumberARun(Plain):
    def init(self, theta):
        return (theta.new_zeros(len(theta), 1),)

    def update(self, gradient, state, theta, learning_rate):
        return gradient * -learning_rate, (state[0] + 1,)


class Wave(Himmelblau):
    """Recorded without a line in kernels/."""

    def value(self, x, y):
        return (x * 1.5).sin() + y.square().mul_(0.5) + (x * x).exp().reciprocal()

    def gradient(self, x, y):
        return 1.5 * (x * 1.5).cos() - 2 * x * (-x * x).exp(), y


class Kink(Himmelblau):
    """A branch for every point: torch alone."""

    def value(self, x, y):
        return x.abs() + y * y

    def gradient(self, x, y):
        return x.sign(), (y > 0) * y * 2 + (y <= 0) * y * 2


def experiment(rule: Rule, problem: Surface | None = None, rate: float = 0.02) -> Experiment:
    lane = Lane(sampler=Reshuffle(batch_size=7), rule=rule, schedule=Constant(learning_rate=rate))
    budget = Budget(unit="updates", amount=40)
    return Experiment(problem=problem or Booth(noise=1.0), budget=budget, lanes=(lane,), runs=2)


@pytest.mark.parametrize("rule", [Plain, Previous, Shifted, Turned, Shrinking, Renewing])
def test_a_new_rule_is_compiled_by_itself(rule):
    e = experiment(rule())
    fast, slow = lanes.both(e)
    lanes.assert_parity(e, fast, slow)
    state = engine.init(e, 0)
    for n in (1, 2, 20, 17):
        state, _ = engine.advance(state, n)
    assert torch.equal(state.theta, fast[0].theta) and str(state.rule_state) == str(fast[0].rule_state)


def test_a_new_surface_is_compiled_by_itself():
    e = experiment(Plain(), Wave(noise=1.0))
    lanes.assert_parity(e, *lanes.both(e))


ON_TORCH = [
    TakesTheNorm,
    CallsTorch,
    Branches,
    Compares,
    Counts,
    NeedsAFloat,
    BeginsLate,
    BeginsAsANumber,
    OneNumberARun,
]


@pytest.mark.parametrize("rule", ON_TORCH)
def test_a_rule_that_cannot_be_recorded_runs_on_torch(rule):
    e = experiment(rule())
    assert tape_of(rule()) is None and plan_of(e, 0).compiled is None
    state, trace = engine.run(e, 0)
    assert (
        state.update == 40
        and np.isfinite(trace.theta).all()
        and not np.array_equal(trace.theta[:, 0], trace.theta[:, 1])
    )


def test_a_surface_that_cannot_be_recorded_runs_on_torch():
    e = experiment(Plain(), Kink(noise=1.0))
    assert plan_of(e, 0).compiled is None
    assert np.isfinite(engine.run(e, 0)[1].loss).all()
