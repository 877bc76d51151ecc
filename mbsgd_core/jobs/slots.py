"""A slot (floor 5): one worker process that can be killed without harm to the others.

The seam is concurrent.futures.Executor: whatever `make_executor` returns is only asked to submit() and shutdown().
On Linux and macOS workers are forked from one server process that has imported torch already (0.03 s a worker); where
there is no such server, each worker starts afresh (about 2 s).
"""

import importlib
import multiprocessing
import os
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future, ProcessPoolExecutor
from contextlib import suppress
from functools import cache
from multiprocessing.context import BaseContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import ModuleType
from typing import Any

from mbsgd_core import processes

PRELOAD = "mbsgd_core.jobs.preload"
CPU_SECONDS = 120.0  # the kernel ends a task that has used this much more
FRONT, BACK = 1, 8  # how far a worker steps back for others: one that answers at once, one with long runs


class Slot:
    """One worker process behind an executor of its own; safe to use from several threads.

    Args:
        nice: how far its worker steps back for the other processes of this machine, 0 ... 19.

    Example:
        >>> slot = Slot()
        >>> slot.submit(sum, [1, 2]).result()
        3
        >>> slot.kill()
    """

    def __init__(self, nice: int = FRONT) -> None:
        self._lock = threading.Lock()
        self._executor: Executor | None = None
        self._others: set[Executor] = set()  # one that gets ready to take over, one that ends what it has
        self._nice = nice

    def submit(self, function: Callable[..., Any], *args: Any, cpu_seconds: float = CPU_SECONDS) -> Future[Any]:
        """Run function(*args) in the worker, starting one if there is none.

        Args:
            function: of a module's top level.
            args: what can be pickled.
            cpu_seconds: processor time after which the kernel kills the worker, even inside a loop written in C.

        Returns:
            Its future; BrokenExecutor if the worker died or was killed.
        """
        with self._lock:
            if self._executor is not None:
                with suppress(BrokenExecutor):
                    return self._executor.submit(_bounded, cpu_seconds, function, *args)
            self._executor = make_executor(self._nice)
            return self._executor.submit(_bounded, cpu_seconds, function, *args)

    def renew(self) -> None:
        """Let a fresh worker take over as soon as it is ready; the present one ends what it has. Waits for both."""
        fresh = make_executor(self._nice)
        with self._lock:
            self._others.add(fresh)
        old: Executor | None = fresh
        with suppress(CancelledError, OSError, RuntimeError):  # if it is killed, or the server ends
            fresh.submit(ready).result()
            with self._lock:
                if fresh not in self._others:  # killed in the last moment
                    return
                self._others.remove(fresh)
                old, self._executor = self._executor, fresh
                self._others |= {old} if old else set()
        if old:
            old.shutdown()
            with self._lock:
                self._others.discard(old)

    def kill(self) -> None:
        """Kill the worker at once and forget it; the next submit() starts another."""
        with self._lock:
            executors = [self._executor, *self._others] if self._executor else [*self._others]
            self._executor, self._others = None, set()
        for executor in executors:
            # Public from Python 3.14 on (kill_workers); one without processes of its own has nothing to kill.
            for process in list((getattr(executor, "_processes", None) or {}).values()):
                process.kill()
            executor.shutdown(wait=False, cancel_futures=True)


def begin() -> None:
    """Start the server that workers are forked from, and return at once; costs nothing when it runs already."""
    if "forkserver" in multiprocessing.get_all_start_methods():
        from multiprocessing import forkserver

        _context()
        forkserver.ensure_running()


def make_executor(nice: int) -> Executor:
    """A fresh executor of one worker process: the only line that knows where work runs."""
    return ProcessPoolExecutor(1, mp_context=_context(), initializer=processes.begin, initargs=(nice,))


def aside(function: Callable[..., Any], *args: Any) -> BaseProcess:
    """A process for work that no slot is to wait for, forked like a worker, not started yet; it dies with this one.

    Args:
        function: of a module's top level; its first act should be processes.begin.
        args: what can be pickled.
    """
    make = _context().Process  # type: ignore[attr-defined]
    process: BaseProcess = make(target=function, args=args, daemon=True)
    return process


def ready() -> int:
    """Runs in a worker: make sure that all is imported, and compiled lanes are loaded if there are; its process id."""
    importlib.import_module(PRELOAD)
    from mbsgd_core import kernels

    kernels.load()  # they may have come after the server of the workers had begun
    return os.getpid()


@cache
def _context() -> BaseContext:
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = _Forked()
    context.set_forkserver_preload([PRELOAD])
    # Up to Python 3.12 the fork server ignores sys.path; it would then preload nothing, in silence.
    root = str(Path(__file__).parents[2])
    known = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path and path != root]
    os.environ["PYTHONPATH"] = os.pathsep.join([root, *known])
    return context


if "forkserver" in multiprocessing.get_all_start_methods():
    from multiprocessing.context import ForkServerContext, ForkServerProcess

    _starting = threading.Lock()  # one at a time, or the main module would not be put back

    class _Process(ForkServerProcess):
        """A worker that doesn't run the main script again: under Streamlit that is whichever page is being drawn."""

        @staticmethod
        def _Popen(process: Any) -> Any:
            with _starting:
                main, blank = sys.modules["__main__"], ModuleType("__main__")
                sys.modules["__main__"] = blank
                try:
                    return ForkServerProcess._Popen(process)
                finally:
                    if sys.modules["__main__"] is blank:
                        sys.modules["__main__"] = main

    class _Forked(ForkServerContext):
        Process = _Process


def _bounded(cpu_seconds: float, function: Callable[..., Any], *args: Any) -> Any:
    """Runs in a worker: function(*args) under a limit of processor time that needs no cooperation."""
    with suppress(ImportError):
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_CPU)
        soft = int(time.process_time() + cpu_seconds) + 1
        resource.setrlimit(resource.RLIMIT_CPU, (soft if hard == resource.RLIM_INFINITY else min(soft, hard), hard))
    return function(*args)
