"""Every sampler: which samples an epoch visits, in which batches, from which stream."""

import numpy as np
import pytest

from mbsgd_core import engine
from mbsgd_core.errors import ExperimentError
from mbsgd_core.experiment import Experiment
from mbsgd_core.measures.cursor import at_cursor
from mbsgd_core.measures.noise import covariance, sample_gradients, shrink
from mbsgd_core.random import stream
from mbsgd_core.registry import discover
from mbsgd_core.samplers.base import MiniBatchSampler, Sampler

SAMPLERS = discover("mbsgd_core.samplers", Sampler)
MINI = [name for name, cls in SAMPLERS.items() if issubclass(cls, MiniBatchSampler)]
REPLACING = [name for name in MINI if SAMPLERS[name].draws_with_replacement]
PERMUTING = [name for name in MINI if name not in REPLACING]
RANDOM = [name for name in MINI if SAMPLERS[name].random]


def orders(name: str, seed=0, runs=3, epoch=0, samples=50, **knobs) -> np.ndarray:
    cls = SAMPLERS[name]
    return cls.model_validate(cls.suggested() | knobs).orders(seed, runs, epoch, samples)


@pytest.mark.parametrize("name", MINI)
def test_an_epoch_is_m_visits_of_known_samples(name):
    visits = orders(name)
    assert visits.shape == (3, 50)
    assert visits.dtype == np.int64
    assert visits.min() >= 0 and visits.max() < 50


@pytest.mark.parametrize("name", PERMUTING)
def test_every_sample_exactly_once_an_epoch(name):
    for epoch in range(3):
        assert (np.sort(orders(name, epoch=epoch), axis=1) == np.arange(50)).all()


@pytest.mark.parametrize("name", MINI)
def test_the_same_seed_run_and_epoch_give_the_same_order(name):
    assert np.array_equal(orders(name, epoch=2), orders(name, epoch=2))
    # A run's order does not depend on how many runs there are beside it.
    assert np.array_equal(orders(name, runs=5, epoch=2)[:3], orders(name, epoch=2))


@pytest.mark.parametrize("name", RANDOM)
def test_runs_and_seeds_differ(name):
    first, second, third = orders(name)
    assert not np.array_equal(first, second) and not np.array_equal(second, third)
    assert not np.array_equal(orders(name, seed=1), orders(name))
    assert not np.array_equal(orders(name, seed=2**63 - 1), orders(name))


@pytest.mark.parametrize("name", MINI)
def test_epochs_and_runs_differ_where_they_should(name):
    assert np.array_equal(orders(name, epoch=0), orders(name, epoch=1)) is not SAMPLERS[name].changes
    assert np.array_equal(orders(name, runs=1), orders(name, runs=1, seed=1)) is not SAMPLERS[name].random


@pytest.mark.parametrize("name", MINI)
def test_what_permutes_anew_draws_one_permutation_of_each_epochs_stream_and_nothing_else(name):
    def drawn(epoch: int) -> np.ndarray:
        return np.stack([stream(7, "order", run, epoch).permutation(50) for run in range(3)])

    same = all(np.array_equal(orders(name, seed=7, epoch=epoch), drawn(epoch)) for epoch in (0, 1, 5))
    assert same is SAMPLERS[name].permutes_anew


@pytest.mark.parametrize("size", [3, 12])
@pytest.mark.parametrize("name", RANDOM)
def test_a_batch_is_as_noisy_as_the_measures_say(name, size):
    """The mean of a batch's values has `shrink` times their variance, with replacement or without."""
    m, runs, values = 12, 20_000, np.linspace(-1.0, 3.0, 12) ** 2
    means = values[orders(name, runs=runs, samples=m)[:, :size]].mean(1)
    expected = values.var() * shrink(m, size, SAMPLERS[name].draws_with_replacement)
    squares = (means - values.mean()) ** 2
    assert abs(squares.mean() - expected) <= 5 * squares.std() / np.sqrt(runs) + 1e-12


def at_start(sampler: dict, at: int = 0) -> dict:
    """The cursor of a noisy bowl after so many updates, at a fixed place."""
    e = experiment(sampler)
    noisy = e.model_copy(update={"problem": e.problem.model_copy(update={"noise": 1.0})})
    (found,) = at_cursor(noisy, [at], [(1.0, 1.0)], updates=[at])
    each = sample_gradients(engine.finite_sum(noisy), np.array([1.0, 1.0]))
    return found | {"each": each, "samples": noisy.problem.sample_count}


@pytest.mark.parametrize("name", MINI)
def test_the_sentence_says_how_it_draws(name):
    found, cls = at_start({"name": name, "batch_size": 4}), SAMPLERS[name]
    drawn = f"drawn {'with' if cls.draws_with_replacement else 'without'} replacement"
    assert ("repeats its own" if not cls.changes else drawn) in found["text"]


@pytest.mark.parametrize("name", MINI)
def test_the_fan_holds_batches_that_the_lane_can_draw(name):
    """Lanes that keep an order have as many batches as an epoch; all others a fresh fan at every update."""
    sampler = SAMPLERS[name](batch_size=5)
    fans = [at_start({"name": name, "batch_size": 5}, at) for at in (0, 1)]
    fresh = [np.array(found["fan"]) for found in fans]
    assert np.array_equal(*fresh) is not sampler.changes
    each, samples = fans[0]["each"], fans[0]["samples"]
    if sampler.changes:
        assert all(len(fan) == 40 for fan in fresh) and fans[0]["predicted_with"] is not None
        return
    order = sampler.orders(0, 1, 3, samples)[0]
    own = np.array([each[order[first : first + 5]].mean(0) for first in range(0, samples, 5)])
    np.testing.assert_allclose(fresh[0], own[:40], rtol=1e-12)
    off = own - each.mean(0)
    np.testing.assert_allclose(fans[0]["measured"], off.T @ off / len(own), rtol=1e-12)
    assert fans[0]["predicted_with"] is None and fans[0]["predicted_without"] is None


@pytest.mark.parametrize("name", [name for name in MINI if SAMPLERS[name].changes])
def test_a_short_last_batch_is_as_noisy_as_its_own_size(name):
    samples = at_start({"name": name, "batch_size": 1})["samples"]
    size = samples - 1  # which leaves one sample for the last batch of an epoch
    replacing = SAMPLERS[name].draws_with_replacement
    for at, now in ((0, size), (1, 1), (2, size)):
        found = at_start({"name": name, "batch_size": size}, at)
        expected = covariance(found["each"]) * shrink(samples, now, replacing)
        key = "predicted_with" if replacing else "predicted_without"
        np.testing.assert_allclose(found[key], expected, rtol=1e-9)
        spread = 6 * np.sqrt(2 / 2000) * np.abs(np.diag(expected)).max()
        np.testing.assert_allclose(found["measured"], expected, atol=spread)
        assert ("last batch has 1 sample:" in found["text"]) is (now == 1)


def test_in_order_is_the_stored_order():
    assert (orders("in_order", epoch=7) == np.arange(50)).all()


@pytest.mark.parametrize("name", MINI)
def test_the_order_does_not_depend_on_the_batch_size(name):
    assert np.array_equal(orders(name, batch_size=1), orders(name, batch_size=32, drop_last=True))


def test_full_batch_draws_nothing():
    sampler = SAMPLERS["full_batch"]()
    assert sampler.orders(0, 3, 0, 50) is None
    assert sampler.sizes(50) == [50]


@pytest.mark.parametrize("name", REPLACING)
def test_with_replacement_misses_the_share_it_should(name):
    m, epochs = 100, 2000
    visits = orders(name, runs=epochs, samples=m)
    seen = np.zeros((epochs, m), dtype=bool)
    seen[np.arange(epochs)[:, None], visits] = True
    missed = 1 - seen.mean(1)
    share, pair = (1 - 1 / m) ** m, (1 - 2 / m) ** m
    deviation = np.sqrt((share * (1 - share) / m + (pair - share**2) * (m - 1) / m) / epochs)
    assert abs(missed.mean() - share) < 5 * deviation
    assert abs(share - 0.368) < 0.003


@pytest.mark.parametrize("name", RANDOM)
def test_first_visits_are_uniform(name):
    m, runs = 10, 20_000
    counts = np.bincount(orders(name, runs=runs, samples=m)[:, 0], minlength=m)
    assert (abs(counts - runs / m) < 5 * np.sqrt(runs * 0.1 * 0.9)).all()


@pytest.mark.parametrize("name", MINI)
@pytest.mark.parametrize(
    "samples, size, drop_last, sizes",
    [
        (10, 4, False, [4, 4, 2]),
        (10, 4, True, [4, 4]),
        (10, 5, False, [5, 5]),
        (10, 5, True, [5, 5]),
        (10, 10, True, [10]),
        (10, 1, False, [1] * 10),
        (10, 6, True, [6]),
        (1, 1, False, [1]),
    ],
)
def test_sizes(name, samples, size, drop_last, sizes):
    sampler = SAMPLERS[name].model_validate(SAMPLERS[name].suggested() | {"batch_size": size, "drop_last": drop_last})
    assert sampler.size(samples) == size
    assert sampler.sizes(samples) == sizes


def test_an_epoch_of_mnist_in_batches_of_64():
    sampler = SAMPLERS["reshuffle"]
    assert sampler(batch_size=64).sizes(60_000) == [64] * 937 + [32]
    assert sampler(batch_size=64, drop_last=True).sizes(60_000) == [64] * 937


def experiment(sampler: dict, samples: int = 10) -> Experiment:
    lane = {"sampler": sampler, "schedule": "constant"}
    return Experiment.model_validate({"problem": {"name": "quadratic", "samples": samples}, "lanes": [lane]})


@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize("name", MINI)
def test_a_batch_larger_than_the_data_names_the_field(name, drop_last):
    with pytest.raises(ExperimentError, match=r"lanes\.0\.sampler\.batch_size: given 11.*1 to 10"):
        experiment({"name": name, "batch_size": 11, "drop_last": drop_last})
    for size in (6, 10):  # drop_last with b <= m always leaves a batch
        assert experiment({"name": name, "batch_size": size, "drop_last": drop_last}).updates(0) >= 20


@pytest.mark.parametrize("size", [0, -1, 2.5, "4", True, None])
def test_batch_sizes_that_are_none_are_refused(size):
    with pytest.raises(ExperimentError, match="batch_size"):
        experiment({"name": "reshuffle", "batch_size": size})
