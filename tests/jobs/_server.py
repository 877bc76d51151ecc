"""A server as `make run` starts it, and what the system knows of its processes (Linux)."""

import json
import os
import re
import shlex
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets import Subprotocol
from websockets.sync.client import connect

from mbsgd_core import share
from mbsgd_core.experiment import Experiment
from mbsgd_core.ui import channel, presets

ROOT = Path(__file__).parents[2]
PATIENCE = 120.0  # seconds; far more than anything here needs


class Server(NamedTuple):
    """A running server; its processes are those of its session."""

    process: subprocess.Popen
    address: str
    log: Path


class Process(NamedTuple):
    """One process of a server."""

    pid: int
    nice: int
    seconds: float  # of processor time, its ended children's too


@contextmanager
def served(folder: Path, **environment: str) -> Iterator[Server]:
    """The command line of `make run`, on a free port of this machine; its log goes to a file in folder."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    recipe = re.search(r"^run:.*\n\t(.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert recipe is not None
    command = shlex.split(recipe[1].replace("$(BIN)", ".venv/bin"))
    command += ["--server.address=127.0.0.1", f"--server.port={port}", "--server.headless=true"]
    log = folder / "server.log"
    with log.open("w") as out:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, **environment},
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    server = Server(process, f"http://127.0.0.1:{port}", log)
    try:
        wait_for(lambda: _is_healthy(server), log)
        yield server
    finally:
        process.terminate()
        process.wait(PATIENCE)


def _is_healthy(server: Server) -> bool:
    assert server.process.poll() is None, server.log.read_text()
    try:
        return urllib.request.urlopen(f"{server.address}/_stcore/health", timeout=5).status == 200
    except OSError:
        return False


def wait_for(condition: Callable[[], Any], log: Path | None = None) -> Any:
    """What condition() says as soon as it is something."""
    end = time.monotonic() + PATIENCE
    while not (found := condition()):
        assert time.monotonic() < end, log.read_text() if log else "what was waited for did not happen"
        time.sleep(0.05)
    return found


def drag(server: Server, rate: float) -> bytes:
    """What the bench gets when somebody drags the rate of the first lesson."""
    link = share.to_query(Experiment.model_validate(presets.first()["experiment"]))
    question = {"owner": "a test", "link": link, "seq": 1, "take": 0, "key": None, "at": None, "panels": []}
    question["edit"] = {"lane": 0, "key": "learning_rate", "value": rate}
    request = urllib.request.Request(f"{server.address}/{channel.PATH}/run", json.dumps(question).encode())
    return urllib.request.urlopen(request, timeout=PATIENCE).read()


@contextmanager
def visit(server: Server) -> Iterator[None]:
    """A visitor of the home page, who stays; from when the page stands."""
    address = f"{server.address.replace('http', 'ws')}/_stcore/stream"
    with connect(address, subprotocols=[Subprotocol("streamlit")], max_size=None) as socket_of_page:
        socket_of_page.send(BackMsg(rerun_script={"query_string": ""}).SerializeToString())
        while not ForwardMsg.FromString(socket_of_page.recv(PATIENCE)).HasField("script_finished"):
            pass
        yield


def processes_of(server: Server) -> list[Process]:
    """All processes of the server's session that have not ended."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = stat.read_text()
        except OSError:  # it has just ended
            continue
        fields = text.rpartition(")")[2].split()  # from the third on, proc(5)
        if int(fields[3]) == server.process.pid and fields[0] != "Z":
            ticks = sum(map(int, fields[11:15]))
            found.append(Process(int(text.split()[0]), int(fields[16]), ticks / os.sysconf("SC_CLK_TCK")))
    return found
