"""A server of which nobody wants anything does nothing, whatever else happens on the machine."""

import subprocess
import sys
import time

from mbsgd_core.jobs.compiling import NICE
from tests.jobs._server import ROOT, Server, drag, processes_of, served, visit, wait_for

SECONDS, MOST = 20, 0.02  # of a core

# Another program that uses the same .venv: it opens files there, some thousands a second at most.
READER = """
import time
from pathlib import Path
while True:
    for path in Path(".venv").rglob("*.py"):
        path.read_bytes()
        time.sleep(0.0005)
"""


def used_in(seconds: float, server: Server) -> float:
    """Seconds of processor time that the server takes in so many seconds."""
    before = sum(process.seconds for process in processes_of(server))
    time.sleep(seconds)
    return sum(process.seconds for process in processes_of(server)) - before


def test_an_idle_server_is_idle(tmp_path, compiled_lanes):
    """Its page is open in somebody's browser: Streamlit watches files from the first visit on, if it watches."""
    reading = [sys.executable, "-c", READER]
    with served(tmp_path) as server, visit(server), subprocess.Popen(reading, cwd=ROOT) as reader:
        try:
            assert drag(server, 0.05)
            wait_for(lambda: not [p for p in processes_of(server) if p.nice == NICE], server.log)
            wait_for(lambda: used_in(1, server) < MOST, server.log)  # what it had begun is done: all workers have torch
            used = used_in(SECONDS, server)
            assert used < MOST * SECONDS, f"{used / SECONDS:.1%} of a core"
            assert "overflowed" not in server.log.read_text()
            assert reader.poll() is None
        finally:
            reader.kill()
