"""Compiling while the server serves (floor 5): everything runs on torch at once, on compiled lanes when they are there.

One dtype is compiled from the start, the other one when an experiment has missed it. Nobody waits for the code: it is
made in processes that step back for all others, and a slot goes on with its worker until a fresh one has loaded it.
"""

import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from time import perf_counter

from mbsgd_core import processes
from mbsgd_core.jobs import slots
from mbsgd_core.jobs.slots import Slot

NICE = 19
COMPILED = 3  # how a process ends that had something to compile
LOOK = 1.0  # seconds between two looks for what is asked for

_log = logging.getLogger(__name__)


def begin(renewed: Sequence[Slot], fill: Callable[[str, bool], bool] | None = None) -> None:
    """Compile in the background what is missing, for as long as this process lives; returns at once.

    Args:
        renewed: the slots whose workers are to have it.
        fill: compiles a dtype, in a process of its own; kernels.fill by default.
    """
    from mbsgd_core.kernels import ready

    if ready.is_possible():
        threading.Thread(target=_watch, args=(renewed, fill), name="compiling", daemon=True).start()


def _watch(renewed: Sequence[Slot], fill: Callable[[str, bool], bool] | None) -> None:
    from mbsgd_core.kernels import ready

    missing, running = list(ready.DTYPES), dict[str, list[BaseProcess]]()
    with suppress(RuntimeError):  # no process can be started any more: the server ends
        while missing or running:
            for dtype in [d for d in missing if d == ready.FIRST or ready.note(d).exists()]:
                missing.remove(dtype)
                running[dtype] = _start(dtype, fill)
            wait([process.sentinel for made in running.values() for process in made], LOOK)
            for dtype in [d for d, made in running.items() if _is_over(made)]:
                codes = [process.exitcode for process in running.pop(dtype)]
                if COMPILED in codes:
                    for slot in renewed:
                        slot.renew()
                elif any(code not in (0, -signal.SIGTERM) for code in codes):  # so children are ended at the exit
                    _log.warning("the compiled lanes for %s could not be made; torch does their work", dtype)


def _start(dtype: str, fill: Callable[[str, bool], bool] | None) -> list[BaseProcess]:
    """Processes that go through what is to be compiled from both ends, if there are cores for two."""
    ways = (False, True)[: os.cpu_count()]
    made = [slots.aside(_compile, dtype, backwards, fill) for backwards in ways]
    for process in made:
        process.start()
    return made


def _is_over(made: Sequence[BaseProcess]) -> bool:
    """Whether all have ended. Once one has come to the end nothing is left for the other."""
    if any(process.exitcode == COMPILED for process in made):
        for process in made:
            process.kill()
            process.join()
    return all(process.exitcode is not None for process in made)


def _compile(dtype: str, backwards: bool, fill: Callable[[str, bool], bool] | None) -> None:
    processes.begin(NICE)
    if fill is None:
        from mbsgd_core.kernels.fill import fill
    assert fill is not None
    began = perf_counter()
    if fill(dtype, backwards):
        print(f"compiled lanes are ready: {dtype}, {perf_counter() - began:.0f} s", file=sys.stderr)
        sys.exit(COMPILED)
