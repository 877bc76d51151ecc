"""The channel's own addresses behind a real server, and a bench that asks them."""

import http.client
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import uvicorn
from starlette.applications import Starlette

from mbsgd_core import share
from mbsgd_core.experiment import Experiment
from mbsgd_core.figures.payload import unpack
from mbsgd_core.ui import channel

WAIT = 150  # seconds; workers give way to whatever else keeps a machine busy

Message = tuple[dict[str, Any], dict[str, np.ndarray]] | None  # None: a heartbeat


class Stream:
    """A run's messages, as they come."""

    def __init__(self, connection: http.client.HTTPConnection):
        self._connection = connection
        self.answer = connection.getresponse()

    def __iter__(self) -> Iterator[Message]:
        while head := self.answer.read(4):
            size = int.from_bytes(head, "little")
            yield unpack(self.answer.read(size)) if size else None

    def until(self, state: str) -> Message:
        """The first picture of a run in this state."""
        for message in self:
            if message is not None and message[0]["status"]["state"] == state:
                return message
        raise AssertionError(f"the stream ended, and its run was never {state}")

    def close(self) -> None:
        """As a browser does whose tab is closed."""
        self.answer.close()
        self._connection.close()


class Bench:
    """Asks a server on this machine."""

    def __init__(self, port: int):
        self._port, self._open = port, list[Stream]()

    def ask(self, name: str, body: Any, method: str = "POST") -> tuple[int, str]:
        """(status, text) of an answer that is no stream; a body that is bytes goes as it is."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=WAIT)
        try:
            connection.request(method, f"/{channel.PATH}/{name}", _bytes(body))
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def run(self, experiment: Experiment, owner: str = "a", **more: Any) -> Stream:
        """The messages of a run."""
        question = {"owner": owner, "link": share.to_query(experiment), "seq": 1, "take": 0, "key": "", **more}
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=WAIT)
        connection.request("POST", f"/{channel.PATH}/run", _bytes(question))
        self._open.append(Stream(connection))
        assert self._open[-1].answer.status == 200, self._open[-1].answer.read()
        return self._open[-1]

    def close(self) -> None:
        """Leave everything."""
        for stream in self._open:
            stream.close()


def _bytes(body: Any) -> bytes:
    return body if isinstance(body, bytes) else json.dumps(body).encode()


@contextmanager
def served() -> Iterator[int]:
    """The port of a server that has these addresses."""
    config = uvicorn.Config(
        Starlette(routes=channel.routes()), host="127.0.0.1", port=0, lifespan="off", log_level="warning"
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    end = time.monotonic() + WAIT
    while not server.started:
        assert thread.is_alive() and time.monotonic() < end
        time.sleep(0.01)
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = server.force_exit = True
        thread.join(WAIT)
