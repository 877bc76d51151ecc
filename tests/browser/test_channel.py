"""The server's own addresses on the whole server: what may be kept, what streams, who frees a run.

What the channel answers to which question is tested without a server, in tests/pages/test_channel.py.
"""

import json
import time
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urljoin, urlsplit

import pytest

from mbsgd_core import share
from mbsgd_core.experiment import Experiment
from mbsgd_core.jobs import pace
from mbsgd_core.ui import channel, files
from tests.browser._bench import experiment
from tests.browser.conftest import serve
from tests.pages._channel import WAIT, Bench

FIRST = experiment("01_three_methods")
QUESTION = {"owner": "somebody", "link": share.to_query(FIRST), "seq": 3, "take": 1, "key": ""}
DRAG = {"key": "momentum", "value": 0.5, "lane": 2}


def long_run(seed: int) -> Experiment:
    """A network that is trained for minutes: with dropout no lane is compiled, and the page allows 200,000 updates."""
    problem = {"name": "mlp", "dataset": "moons", "hidden": [8, 8], "dropout": 0.1}
    draft = FIRST.model_dump(mode="json")
    more = {
        "budget": {"unit": "updates", "amount": 200_000},
        "start": None,
        "seed": seed,
        "lanes": draft["lanes"][1:2] * 6,
    }
    return Experiment.model_validate(draft | {"problem": problem} | more)


@pytest.fixture
def bench(app: str) -> Iterator[Bench]:
    made = Bench(int(urlsplit(app).port or 0))
    yield made
    made.close()


def until(come: Callable[[], Any]) -> Any:
    end = time.monotonic() + WAIT
    while not (found := come()):
        assert time.monotonic() < end, "it never came"
        time.sleep(0.05)  # asking is work for the server, which is at work already
    return found


@pytest.mark.parametrize("file, kind", [("bench/main.js", "javascript"), ("bench/panels/panels.css", "css")])
def test_the_benchs_files_may_be_kept_for_ever(app: str, file: str, kind: str):
    with urllib.request.urlopen(f"{app}/{files.BASE}/{file}", timeout=WAIT) as answer:
        assert kind in answer.headers["Content-Type"] and "immutable" in answer.headers["Cache-Control"]


def test_what_the_page_asks_for_exists(app: str):
    with urllib.request.urlopen(urljoin(f"{app}/{files.BASE}/bench/", files.PLOTLY), timeout=WAIT) as answer:
        assert answer.status == 200 and "immutable" in answer.headers["Cache-Control"]


def test_plotly_in_the_browser_is_the_version_that_python_knows():
    from plotly.offline import get_plotlyjs_version

    text = (files.VENDOR / "plotly-cartesian.min.js").read_text("utf-8")[:300]
    assert f"v{get_plotlyjs_version()}" in text


def test_a_run_streams_while_it_is_under_way(bench: Bench):
    """Nothing in the server holds messages back until it has all of them."""
    assert pace.guess(long_run(1)) > channel.BY_ITSELF
    stream = bench.run(long_run(1), owner="streams", go=True)
    head = stream.answer.headers
    assert head["Content-Type"] == "application/octet-stream" and head["Cache-Control"] == "no-store"
    assert head["Content-Length"] is None
    updates = [stream.until("running")[0]["status"]["progress"] for _ in range(3)]
    assert updates == sorted(updates) and updates[-1] < 1
    assert bench.ask("pause", {"owner": "streams"}) == (204, "")
    assert stream.until("paused")


def test_a_drag_on_the_whole_server(bench: Bench):
    ((header, arrays),) = list(bench.run(FIRST, owner="drags.0", edit=DRAG, seq=3))
    assert header["seq"] == 3 and header["status"]["state"] == "done"
    assert header["lanes"][2]["knobs"]["momentum"] == 0.5 and len(arrays["lane1/loss"]) == FIRST.updates(1) + 1


def test_numbers_are_not_packed_for_the_way(app: str):
    """A browser offers to unpack; packing takes longer than it saves."""
    body = json.dumps(QUESTION | {"owner": "packs.0", "edit": DRAG}).encode()
    asked = urllib.request.Request(f"{app}/{channel.PATH}/run", body, {"Accept-Encoding": "gzip, br"})
    with urllib.request.urlopen(asked, timeout=WAIT) as answer:
        assert answer.headers["Content-Encoding"] in (None, "identity")
        assert int.from_bytes(answer.read()[:4], "little") > 0


def test_the_cursor_on_the_whole_server(bench: Bench):
    header, _ = bench.run(FIRST, owner="looks").until("done")
    status, text = bench.ask("cursor", {"owner": "looks", "link": header["link"], "indices": [0, 5, 10**9]})
    lanes = json.loads(text)["lanes"]
    assert status == 200 and [lane["index"] for lane in lanes] == [0, 5, header["lanes"][2]["records"] - 1]


@pytest.mark.parametrize(
    "body",
    [b"", b"[" * 50_000, QUESTION | {"edit": DRAG | {"key": "__class__"}}],
    ids=["nothing", "deep", "a name of Python's own"],
)
def test_nonsense_is_refused_in_one_line(bench: Bench, body: Any):
    status, answer = bench.ask("run", body)
    assert status == 400 and "Traceback" not in answer and "\n" not in answer.strip() and len(answer) < 400


def test_a_question_too_large_is_refused(bench: Bench):
    status, answer = bench.ask("run", b" " * 200_000)
    assert status == 413 and "100,000" in answer


def test_a_tab_that_is_closed_frees_its_run(bench: Bench):
    """Its lease runs out. The cursor tells from outside: it knows the records of a run that is under way."""
    wanted = long_run(2)
    question = {"owner": "closes", "link": share.to_query(wanted), "indices": [10**9] * len(wanted.lanes)}

    def record() -> int | None:
        lanes = json.loads(bench.ask("cursor", question)[1])["lanes"]
        return lanes[0]["index"] if lanes else None

    stream = bench.run(wanted, owner="closes", panels=["path"], go=True)
    stream.until("running")
    before = until(record)
    stream.close()
    until(lambda: record() in (None, 0))
    header, _ = bench.run(wanted, owner="closes", panels=["path"]).until("waiting")
    assert before > 0 and header["status"]["progress"] == 0


def test_a_server_stops_though_a_run_streams():
    with serve() as address:  # at the end told to stop, and waited for
        stream = Bench(int(urlsplit(address).port or 0)).run(long_run(3), go=True)
        stream.until("running")
    states = [message[0]["status"]["state"] for message in stream if message is not None]
    assert set(states) <= {"running"}  # no more is known of it: the bench looks for the server again
