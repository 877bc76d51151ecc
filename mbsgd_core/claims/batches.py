"""What is in a batch, and how far its gradient is from the whole one (floor 4)."""

from collections.abc import Sequence

import numpy as np

from mbsgd_core import engine
from mbsgd_core.claims.base import Ending
from mbsgd_core.measures import directions, meter, noise
from mbsgd_core.measures import slices as along
from mbsgd_core.results.learning import Slices
from mbsgd_core.samplers.in_order import InOrder
from mbsgd_core.samplers.reshuffle import Reshuffle
from mbsgd_core.samplers.with_replacement import WithReplacement

SAMPLERS = {sampler.__name__: sampler for sampler in (InOrder, Reshuffle, WithReplacement)}


def updates_an_epoch(samples: Sequence[int], sizes: Sequence[int], drop_last: bool = False) -> list[float | None]:
    """Updates of one pass for each pair of m and b."""
    pairs = zip(samples, sizes, strict=True)
    return [float(len(Reshuffle(batch_size=b, drop_last=drop_last).sizes(m))) for m, b in pairs]


def last_batch(samples: int, size: int) -> float:
    """Samples in the last batch of an epoch."""
    return float(Reshuffle(batch_size=size).sizes(samples)[-1])


def mean_of_batch_means(values: Sequence[float], size: int, weighted: bool = False) -> float:
    """The mean over the batches of an epoch in order, each by its own size or all alike."""
    parts = np.split(np.array(values), np.cumsum(Reshuffle(batch_size=size).sizes(len(values)))[:-1])
    return float(np.average([p.mean() for p in parts], weights=[len(p) for p in parts] if weighted else None))


def unweighted_mean(shares: Sequence[int]) -> float:
    """The mean over workers of the means of their shares of 1, 2, 3 ..., without weights."""
    parts = np.split(np.arange(1.0, sum(shares) + 1), np.cumsum(shares)[:-1])
    return float(np.mean([part.mean() for part in parts]))


def batch_variance(values: Sequence[float], sizes: Sequence[int], sampler: str, draws: int = 2_000) -> list[float]:
    """Variance of the mean of a first batch over many epochs, for each size."""
    each = np.array(values)
    found = []
    for size in sizes:
        order = SAMPLERS[sampler](batch_size=size).orders(0, draws, 0, len(each))
        found.append(float(each[order[:, :size]].mean(1).var()))
    return found


def covariance_of_neighbours(values: Sequence[float], size: int, draws: int = 40_000) -> float:
    """Covariance of the means of the first two batches of an epoch, reshuffled."""
    each = np.array(values)
    order = Reshuffle(batch_size=size).orders(0, draws, 0, len(each))
    one, two = each[order[:, :size]].mean(1), each[order[:, size : 2 * size]].mean(1)
    return float(((one - each.mean()) * (two - each.mean())).mean())


def missed(sampler: str, samples: int, epochs: int = 400) -> float:
    """The share of the data that an epoch does not show."""
    drawn = SAMPLERS[sampler](batch_size=32).orders(0, epochs, 0, samples)
    return float(np.mean([1 - len(np.unique(order)) / samples for order in drawn]))


def noise_trace(ending: Ending) -> float:
    """tr Cov of one sample's gradient at the start."""
    return noise.trace(_gradients(ending))


def noise_trace_at_minimum(ending: Ending) -> float:
    """The same at the minimum."""
    return noise.trace(_gradients(ending, at_minimum=True))


def simple_scale(ending: Ending) -> float:
    """B_simple = tr Cov / |G|^2 at the start."""
    return noise.simple_scale(_gradients(ending))


def simple_scale_at_minimum(ending: Ending) -> float:
    """The same at the minimum, where |G| = 0."""
    return noise.simple_scale(_gradients(ending, at_minimum=True))


def noise_ratio(ending: Ending, small: int, large: int) -> float:
    """Variance of the gradient of small batches over that of large ones, both drawn without replacement."""
    each = _gradients(ending)
    return (noise.relative(each, small, False) / noise.relative(each, large, False)) ** 2


def relative_noise(ending: Ending, size: int) -> float:
    """Root mean square of batch gradient less G, over |G|, without replacement."""
    return noise.relative(_gradients(ending), size, False)


def noise_slope(ending: Ending, sizes: Sequence[int]) -> float:
    """Slope of log variance on log b, of drawn batches."""
    each = _gradients(ending)
    drawn = [np.trace(noise.measured_covariance(each, b, True, 0)) for b in sizes]
    return float(np.polyfit(np.log(sizes), np.log(drawn), 1)[0])


def noise_left(samples: Sequence[int], sizes: Sequence[int]) -> list[float | None]:
    """Variance of a batch gradient drawn without replacement over that of one sample: (m - b)/(b (m - 1))."""
    return [noise.shrink(m, b, False) for m, b in zip(samples, sizes, strict=True)]


def scale_while_learning(ending: Ending, epochs: Sequence[int]) -> list[float | None]:
    """B_simple of a network after so many epochs, from groups of 8 samples."""
    e, each = ending.experiment, ending.experiment.updates_per_epoch(ending.lane)
    trace = engine.run(e, ending.lane, every=each, evaluate=False)[1]
    return [float(meter.meter(engine.finite_sum(e), trace.theta[0, k], group=8).scale) for k in epochs]


def slices_slope(ending: Ending, sizes: Sequence[int]) -> float:
    """Slope of log spread on log b, of 400 mini-batch losses along a line through the end."""
    spread = [np.mean(one.spread) for one in _slices(ending, sizes)]
    return float(np.polyfit(np.log(sizes), np.log(spread), 1)[0])


def slices_difference(ending: Ending, sizes: Sequence[int]) -> float:
    """The largest difference between the objectives along that line: one and the same for every b."""
    curves = np.array([one.full for one in _slices(ending, sizes)])
    return float(np.ptp(curves, axis=0).max())


def _gradients(ending: Ending, at_minimum: bool = False) -> np.ndarray:
    total = engine.finite_sum(ending.experiment)
    return noise.sample_gradients(total, ending.minimizers[0] if at_minimum else total.start().numpy())


def _slices(ending: Ending, sizes: Sequence[int]) -> list[Slices]:
    total, theta, at = engine.finite_sum(ending.experiment), ending.state.theta[0].numpy(), np.linspace(-1, 1, 9)
    losses = along.line(total, theta, directions.filter_normalised(theta, total.shapes, 0), at)
    return [along.slices(losses, at, b, True, seed=0, count=400) for b in sizes]
