"""What is derived from (experiment, lane) and never changes: the problem's tensors, batches, records (floor 3)."""

from collections.abc import Iterator, Sequence
from functools import lru_cache

import numpy as np
import torch

from mbsgd_core import kernels
from mbsgd_core.engine.accumulation import Batches
from mbsgd_core.errors import ExperimentError
from mbsgd_core.experiment import Experiment
from mbsgd_core.memory_cache import byte_lru, derived_cache
from mbsgd_core.problems.base import Batch, FiniteSum, Place, Problem
from mbsgd_core.samplers.base import Sampler

FULL_RECORDS = 20_000  # every update is kept up to here ...
FULL_PARAMETERS = 64  # ... for problems of at most this many parameters
SPARSE_RECORDS, SPARSE_BYTES = 200, 256e6  # for larger ones
# Evaluating the objective at the records costs at most this share of the training, unless so much work is soon done.
RECORDS_SHARE, RECORDS_FLOPS = 0.2, 2e9
WORK = 4_000_000  # numbers touched by one vectorised piece of work
OWN_VISITS = 100_000  # of an epoch: a plan remembers so many itself; more are kept apart, where they count as bytes

_DTYPES = {"float64": torch.float64, "float32": torch.float32}


class Plan:
    """What is derived from (experiment, lane) and never changes; it only remembers the last epoch's order."""

    def __init__(self, experiment: Experiment, lane: int):
        self.problem = finite_sum(experiment)
        self.experiment, self.lane, self.method = experiment, lane, experiment.lanes[lane]
        self.sizes = self.method.sampler.sizes(self.problem.samples)  # of one epoch's batches
        self.per_epoch, self.updates = len(self.sizes), experiment.updates(lane)
        self.intervals = experiment.intervals(lane)
        self._spent = np.concatenate([[0], np.cumsum(self.sizes, dtype=np.int64)])
        if not self.sizes and self.updates:
            raise ExperimentError(
                f"lanes.{lane}.sampler: drop_last with this batch_size leaves no batch; lower batch_size"
            )
        runs, parameters = experiment.runs, self.problem.parameters
        size = self.sizes[0] if self.sizes else 1
        self.gather = _fit(runs * size * parameters)  # batches gathered at once, counted from the epoch's first
        self.block = _fit(runs * parameters)  # updates between two looks for divergence, counted from update 0
        # Records evaluated at once, always as many, padded if need be: for large problems one by one.
        values = max(self.problem.samples * self.problem.width, parameters)
        self.evaluate = min(64, _fit(runs * values)) if parameters <= FULL_PARAMETERS else 1
        self.draws, self.at_once = self.method.sampler.draws, self.method.sampler.at_once(self.problem.samples)
        self.patience = experiment.budget.patience
        self.look_for_compiled()
        start = self.problem.start().cpu().numpy()
        self.start = start if experiment.start is None else np.array(experiment.start, dtype=start.dtype)  # (P,)
        self._records: dict[int | None, np.ndarray] = {}
        self._looks: dict[int | None, np.ndarray] = {}
        self._epoch = -1
        self._orders: np.ndarray | None = None

    def look_for_compiled(self) -> None:
        """`compiled` becomes the compiled form of problem and rule, None where this process or this lane has none."""
        method, dtype = self.method, self.experiment.dtype
        # The compiled loops know no clip, keep no second iterate and take all of a batch at once; a rule's tape has the
        # rule's knobs as constants.
        plain = method.clip is None and method.average is None and not method.schedule.moves_momentum
        plain = plain and (not self.sizes or self.at_once >= self.sizes[0])
        self.compiled = kernels.descent_for(self.problem, method.rule, method.schedule, dtype) if plain else None

    def batches(self, update: int, stop: int) -> Iterator[tuple[Batch, bool]]:
        """(batch, whether it ends its epoch) for the updates from `update` to `stop`."""
        per_epoch = len(self.sizes)
        while update < stop:
            epoch, position = divmod(update, per_epoch)
            segment = self._segment(epoch, position)[: stop - update]
            for i, batch in enumerate(segment):
                yield batch, position + i + 1 == per_epoch
            update += len(segment)

    def orders(self, epoch: int) -> np.ndarray | None:
        """Every run's visits in this epoch, (R, m)."""
        e, samples = self.experiment, self.problem.samples
        if e.runs * samples > OWN_VISITS:
            return _orders(self.method.sampler, e.seed, e.runs, epoch, samples)
        if epoch != self._epoch:
            self._epoch = epoch
            self._orders = self.method.sampler.orders(e.seed, e.runs, epoch, samples)
        return self._orders

    def records(self, every: int | None) -> np.ndarray:
        """The update numbers that are kept, as in the function `records`."""
        if every not in self._records:
            self._records[every] = records(self.experiment, self.lane, every)
        return self._records[every]

    def looks(self, every: int | None) -> np.ndarray:
        """The updates that are looked at: those that are kept and, for patience, the ends of all epochs."""
        if not self.patience:
            return self.records(every)
        if every not in self._looks:
            each = max(self.per_epoch, 1)
            ends = np.arange(each, self.updates + 1, each)
            self._looks[every] = np.union1d(self.records(every), ends)
        return self._looks[every]

    def spent(self, updates: np.ndarray) -> np.ndarray:
        """Gradients of single samples spent after so many updates."""
        if self.sizes and self.sizes[0] == self.sizes[-1]:
            return updates * self.sizes[0]
        epochs, rest = np.divmod(updates, max(self.per_epoch, 1))
        return np.asarray(epochs * self._spent[-1] + self._spent[rest])

    def visits(self, epoch: int, end: int) -> np.ndarray:
        """Every run's visits in the epochs from `epoch` to `end`, end to end: (R, E m); (1, 0) where none are drawn."""
        e, samples = self.experiment, self.problem.samples
        if not self.draws:
            return np.empty((1, 0), dtype=np.int64)
        return kernels.visits(self.method.sampler, e.seed, e.runs, epoch, end, samples)

    def _segment(self, epoch: int, position: int) -> Sequence[Batch]:
        """The batches from this position of the epoch to the next edge of the gathering grid."""
        orders, size = self.orders(epoch), self.sizes[0]
        if orders is None:
            return [self.problem.all_at(Place(self.experiment.seed, epoch, 0))]
        whole = len(self.sizes) if self.sizes[-1] == size else len(self.sizes) - 1
        if position == whole:  # the ragged last batch
            first, last, size, skip = whole * size, whole * size + self.sizes[-1], self.sizes[-1], 0
        else:
            skip = position % self.gather
            last = min(position - skip + self.gather, whole) * size
            first = (position - skip) * size
        chosen = orders[:, first:last].reshape(len(orders), -1, size).swapaxes(0, 1)
        indices = torch.as_tensor(np.array(chosen), device=self.problem.start().device)
        if self.at_once < size:
            each = -(-size // self.at_once)  # batches of an update
            first_place = Place(self.experiment.seed, epoch, first // size * each)
            return [
                Batches(part, self.at_once, first_place._replace(position=first_place.position + i * each))
                for i, part in enumerate(indices)
            ][skip:]
        return self.problem.gather_at(indices, Place(self.experiment.seed, epoch, first // size))[skip:]


def _fit(numbers: int) -> int:
    """How many rows of so many numbers make one vectorised piece of work, 1 ... 256."""
    return max(1, min(256, WORK // numbers))


@byte_lru(most=8)
def _orders(sampler: Sampler, seed: int, runs: int, epoch: int, samples: int) -> np.ndarray | None:
    return sampler.orders(seed, runs, epoch, samples)


@byte_lru(most=16)
def _realize(problem: Problem, seed: int, dtype: str, device: str) -> FiniteSum:
    if device == "cuda":  # the numbers that were asked for, and the same ones each time
        torch.backends.cudnn.allow_tf32 = False  # by default convolutions keep 10 of float32's 23 bits
        torch.backends.cudnn.deterministic = True
    return problem.realize(seed, _DTYPES[dtype], device)


def finite_sum(experiment: Experiment) -> FiniteSum:
    """The experiment's problem as tensors on its device; kept."""
    return _realize(experiment.problem, experiment.seed, experiment.dtype, device_of(experiment))


def device_of(experiment: Experiment) -> str:
    """The device that "auto" means here; an ExperimentError where CUDA is asked for and missing."""
    has_gpu = torch.cuda.is_available()
    if experiment.device == "cuda" and not has_gpu:
        raise ExperimentError('device: given "cuda", but this machine has no CUDA GPU; use "auto" or "cpu"')
    if experiment.device != "auto":
        return experiment.device
    if not has_gpu:
        return "cpu"
    # Below about a million numbers a batch, launching kernels costs more than computing on the CPU.
    large = experiment.problem.sample_count * experiment.problem.parameter_count * experiment.runs > 10_000_000
    return "cuda" if large else "cpu"


@derived_cache(most=64)
def plan_of(experiment: Experiment, lane: int) -> Plan:
    """The plan of a lane; kept."""
    return Plan(experiment, lane)


@lru_cache(maxsize=256)
def records(experiment: Experiment, lane: int, every: int | None = None) -> np.ndarray:
    """The update numbers that are kept, (K,) int64: always 0 and the last.

    Args:
        experiment, lane: whose budget.
        every: keep 0, every, 2 every ... and the last; None: all of them, or an even thinning (see the constants).
    """
    updates, parameters = experiment.updates(lane), experiment.problem.parameter_count
    if every is not None:
        kept = np.arange(0, updates + 1, every)
        return kept if kept[-1] == updates else np.append(kept, updates)
    most = FULL_RECORDS
    if parameters > FULL_PARAMETERS:
        width = experiment.runs * parameters * np.dtype(experiment.dtype).itemsize
        most = int(min(SPARSE_RECORDS, max(2, SPARSE_BYTES // width), _affordable(experiment, lane)))
    if updates + 1 <= most:
        return np.arange(updates + 1)
    return np.unique(np.round(np.linspace(0, updates, most)).astype(np.int64))


def _affordable(experiment: Experiment, lane: int) -> float:
    """How many records may be evaluated, at least 2. A gradient costs three times what an evaluation costs."""
    problem, sizes = experiment.problem, experiment.lanes[lane].sampler.sizes(experiment.problem.sample_count)
    if not problem.flops:
        return np.inf
    training = 3 * problem.flops * int(samples_spent(sizes, np.array(experiment.updates(lane))))
    return max(2, max(RECORDS_SHARE * training, RECORDS_FLOPS) // (problem.flops * problem.sample_count))


def batch_indices(experiment: Experiment, lane: int, updates: range, run: int = 0) -> Iterator[np.ndarray | None]:
    """The samples of each update's batch in one run, as `advance` draws them; None for all."""
    plan = plan_of(experiment, lane)
    for update in updates:
        epoch, position = divmod(update, len(plan.sizes))
        orders, at = plan.orders(epoch), position * plan.sizes[0]
        yield None if orders is None else orders[run, at : at + plan.sizes[position]]


def samples_spent(sizes: list[int], updates: np.ndarray) -> np.ndarray:
    """Gradients of single samples spent after so many updates, for epochs of these batch sizes."""
    spent = np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)])
    epochs, rest = np.divmod(updates, max(len(sizes), 1))
    return np.asarray(epochs * spent[-1] + spent[rest])
