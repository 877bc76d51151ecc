"""Throughput against batch size (floor 4): what an update, a sample and an epoch cost on both clocks.

An update of b samples costs about a + k b: a once, k for each sample. A sample alone pays all of a; in a batch of b it
pays a / b. So small batches do not make updates much cheaper, and large ones make samples cheaper, until k b is all.

Reference: Shallue et al. 2019, "Measuring the effects of data parallelism on neural network training", section 2.
"""

from collections.abc import Iterable
from typing import NamedTuple

from mbsgd_core.experiment import Experiment
from mbsgd_core.measures.cost_table import calibrate
from mbsgd_core.results.cost import Cost, Costs
from mbsgd_core.samplers.base import MiniBatchSampler
from mbsgd_core.samplers.reshuffle import Reshuffle


class Throughput(NamedTuple):
    """What one batch size costs; of the engine all runs together."""

    batch_size: int
    updates_per_epoch: int
    samples_per_epoch: int
    costs: Costs  # of an update

    def update(self, clock: str) -> Cost:
        """Of one update by one of TIMES."""
        cost = self.costs.by(clock)
        if cost is None:
            raise ValueError(f"nobody knows what an update costs by {clock}: torch.optim has no such rule")
        return cost

    def epoch(self, clock: str) -> Cost:
        """Of a pass over the data."""
        return self.update(clock).times(self.updates_per_epoch)

    def sample(self, clock: str) -> Cost:
        """Of one sample's share in an epoch."""
        seconds, off = self.epoch(clock)
        return Cost(seconds / self.samples_per_epoch, off / self.samples_per_epoch)

    def samples_per_second(self, clock: str) -> float:
        """Gradients of single samples a second."""
        return 1 / self.sample(clock).seconds


def throughput(experiment: Experiment, batch_sizes: Iterable[int], lane: int = 0) -> list[Throughput]:
    """A lane's costs with other batch sizes, from the cost table; those that it lacks are measured, in turns.

    Args:
        experiment, lane: problem, rule and sampler; a full batch becomes one that is reshuffled.
        batch_sizes: 1 ... m.

    Example:
        >>> e = Experiment.model_validate({"problem": "booth", "lanes": [
        ...     {"sampler": "full_batch", "schedule": {"name": "constant", "learning_rate": 0.1}}]})
        >>> one, many = throughput(e, (1, 64))
        >>> one.updates_per_epoch, many.updates_per_epoch, many.samples_per_second("pytorch_seconds") > 0
        (64, 1, True)
    """
    method, samples = experiment.lanes[lane], experiment.problem.sample_count
    own = method.sampler if isinstance(method.sampler, MiniBatchSampler) else Reshuffle()
    sizes = list(batch_sizes)
    lanes = [
        method.model_copy(
            update={"label": f"b = {b}", "sampler": own.model_copy(update={"batch_size": b, "accumulate": 1})}
        )
        for b in sizes
    ]
    together = Experiment.model_validate(experiment.model_copy(update={"lanes": tuple(lanes)}).model_dump(mode="json"))
    epochs = [lane.sampler.sizes(samples) for lane in lanes]
    return [
        Throughput(b, len(epoch), sum(epoch), costs)
        for b, epoch, costs in zip(sizes, epochs, calibrate(together), strict=True)
    ]
