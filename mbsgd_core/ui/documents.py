"""The documents of the pages (floor 6): Streamlit's own, with the bench in them.

Streamlit needs a second and more to stand up in a browser. The bench does not wait for it: in the home page's document
its files come first, it asks for its run by itself (assets/bench/arrival.js), and is shown where Streamlit's page will
have its place. From the other pages' documents its files are fetched once nothing else is to be done.
"""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route
from streamlit.file_util import get_static_dir

from mbsgd_core import share, view
from mbsgd_core.results.header import PageHeader
from mbsgd_core.ui import files, frame, presets
from mbsgd_core.ui.page_header import page_header

# Below which address Streamlit finds its server: else it asks first below the page's own, and is answered with errors.
_SERVER = '<script>window.__streamlit = {BACKEND_BASE_URL: new URL("./", location.href).href}</script>'
FIRST_TAKE = 1  # the number of what a session shows first: the page that Streamlit draws then is no news


def routes() -> list[Route]:
    """The address of every page; what a page is not, is Streamlit's."""
    answers = {name: _home if name == frame.HOME else _other for name in frame.pages()}
    addresses = {name: "" if name == frame.HOME else name.replace(" ", "_") for name in answers}
    return [Route(f"/{addresses[name]}", answer, methods=["GET", "HEAD"]) for name, answer in answers.items()]


async def _home(request: Request) -> Response:
    header = await run_in_threadpool(arrival, dict(request.query_params))
    words = json.dumps(header, allow_nan=False).replace("<", "\\u003c")
    asked = [
        *_links("stylesheet", files.STYLES),
        *_links("modulepreload", files.MODULES),
        f'<script type="application/json" id="mbsgd-page">{words}</script>',
        f'<script type="module" async src="{_address("arrival.js")}"></script>',
    ]
    return _document(asked)


async def _other(request: Request) -> Response:
    return _document([_SERVER, *_links("prefetch", (*files.STYLES, *files.MODULES))])


def arrival(given: Mapping[str, str]) -> PageHeader:
    """What the bench is told by its document: the page of a visitor who has just come.

    Args:
        given: the parameters of the address; what is wrong with them is said by the page itself.
    """
    experiment, _ = share.from_query(dict(given), page=True, fallback=presets.opening())
    wanted, _ = view.from_query(given)
    embed = given.get("embed", "").lower() == "true"
    return page_header(experiment, take=FIRST_TAKE, view=wanted, embed=embed)


def _document(asked: list[str]) -> Response:
    head = "<head>"
    text = _streamlits().replace(head, "\n    ".join([head, *asked]), 1)
    return HTMLResponse(text, headers={"Cache-Control": "no-cache"})


@cache
def _streamlits() -> str:
    return (Path(get_static_dir()) / "index.html").read_text("utf-8")


def _links(relation: str, names: tuple[str, ...]) -> list[str]:
    return [f'<link rel="{relation}" href="{_address(name)}">' for name in names]


def _address(name: str) -> str:
    # Relative, as Streamlit's own are: the app may be hosted below another path.
    return f"./{files.BASE}/bench/{name}"
