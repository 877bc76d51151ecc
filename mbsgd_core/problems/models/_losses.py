"""The losses of networks, elementwise (floor 1): outputs z (..., B, outputs) and targets y (..., B) -> (..., B)."""

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

# squared: (z - y)^2 / 2; log: of one output, y in {0, 1}; softmax: cross-entropy of one output a class.
LossName = Literal["squared", "log", "softmax"]


def loss(name: LossName, z: "Tensor", y: "Tensor") -> "Tensor":
    """The loss of every row, differentiable.

    Example:
        >>> import torch
        >>> loss("log", torch.zeros(1, 1), torch.ones(1)), loss("softmax", torch.zeros(1, 4), torch.tensor([2]))
        (tensor([0.6931]), tensor([1.3863]))
    """
    if name == "softmax":
        return -z.log_softmax(-1).gather(-1, y.expand(z.shape[:-1])[..., None])[..., 0]
    z = z[..., 0]
    if name == "log":
        # log(1 + e^-sz): never overflows, keeps its digits when it is tiny, and has the right derivative at 0.
        return (z * (1 - 2 * y)).logaddexp(z.new_zeros(()))
    return (z - y).square() * 0.5


def slope(name: LossName, z: "Tensor", y: "Tensor") -> "Tensor":
    """d loss / dz, (..., B, outputs); may overwrite z."""
    if name == "softmax":
        chance = z.softmax(-1)
        return chance.scatter_add_(-1, y.expand(z.shape[:-1])[..., None], z.new_full((), -1.0).expand_as(z))
    return (z.sigmoid_() if name == "log" else z).sub_(y[..., None])


def right(name: LossName, z: "Tensor", y: "Tensor") -> "Tensor":
    """Whether the class of every row is found."""
    return z.argmax(-1) == y if name == "softmax" else (z[..., 0] > 0) == (y > 0.5)


def plain(name: LossName, z: "Tensor", y: "Tensor") -> "Tensor":
    """The mean loss as a PyTorch loop writes it: outputs (B, outputs) or (B,), targets (B,).

    Example:
        >>> import torch
        >>> plain("softmax", torch.zeros(2, 4), torch.tensor([2, 3])), plain("squared", torch.zeros(2), torch.ones(2))
        (tensor(1.3863), tensor(0.5000))
    """
    from torch.nn import functional

    if name == "softmax":
        return functional.cross_entropy(z, y)
    z = z.view(-1)
    return functional.binary_cross_entropy_with_logits(z, y) if name == "log" else functional.mse_loss(z, y) * 0.5


def ridge(module: "Module", weight: float) -> "Tensor | float":
    """weight/2 |w|^2 over a module's weights, biases left out; 0 without a weight."""
    if not weight:
        return 0.0
    return 0.5 * weight * sum(part.square().sum() for name, part in module.named_parameters() if "bias" not in name)
