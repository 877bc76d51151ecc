"""The home page's document tells the bench what Streamlit's page will tell it; nothing that is typed gets out of it."""

import asyncio
import json
import re
from concurrent.futures import ThreadPoolExecutor

import pytest
from starlette.requests import Request

from mbsgd_core import share
from mbsgd_core.ui import documents, files, frame, presets, server
from tests.contract.test_frozen_links import LINKS
from tests.pages.test_pages import bench, header

LESSON = share.to_query(presets.experiment("13_momentum_ravine"))
QUERIES = [
    "",
    LESSON,
    f"{LESSON}&view.clock=seconds&view.at=0.4&view.panels=path",
    f"{LESSON}&lane1.rule.momentum=0.5&view.clock=weeks",
    "v=1&problem=mlp&problem.dataset=moons",
    "v=99&problem=nobody&lane1.rule=%00&budget.amount=nan",
    *[link["address"].partition("?")[2] for link in LINKS if link["address"].startswith("/?")][:4],
]


def document(query: str, path: str = "/") -> str:
    """What the server answers."""
    scope = {"type": "http", "method": "GET", "path": path, "query_string": query.encode(), "headers": []}
    (route,) = [route for route in documents.routes() if route.path == path]
    with ThreadPoolExecutor(1) as aside:  # a browser's driver may have a loop in this thread
        answer = aside.submit(asyncio.run, route.endpoint(Request(scope))).result()
    assert answer.status_code == 200 and answer.headers["Cache-Control"] == "no-cache"
    return answer.body.decode()


def told(text: str) -> dict:
    """What a document tells the bench."""
    return json.loads(re.search(r'<script type="application/json" id="mbsgd-page">(.*?)</script>', text)[1])


@pytest.mark.parametrize("query", QUERIES)
def test_it_says_what_the_page_says(query: str):
    early, late = told(document(query)), header(bench(query))
    assert early.pop("theme") is None  # the system's, until Streamlit says
    assert early == {name: late[name] for name in early} and set(late) - set(early) == {"theme", "arrays"}


def test_what_is_typed_into_the_address_stays_a_value():
    text = document("v=1&lane1=%3C/script%3E%3Cscript%3Ealert(1)%3C/script%3E&lane1.sampler=full_batch")
    assert "alert(1)" not in text.replace(r"\u003c/script>\u003cscript>alert(1)\u003c/script>", "")
    assert told(text)["kind"] == "page"


def test_streamlits_own_document_is_in_it_and_all_files_that_it_names_are_served():
    for name in ("/", *(f"/{page}" for page in frame.pages() if page != frame.HOME)):
        text = document("", name)
        assert 'src="./static/js/index.' in text and '<div id="root">' in text
        named = re.findall(rf'"\./{files.BASE}/([^"]+)"', text)
        assert set(named) >= {f"bench/{file}" for file in (*files.STYLES, *files.MODULES)}
        assert set(named) <= set(files.served())
        assert ("mbsgd-page" in text) == (name == "/")


def test_all_addresses_lie_below_the_path_that_the_server_is_told(monkeypatch):
    own = [route.path for route in server.routes()]
    monkeypatch.setattr(server.config, "get_option", {"server.baseUrlPath": "/some/app/"}.get)
    assert [route.path for route in server.routes()] == [f"/some/app{path}" for path in own]
