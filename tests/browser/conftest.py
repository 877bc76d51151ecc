"""A real server and a real browser. With CI=true a missing browser is a failure, never a skip."""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser._bench import WAIT
from tests.browser.chromium import ARGUMENTS, ROOT, find

BOOT = 120  # seconds that a server may take to answer, on a machine that is busy with other things
expect.set_options(timeout=WAIT)


def pytest_collection_modifyitems(items):
    here = Path(__file__).parent
    for item in items:
        if here in Path(item.fspath).parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args):
    path = find()
    if path is None:
        message = "no Chromium: install one (apt-get install chromium), or set CHROMIUM to its path"
        pytest.fail(message) if os.environ.get("CI") == "true" else pytest.skip(message)
    return {**browser_type_launch_args, "executable_path": path, "args": ARGUMENTS}


@pytest.fixture(scope="session")
def visitor(browser: Browser, browser_context_args: dict) -> Iterator[BrowserContext]:
    """One visitor's browser for all tests that do not bring their own: it keeps the scripts that it has loaded.

    Its first page stays, blank: opening a window takes as much work as loading a page into one that is there.
    """
    context = browser.new_context(**browser_context_args)
    context.set_default_timeout(WAIT)  # a busy machine may take its time
    context.new_page()
    yield context
    context.close()


@pytest.fixture
def page(visitor: BrowserContext) -> Iterator[Page]:
    """A tab of a test's own: what a tab remembers, its owner of runs above all, is forgotten with it."""
    page = visitor.new_page()
    yield page
    page.close()


@pytest.fixture
def still(page: Page) -> None:
    """Nothing plays by itself: what a test does not look at need not be drawn sixty times a second."""
    page.emulate_media(reduced_motion="reduce")


@contextmanager
def serve(port: int = 0) -> Iterator[str]:
    """A fresh server of this machine, on a free port unless told; its address."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", port))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.address=127.0.0.1"]
    options = [f"--server.port={port}", "--server.headless=true", "--server.fileWatcherType=none"]
    server = subprocess.Popen(command + options, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait(f"http://127.0.0.1:{port}/_stcore/health", server)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(BOOT)


def _wait(address: str, server: subprocess.Popen) -> None:
    end = time.monotonic() + BOOT
    while time.monotonic() < end:
        if server.poll() is not None:
            raise RuntimeError("the server ended before it answered")
        try:
            urllib.request.urlopen(address, timeout=1)
            return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError(f"the server did not answer within {BOOT} seconds")


@pytest.fixture(scope="session")
def app() -> Iterator[str]:
    """One server for all tests that do not need a fresh one."""
    with serve() as address:
        yield address


@pytest.fixture
def fresh() -> Iterator[str]:
    """A server that nobody has visited."""
    with serve() as address:
        yield address
