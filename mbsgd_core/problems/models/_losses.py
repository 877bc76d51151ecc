"""The losses of networks, elementwise (floor 1): outputs z (..., B, outputs) and targets y (..., B) -> (..., B)."""

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

# squared: (z - y)^2 / 2; log: of one output, y in {0, 1}; softmax: cross-entropy of one output a class; one_hot: half
# the squared distance of one output a class from 1 at the row's class and 0 at all others.
LossName = Literal["squared", "log", "softmax", "one_hot"]
BY_CLASS = ("softmax", "one_hot")  # y is a class number


def loss(name: LossName, z: "Tensor", y: "Tensor", smoothing: float = 0.0) -> "Tensor":
    """The loss of every row, differentiable.

    Args:
        name, z, y: see above.
        smoothing: of cross-entropy: this share of a row's weight is spread evenly over all classes, as
            torch.nn.functional.cross_entropy(label_smoothing=) does. With one output the classes are two.

    Example:
        >>> import torch
        >>> loss("log", torch.zeros(1, 1), torch.ones(1)), loss("softmax", torch.zeros(1, 4), torch.tensor([2]))
        (tensor([0.6931]), tensor([1.3863]))
        >>> loss("one_hot", torch.zeros(1, 4), torch.tensor([2]))
        tensor([0.5000])
    """
    if name == "one_hot":
        return slope(name, z.clone(), y).square().sum(-1) * 0.5
    if name == "softmax":
        says = z.log_softmax(-1)
        own = -says.gather(-1, y.expand(z.shape[:-1])[..., None])[..., 0]
        return own * (1 - smoothing) - says.mean(-1) * smoothing if smoothing else own
    z = z[..., 0]
    if name == "log":
        # log(1 + e^-sz): never overflows, keeps its digits when it is tiny, and has the right derivative at 0.
        own = (z * (1 - 2 * y)).logaddexp(z.new_zeros(()))
        if not smoothing:
            return own
        return own * (1 - smoothing / 2) + (z * (2 * y - 1)).logaddexp(z.new_zeros(())) * (smoothing / 2)
    return (z - y).square() * 0.5


def slope(name: LossName, z: "Tensor", y: "Tensor", smoothing: float = 0.0) -> "Tensor":
    """d loss / dz, (..., B, outputs); may overwrite z."""
    if name in BY_CLASS:
        said = z.softmax(-1) if name == "softmax" else z
        if smoothing:
            said = said.sub_(smoothing / z.shape[-1])
        at = y.expand(z.shape[:-1])[..., None]
        return said.scatter_add_(-1, at, z.new_full((), smoothing - 1.0).expand_as(z))
    if name == "log" and smoothing:
        y = y * (1 - smoothing) + smoothing / 2
    return (z.sigmoid_() if name == "log" else z).sub_(y[..., None])


def right(name: LossName, z: "Tensor", y: "Tensor") -> "Tensor":
    """Whether the class of every row is found."""
    return z.argmax(-1) == y if name in BY_CLASS else (z[..., 0] > 0) == (y > 0.5)


def nearest_chances(z: "Tensor") -> "Tensor":
    """The probabilities nearest to z (n, C) in squared distance: max(z_k - t, 0) with the t that makes them sum to 1.

    Example:
        >>> import torch
        >>> nearest_chances(torch.tensor([[0.2, 1.4], [0.5, 0.3]]))
        tensor([[0.0000, 1.0000],
                [0.6000, 0.4000]])

    Reference: Held, Wolfe, Crowder 1974; Duchi et al. 2008.
    """
    falling = z.sort(-1, descending=True).values
    number = z.new_ones(z.shape[-1]).cumsum(0)
    shift = (falling.cumsum(-1) - 1) / number  # if so many of the largest were kept; the true t is the largest of these
    return (z - shift.amax(-1, keepdim=True)).clamp_min(0)


def plain(name: LossName, z: "Tensor", y: "Tensor", smoothing: float = 0.0) -> "Tensor":
    """The mean loss as a PyTorch loop writes it: outputs (B, outputs) or (B,), targets (B,).

    Example:
        >>> import torch
        >>> plain("softmax", torch.zeros(2, 4), torch.tensor([2, 3])), plain("squared", torch.zeros(2), torch.ones(2))
        (tensor(1.3863), tensor(0.5000))
    """
    from torch.nn import functional

    if name == "softmax":
        return functional.cross_entropy(z, y, label_smoothing=smoothing)
    if name == "one_hot":
        wanted = functional.one_hot(y, z.shape[-1]).to(z)
        return functional.mse_loss(z, wanted, reduction="sum") * (0.5 / len(z))
    z, y = z.view(-1), y * (1 - smoothing) + smoothing / 2 if smoothing else y
    return functional.binary_cross_entropy_with_logits(z, y) if name == "log" else functional.mse_loss(z, y) * 0.5


def ridge(module: "Module", weight: float) -> "Tensor | float":
    """weight/2 |w|^2 over a module's weights, biases left out; 0 without a weight."""
    if not weight:
        return 0.0
    return 0.5 * weight * sum(part.square().sum() for name, part in module.named_parameters() if "bias" not in name)
