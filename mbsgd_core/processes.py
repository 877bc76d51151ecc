"""Processes that are made here (floor 0): quiet, polite, and gone when their maker is gone."""

import multiprocessing
import multiprocessing.connection
import os
import signal
import threading
from contextlib import suppress


def begin(nice: int = 0) -> None:
    """The first thing in a process of ours.

    Args:
        nice: how far it steps back for the other processes of this machine, 0 ... 19.
    """
    os.environ["OMP_NUM_THREADS"] = "1"
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is its maker's to handle
    if hasattr(os, "nice"):
        os.nice(nice)
    with suppress(ImportError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)
