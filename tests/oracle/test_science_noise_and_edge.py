"""Numbers of SCIENCE's second part about noise that stays and edges that hold (1, 4, 10, 11, 15), by the engine."""

import math

import numpy as np
import pytest
import torch

from mbsgd_core.measures.scale import cost_at
from mbsgd_core.rules.adam import Adam
from tests.oracle._science import bowl, go, lane


def test_lesson_1_wiggling_is_not_instability():
    """Where descent has settled, E[g_B' H g_B] / E|grad L|^2 = 2/rate on any quadratic: the loss neither rises nor
    falls on average (arXiv 2412.20553). 10 at rate .2, however small the batch; a gradient is what a step was."""
    curvatures, rate = np.array([1.0, 4.0]), 0.2
    problem = bowl(*curvatures, noise=1.0, samples=64)
    _, (trace,) = go(problem, [lane(4, rate, "with_replacement")], 600, "updates", start=[0, 0], runs=400)
    theta = trace.theta[:, 100:]
    used, full = -np.diff(theta, axis=1) / rate, (theta * curvatures)[:, :-1]
    bent, squares = (used**2 * curvatures).sum(-1).mean(1), (full**2).sum(-1).mean(1)  # of each run
    off = bent - 2 / rate * squares
    assert abs(off.mean()) <= 5 * off.std() / math.sqrt(len(off)) and 5 * off.std() / 20 < 0.05 * bent.mean()


def test_lesson_4_descent_stays_where_two_weights_are_flat_enough():
    """(xy - 1)^2 / 2 has the curvature x^2 + y^2 along its minima: where descent ends, that is at most 2/rate, 10 at
    rate .2 and 5 at .4. The larger rate loses more of 40 starts, and .8 most of them (Wang et al. 2022)."""
    starts = np.random.default_rng(0).uniform(-3, 3, (40, 2))
    surface = {"name": "formula", "formula": "(x*y - 1)^2 / 2"}
    lost, flattest = {}, {}
    for rate in (0.2, 0.4, 0.8):
        ends = []
        for start in starts:
            _, (trace,) = go(surface, [lane(None, rate)], 400, "updates", start=start.tolist())
            ends.append(trace.theta[0, -1])
        ends = np.array(ends)
        sound = ends[np.isfinite(ends).all(1)]
        sound = sound[np.abs(sound.prod(1) - 1) < 1e-6]  # at a minimum, and not on the way round one
        lost[rate] = int((~np.isfinite(ends)).any(1).sum())
        flattest[rate] = (sound**2).sum(1).max(initial=0)
    assert 5 < flattest[0.2] <= 10 * (1 + 1e-6) and flattest[0.4] <= 5 * (1 + 1e-6) and flattest[0.8] <= 2.5
    assert lost[0.2] < lost[0.4] < lost[0.8] and lost[0.8] > 20


@pytest.mark.parametrize(("size", "beta"), [(64, 0.9936088), (1, 0.9998998)])
def test_lesson_10_a_half_life_of_adam_is_held_in_samples(size, beta):
    """beta2' = beta2^(b'/b): after the same number of samples the second moment has forgotten as much, whatever the
    batch: .95 at 512 is .9936 at 64 and .99990 at 1 (arXiv 2507.07101)."""
    assert 0.95 ** (size / 512) == pytest.approx(beta, abs=5e-8)

    def moment(beta2: float, updates: int) -> float:
        rule, theta = Adam(betas=(0.9, beta2)), torch.zeros(1, 1, dtype=torch.float64)
        state = rule.init(theta)
        for _ in range(updates):
            _, state = rule.update(torch.ones_like(theta), state, theta, 0.1)
        return float(state[-1])

    assert moment(0.95 ** (size / 512), 4 * 512 // size) == pytest.approx(moment(0.95, 4), rel=1e-9)


def test_lesson_11_what_noise_has_left_is_soon_forgotten():
    """After a change of the batch the variance closes its gap by (1 - rate lambda)^2 an update, half of it in 3.29
    updates at rate .1: so it is free to begin with small batches (arXiv 2602.14208). Here the gap from no noise."""
    _, (trace,) = go(bowl(1, 1, noise=1.0, samples=64), [lane(1, 0.1, "with_replacement")], 20, "updates",
                     start=[0, 0], runs=4_000)  # fmt: skip
    gap = 1 - 0.9 ** (2 * np.arange(21))
    measured = trace.theta.var(0).mean(-1) / (0.1 / 1.9)
    assert measured == pytest.approx(gap, abs=5 * math.sqrt(1 / 4_000))
    assert math.log(0.5) / (2 * math.log(0.9)) == pytest.approx(3.29, abs=0.005)


def test_lesson_15_the_critical_batch_of_2024_is_a_fifth_of_mccandlishs():
    """20 % more samples than perfect scaling takes: at .2 of E_min / S_min, 74 -> 14.8 (arXiv 2410.21676)."""
    updates, samples = cost_at(np.array([14.8]), 1_000.0, 74_000.0)
    assert samples == pytest.approx(1.2 * 74_000) and updates == pytest.approx(6_000)
