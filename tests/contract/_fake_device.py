"""A pretended second device: numbers that lie on the CPU, in tensors that claim to be elsewhere.

No GPU is at hand where the tests run, and none is needed to see whether code would keep to one: a tensor of `FAR`
refuses to meet a tensor of the CPU in one operation and to become a numpy array, as a tensor of a GPU does, and its
numbers are the CPU's to the last bit.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

FAR = "meta"  # the one device beside the CPU that every build of torch knows; its own tensors hold no numbers
MOVES = {torch.ops.aten._to_copy.default, torch.ops.aten.copy_.default}


class Far(torch.Tensor):
    """A tensor on the pretended device."""

    near: torch.Tensor

    @staticmethod
    def __new__(cls, near: torch.Tensor) -> "Far":
        made = torch.Tensor._make_wrapper_subclass(
            cls, near.shape, near.stride(), near.storage_offset(), dtype=near.dtype, device=FAR
        )
        made.near = near
        return made

    def __reduce_ex__(self, protocol):
        return Far, (self.near,)

    @classmethod
    def __torch_dispatch__(cls, function, types, args=(), kwargs=None):
        raise AssertionError(f"{function} was called outside of `far()`")


class _Apart(TorchDispatchMode):
    """Every operation on the numbers beneath, unless its tensors lie on two devices."""

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
        far = any(isinstance(tensor, Far) for tensor in tensors)
        if function not in MOVES:
            alone = [tensor for tensor in tensors if not isinstance(tensor, Far) and tensor.dim()]
            assert not (far and alone), f"{function} mixes devices"
        device = kwargs.get("device")
        if device is not None:
            far, kwargs["device"] = torch.device(device).type == FAR, torch.device("cpu")
        elif function is torch.ops.aten.copy_.default:
            far = isinstance(args[0], Far)
        given, named = tree_map(_near, (args, kwargs))
        found = function(*given, **named)
        if not far:
            return found
        known = {id(tensor.near): tensor for tensor in tensors if isinstance(tensor, Far)}  # of what is done in place
        return tree_map(lambda value: known[id(value)] if id(value) in known else _far(value), found)


class _Made(TorchFunctionMode):
    """What torch makes of numpy's arrays and of numbers: on the CPU first, then moved."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        if function in (torch.tensor, torch.as_tensor):
            device = kwargs.pop("device", None)
            made = function(*args, **kwargs)
            return made if device is None else made.to(device)
        if function is torch.Tensor.new_tensor:
            return torch.tensor(*args[1:], dtype=args[0].dtype).to(args[0].device)
        if function is torch.Tensor.tolist:
            return args[0].cpu().tolist()
        return function(*args, **kwargs)


def _near(value):
    return value.near if isinstance(value, Far) else value


def _far(value):
    return Far(value) if isinstance(value, torch.Tensor) else value


@contextmanager
def far() -> Iterator[str]:
    """While it lasts there is a second device; gives its name."""
    with _Apart(), _Made():
        yield FAR


def near(value: Any) -> Any:
    """A value with its tensors as arrays, wherever they are."""
    if isinstance(value, torch.Tensor):
        return (value.near if isinstance(value, Far) else value).detach().numpy()
    if isinstance(value, dict):
        return {key: near(part) for key, part in value.items()}
    return [near(part) for part in value] if isinstance(value, (list, tuple)) else value


def assert_same(found: Any, expected: Any, tolerance: float = 0.0) -> None:
    """Equal values of the same structure; numbers up to a tolerance, exactly by default."""
    assert type(found) is type(expected)
    if isinstance(found, dict):
        assert list(found) == list(expected)
        found, expected = list(found.values()), list(expected.values())
    if isinstance(found, list):
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            assert_same(one, other, tolerance)
    elif isinstance(found, (np.ndarray, float)):
        largest = float(np.nanmax(np.abs(expected), initial=0.0)) if tolerance else 0.0
        np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance * largest)
    else:
        assert found == expected
