"""Filling numba's cache (floor 3): by several processes at once, of several servers, any of which may be killed.

Whoever fills a dtype goes through all that is to be compiled and leaves a stamp at the end. Another process may go the
other way round: each takes from the cache what the other one has compiled, and who meets the end first has done it all.
"""

import importlib.util
import multiprocessing
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import product
from pathlib import Path

from mbsgd_core import processes
from mbsgd_core.kernels.ready import DTYPES, digest, folder, note, stamp


def fill(dtype: str, backwards: bool = False) -> bool:
    """Compile everything in this dtype, unless others have done so before or do so now; whether it was missing.

    Args:
        dtype: one of DTYPES.
        backwards: from the last to the first, for the second of two processes side by side.
    """
    done, sources = stamp(dtype), _begun()
    if done.exists():
        return False
    while not done.exists():
        with _alone(_turn(dtype, backwards)):
            if sources.exists():
                compile_all(dtype, backwards)
                if stamp(dtype) != done:
                    sys.exit("kernels/ was edited while it was compiled; run python -m mbsgd_core.kernels again")
                done.touch()
                note(dtype).unlink(missing_ok=True)
                continue
        with ExitStack() as nobody_compiles:
            for each in product(DTYPES, (False, True)):
                nobody_compiles.enter_context(_alone(_turn(*each)))
            if not sources.exists():
                clear()
                sources.touch()
    return True


def fill_all() -> bool:
    """Compile everything in all dtypes, a process each; whether all went well."""
    context = multiprocessing.get_context("spawn")
    missing = [dtype for dtype in DTYPES if not stamp(dtype).exists()]
    made = [context.Process(target=_fill_one, args=(dtype,), daemon=True) for dtype in missing]
    for process in made:
        process.start()
    for process in made:
        process.join()
    return all(process.exitcode == 0 for process in made)


def _fill_one(dtype: str) -> None:
    processes.begin()
    fill(dtype)


def compile_all(dtype: str, backwards: bool) -> None:
    """Go through all that is to be compiled, as long as nobody else has come to the end."""
    from mbsgd_core.kernels.compile import EXAMPLES, run_once

    done = stamp(dtype)
    with _saving_alone():
        for example in EXAMPLES[:: -1 if backwards else 1]:
            if not done.exists():
                run_once(example, dtype)


def clear() -> None:
    """Forget what was compiled: numba sees that a file has changed, but not that one has from which it took code."""
    names = ("*.nb[ic]", "*.nb[ic].tmp.*")  # numba's folders in a NUMBA_CACHE_DIR are called kernels_ and a digest
    for kept in ("ready-*", "begun-*", *names, *(f"kernels_*/{name}" for name in names)):
        for path in folder().glob(kept):
            path.unlink(missing_ok=True)


def _begun() -> Path:
    """The file that says: whatever is in the cache was compiled from these sources. Who was interrupted goes on."""
    return folder() / f"begun-{digest()}"


def _turn(dtype: str, backwards: bool) -> str:
    return f"{dtype}-{'backwards' if backwards else 'forwards'}"


@contextmanager
def _alone(what: str) -> Iterator[None]:
    """One process at a time, where the system knows such locks."""
    folder().mkdir(parents=True, exist_ok=True)
    with (folder() / f"lock-{what}").open("w") as file:
        if importlib.util.find_spec("fcntl") is not None:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def _saving_alone() -> Iterator[None]:
    """numba adds to a function's index by reading and writing it: processes side by side would lose entries, or worse,
    choose one file's name for the code of two signatures."""
    from numba.core.caching import IndexDataCacheFile

    save = IndexDataCacheFile.save

    def save_alone(self: IndexDataCacheFile, key: object, data: object) -> None:
        with _alone("index"):
            save(self, key, data)

    IndexDataCacheFile.save = save_alone
    try:
        yield
    finally:
        IndexDataCacheFile.save = save
