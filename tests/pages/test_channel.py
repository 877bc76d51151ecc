"""The channel: what streams, who finds a run again, who frees it; and that no question brings it down."""

import json
import os
import time
from typing import Any

import pytest

from mbsgd_core import share
from mbsgd_core.experiment import Experiment
from mbsgd_core.jobs import pace
from mbsgd_core.jobs import runner as runners
from mbsgd_core.jobs.runner import Runner
from mbsgd_core.ui import channel
from tests.pages._channel import WAIT, Bench, served

MOONS = {"name": "mlp", "dataset": {"name": "moons", "samples": 60}, "hidden": [4]}
HOURS = 100_000  # epochs, as many as a page allows


def experiment(problem: Any = None, epochs: int = 6, rate: float = 0.02, **more: Any) -> Experiment:
    schedule = {"name": "constant", "learning_rate": rate}
    samplers = ["full_batch", {"name": "reshuffle", "batch_size": 1}, {"name": "reshuffle", "batch_size": 10}]
    return Experiment.model_validate(
        {
            "problem": problem or {"name": "quadratic", "noise": 1.0},
            "budget": {"unit": "epochs", "amount": epochs},
            "lanes": [{"sampler": sampler, "schedule": schedule} for sampler in samplers],
            **more,
        }
    )


@pytest.fixture(scope="module")
def runner():
    made = Runner(slots=2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(channel, "runner", lambda: made)
        patch.setattr(channel, "LONGEST", WAIT)  # others may keep this machine busy
        yield made
    made.shutdown()


@pytest.fixture(scope="module")
def port(runner):
    with served() as found:
        yield found


@pytest.fixture
def bench(port, runner):
    made = Bench(port)
    yield made
    made.close()
    for job in list(runner._newest.values()):
        job.cancel()


@pytest.fixture
def endless(monkeypatch):
    """A run that takes longer than any test, and counts as one that starts by itself only where it may."""
    long = experiment(MOONS, epochs=1000)
    monkeypatch.setattr(runners.run, "CHUNK", 1e-9)
    monkeypatch.setattr(runners.run, "BUDGET", 1e-9)
    monkeypatch.setattr(pace, "guess", lambda e: 3600.0 if e.budget.amount == 1000 else 0.1)
    return long


def until(come):
    end = time.monotonic() + WAIT
    while not (found := come()):
        assert time.monotonic() < end, "it never came"
        time.sleep(0.01)
    return found


# --- a run


def test_a_short_run_streams_its_pictures_and_ends(bench):
    stream = bench.run(experiment(), seq=7, take=3)
    assert stream.answer.getheader("Content-Type") == "application/octet-stream"
    assert stream.answer.getheader("Cache-Control") == "no-store"
    messages = [message for message in stream if message is not None]
    assert messages[0][0]["kept"] == []  # a second one comes once the costs of updates are measured
    header, arrays = messages[-1]
    assert header["status"]["state"] == "done" and header["status"]["progress"] == 1
    assert (header["kind"], header["seq"], header["link"]) == ("run", 7, share.to_query(experiment()))
    assert header["key"].endswith("-3") and header["panels"] == ["path"]
    assert arrays["lane1/theta"].shape == (header["lanes"][1]["records"], 2)
    assert [lane["knobs"]["learning_rate"] for lane in header["lanes"]] == [0.02] * 3
    assert [bool(lane["pinned"]) for lane in header["lanes"]] == [True, True, False]
    assert stream.answer.read() == b""


def test_a_long_run_waits_for_its_button_and_can_rest(bench, endless):
    stream = bench.run(endless)
    header, _ = stream.until("waiting")
    assert header["status"]["estimate"] > 0 and header["status"]["left"] is None
    assert [lane["records"] for lane in header["lanes"]] == [1, 1, 1]
    going = bench.run(endless, go=True)
    header, _ = going.until("running")
    assert 0 <= header["status"]["progress"] < 1
    assert going.until("running")[0]["lanes"]
    assert bench.ask("pause", {"owner": "a"}) == (204, "")
    header, _ = going.until("paused")
    records = [lane["records"] for lane in header["lanes"]]
    assert stream.until("paused")  # both look at the one run
    again = bench.run(endless)  # after F5: it still rests, as far as it had come
    header, _ = again.until("paused")
    assert [lane["records"] for lane in header["lanes"]] == records
    bench.run(endless, go=True)
    assert again.until("running")


def test_a_run_that_is_found_again_shows_itself_at_once(bench, runner, endless):
    first = bench.run(endless, go=True)
    first.until("running")
    job = runner._newest["a"]
    first.close()
    second = bench.run(endless, seq=2)
    header, _ = next(message for message in second if message is not None)
    assert header["seq"] == 2 and header["status"]["state"] == "running" and runner._newest["a"] is job
    assert "b" not in runner._newest
    bench.run(endless, owner="b", go=True).until("running")
    assert runner._newest["a"] is job and runner._newest["b"] is not job


def test_another_experiment_of_the_same_owner_ends_the_run(bench, endless):
    stream = bench.run(endless, go=True)
    stream.until("running")
    assert bench.run(experiment(seed=1)).until("done")
    header, _ = stream.until("failed")
    assert header["status"]["message"] == "Stopped." and list(stream) == []


def test_panels_asked_for_while_it_rests_are_drawn(bench, endless):
    bench.run(endless, panels=["path"]).until("waiting")
    header, arrays = bench.run(endless, panels=["boundary", "confusion"]).until("waiting")
    assert header["shown"] == ["boundary", "confusion"]
    assert "lane0/learned/label" in arrays and "z" not in arrays


def test_panels_asked_for_while_it_runs_are_in_a_later_picture(bench, endless):
    bench.run(endless, panels=["path"], go=True).until("running")
    stream = bench.run(endless, panels=["confusion"])
    for message in stream:
        if message and message[0]["shown"] == ["confusion"]:
            break
    else:
        pytest.fail("it never came")


def test_what_is_still_right_does_not_travel_again(bench, endless):
    pictures = (message for message in bench.run(endless, go=True) if message is not None)
    header, had = next(pictures)
    assert header["kept"] == []
    for _ in range(3):
        header, arrays = next(pictures)
        kept = set(header["kept"])
        assert {name for name in had if name.startswith("scene/")} <= kept <= set(had) and not kept & set(arrays)
        had = {name: had[name] for name in kept} | arrays


def test_a_quiet_stream_shows_that_somebody_is_there(bench, endless, monkeypatch):
    monkeypatch.setattr(channel, "HEARTBEAT", 0.05)
    stream = iter(bench.run(endless))
    for message in stream:
        if message is not None and message[0]["status"]["state"] == "waiting":
            break
    assert [next(stream) for _ in range(3)] == [None] * 3


def test_who_goes_is_no_longer_heard_and_its_run_ends(bench, runner, endless, monkeypatch):
    monkeypatch.setattr(runners, "LEASE", 0.5)
    first, second = bench.run(endless, go=True), bench.run(endless, go=True)
    first.until("running")
    job = runner._newest["a"]
    until(lambda: len(job._listeners) == 2)
    first.close()
    until(lambda: len(job._listeners) == 1)
    assert second.until("running") and not job.over
    second.close()
    until(lambda: not job._listeners)
    until(lambda: job.over)
    assert job.state == "cancelled"


def test_a_run_that_fails_says_so(bench, runner, monkeypatch):
    monkeypatch.setattr(channel, "_job", lambda question: runner.ask(question.owner, os._exit, 1))
    for more in ({}, {"edit": {"key": "learning_rate", "value": 0.03, "lane": 1}}):
        ((header, arrays),) = [message for message in bench.run(experiment(), **more) if message is not None]
        assert (header["kind"], header["status"]["state"], arrays) == ("failure", "failed", {})
        assert "three times" in header["status"]["message"]


# --- a change


def edit(rate: float, lane: int = 1) -> dict[str, Any]:
    return {"key": "learning_rate", "value": rate, "lane": lane}


def test_a_change_is_answered_with_one_picture(bench, monkeypatch):
    monkeypatch.setattr(channel, "RECORDS", 20)
    before = experiment(seed=2)
    stream = bench.run(before, owner="a.0", edit=edit(0.013), at=["updates", 9], seq=4)
    ((header, arrays),) = list(stream)
    wanted = share.from_query(header["link"], page=True)[0]
    assert header["seq"] == 4 and [lane.schedule.learning_rate for lane in wanted.lanes] == [0.02, 0.013, 0.02]
    assert [lane["knobs"]["learning_rate"] for lane in header["lanes"]] == [0.02, 0.013, 0.02]
    first, records = header["lanes"][1], arrays["lane1/update"]
    assert first["updates"] == 384 and first["records"] == len(records) < 40 and records[first["looked_at"]] == [9]
    ((again, arrays),) = list(bench.run(before, owner="a.0", edit=edit(0.014), key=header["key"]))
    assert "z" in arrays and "lane1/batch" in again["kept"]  # nobody said in which window the surface is at hand
    had = {"key": header["key"], "window": header["problem"]["view"]}
    ((again, arrays),) = list(bench.run(before, owner="a.0", edit=edit(0.014), **had))
    assert {"z", "xs", "ys", "lane1/batch", "lane2/batch"} <= set(again["kept"]) and "z" not in arrays
    assert again["key"] == header["key"]


def test_nothing_trains_on_behind_a_change(bench, runner, endless):
    ((header, _),) = list(bench.run(endless, owner="a.0", edit=edit(0.013)))
    assert header["status"]["state"] == "running" and header["lanes"][1]["knobs"]["learning_rate"] == 0.013
    until(lambda: "a.0" not in runner._newest)


def test_a_start_is_a_change_too(bench):
    ((header, arrays),) = list(bench.run(experiment(), owner="a.0", edit={"start": [1.5, -0.5]}))
    assert arrays["lane0/theta"][0].tolist() == [1.5, -0.5] and header["kind"] == "run"


def test_a_start_from_which_nothing_is_finite_is_shown_too(bench):
    ((header, _),) = list(bench.run(experiment(), owner="a.0", edit={"start": [1e300, 1e300]}))
    assert [lane["badge"]["name"] for lane in header["lanes"]] == ["diverged"] * 3


def test_several_edits_are_one_change(bench):
    edits = {"edits": [edit(0.01, 0), edit(0.03, 2)]}
    ((header, _),) = list(bench.run(experiment(), owner="a.0", edit=edits))
    assert [lane["knobs"]["learning_rate"] for lane in header["lanes"]] == [0.01, 0.02, 0.03]


# --- the cursor


def test_the_cursor_says_what_other_batches_would_say(bench):
    wanted = experiment(seed=3)
    bench.run(wanted).until("done")
    question = {"owner": "a", "link": share.to_query(wanted), "indices": [0, 10**9, 3]}
    status, text = bench.ask("cursor", question)
    lanes = json.loads(text)["lanes"]
    assert status == 200 and [lane["index"] for lane in lanes] == [0, wanted.updates(1), 3]
    assert {"gradient", "fan", "measured", "predicted_with", "predicted_without", "text"} <= set(lanes[1])


def test_there_is_nothing_to_say_at_the_cursor_where_no_path_is_drawn(bench):
    wanted = experiment(MOONS, epochs=2)
    bench.run(wanted, panels=["confusion"]).until("done")
    question = {"owner": "a", "link": share.to_query(wanted), "indices": [0, 0, 0]}
    assert json.loads(bench.ask("cursor", question)[1])["lanes"] == [None] * 3


# --- hostile questions

LINK = share.to_query(experiment())
GOOD = {"owner": "a", "link": LINK, "seq": 1, "take": 0, "key": ""}
BAD: dict[str, Any] = {
    "empty": b"",
    "not JSON": b"{",
    "not text": b"\xff\xfe\x00",
    "a list": [],
    "a number": 3,
    "null": None,
    "deep": b"[" * 50_000,
    "deep objects": b'{"a":' * 15_000,
    "nothing": {},
    "no owner": {k: v for k, v in GOOD.items() if k != "owner"},
    "no link": {k: v for k, v in GOOD.items() if k != "link"},
    "no seq": {k: v for k, v in GOOD.items() if k != "seq"},
    "a seq that is none": GOOD | {"seq": "x"},
    "a seq without end": json.dumps(GOOD).replace('"seq": 1', '"seq": 1e999').encode(),
    "a seq that is NaN": json.dumps(GOOD).replace('"seq": 1', '"seq": NaN').encode(),
    "no such problem": GOOD | {"link": LINK.replace("quadratic", "nope")},
    "a link that says nothing": GOOD | {"link": "x=1"},
    "a link that is too long": GOOD | {"link": LINK + "".join(f"&x{i}=1" for i in range(2_500))},
    "a link of another kind": GOOD | {"link": {"a": 1}},
    "panels that are no list": GOOD | {"panels": 3},
    "an edit that is a list": GOOD | {"edit": [1]},
    "an edit that is empty": GOOD | {"edit": {}},
    "edits that are none": GOOD | {"edit": {"edits": 3}},
    "no edits": GOOD | {"edit": {"edits": [1, 2]}},
    "an unknown knob": GOOD | {"edit": edit(0.1) | {"key": "colour"}},
    "a knob that is no text": GOOD | {"edit": edit(0.1) | {"key": {"a": []}}},
    "a negative lane": GOOD | {"edit": edit(0.1, -1)},
    "a lane too many": GOOD | {"edit": edit(0.1, 3)},
    "a lane that is half": GOOD | {"edit": edit(0.1) | {"lane": 0.5}},
    "a lane that is true": GOOD | {"edit": edit(0.1) | {"lane": True}},
    "a rate that is NaN": json.dumps(GOOD | {"edit": edit(0.125)}).replace("0.125", "NaN").encode(),
    "a rate without end": json.dumps(GOOD | {"edit": edit(0.125)}).replace("0.125", "1e999").encode(),
    "a negative rate": GOOD | {"edit": edit(-1)},
    "a rate in words": GOOD | {"edit": edit(0.1) | {"value": "fast"}},
    "a rate that is deep": GOOD | {"edit": edit(0.1) | {"value": [[[[1]]]]}},
    "a huge batch": GOOD | {"edit": {"key": "batch_size", "value": 10**30, "lane": 2}},
    "a start of one letter": GOOD | {"edit": {"start": "x"}},
    "a start that is NaN": json.dumps(GOOD | {"edit": {"start": [0.125, 1]}}).replace("0.125", "NaN").encode(),
    "an unknown clock": GOOD | {"edit": edit(0.1), "at": ["moons", 3]},
    "a clock that is deep": GOOD | {"edit": edit(0.1), "at": [["updates"], 3]},
    "a time that is none": GOOD | {"edit": edit(0.1), "at": ["updates", "soon"]},
    "a time of three": GOOD | {"edit": edit(0.1), "at": ["updates", 1, 2]},
}
HUGE = {
    "a million edits": b'{"edit": {"edits": [' + b'{"key": "learning_rate", "value": 0.1, "lane": 1}, ' * 1_000_000,
    "two megabytes of link": b'{"link": "' + b"9" * 2_000_000,
    "ten megabytes of nothing": b" " * 10_000_000,
}


def said(answer: tuple[int, str], caplog) -> int:
    """The status of a refusal that is one sentence, and that nobody finds in the log."""
    status, text = answer
    assert 0 < len(text) <= 300 and "Traceback" not in text and "\n" not in text, text
    assert not caplog.records, caplog.text
    return status


@pytest.mark.parametrize("body", BAD.values(), ids=BAD.keys())
def test_a_question_that_makes_no_sense_is_refused_with_a_sentence(body, bench, caplog):
    assert said(bench.ask("run", body), caplog) == 400


@pytest.mark.parametrize("body", HUGE.values(), ids=HUGE.keys())
@pytest.mark.parametrize("name", ["run", "pause", "cursor"])
def test_a_question_that_is_too_large_is_not_read(name, body, bench, caplog):
    assert said(bench.ask(name, body), caplog) == 413


ALL = {name: body for name, body in BAD.items() if not isinstance(body, dict) and "a " not in name}


@pytest.mark.parametrize("body", ALL.values(), ids=ALL.keys())
def test_the_other_addresses_refuse_it_too(body, bench, caplog):
    assert said(bench.ask("pause", body), caplog) == said(bench.ask("cursor", body), caplog) == 400


@pytest.mark.parametrize(
    "indices",
    [b"3", b"null", b"[]", b"[1]", b"[0, 0, 0, 0]", b'["x", 0, 0]', b"[NaN, 0, 0]", b"[1e999, 0, 0]", b"[[0], 0, 0]",
     b"{}", b'"abc"'],
)  # fmt: skip
def test_records_that_are_none_are_refused(indices, bench, caplog):
    body = json.dumps({"owner": "a", "link": LINK}).encode()[:-1] + b', "indices": ' + indices + b"}"
    assert said(bench.ask("cursor", body), caplog) == 400


def test_records_from_far_outside_are_the_nearest(bench):
    question = {"owner": "a", "link": LINK, "indices": [-5, 10**15, 0]}
    status, text = bench.ask("cursor", question)
    assert status == 200 and json.loads(text)["lanes"][0]["index"] == 0


def test_there_is_nothing_to_get(bench):
    for name in ("run", "pause", "cursor"):
        assert bench.ask(name, b"", "GET")[0] == 405
    assert bench.ask("nothing", b"")[0] == 404
    assert bench.ask("pause", {"owner": "nobody"})[0] == 204


def test_many_edits_are_answered_soon(bench):
    """As many as fit into a question."""
    began = time.monotonic()
    ((header, _),) = list(bench.run(experiment(), owner="a.0", edit={"edits": [edit(0.015)] * 1_500}))
    assert header["lanes"][1]["knobs"]["learning_rate"] == 0.015 and time.monotonic() - began < WAIT
