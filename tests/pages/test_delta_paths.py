"""No page can turn white: what Streamlit's message queue keeps of a page can always be drawn.

A fragment's deltas carry its id. When it runs before the page's first messages have left, the queue throws away those
with its id and keeps the rest. A later sibling of a place that was thrown away has no place in the browser: "Bad delta
path index", and a white page. So a fragment's own place must be the last in a plain container of its own.
"""

from collections.abc import Callable
from types import SimpleNamespace

import pytest
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.runtime.forward_msg_queue import ForwardMsgQueue
from streamlit.testing.v1 import AppTest

from mbsgd_core import share
from mbsgd_core.experiment import Experiment
from mbsgd_core.ui import frame, presets
from mbsgd_core.ui.singletons import fetches, runner
from tests.pages.test_pages import open_page, unfold

Runs = list[list[ForwardMsg]]
LINE = presets.experiment("03_line_through_patients")


@pytest.fixture
def runs(monkeypatch) -> Runs:
    """The deltas of every script run of a test, a list for each run."""
    found: Runs = []

    class Recorded(ForwardMsgQueue):
        def clear(self, *args, **kwargs) -> None:  # as a script run begins
            super().clear(*args, **kwargs)
            found.append([])

        def enqueue(self, msg: ForwardMsg) -> None:
            super().enqueue(msg)
            if msg.HasField("delta"):
                found[-1].append(msg)

    monkeypatch.setattr("streamlit.testing.v1.local_script_runner.ForwardMsgQueue", Recorded)
    return found


def misplaced(messages: list[ForwardMsg]) -> list[tuple[int, ...]]:
    """The delta paths that a browser cannot place: each must replace what is there, or be the next in its block."""
    children: dict[tuple[int, ...], int] = {(0,): 0, (1,): 0, (2,): 0, (3,): 0}  # main, sidebar, event, bottom
    bad = []
    for message in messages:
        path = tuple(message.metadata.delta_path)
        block, index = path[:-1], path[-1]
        if index > children.get(block, -1):
            bad.append(path)
            continue
        children[block] = max(children[block], index + 1)
        if message.delta.HasField("add_block"):
            children.setdefault(path, 0)
    return bad


def left_over(run: list[ForwardMsg], fragment: str) -> list[ForwardMsg]:
    """What Streamlit sends of a run whose messages all wait when a fragment runs again."""
    queue = ForwardMsgQueue()
    for message in run:
        queue.enqueue(message)
    queue.clear(retain_lifecycle_msgs=True, fragment_ids_this_run=[fragment])
    return queue.flush()


def check(runs: Runs) -> None:
    assert runs and all(runs)
    for run in runs:
        assert not misplaced(run)
        for fragment in {message.delta.fragment_id for message in run} - {""}:
            assert not misplaced(left_over(run, fragment)), fragment


def refused() -> AppTest:
    return open_page(frame.HOME, "v=1&problem=ravine&nonsense=7")


def surveyed() -> AppTest:
    page = open_page(frame.HOME, share.to_query(LINE))
    assert runner().submit("tests", LINE.to_json()).wait(60)
    for box in ("landscape", "instruments", "data", "units", "differences", "known", "pictures", "reading"):
        unfold(page, f"box/{box}")
    next(button for button in page.button if button.label == "Measure").click().run()
    return page


PLACES: dict[str, Callable[[], AppTest]] = {
    **{name: lambda name=name: open_page(name) for name in frame.pages()},
    "a bad link": refused,
    "all boxes open": surveyed,
}


@pytest.mark.parametrize("place", PLACES)
def test_what_is_left_of_a_page_can_be_drawn(place: str, runs: Runs):
    page = PLACES[place]()
    assert not page.exception
    check(runs)


def test_a_download_under_way_leaves_a_page_that_can_be_drawn(monkeypatch, tmp_path, runs: Runs):
    monkeypatch.delenv("MBSGD_DATA", raising=False)
    monkeypatch.setenv("MBSGD_CACHE", str(tmp_path))
    under_way = SimpleNamespace(state="running", message="", done=10, total=100, cancel=lambda: None)

    def wait(_: float) -> bool:
        under_way.state, over = "failed", under_way.done > 10
        under_way.done += 10
        return over

    under_way.wait = wait
    monkeypatch.setattr(fetches(), "of", lambda dataset: under_way)
    draft = {"problem": {"name": "softmax_regression", "dataset": "mnist"}, "lanes": LINE.model_dump()["lanes"]}
    open_page(frame.HOME, share.to_query(Experiment.model_validate(draft)))
    check(runs)


def test_a_sibling_after_a_lost_place_is_found():
    def delta(*path: int, fragment: str = "") -> ForwardMsg:
        message = ForwardMsg()
        message.metadata.delta_path[:] = path
        message.delta.fragment_id = fragment
        message.delta.add_block.vertical.SetInParent()
        return message

    run = [delta(0, 0), delta(0, 1, fragment="a"), delta(0, 1, 0, fragment="a"), delta(0, 2)]
    assert not misplaced(run) and misplaced(left_over(run, "a")) == [(0, 2)]
    held = [delta(0, 0), delta(0, 1), delta(0, 1, 0, fragment="a"), delta(0, 2)]
    assert not misplaced(left_over(held, "a"))
