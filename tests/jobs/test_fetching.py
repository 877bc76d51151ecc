"""Downloads that visitors wait for: shared, told about, stopped, and never a riddle."""

import threading
from typing import ClassVar

import pytest

from mbsgd_core.errors import DataError
from mbsgd_core.jobs.fetching import Fetches
from mbsgd_core.problems.datasets.line import Line

WAIT = 10


class Far(Line):
    """A data set that comes when it is let."""

    going: ClassVar[threading.Event]
    failure: ClassVar[Exception | None]

    @property
    def missing(self) -> int:
        return 100

    def fetch(self, progress=None):
        progress(40, 100)
        while not self.going.wait(0.01):
            progress(40, 100)
        if self.failure:
            raise self.failure
        progress(100, 100)


@pytest.fixture
def far() -> Far:
    Far.going, Far.failure = threading.Event(), None
    return Far()


def test_those_who_want_the_same_wait_for_the_same(far):
    fetches = Fetches()
    assert fetches.of(far) is None
    fetch = fetches.start(far)
    assert fetches.start(far) is fetch is fetches.of(far) and fetch.total == 100 and fetch.state == "running"
    far.going.set()
    assert fetch.wait(WAIT) and (fetch.state, fetch.done, fetch.message) == ("done", 100, "")
    assert fetches.start(far) is not fetch  # a new wish is a new download


def test_it_can_be_stopped(far):
    fetch = Fetches().start(far)
    fetch.cancel()
    assert fetch.wait(WAIT) and fetch.state == "cancelled" and "stopped" in fetch.message


@pytest.mark.parametrize(
    "failure, words",
    [(DataError("no source has it; try later"), "no source has it"), (ZeroDivisionError(), "not foreseen")],
    ids=["known", "bug"],
)
def test_a_failure_is_a_sentence(far, failure, words):
    Far.failure = failure
    far.going.set()
    fetch = Fetches().start(far)
    assert fetch.wait(WAIT) and fetch.state == "failed" and words in fetch.message and "\n" not in fetch.message
