"""What was seen of a run on Train, to be played again (floor 6): fetched once from an address of its own.

It would be too much to send with every change of the page. An address is a long random number: who has been told it
may have the film.
"""

import uuid
from collections import OrderedDict
from threading import Lock

import streamlit as st
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

PATH = "lab/film"
CAPACITY = 64_000_000  # bytes of all films together; the oldest give way


class Films:
    """The newest films, by their address."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._kept: OrderedDict[str, bytes] = OrderedDict()

    def put(self, film: bytes) -> str:
        """Keep a film; its address below the app's root."""
        name = uuid.uuid4().hex
        with self._lock:
            self._kept[name] = film
            while sum(map(len, self._kept.values())) > CAPACITY and len(self._kept) > 1:
                self._kept.popitem(last=False)
        return f"{PATH}/{name}"

    def get(self, name: str) -> bytes | None:
        """The film with this name, while it is kept."""
        return self._kept.get(name)


@st.cache_resource(show_spinner=False)
def films() -> Films:
    """The server's films."""
    return Films()


def route() -> Route:
    """Where the server answers."""
    return Route(f"/{PATH}/{{name}}", _film, methods=["GET"])


async def _film(request: Request) -> Response:
    film = films().get(request.path_params["name"])
    if film is None:
        return PlainTextResponse("This film is no longer kept; train again to see it.", 404)
    headers = {"Cache-Control": "private, max-age=86400, immutable"}
    return Response(film, media_type="application/octet-stream", headers=headers)
