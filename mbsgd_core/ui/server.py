"""What the server does beside its pages (floor 6): starts the workers, is ready when nobody has to wait for them."""

import importlib
import signal
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.routing import Route
from streamlit import config

from mbsgd_core import share
from mbsgd_core.jobs import compiling, slots
from mbsgd_core.ui import aliases, channel, documents, files, presets
from mbsgd_core.ui.singletons import runner

STARTING = 20.0  # seconds


@asynccontextmanager
async def lifespan(_: object) -> AsyncIterator[None]:
    """The server is ready when the first visitor need not wait: workers hold torch, the page's modules are here."""
    slots.begin()
    await run_in_threadpool(_warm)
    compiling.begin(runner().slots)
    _end_streams_at_the_end()
    yield


def _end_streams_at_the_end() -> None:
    """The server waits for its answers before it stops, and that of a run may take hours."""
    if threading.current_thread() is not threading.main_thread():  # then whoever started it stops it
        return
    for sign in (signal.SIGINT, signal.SIGTERM):
        signal.signal(sign, partial(_stop, signal.getsignal(sign)))


def _stop(server: Any, *given: Any) -> None:
    channel.close()
    if callable(server):
        server(*given)


def _warm() -> None:
    importlib.import_module("mbsgd_core.ui.bench")
    importlib.import_module("pandas")  # Streamlit does so while it draws its first widget
    first = presets.opening()
    presets.like({})  # reads all of them
    share.to_query(first)
    runner().submit("the server", first.to_json()).wait(STARTING)


def routes() -> list[Route]:
    """The addresses that are not Streamlit's, below the same path as these."""
    own = [*documents.routes(), *aliases.routes(), *channel.routes(), *files.routes()]
    below = config.get_option("server.baseUrlPath").strip("/")
    return [Route(f"/{below}{one.path}", one.endpoint, methods=one.methods) for one in own] if below else own
