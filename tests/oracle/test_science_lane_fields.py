"""Numbers of SCIENCE's second part about clips, averages and accumulated batches, each from the engine."""

import numpy as np
import pytest
import torch

from mbsgd_core import engine
from mbsgd_core.averages.base import Averaged
from mbsgd_core.averages.ema import EMA
from tests.oracle._science import DIABETES, bowl, go, lane

HILL = {"name": "formula", "formula": "x^4/4", "domain": [-12, 12, -1, 1]}


def test_lesson_5_a_clip_moves_the_limit():
    """x^4/4 from 10: the plain limit is 2/x^2 = .02. .0199 ends at .134; .0201 is at -818 after 5 updates and lost in
    the 6th; clipped to length 1, rate .5 walks half a unit an update and is inside 1 after 19.
    """
    lanes = [lane(None, 0.0199), lane(None, 0.0201), lane(None, 0.5) | {"clip": {"name": "norm", "max": 1.0}}]
    e, (below, above, clipped) = go(HILL, lanes, 400, "updates", start=[10, 0])
    assert below.theta[0, -1, 0] == pytest.approx(0.134, abs=5e-4)
    assert above.theta[0, 5, 0] == pytest.approx(-818.188, abs=1e-3) and np.isnan(above.loss[0, 6:]).all()
    assert engine.run(e, 1)[0].diverged_at.tolist() == [6]
    assert int((np.abs(clipped.theta[0, :, 0]) < 1).argmax()) == 19
    assert clipped.theta[0, 1:19, 0] == pytest.approx(10 - 0.5 * np.arange(1, 19), abs=1e-5)  # 1e-6 in torch's divisor


def ratio(decay: float, r: float) -> float:
    """Variance of the average over that of the iterate, of an AR(1) process in the long run."""
    return (1 - decay) / (1 + decay) * (1 + r * decay) / (1 - r * decay)


def test_lesson_7_what_an_average_leaves_of_the_variance():
    """rate .1, decay .99: .0871790; exactly by the answer to one shock, and measured over 40 runs."""
    assert ratio(0.99, 0.9) == pytest.approx(0.0871790, abs=5e-8)
    average, theta = EMA(decay=0.99), torch.ones(1, 1, dtype=torch.float64)
    averaged, powers = Averaged(torch.zeros_like(theta), 1), np.zeros(2)
    for update in range(1, 4_000):
        averaged = average.after(averaged, theta, update)
        powers += averaged.value.item() ** 2, theta.item() ** 2
        theta = 0.9 * theta
    assert powers[0] / powers[1] == pytest.approx(ratio(0.99, 0.9), rel=1e-12)

    noisy = bowl(1, 1, noise=1.0, samples=64)
    lanes = [lane(1, 0.1, "with_replacement") | {"average": {"name": "ema", "decay": 0.99}}]
    _, (trace,) = go(noisy, lanes, 10_000, "updates", start=[0, 0], runs=40)
    settled = slice(1_000, None)
    measured = trace.average[:, settled].var() / trace.theta[:, settled].var()
    assert measured == pytest.approx(ratio(0.99, 0.9), rel=0.08)  # 40 x 2 x 9,000 / 200 looks: 3 x sqrt(2/3,600)


def test_lesson_13_one_average_at_the_end_is_a_larger_batch_at_every_step():
    """On a quadratic the mean of 4 runs is the path of batches of 4, to rounding; its variance is that of b = 4."""
    targets = np.random.default_rng(0).normal(size=32)
    mean = {"name": "linear_regression", "dataset": {"name": "inline", "x": [[1.0]] * 32, "y": targets.tolist()}}
    mean |= {"intercept": False, "standardize": False}
    e, (trace,) = go(mean, [lane(1, 0.1, "with_replacement")], 200, "updates", runs=4)
    drawn = np.stack([list(engine.batch_indices(e, 0, range(200), run)) for run in range(4)])[:, :, 0]
    w, path = 0.0, [0.0]
    for chosen in drawn.T:
        w -= 0.1 * (w - targets[chosen].mean())
        path.append(w)
    np.testing.assert_allclose(trace.theta[:, :, 0].mean(0), path, atol=1e-15)

    _, (many,) = go(bowl(1, 1, noise=1.0), [lane(1, 0.1, "with_replacement")], 200, "updates", start=[0, 0], runs=2_000)
    ends = many.theta[:, -1].reshape(500, 4, 2).mean(1)
    assert ends.var() == pytest.approx(0.1 / (4 * 1.9), rel=5 * np.sqrt(2 / 1_000))  # .0131579, N06 at b = 4


def test_rows_16_and_51_shards_make_the_same_update_if_each_counts_by_its_size():
    """Batches of 8 accumulated over all rows are the full batch; 442 = 55 x 8 + 2, so the last counts a quarter."""
    pieces = {"name": "reshuffle", "batch_size": 8, "accumulate": 56}
    lanes = [lane(None, 0.05), lane(None, 0.05) | {"sampler": pieces}]
    e, (full, accumulated) = go(DIABETES, lanes, 30)
    np.testing.assert_allclose(accumulated.theta, full.theta, rtol=1e-11)
    assert np.array_equal(accumulated.samples, full.samples)

    total, theta = engine.finite_sum(e), torch.zeros(1, 11, dtype=torch.float64)
    rows = torch.arange(64)
    whole, *halves = (total.gradient(theta, total.gather(part[None, None])[0]) for part in (rows, *rows.split(32)))
    assert torch.allclose(sum(halves) / 2, whole, rtol=1e-13)
    uneven = [total.gradient(theta, total.gather(part[None, None])[0]) for part in rows.split([48, 16])]
    assert not torch.allclose(sum(uneven) / 2, whole, rtol=1e-2)
    assert torch.allclose((48 * uneven[0] + 16 * uneven[1]) / 64, whole, rtol=1e-13)


def test_an_average_says_less_where_the_iterate_still_travels():
    """A mean from the first update on remembers the way: behind the iterate until noise rules."""
    lanes = [lane(1, 0.1, "with_replacement") | {"average": {"name": "polyak", "begin": begin}} for begin in (0, 150)]
    _, (early, late) = go(bowl(1, 1, noise=0.1), lanes, 300, "updates", start=[50, 50], runs=20)
    assert early.average_loss[:, -1].mean() > early.loss[:, -1].mean() > 10 * late.average_loss[:, -1].mean()
