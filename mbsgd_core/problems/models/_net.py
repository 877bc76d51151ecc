"""What all networks share (floor 1): the tensors of theta, the seeded start, losses, metrics, chunks.

A network is two final classes in its own file:

- the settings, a NetProblem: `pieces` lists the tensors of theta in the order of torch's `parameters()`, and
  `realize` returns the sum; everything else (sizes, names, outputs, loss, start) follows from these.
- the sum, a NetSum: `width` says how many numbers one sample occupies on the way through the net, `forward` is the
  net in evaluation mode, and `accumulate` is the gradient, in training mode where it is handed `Draws` (dropout,
  shifted images).

NetSum does the rest: it looks rows up, cuts large batches and long paths into chunks of bounded memory, adds the
penalty, and measures loss and accuracy. What a net draws it draws from `Draws`, which is fixed by (seed, epoch,
position) alone: chunks of a run never change it, and neither do the runs beside it.
"""

from abc import abstractmethod
from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple

import numpy as np
from pydantic import model_validator

from mbsgd_core.errors import ExperimentError
from mbsgd_core.knobs import Real, knob
from mbsgd_core.problems.base import Batch, FiniteSum, Place, Plain
from mbsgd_core.problems.datasets.base import Dataset
from mbsgd_core.problems.models import _losses
from mbsgd_core.problems.models._draws import Draws
from mbsgd_core.problems.models._losses import LossName
from mbsgd_core.problems.models.base import DataProblem
from mbsgd_core.random import stream

if TYPE_CHECKING:
    import torch
    from torch import Tensor

WORK = 16_000_000  # numbers that one chunk may occupy

MOST_CLASSES = 1_000  # of data that do not name them


class Piece(NamedTuple):
    """One tensor of theta."""

    name: str  # "layer 1 weight"
    shape: tuple[int, ...]  # torch's: (out, in) of a linear layer, (out, in, height, width) of a convolution
    fan_in: int  # inputs of one unit of its layer: fixes the start
    penalised: bool  # by l2: weights are, biases are not


class NetBatch(NamedTuple):
    """One update's samples (R, B), None for all; and where it stands, None for evaluation mode."""

    indices: "Tensor | None"
    place: Place | None


def labels_fit(problem: DataProblem) -> None:
    """Whether the labels can be classes; ExperimentError if they cannot."""
    if problem.dataset.task == "classification":
        return  # such data number their classes, and large ones need not be read to know it
    labels = np.unique(problem.dataset.table(0).y)
    if not (labels == np.round(labels)).all():
        shown = ", ".join(f"{label:g}" for label in labels[:5]) + (" ..." if len(labels) > 5 else "")
        raise ExperimentError(
            f"a classifier needs every y to be a class, a whole number such as 0, 1, 2; given {shown}; number them",
            ("dataset", "y"),
        )
    if len(labels) > MOST_CLASSES:
        raise ExperimentError(
            f"y has {len(labels):,} different values, too many for classes; at most {MOST_CLASSES:,}", ("dataset", "y")
        )


class NetProblem(DataProblem):
    """A network on a data set. theta is flat, in the order of torch's parameters().

    Starts at torch's own initialisation: U(-1, 1) / sqrt(fan_in) for weights and biases, drawn from the seed.

    Classes that the data do not name are the sorted labels that occur: 3, 7 and 9 are classes 0, 1 and 2.

    Reference: LeCun et al. 1998, "Efficient BackProp", section 4.6; torch.nn.Linear and Conv2d, reset_parameters.
    """

    ones: ClassVar[bool] = False
    planar: ClassVar[bool] = False

    loss: Literal["cross_entropy", "squared"] = knob(
        "cross_entropy",
        label="Loss of classes",
        help="Cross-entropy, or half the squared distance of one output a class from 1 or 0; numbers: squared.",
    )
    label_smoothing: Real = knob(
        0.0,
        label="Label smoothing",
        help="Share of a row's weight that cross-entropy spreads evenly over all classes.",
        ge=0,
        lt=1,
        page=(0.0, 0.5),
    )

    @model_validator(mode="after")
    def _something_to_smooth(self) -> "NetProblem":
        if self.label_smoothing and (self.learns == "regression" or self.loss == "squared"):
            raise ExperimentError(
                f"given {self.label_smoothing}; only cross-entropy smooths labels, and here it is the squared loss; "
                "leave it 0",
                ("label_smoothing",),
            )
        return self

    @property
    def numbers_classes(self) -> bool:
        return self.learns == "classification"

    @classmethod
    def plane_settings(cls, dataset: Dataset) -> dict[str, Any]:
        return {"features": None}  # no settings leave two parameters; a picture shows a plane of the paths

    @property
    @abstractmethod
    def pieces(self) -> tuple[Piece, ...]:
        """The tensors of theta, in order."""

    @property
    def outputs(self) -> int:
        """Numbers that the net computes for a sample: one for a target, or two classes' log-odds; else one a class."""
        if self.learns == "regression":
            return 1
        return self.class_count if self.class_count > 2 or self.loss == "squared" else 1

    @property
    def loss_name(self) -> LossName:
        """Squared for a number; of classes one_hot if so chosen, else log for one output, softmax for more."""
        if self.learns == "regression":
            return "squared"
        if self.loss == "squared":
            return "one_hot"
        return "log" if self.outputs == 1 else "softmax"

    def log_chances(self, z: "Tensor") -> "Tensor":
        return _losses.nearest_chances(z).log() if self.loss_name == "one_hot" else super().log_chances(z)

    def row_losses(self, z: "Tensor", y: "Tensor") -> "Tensor":
        return _losses.loss(self.loss_name, z, y, self.label_smoothing)

    @property
    def parameter_count(self) -> int:
        return sum(prod(piece.shape) for piece in self.pieces)

    @property
    def flops(self) -> int:
        return 2 * sum(prod(piece.shape) for piece in self.pieces if piece.penalised)  # each weight is used once

    @property
    def parameter_names(self) -> tuple[str, ...]:
        return tuple(
            f"{piece.name} {','.join(str(i + 1) for i in index)}"
            for piece in self.pieces
            for index in np.ndindex(piece.shape)
        )

    def initial(self, seed: int) -> np.ndarray:
        """The start (P,): the law of torch's layers, in float64 whatever the experiment's number type."""
        draws = stream(seed, "init")
        return np.concatenate(
            [draws.uniform(-1, 1, prod(piece.shape)) / np.sqrt(piece.fan_in) for piece in self.pieces]
        )

    def penalty(self) -> np.ndarray:
        """(P,) the curvature that l2 adds to each coordinate: l2, and 0 for biases."""
        return np.concatenate([np.full(prod(p.shape), self.l2 if p.penalised else 0.0) for p in self.pieces])


class NetSum(FiniteSum):
    """f_i(theta) = loss(net(theta, x_i), y_i) + l2/2 |w|^2.

    Attributes:
        x, y, x_test, y_test: the rows on the device; y holds numbers, or class numbers (int64) for one output a class.
        loss_name, smoothing: see `_losses`.
        outputs: of the net.
        penalty: (P,), or None without l2.
        width: numbers that one sample occupies in `accumulate`, all layers together.
    """

    data: ClassVar[tuple[str, ...]] = ("x", "y", "x_test", "y_test")

    width: int

    def __init__(self, problem: NetProblem, seed: int, dtype: "torch.dtype", device: str):
        import torch

        data = problem.prepare(seed)
        self.loss_name, self.outputs, self.smoothing = problem.loss_name, problem.outputs, problem.label_smoothing
        labels = torch.int64 if self.loss_name in _losses.BY_CLASS else dtype
        # A large table of the right type is shared, not copied.
        self.x = torch.as_tensor(data.x, dtype=dtype, device=device)
        self.y = torch.as_tensor(data.y, dtype=labels, device=device)
        self.x_test = torch.as_tensor(data.x_test, dtype=dtype, device=device)
        self.y_test = torch.as_tensor(data.y_test, dtype=labels, device=device)
        self._shapes = tuple(piece.shape for piece in problem.pieces)
        self._sizes = [prod(shape) for shape in self._shapes]
        self.samples, self.parameters = len(self.y), sum(self._sizes)
        self.penalty = torch.tensor(problem.penalty(), dtype=dtype, device=device) if problem.l2 else None
        self.l2 = problem.l2
        self._start = torch.tensor(problem.initial(seed), dtype=dtype, device=device)

    @abstractmethod
    def forward(self, parts: "list[Tensor]", x: "Tensor") -> "Tensor":
        """The net in evaluation mode, differentiable.

        Args:
            parts: theta's tensors from `views`, each (R, *shape).
            x: rows, (R, B, ...), or (1, B, ...) for all runs alike.

        Returns:
            (R, B, outputs).
        """

    @abstractmethod
    def accumulate(
        self, theta: "Tensor", x: "Tensor", y: "Tensor", draws: Draws | None, losses: "Tensor | None" = None
    ) -> "Tensor":
        """The sum of the rows' gradients, without the penalty.

        Args:
            theta: (R, P).
            x, y: rows (R, B, ...) and (R, B), or (1, B, ...) and (1, B) for all runs alike.
            draws: None for evaluation mode.
            losses: (R,); if given, the sum of the rows' losses is added to it.

        Returns:
            (R, P), a tensor of its own.
        """

    def module(self) -> "torch.nn.Module | None":
        """The net of torch.nn's layers, in training mode, on rows as `x` holds them; None: nobody has written it."""
        return None

    def plain(self) -> Plain:
        module = self.module()
        if module is None:
            return super().plain()
        module.to(self.x)

        def loss(chosen: "Tensor | None") -> "Tensor":
            rows, y = (self.x, self.y) if chosen is None else (self.x[chosen], self.y[chosen])
            return _losses.plain(self.loss_name, module(rows), y, self.smoothing) + _losses.ridge(module, self.l2)

        return Plain(module, loss)

    @property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        return self._shapes

    def start(self) -> "Tensor":
        return self._start

    def views(self, theta: "Tensor") -> "list[Tensor]":
        """theta (..., P) as its tensors, each (..., *shape); no copies."""
        parts, lead = theta.split_with_sizes(self._sizes, -1), theta.shape[:-1]
        return [part.view(*lead, *shape) for part, shape in zip(parts, self._shapes, strict=True)]

    def loss(self, z: "Tensor", y: "Tensor") -> "Tensor":
        """Outputs (..., B, outputs), targets (..., B) -> (..., B), differentiable."""
        return _losses.loss(self.loss_name, z, y, self.smoothing)

    def losses(self, theta: "Tensor", indices: "Tensor") -> "Tensor":
        z = self.forward(self.views(theta), self.x[indices])
        return self.loss(z, self.y[indices]) + self._ridge(theta)[..., None]

    def objective(self, theta: "Tensor") -> "Tensor":
        flat = theta.reshape(-1, self.parameters)
        return self._evaluate(flat, self.x, self.y)[0].reshape(theta.shape[:-1]) + self._ridge(theta)

    def predict(self, theta: "Tensor", rows: "Tensor") -> "Tensor":
        import torch

        parts, inputs = self.views(theta[None]), rows.reshape(len(rows), *self.x.shape[1:])
        with torch.no_grad():
            return torch.cat([self.forward(parts, part[None])[0] for part in inputs.split(self.chunk(1))])

    def metrics(self, theta: "Tensor", x: "Tensor", y: "Tensor") -> dict[str, float]:
        """{"loss", "accuracy"} of theta (P,) on some rows, without the penalty; no accuracy for a regression."""
        loss, right = (value.item() for value in self._evaluate(theta[None], x, y))
        return {"loss": loss} if self.loss_name == "squared" else {"loss": loss, "accuracy": right}

    def test_metrics(self, theta: "Tensor") -> dict[str, float]:
        if not len(self.y_test):
            return {}
        return {f"test_{name}": value for name, value in self.metrics(theta, self.x_test, self.y_test).items()}

    def test_curves(self, theta: "Tensor") -> tuple[np.ndarray, np.ndarray]:
        if not len(self.y_test) or not len(theta):
            return super().test_curves(theta)
        loss, right = (
            values.cpu().numpy().astype(np.float64) for values in self._evaluate(theta, self.x_test, self.y_test)
        )
        return loss, np.full(len(theta), np.nan) if self.loss_name == "squared" else right

    def gather(self, indices: "Tensor") -> Sequence[Batch]:
        return [NetBatch(each, None) for each in indices.unbind(0)]

    def gather_at(self, indices: "Tensor", place: Place) -> Sequence[Batch]:
        positions = range(place.position, place.position + len(indices))
        return [NetBatch(i, place._replace(position=p)) for i, p in zip(indices.unbind(0), positions, strict=True)]

    def all_at(self, place: Place) -> Batch:
        return NetBatch(None, place)

    def gradient(self, theta: "Tensor", batch: Batch) -> "Tensor":
        return self._mean_gradient(theta, batch, None)

    def gradient_and_loss(self, theta: "Tensor", batch: Batch) -> "tuple[Tensor, Tensor]":
        losses = theta.new_zeros(len(theta))
        gradient = self._mean_gradient(theta, batch, losses)
        rows = self.samples if batch is None or batch.indices is None else batch.indices.shape[1]
        return gradient, losses.div_(rows).add_(self._ridge(theta))

    def _mean_gradient(self, theta: "Tensor", batch: Batch, losses: "Tensor | None") -> "Tensor":
        """Mean gradient over a batch, accumulated chunk by chunk: memory never grows with the batch."""
        indices, place = (None, None) if batch is None else batch
        rows, total = self.samples if indices is None else indices.shape[1], None
        step = self.chunk(len(theta))
        for chunk, first in enumerate(range(0, rows, step)):
            x, y = self._look_up(indices, first, min(first + step, rows))
            part = self.accumulate(theta, x, y, None if place is None else Draws(place, chunk), losses)
            total = part if total is None else total.add_(part)
        assert total is not None, "a batch holds at least one sample"
        if rows > 1:
            total.div_(rows)
        return total if self.penalty is None else total.addcmul_(self.penalty, theta)

    def _look_up(self, indices: "Tensor | None", first: int, last: int) -> "tuple[Tensor, Tensor]":
        """Rows first ... last - 1 of a batch, in memory that begins alike however batches were gathered."""
        if indices is None:
            return self.x[None, first:last], self.y[None, first:last]
        chosen = indices if last - first == indices.shape[1] else indices[:, first:last]
        if len(chosen) == 1:  # cheaper than indexing
            return self.x.index_select(0, chosen[0])[None], self.y.index_select(0, chosen[0])[None]
        return self.x[chosen], self.y[chosen]

    def chunk(self, runs: int) -> int:
        return max(1, WORK // (runs * self.width))

    def _ridge(self, theta: "Tensor") -> "Tensor":
        return 0.5 * (self.penalty * theta.square()).sum(-1) if self.penalty is not None else theta.new_zeros(())

    def _evaluate(self, theta: "Tensor", x: "Tensor", y: "Tensor") -> "tuple[Tensor, Tensor]":
        """(mean loss, share of right classes) of theta (K, P) on some rows, each (K,), in chunks."""
        import torch

        together = max(1, WORK // (len(y) * self.width))  # thetas that fit with all rows
        if len(theta) > together:
            each = [self._evaluate(part, x, y) for part in theta.split(together)]
            return torch.cat([loss for loss, _ in each]), torch.cat([right for _, right in each])
        parts, rows = self.views(theta), self.chunk(len(theta))
        loss, right = (theta.new_zeros(len(theta), dtype=torch.float64) for _ in range(2))
        for some, wanted in zip(x.split(rows), y[None].split(rows, 1), strict=True):
            z = self.forward(parts, some[None])
            loss = loss + self.loss(z, wanted).sum(-1, dtype=torch.float64)
            if self.loss_name != "squared":
                right = right + _losses.right(self.loss_name, z, wanted).sum(-1)
        return (loss / len(y)).to(theta.dtype), right / len(y)
