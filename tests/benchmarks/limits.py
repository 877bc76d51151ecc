"""What the machine can do at most, measured on the spot: memory bandwidth and arithmetic of one thread."""

import time
from collections.abc import Callable

import numpy as np
import torch

NUMBERS = 32_000_000  # float64: 256 MB an array, far beyond any cache
SIDE = 2048  # of a square matrix


def bandwidth() -> float:
    """Bytes a second of a = b + c (STREAM's add: two arrays are read, one is written)."""
    a, b, c = (np.ones(NUMBERS) for _ in range(3))
    return 3 * a.nbytes / _least(lambda: np.add(b, c, out=a))


def arithmetic() -> float:
    """Operations a second of a float32 matrix product, numpy's or torch's, whichever is faster here."""
    a, b = (np.random.default_rng(0).standard_normal((SIDE, SIDE), dtype=np.float32) for _ in range(2))
    s, t, out = torch.from_numpy(a), torch.from_numpy(b), torch.empty(SIDE, SIDE)
    products: tuple[Callable[[], object], ...] = (
        lambda: np.matmul(a, b, out=out.numpy()),
        lambda: torch.mm(s, t, out=out),
    )
    return 2 * SIDE**3 / min(map(_least, products))


def _least(job: Callable[[], object], rounds: int = 7) -> float:
    """The least seconds of some rounds: a limit is what nothing disturbed."""
    job()
    taken = []
    for _ in range(rounds):
        begun = time.process_time()
        job()
        taken.append(time.process_time() - begun)
    return min(taken)
