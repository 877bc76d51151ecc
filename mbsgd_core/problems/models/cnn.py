"""Convolutional network: images in, classes out."""

from math import prod
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field, field_validator, model_validator

from mbsgd_core.errors import ExperimentError
from mbsgd_core.knobs import Examples, Real, Whole, knob
from mbsgd_core.problems.datasets.base import Dataset, Task
from mbsgd_core.problems.models._draws import Draws
from mbsgd_core.problems.models._net import NetProblem, NetSum, Piece, labels_fit

if TYPE_CHECKING:
    import torch
    from torch import Tensor

KERNEL = 3  # pixels along a filter's side; one pixel of zeros around an image keeps its size


class Cnn(NetProblem):
    """Stages of (convolution 3 x 3, max-pool 2 x 2, ReLU), a hidden layer with ReLU and dropout, a linear layer.

    With the defaults on 28 x 28 pixels and ten classes it is the textbook's network of 421,642 parameters:

        >>> net = Cnn(dataset={"name": "mnist", "rows": "subset"})
        >>> [prod(piece.shape) for piece in net.pieces], net.parameter_count
        ([288, 32, 18432, 64, 401408, 128, 1280, 10], 421642)

    The objective and test values are those of evaluation mode: no dropout, no shifts. `intercept` means the biases of
    all layers.

    Reference: LeCun, Bottou, Bengio, Haffner 1998; Srivastava et al. 2014 (dropout); Simard, Steinkraus, Platt 2003
    (shifted images).
    Where others differ: most programs write ReLU before max-pool. ReLU is monotone, so both orders are one function,
    with the same gradient bit for bit; pooling first leaves a quarter of the numbers to the ReLU.
    """

    title: ClassVar[str] = "Convolutional network"
    summary: ClassVar[str] = "Learns its own filters: what a mini-batch optimizer is mostly used for."
    reference: ClassVar[str] = "LeCun, Bottou, Bengio, Haffner 1998"
    task: ClassVar[Task] = "classification"
    ones: ClassVar[bool] = False
    examples: ClassVar[Examples] = (
        {"dataset": "digits", "train_rows": 12, "channels": (2,), "hidden": 3, "dropout": 0.0},
    )

    channels: tuple[Annotated[Whole, Field(ge=1, le=4096)], ...] = knob(
        (32, 64),
        label="Channels",
        help="Filters of each stage; every stage halves the image's sides.",
        min_length=1,
        page=(1, 64),
    )
    hidden: Whole = knob(
        128, label="Hidden units", help="Units of the layer after the stages.", ge=1, le=65_536, page=(1, 256)
    )
    dropout: Real = knob(
        0.25,
        label="Dropout",
        help="Share of the hidden units that a training batch leaves out, drawn for every sample.",
        ge=0,
        lt=1,
        page=(0.0, 0.9),
    )
    augment_shift: Whole = knob(
        0,
        label="Random shifts",
        help="Training images are moved by up to so many pixels each way, drawn afresh every time; 0: never.",
        unit="pixels",
        ge=0,
        page=(0, 4),
    )

    @field_validator("dataset")
    @classmethod
    def _images_only(cls, dataset: Dataset) -> Dataset:
        if not dataset.shape:
            raise ExperimentError(f"{dataset.title} holds no images, which a convolution needs; take digits or mnist")
        return dataset

    @model_validator(mode="after")
    def _suits_the_images(self) -> "Cnn":
        side = min(self.dataset.shape[1:])
        if side >> len(self.channels) == 0:
            most = side.bit_length() - 1
            raise ExperimentError(
                f"given {len(self.channels)} stages; images of {side} pixels can be halved {most} times; "
                f"give at most {most} numbers",
                ("channels",),
            )
        if self.augment_shift >= side:
            raise ExperimentError(
                f"given {self.augment_shift}; that would move the whole image away; it should be 0 to {side - 1}",
                ("augment_shift",),
                nearest=side - 1,
            )
        if self.features is not None:
            raise ExperimentError("a convolution needs all pixels of an image; leave it null", ("features",))
        labels_fit(self)
        return self

    @property
    def sides(self) -> tuple[tuple[int, int], ...]:
        """Height and width of the image before the first stage and after each."""
        height, width = self.dataset.shape[1:]
        return tuple((height >> i, width >> i) for i in range(len(self.channels) + 1))

    @property
    def pieces(self) -> tuple[Piece, ...]:
        layers: list[tuple[str, tuple[int, ...]]] = []
        inputs = (self.dataset.shape[0], *self.channels)
        for i, (before, after) in enumerate(zip(inputs, self.channels, strict=False), 1):
            layers.append((f"convolution {i}", (after, before, KERNEL, KERNEL)))
        layers += [
            ("hidden", (self.hidden, self.channels[-1] * prod(self.sides[-1]))),
            ("output", (self.outputs, self.hidden)),
        ]
        pieces = []
        for name, shape in layers:
            fan_in = prod(shape[1:])
            pieces.append(Piece(f"{name} weight", shape, fan_in, penalised=True))
            if self.intercept:
                pieces.append(Piece(f"{name} bias", shape[:1], fan_in, penalised=False))
        return tuple(pieces)

    @property
    def flops(self) -> int:
        uses = [prod(side) for side in self.sides[:-1]] + [1, 1]  # of each weight: once a pixel, once a sample
        weights = [prod(piece.shape) for piece in self.pieces if piece.penalised]
        return 2 * sum(n * count for n, count in zip(weights, uses, strict=True))

    def realize(self, seed: int, dtype: "torch.dtype", device: str) -> "CnnSum":
        return CnnSum(self, seed, dtype, device)


class CnnSum(NetSum):
    """Images go through in the order (sample, row, column, channel): on a CPU, pooling is then ten times faster."""

    def __init__(self, problem: Cnn, seed: int, dtype: "torch.dtype", device: str):
        super().__init__(problem, seed, dtype, device)
        self._image, self._biases = problem.dataset.shape, problem.intercept
        self._dropout, self._shift, self._hidden = problem.dropout, problem.augment_shift, problem.hidden
        data = problem.prepare(seed)
        self._paper = -float(data.mean[0] / data.deviation[0])  # what a pixel without ink looks like
        # A stage keeps its convolution, a quarter of that with 8-byte places for the pool, and that for the ReLU.
        per_stage = (c * prod(side) for c, side in zip(problem.channels, problem.sides, strict=False))
        self.width = prod(self._image) + sum(7 * n // 4 for n in per_stage) + 3 * problem.hidden

    def module(self) -> "torch.nn.Module | None":
        from torch import nn

        *convolutions, hidden, output = [shape for shape in self.shapes if len(shape) > 1]
        parts: list[nn.Module] = [nn.Unflatten(1, self._image)]
        for out, channels, height, _ in convolutions:
            parts.append(nn.Conv2d(channels, out, height, padding=KERNEL // 2, bias=self._biases))
            parts += [nn.ReLU(), nn.MaxPool2d(2)]
        parts += [nn.Flatten(), nn.Linear(hidden[1], hidden[0], bias=self._biases), nn.ReLU()]
        return nn.Sequential(*parts, nn.Dropout(self._dropout), nn.Linear(output[1], output[0], bias=self._biases))

    def forward(self, parts: "list[Tensor]", x: "Tensor") -> "Tensor":
        import torch

        runs = range(len(parts[0]))
        return torch.stack([self._net([part[r] for part in parts], x[r % len(x)], None) for r in runs])

    def accumulate(
        self, theta: "Tensor", x: "Tensor", y: "Tensor", draws: Draws | None, losses: "Tensor | None" = None
    ) -> "Tensor":
        """One run after the other: one layer's work keeps all cores busy, and memory stays that of one run."""
        import torch

        runs, rows = len(theta), x.shape[1]
        kept = None
        if draws is not None and self._shift:
            x = self._shifted(x.expand(runs, -1, -1), draws)
        if draws is not None and self._dropout:
            kept = draws.dropout("dropout", (runs, rows, self._hidden), self._dropout, x)
        gradients: list[Tensor] = []
        for r in range(runs):
            leaf = theta[r : r + 1].detach().requires_grad_()
            with torch.enable_grad():
                parts = [part.view(part.shape[1:]) for part in self.views(leaf)]
                z = self._net(parts, x[r % len(x)], None if kept is None else kept[r])
                loss = self.loss(z, y[r % len(y)]).sum()
                gradients += torch.autograd.grad(loss, leaf)
            if losses is not None:
                losses[r] += loss.detach()
        return torch.cat(gradients) if runs > 1 else gradients[0]

    def _net(self, parts: "list[Tensor]", rows: "Tensor", kept: "Tensor | None") -> "Tensor":
        """One run's outputs (B, outputs); kept: the factors of dropout, None in evaluation mode."""
        from torch.nn import functional

        channels, height, width = self._image
        if channels == 1:
            images = rows.reshape(-1, height, width, 1).permute(0, 3, 1, 2)
        else:
            images = rows.reshape(-1, channels, height, width).permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2)
        biases = parts[1::2] if self._biases else [None] * len(parts)
        layers = list(zip(parts[:: 1 + self._biases], biases, strict=False))
        for weight, bias in layers[:-2]:
            images = functional.max_pool2d(functional.conv2d(images, weight, bias, padding=KERNEL // 2), 2).relu()
        hidden = functional.linear(images.flatten(1), *layers[-2]).relu()
        return functional.linear(hidden if kept is None else hidden * kept, *layers[-1])

    def _shifted(self, x: "Tensor", draws: Draws) -> "Tensor":
        """Every image moved by its own draw of -shift ... shift pixels down and right; paper moves in."""
        import torch
        from torch.nn import functional

        (runs, rows, _), (channels, height, width) = x.shape, self._image
        moves = draws.stream("shift").integers(-self._shift, self._shift + 1, (runs, rows, 2))
        down, right = torch.as_tensor(moves, device=x.device).reshape(-1, 2, 1).unbind(1)
        framed = functional.pad(x.reshape(-1, channels, height, width), (self._shift,) * 4, value=self._paper)
        sample = torch.arange(runs * rows, device=x.device)[:, None, None]
        row = torch.arange(height, device=x.device) + self._shift - down
        column = torch.arange(width, device=x.device) + self._shift - right
        moved = framed[sample, :, row[:, :, None], column[:, None, :]]  # (R B, height, width, channels)
        return moved.permute(0, 3, 1, 2).reshape(runs, rows, -1)

    def chunk(self, runs: int) -> int:
        return super().chunk(1)
