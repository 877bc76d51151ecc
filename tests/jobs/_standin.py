"""For tests of what comes of a compilation: one that takes a second, and what workers say of it. Runs in workers."""

import os
import shutil
from pathlib import Path

from mbsgd_core.kernels import fill, ready


def copied(dtype: str, backwards: bool) -> bool:
    """Fill this process's cache as fill.fill does, from the folder that SOURCE names."""
    fill.compile_all = _copy
    return fill.fill(dtype, backwards)


def _copy(dtype: str, backwards: bool) -> None:
    from numba.core.caching import UserProvidedCacheLocator

    there = ready.folder() / UserProvidedCacheLocator.get_suitable_cache_subpath(str(ready.HERE / "dense.py"))
    there.mkdir(exist_ok=True)
    with fill._alone("index"):
        for path in Path(os.environ["SOURCE"]).rglob("*.nb[ic]"):
            shutil.copy(path, there / "being copied")
            (there / "being copied").replace(there / path.name)  # as numba does: somebody may be reading it


def compiled_dtypes() -> list[str]:
    """In which dtypes this worker runs compiled; that it has compiled something itself is an error."""
    found = [dtype for dtype in ready.DTYPES if ready.is_ready(dtype)]
    if found:
        from mbsgd_core.kernels import dense

        assert dense.descend.stats.cache_hits and not dense.descend.stats.cache_misses
    return found
