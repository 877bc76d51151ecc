"""Three lessons about rates, each with the numbers of its source (SCIENCE, second part: 3, 8 and 9).

RMSprop bounces for ever at a constant rate, a plateau is left by a decay, and sign steps have a best rate that rises
with the batch and then falls.
"""

import math

import numpy as np
import pytest
import torch

from mbsgd_core.rules.lion import Lion
from tests.oracle._science import bowl, go, lane


@pytest.mark.parametrize("alpha", [0.9, 0.99])
@pytest.mark.parametrize("rate", [0.01, 0.1, 0.05])
def test_rmsprop_at_a_constant_rate_bounces_at_half_of_it(rate, alpha):
    """|x| = rate/2 whatever the curvature and alpha: .005, .05, .025; curvature x rate / sqrt(s) is exactly 2 there
    (central flows, arXiv 2410.24206)."""
    rule = {"alpha": alpha, "eps": 1e-12}
    e, (trace,) = go(bowl(0.3, 40), [lane(None, rate, name="rmsprop", **rule)], 6_000, "updates", start=[0.8, -0.3])
    path = trace.theta[0]
    assert np.abs(path[-2:]) == pytest.approx(rate / 2, rel=1e-5)
    assert path[-1] == pytest.approx(-path[-2], rel=1e-5)
    step = np.abs(path[-1] - path[-2])  # rate |curvature x| / sqrt(s): divided by |x|, the effective sharpness
    assert step / np.abs(path[-2]) == pytest.approx(2, abs=2e-5)


DECAYS = {0: 0.026316, 10: 0.018927, 20: 0.015099, 50: 0.009969, 100: 0.007056}  # updates of decay: mean excess
PLATEAU = 80


def warmup_stable_decay(updates: int) -> dict:
    """Up within 5 updates, on a plateau, and down in a straight line: rate (1 - t/(T + 1)) for t = 1 ... T."""
    parts = [
        {"name": "linear", "start_factor": 0.2, "total_iters": 5, "intervals": 5},
        {"name": "constant", "intervals": PLATEAU - 6},
        {"name": "linear", "start_factor": 1.0, "end_factor": 0.0, "total_iters": updates + 1},
    ]
    return {"name": "sequence", "interval": "update", "parts": parts}


@pytest.mark.parametrize("updates", DECAYS)
def test_the_plateau_of_warmup_stable_decay_is_noise_that_a_decay_takes_away(updates):
    """Excess rate/(2 (2 - rate)) on the plateau, at rate .1 and curvature 1; less the longer the decay: .0263 before
    it, .0189, .0151, .0100 and .0071 after 10, 20, 50 and 100 updates of it (arXiv 2410.05192, 2501.18965)."""
    problem = bowl(1, 1, noise=1.0, samples=64)
    wanted, runs = lane(1, 0.1, "with_replacement", warmup_stable_decay(updates)), 2_000
    e, (trace,) = go(problem, [wanted], PLATEAU + updates, "updates", start=[0, 0], runs=runs)
    rates = trace.learning_rate[1:]
    assert rates[PLATEAU - 1] == pytest.approx(0.1, rel=1e-12)
    assert rates[PLATEAU:] == pytest.approx(0.1 * (1 - np.arange(1, updates + 1) / (updates + 1)), rel=1e-9)
    variance = 0.1 / (2 - 0.1)  # where it has settled
    for rate in rates[PLATEAU:]:
        variance = (1 - rate) ** 2 * variance + rate**2
    assert variance / 2 == pytest.approx(DECAYS[updates], abs=5e-7)
    measured = trace.loss[:, -1] / 2  # of two coordinates alike
    assert measured.mean() == pytest.approx(DECAYS[updates], abs=5 * measured.std() / math.sqrt(runs))


BEST = {1: 0.0909, 8: 0.1602, 16: 0.1600, 32: 0.1456, 1024: 0.0952}  # batch: the best rate of a sign step


@pytest.mark.parametrize("batch", BEST)
def test_the_best_rate_of_sign_steps_rises_with_the_batch_and_then_falls(batch):
    """rate* = sum p |g| / (sum H_ii + p^2 sum_off H), p = erf(sqrt(b/2) g/sigma) (arXiv 2405.14578): d = 20, g = 1,
    sigma = 8, H_ii = 1, H_ij = .5. Lion without memory is the sign of the gradient."""
    size, sigma, draws = 20, 8.0, 20_000
    hessian = np.full((size, size), 0.5) + 0.5 * np.eye(size)
    chance = math.erf(math.sqrt(batch / 2) / sigma)
    exact = size * chance / (size + chance**2 * 0.5 * size * (size - 1))
    assert exact == pytest.approx(BEST[batch], abs=5e-5)
    noise = np.random.default_rng(0).normal(scale=sigma / math.sqrt(batch), size=(draws, size))
    theta, rule = torch.zeros(draws, size, dtype=torch.float64), Lion(betas=(0.0, 0.0))
    delta, _ = rule.update(torch.as_tensor(1 + noise), rule.init(theta), theta, 1.0)
    step = -delta.numpy()
    # What a step of rate r takes off the quadratic model: r sum s g - r^2/2 s'Hs; the best r is a ratio of means.
    gain, bend = step.sum(1), np.einsum("ni,ij,nj->n", step, hessian, step)
    found = gain.mean() / bend.mean()
    error = math.hypot(gain.std() / gain.mean(), bend.std() / bend.mean()) / math.sqrt(draws)
    assert found == pytest.approx(exact, rel=5 * error + 1e-9)
