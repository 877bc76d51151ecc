"""Whether compiled lanes may be used (floor 3): numba is there, and its cache holds what this machine needs.

Each dtype has a stamp of its own beside numba's cache (see `fill`). A process decides once: what it has begun on torch
does not change under it, and no stamp is looked for at every step. Who wants to look again calls `kernels.load`.
"""

import hashlib
import importlib.util
import os
import platform
from contextlib import suppress
from functools import cache
from importlib.metadata import version
from pathlib import Path

HERE = Path(__file__).parent
OFF = "MBSGD_KERNELS"  # set to 0: run everything on torch
DTYPES = ("float64", "float32")
FIRST = DTYPES[0]  # compiled without being asked for
APART = ("__init__.py", "__main__.py", "fill.py", "forms.py", "ready.py")  # what these say is in no compiled code

_decided: dict[str, bool] = {}


def is_ready(dtype: str) -> bool:
    """True if this very code has been compiled in this dtype for this machine; decided once a process."""
    if dtype not in _decided:
        _decided[dtype] = is_possible() and stamp(dtype).exists()
    return _decided[dtype]


def look_again() -> list[str]:
    """Decide anew for each dtype that is not ready; those that have become so."""
    missing = [dtype for dtype in DTYPES if not _decided.get(dtype)]
    for dtype in missing:
        _decided.pop(dtype, None)
    return [dtype for dtype in missing if is_ready(dtype)]


def is_possible() -> bool:
    """Whether there may be compiled lanes at all: numba is installed, and nobody has switched them off."""
    return os.environ.get(OFF) != "0" and importlib.util.find_spec("numba") is not None


def stamp(dtype: str) -> Path:
    """The file that says that everything was compiled in this dtype."""
    return folder() / f"ready-{digest()}-{dtype}"


@cache
def ask_for(dtype: str) -> None:
    """Leave a note that somebody misses this dtype; a server that sees it compiles it in the background."""
    with suppress(OSError):
        folder().mkdir(parents=True, exist_ok=True)
        note(dtype).touch()


def note(dtype: str) -> Path:
    """The file by which a dtype is asked for."""
    return folder() / f"wanted-{dtype}"


def digest() -> str:
    """Of the sources, the versions and the processor, or of the one that numba is told to compile for."""
    from llvmlite.binding import get_host_cpu_features, get_host_cpu_name

    name, features = os.environ.get("NUMBA_CPU_NAME"), os.environ.get("NUMBA_CPU_FEATURES")
    parts = [platform.python_version(), version("numba"), name or get_host_cpu_name()]
    parts.append(get_host_cpu_features().flatten() if features is None else features)
    parts += [path.read_text("utf-8") for path in sorted(HERE.glob("*.py")) if path.name not in APART]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def folder() -> Path:
    """Where the stamps lie: beside numba's own cache."""
    return Path(os.environ.get("NUMBA_CACHE_DIR") or HERE / "__pycache__")
