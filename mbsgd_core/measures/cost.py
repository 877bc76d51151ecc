"""What a lane costs: bytes by what they are for, and floating-point operations (floor 4)."""

from collections import Counter
from typing import NamedTuple

import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks

from mbsgd_core import engine
from mbsgd_core.engine.plan import plan_of
from mbsgd_core.experiment import Experiment
from mbsgd_core.format import count
from mbsgd_core.problems.base import FiniteSum, Place, Problem
from mbsgd_core.rules.base import Rule

MOST = 1024  # samples whose way through a model is followed; beyond, memory is a straight line


class Memory(NamedTuple):
    """Bytes that a lane occupies on its device, measured."""

    data: int  # rows and targets of training and test, whole: what a batch is gathered from
    helpers: int  # what this program keeps beside them to be quick: a transposed copy, a bowl's matrix
    parameters: int  # theta of all runs, and its average where there is one
    gradient: int  # and the sum of those before it, where batches accumulate
    optimizer: int  # the rule's state, after an update
    activations: int  # saved on the way forward for the way back, for one batch

    @property
    def total(self) -> int:
        return sum(self)


def memory(experiment: Experiment, lane: int) -> Memory:
    """The bytes of a lane, split: each grows with something else.

    Data grow with the samples, whatever the batch. Activations grow with the batch, until the gradient is accumulated
    chunk by chunk: then a full batch needs no more than a chunk. The rest grows with the parameters.

    Example:
        >>> e = Experiment.model_validate({"problem": {"name": "quadratic", "samples": 10}, "lanes": [
        ...     {"sampler": "full_batch", "rule": "adam", "schedule": {"name": "constant", "learning_rate": 0.1}}]})
        >>> memory(e, 0).parameters, memory(e, 0).optimizer
        (16, 32)
    """
    problem, method = engine.finite_sum(experiment), experiment.lanes[lane]
    theta = problem.start().expand(experiment.runs, -1).contiguous()
    size, whole = method.sampler.at_once(problem.samples), theta.numel() * theta.element_size()
    data, helpers = data_bytes(problem)
    return Memory(
        data,
        helpers,
        whole * (1 if method.average is None else 2),
        whole * (2 if size < method.sampler.size(problem.samples) else 1),
        optimizer_bytes(method.rule, theta),
        activation_bytes(problem, theta, size),
    )


def remark(experiment: Experiment, lane: int) -> str:
    """What the bytes of a lane's activations need said beside them; "" where nothing."""
    problem = engine.finite_sum(experiment)
    size = experiment.lanes[lane].sampler.at_once(problem.samples)
    chunk, said = problem.chunk(experiment.runs), []
    if chunk is not None and chunk < size:
        said.append(
            f"Its gradient is summed over {count(chunk)} of its {count(size)} samples at a time, so activations stop "
            "growing there: the same update to rounding, and as many operations, but the parts wait for each other."
        )
    if plan_of(experiment, lane).compiled is not None:
        said.append("Activations are as torch would keep them; the compiled code that makes these updates keeps none.")
    return " ".join(said)


def data_bytes(problem: FiniteSum) -> tuple[int, int]:
    """(bytes of the rows, of the helpers): all tensors that the problem keeps, but for those of theta's shape."""
    kept = {name: value if isinstance(value, tuple) else (value,) for name, value in vars(problem).items()}
    tensors = {name: [v for v in values if isinstance(v, Tensor)] for name, values in kept.items()}
    rows = _bytes([v for name in problem.data for v in tensors.get(name, ())])
    others = [v for values in tensors.values() for v in values if v.shape != (problem.parameters,)]
    return rows, _bytes([*others, *(v for name in problem.data for v in tensors.get(name, ()))]) - rows


def optimizer_bytes(rule: Rule, theta: Tensor) -> int:
    """Bytes of the rule's state for theta (R, P), once it has made an update."""
    with torch.no_grad():
        _, state = rule.update(torch.ones_like(theta), rule.init(theta), theta, 0.1)
    return _bytes([part for part in state if isinstance(part, Tensor)])


def activation_bytes(problem: FiniteSum, theta: Tensor, batch_size: int) -> int:
    """Bytes saved for the way back by a gradient at theta (R, P): the most that are alive at a time.

    Followed for up to 1,024 samples; for larger batches the last half of these tells how the bytes go on.
    """
    rows = min(batch_size, MOST)
    saved = saved_bytes(problem, theta, rows)
    if rows == batch_size:
        return saved
    each = (saved - saved_bytes(problem, theta, rows // 2)) / (rows - rows // 2)
    return round(saved + each * (batch_size - rows))


def saved_bytes(problem: FiniteSum, theta: Tensor, rows: int) -> int:
    """Bytes that autograd keeps for a batch of the first samples, the parameters themselves not counted.

    A gradient written by hand tells autograd nothing: what is measured then is the definition of the losses.

    Reference: torch.autograd.graph.saved_tensors_hooks.
    """
    indices = torch.arange(rows, device=theta.device).expand(len(theta), -1)
    (batch,) = problem.gather_at(indices[None], Place(0, 0, 0))
    ledger = _Ledger(theta)
    with saved_tensors_hooks(ledger.pack, ledger.unpack):
        problem.gradient(theta, batch)
        if not ledger.most:
            problem.losses(theta.detach().requires_grad_(), indices)
    return ledger.most


def training_flops(problem: Problem) -> int:
    """Floating-point operations of one sample's share in a gradient: forward once, backward twice as much.

    Counted for weights alone, an addition and a multiplication each. Reference: Baydin et al. 2018 (backward is a
    small multiple of forward); Kaplan et al. 2020, section 2.1 (three times in all).
    """
    return 3 * problem.flops


class _Saved:
    """A tensor on autograd's list; it tells the ledger when it leaves."""

    def __init__(self, ledger: "_Ledger", tensor: Tensor):
        self.ledger, self.tensor = ledger, tensor

    def __del__(self) -> None:
        self.ledger.drop(self.tensor)


class _Ledger:
    """The bytes on autograd's list, each storage counted once; storages of `apart` are not counted."""

    def __init__(self, apart: Tensor):
        self._apart, self._held, self._now = apart.untyped_storage().data_ptr(), Counter[int](), 0
        self.most = 0

    def pack(self, tensor: Tensor) -> _Saved:
        storage = tensor.untyped_storage()
        if storage.data_ptr() != self._apart:
            self._now += 0 if self._held[storage.data_ptr()] else storage.nbytes()
            self._held[storage.data_ptr()] += 1
            self.most = max(self.most, self._now)
        return _Saved(self, tensor)

    def unpack(self, saved: _Saved) -> Tensor:
        return saved.tensor

    def drop(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        if storage.data_ptr() != self._apart:
            self._held[storage.data_ptr()] -= 1
            self._now -= 0 if self._held[storage.data_ptr()] else storage.nbytes()


def _bytes(tensors: list[Tensor]) -> int:
    """Bytes of the storages behind some tensors, each counted once."""
    storages = {t.untyped_storage().data_ptr(): t.untyped_storage().nbytes() for t in tensors}
    return sum(storages.values())
