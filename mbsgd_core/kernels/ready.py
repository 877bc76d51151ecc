"""Whether compiled lanes may be used (floor 3): numba is there, and its cache holds what this machine needs."""

import hashlib
import importlib.util
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.metadata import version
from pathlib import Path

HERE = Path(__file__).parent
OFF = "MBSGD_KERNELS"  # set to 0: run everything on torch


@cache
def is_ready() -> bool:
    """True if `python -m mbsgd_core.kernels` has compiled this very code for this machine; asked once a process."""
    return os.environ.get(OFF) != "0" and importlib.util.find_spec("numba") is not None and stamp().exists()


def stamp() -> Path:
    """The file that says so; its name is a digest of the sources, the versions and the processor.

    Of a source its time counts too: numba's own cache goes by that.
    """
    from llvmlite.binding import get_host_cpu_features, get_host_cpu_name

    parts = [platform.python_version(), version("numba"), get_host_cpu_name(), get_host_cpu_features().flatten()]
    parts += [f"{path.stat().st_mtime_ns} {path.read_text()}" for path in sorted(HERE.glob("*.py"))]
    digest = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
    return folder() / f"ready-{digest}"


def clear() -> None:
    """Forget what was compiled: numba sees that a file has changed, but not that one has from which it took code."""
    for kept in ("ready-*", "*.nb[ic]", "kernels_*/*.nb[ic]"):  # numba's folders in a NUMBA_CACHE_DIR have such names
        for path in folder().glob(kept):
            path.unlink(missing_ok=True)


@contextmanager
def alone() -> Iterator[None]:
    """One process at a time, where the system knows such locks: two would clear away each other's work."""
    folder().mkdir(parents=True, exist_ok=True)
    with (folder() / "lock").open("w") as file:
        if importlib.util.find_spec("fcntl") is not None:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def folder() -> Path:
    """Where the stamp lies: beside numba's own cache."""
    return Path(os.environ.get("NUMBA_CACHE_DIR") or HERE / "__pycache__")
