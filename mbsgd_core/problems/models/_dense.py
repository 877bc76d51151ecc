"""Fully connected layers (floor 1): what an mlp and softmax regression share, with backpropagation by hand."""

from abc import abstractmethod
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

from mbsgd_core.problems.models._draws import Draws
from mbsgd_core.problems.models._losses import slope
from mbsgd_core.problems.models._net import NetProblem, NetSum, Piece

if TYPE_CHECKING:
    import torch
    from torch import Tensor

Activation = Literal["tanh", "relu", "sigmoid"]


class DenseProblem(NetProblem):
    """Layers z = W a + b, with an activation between any two of them."""

    @property
    @abstractmethod
    def widths(self) -> tuple[int, ...]:
        """Features, hidden units layer by layer, outputs."""

    @property
    def pieces(self) -> tuple[Piece, ...]:
        found = []
        for i, (fan_in, fan_out) in enumerate(pairwise(self.widths), 1):
            found.append(Piece(f"layer {i} weight", (fan_out, fan_in), fan_in, True))
            if self.intercept:
                found.append(Piece(f"layer {i} bias", (fan_out,), fan_in, False))
        return tuple(found)


def sum_of(problem: DenseProblem) -> "type[LayeredSum]":
    """The kind of sum for a problem: that which has compiled loops, if its loss is one that these know."""
    known = problem.loss_name != "one_hot" and not problem.label_smoothing
    return DenseSum if known else LayeredSum


class LayeredSum(NetSum):
    """The sum of a DenseProblem, by torch.

    Attributes:
        layers: (fan_in, fan_out) of each layer.
        activation: "tanh" | "relu" | "sigmoid", between two layers.
        dropout: the share of hidden activations that is zeroed while training.
        biases: whether layers have them.
    """

    def __init__(
        self,
        problem: DenseProblem,
        seed: int,
        dtype: "torch.dtype",
        device: str,
        activation: Activation = "tanh",
        dropout: float = 0.0,
    ):
        super().__init__(problem, seed, dtype, device)
        self.layers = tuple(pairwise(problem.widths))
        self.activation, self.dropout, self.biases = activation, dropout, problem.intercept
        # The input, and of each layer the outputs twice: activations and deltas; dropout keeps two more copies.
        hidden = sum(problem.widths[1:-1])
        self.width = sum(problem.widths) + sum(problem.widths[1:]) + (2 * hidden if dropout else 0)

    def module(self) -> "torch.nn.Module":
        from torch import nn

        act = {"tanh": nn.Tanh, "relu": nn.ReLU, "sigmoid": nn.Sigmoid}[self.activation]
        parts: list[nn.Module] = []
        for i, (fan_in, fan_out) in enumerate(self.layers):
            if i:
                parts += [act(), nn.Dropout(self.dropout)] if self.dropout else [act()]
            parts.append(nn.Linear(fan_in, fan_out, bias=self.biases))
        return nn.Sequential(*parts)

    def forward(self, parts: "list[Tensor]", x: "Tensor") -> "Tensor":
        for i, (weight, bias) in enumerate(self._pairs(parts)):
            x = _affine(self._activate(x) if i else x, weight, bias)
        return x

    def accumulate(
        self, theta: "Tensor", x: "Tensor", y: "Tensor", draws: Draws | None, losses: "Tensor | None" = None
    ) -> "Tensor":
        """Backpropagation: delta_last = d loss / dz; dW = delta^T a, db = sum delta; delta <- (delta W) act'(a).

        Reference: Rumelhart, Hinton, Williams 1986.
        """
        import torch

        runs = len(theta)
        gradient = torch.empty_like(theta)
        masks = self._masks(draws, runs, y.shape[1], theta)
        if runs == 1:  # plain matrices: the cheapest products
            theta, sums = theta[0], self._pairs(self.views(gradient[0]))
            x, y, masks = x[0], y[0], [mask[0] for mask in masks]
        else:
            x, sums = x.expand(runs, *x.shape[1:]), self._pairs(self.views(gradient))
        weights = self._pairs(self.views(theta))
        inputs, delta = self._inputs(weights, x, masks)
        if losses is not None:
            losses += self.loss(delta, y).sum(-1)
        delta = slope(self.loss_name, delta, y, self.smoothing)
        product = torch.mm if runs == 1 else torch.bmm
        for i in reversed(range(len(weights))):
            (weight, _), (weight_sum, bias_sum) = weights[i], sums[i]
            product(delta.mT, inputs[i][-1], out=weight_sum)
            if bias_sum is not None:
                torch.sum(delta, -2, out=bias_sum)
            if i:
                delta = product(delta, weight)
                if masks:
                    delta.mul_(masks[i - 1])
                self._chain(delta, inputs[i][0])
        return gradient

    def sample_gradients(self, theta: "Tensor") -> "Tensor":
        import torch

        gradients = theta.new_empty(self.samples, self.parameters)
        weights = self._pairs(self.views(theta))
        step = self.chunk(1)
        for first in range(0, self.samples, step):
            rows = slice(first, first + step)
            inputs, delta = self._inputs(weights, self.x[rows], [])
            delta, sums = (
                slope(self.loss_name, delta, self.y[rows], self.smoothing),
                self._pairs(self.views(gradients[rows])),
            )
            for i in reversed(range(len(weights))):
                torch.mul(delta[:, :, None], inputs[i][-1][:, None, :], out=sums[i][0])
                bias_each = sums[i][1]
                if bias_each is not None:
                    bias_each.copy_(delta)
                if i:
                    delta = delta.mm(weights[i][0])
                    self._chain(delta, inputs[i][0])
        return gradients if self.penalty is None else gradients.add_(self.penalty * theta)

    def _inputs(
        self, weights: "list[tuple[Tensor, Tensor | None]]", x: "Tensor", masks: "list[Tensor]"
    ) -> "tuple[list[tuple[Tensor, Tensor]], Tensor]":
        """What goes into each layer, (activations, the same after dropout), and what comes out of the last."""
        inputs, z = [(x, x)], _affine(x, *weights[0])
        for i, layer in enumerate(weights[1:]):
            a = self._activate_(z)
            inputs.append((a, a * masks[i] if masks else a))
            z = _affine(inputs[-1][1], *layer)
        return inputs, z

    def _pairs(self, parts: "list[Tensor]") -> "list[tuple[Tensor, Tensor | None]]":
        """(weight, bias or None) of each layer."""
        return list(zip(parts[::2], parts[1::2], strict=True)) if self.biases else [(part, None) for part in parts]

    def _masks(self, draws: Draws | None, runs: int, rows: int, like: "Tensor") -> "list[Tensor]":
        """Dropout's factors (R, B, width) for each hidden layer; [] without dropout."""
        hidden = [out for _, out in self.layers[:-1]]
        if draws is None or not self.dropout or not hidden:
            return []
        return list(draws.dropout("dropout", (runs, rows, sum(hidden)), self.dropout, like).split(hidden, -1))

    def _activate(self, z: "Tensor") -> "Tensor":
        active: Tensor = getattr(z, self.activation)()
        return active

    def _activate_(self, z: "Tensor") -> "Tensor":
        active: Tensor = getattr(z, f"{self.activation}_")()
        return active

    def _chain(self, delta: "Tensor", a: "Tensor") -> None:
        """delta *= act'(z), told by the activation a = act(z)."""
        if self.activation == "relu":
            delta.mul_(a > 0)
        elif self.activation == "tanh":
            delta.addcmul_(delta * a, a, value=-1)
        else:
            delta.mul_(a).addcmul_(delta, a, value=-1)


class DenseSum(LayeredSum):
    """One whose loss is squared, log or softmax, without smoothing: kernels/ has loops for these."""


def _affine(x: "Tensor", weight: "Tensor", bias: "Tensor | None") -> "Tensor":
    """x W^T + b: rows (..., B, in), weight (..., out, in), bias (..., out) or None."""
    import torch

    if weight.dim() == 2:
        return x.mm(weight.T) if bias is None else torch.addmm(bias, x, weight.T)
    x = x.expand(len(weight), *x.shape[1:])
    return x.bmm(weight.mT) if bias is None else torch.baddbmm(bias[:, None], x, weight.mT)
