"""Runs that somebody comes back to: they rest, wait, go on, are found again, and end when nobody listens any more."""

import os
import pickle
import signal
import threading
import time
from functools import partial

import numpy as np
import pytest

from mbsgd_core.jobs import run as chain
from mbsgd_core.jobs import runner as runners
from mbsgd_core.jobs.run import run
from mbsgd_core.jobs.runner import Runner
from mbsgd_core.results.run import RunProgress, View
from mbsgd_core.types import ViewBudget
from tests.jobs._runs import LARGE, LONG, WAIT, assert_engines, assert_same_run, model, surface, train, until

FOREVER = {"budget": {"unit": "epochs", "amount": 1_000_000}}
KINDS = [pytest.param(None, 40, id="recorded"), pytest.param(LARGE, 12, id="judged")]  # and epochs


@pytest.fixture(scope="module")
def one():
    made = Runner(slots=1)
    yield made
    made.shutdown()


@pytest.fixture
def two():
    made = Runner(slots=2)
    yield made
    made.shutdown()


@pytest.fixture
def small(monkeypatch):
    """An update a task."""
    monkeypatch.setattr(chain, "BUDGET", 1e-9)
    monkeypatch.setattr(chain, "CHUNK", 1e-9)


def moves(job) -> bool:
    """Whether every lane has made an update."""
    assert not job.over, job.message
    return job.result is not None and all(lane.update for lane in job.result.lanes)


def submit(runner, wanted, owner="a", known=None):
    """A run from what is known of it."""
    return runner.run(owner, object(), partial(run, wanted.to_json(), known), wanted.to_json())


# --- pausing


@pytest.mark.parametrize(("problem", "epochs"), KINDS)
def test_a_run_that_rests_goes_on_to_the_same_numbers(problem, epochs, one, small):
    wanted = model(problem, budget={"unit": "epochs", "amount": epochs})
    job = one.submit("a", wanted.to_json())
    made: list[int] = []
    for _ in range(3):
        while not moves(job) or [lane.update for lane in job.result.lanes] == made:
            job.wait(0.01)
        one.pause("a")
        until(lambda: job.state == "paused" or job.over)
        assert job.state == "paused" and not job.result.done and 0 < job.progress < 1
        made = [lane.update for lane in job.result.lanes]
        assert one.ask("b", abs, -1).answer(WAIT) == 1  # its worker is free
        assert [lane.update for lane in job.result.lanes] == made
        one.go_on("a")
    assert_same_run(job.answer(WAIT), train(wanted))


def test_pausing_and_going_on_may_come_at_any_time(one, small):
    wanted = surface(epochs=6, seed=21)
    job = one.submit("a", wanted.to_json())
    while not job.over:
        one.pause("a")
        one.pause("a")
        one.go_on("a")
        one.go_on("a")
        time.sleep(0.001)
    assert_engines(job.answer(WAIT).lanes, wanted)
    one.pause("a")
    one.go_on("a")
    one.pause("nobody")
    one.go_on("nobody")


def test_a_run_that_is_paused_before_its_first_task_still_shows_its_start(one):
    gate = one.ask("gate", time.sleep, 0.3)
    job = one.submit("a", surface(LONG).to_json())
    one.pause("a")
    assert job.state == "queued" and gate.wait(WAIT)
    until(lambda: job.resting)
    assert job.state == "paused" and job.result.report["lanes"]
    job.cancel()


def test_what_rests_can_be_stopped(one):
    job = one.submit("a", surface(LONG).to_json())
    one.pause("a")
    until(lambda: job.state == "paused")
    job.cancel()
    assert job.state == "cancelled" and job.result is not None
    one.go_on("a")
    assert job.state == "cancelled" and one.ask("b", abs, -1).answer(WAIT) == 1


def test_a_worker_that_dies_while_a_run_is_paused_changes_nothing(one, small):
    wanted = model(budget={"unit": "epochs", "amount": 40}, seed=3)
    pid = one.ask("pid", os.getpid).answer(WAIT)
    job = one.submit("a", wanted.to_json())
    until(lambda: moves(job))
    one.pause("a")
    until(lambda: job.state == "paused")
    os.kill(pid, signal.SIGKILL)
    until(lambda: one.ask("pid", os.getpid).answer(WAIT) != pid)
    one.go_on("a")
    assert_same_run(job.answer(WAIT), train(wanted))


# --- waiting at the start


@pytest.mark.parametrize(("problem", "epochs"), KINDS)
def test_a_run_that_is_held_waits_at_its_start_with_a_report(problem, epochs, one):
    wanted = model(problem, budget={"unit": "epochs", "amount": epochs}, seed=1)
    job = one.submit("a", wanted.to_json(), held=True)
    until(lambda: job.state == "waiting" or job.over)
    assert job.state == "waiting" and [lane.update for lane in job.result.lanes] == [0, 0] and job.progress == 0
    assert [lane["records"] for lane in job.result.report["lanes"]] == [1, 1]
    assert not job.result.report["finished"]
    one.go_on("a")
    assert_same_run(job.answer(WAIT), train(wanted))


def test_a_held_run_can_be_let_go_before_it_has_begun(one):
    gate = one.ask("gate", time.sleep, 0.3)
    job = one.submit("a", surface(seed=22).to_json(), held=True)
    one.go_on("a")
    assert gate.wait(WAIT)
    assert_engines(job.answer(WAIT).lanes, surface(seed=22))


def test_a_held_picture_that_moves_makes_its_first_report_and_rests(one):
    short, view = surface(seed=23), View(view_budget=ViewBudget(100))
    assert one.submit("a.0", short.to_json(), view, held=True).answer(WAIT).done
    job = one.submit("a.0", surface(LONG).to_json(), view, held=True)
    until(lambda: job.resting)
    assert job.state == "paused" and all(lane.update for lane in job.result.lanes)
    job.cancel()


@pytest.mark.parametrize("held", [False, True])
def test_a_worker_that_dies_in_the_first_task_changes_nothing(one, held):
    pid = one.ask("pid", os.getpid).answer(WAIT)
    gate = one.ask("gate", time.sleep, 0.2)
    wanted = surface(seed=24 + held)
    job = one.submit("a", wanted.to_json(), held=held)
    assert gate.wait(WAIT)
    os.kill(pid, signal.SIGKILL)
    if held:
        until(lambda: job.state == "waiting")
        one.go_on("a")
    assert_engines(job.answer(WAIT).lanes, wanted)


# --- found again


def test_the_same_owner_finds_its_run_again_paused_too(one):
    wanted = surface(LONG).to_json()
    job = one.submit("a", wanted)
    until(lambda: moves(job))
    assert one.submit("a", wanted) is job and one.submit("a", wanted, held=True) is job and not job.held
    one.pause("a")
    until(lambda: job.state == "paused")
    assert one.submit("a", wanted) is job and job.state == "paused"  # whoever looks at it does not let it go on
    assert one.submit("b", wanted) is not job
    job.cancel()
    assert one.submit("a", wanted) is not job


def test_two_owners_have_runs_of_their_own(two, small):
    wanted = {owner: model(budget={"unit": "epochs", "amount": 20}, seed=10 + i) for i, owner in enumerate("ab")}
    jobs = {owner: two.submit(owner, wanted[owner].to_json()) for owner in wanted}
    until(lambda: moves(jobs["a"]))
    two.pause("a")
    until(lambda: jobs["a"].state == "paused")
    assert_same_run(jobs["b"].answer(WAIT), train(wanted["b"]))
    assert jobs["a"].state == "paused"
    two.go_on("a")
    assert_same_run(jobs["a"].answer(WAIT), train(wanted["a"]))


def test_panels_asked_for_later_are_in_a_later_report_of_the_same_run(one):
    wanted = model(**FOREVER)
    job = one.submit("a", wanted.to_json(), View(("path",)))
    until(lambda: moves(job))
    assert job.result.report["shown"] == ("path",)
    assert one.submit("a", wanted.to_json(), View(("boundary", "confusion"))) is job
    until(lambda: job.result.report["shown"] == ("boundary", "confusion"))
    assert "lane0/learned/label" in job.result.report["arrays"] and "z" not in job.result.report["arrays"]
    job.cancel()


def test_panels_asked_for_of_a_finished_run_are_drawn_without_training_again(one):
    wanted = model(seed=5)
    first = one.submit("a", wanted.to_json(), View(("path",))).answer(WAIT)
    more = one.submit("a", wanted.to_json(), View(("confusion",))).answer(WAIT)
    assert more.report["shown"] == ("confusion",)
    assert [lane.spent for lane in more.lanes] == [lane.spent for lane in first.lanes]
    assert_same_run(more, first)


def test_memory_is_measured_for_who_rests_on_what_was_dragged(one):
    wanted = model(seed=6)
    dragged = one.submit("a.0", wanted.to_json(), View(view_budget=ViewBudget(10_000))).answer(WAIT)
    assert dragged.report["lanes"][0]["memory"] is None and dragged.report["thinned"] is None
    assert one.submit("a.1", wanted.to_json(), View(view_budget=ViewBudget(10_000))).result is dragged
    rest = one.submit("a", wanted.to_json()).answer(WAIT)
    assert len(rest.report["lanes"][0]["memory"]) == 6
    assert one.submit("b", wanted.to_json()).result is rest


def test_stop_keeps_what_there_is_and_it_can_go_on(one):
    long = model(**FOREVER)
    job = submit(one, long)
    until(lambda: moves(job))
    job.cancel()
    known = job.result
    assert job.state == "cancelled" and known.lanes[1].state is not None and not known.done
    again = submit(one, long, known=pickle.loads(pickle.dumps(known)))
    until(lambda: again.result and again.result.lanes[1].update > known.lanes[1].update)
    again.cancel()
    for name in ("theta", "loss", "update"):
        old, new = (getattr(run.lanes[1].trace, name) for run in (known, again.result))
        axis = min(old.ndim - 1, 1)
        np.testing.assert_array_equal(new.take(range(old.shape[axis]), axis), old)


# --- the lease


def test_a_run_that_nobody_listens_to_any_more_ends(two, monkeypatch):
    monkeypatch.setattr(runners, "LEASE", 0.3)
    heard, left, never, rests = (two.submit(owner, surface(LONG, seed=i).to_json()) for i, owner in enumerate("abcd"))
    told = [threading.Event() for _ in range(3)]
    for job, event in zip((heard, left, rests), told, strict=True):
        job.listen(event.set)
    two.pause("d")
    until(lambda: rests.state == "paused")
    until(lambda: left.result)  # four runs take turns: on a busy machine the lease is shorter than a turn
    left.leave(told[1].set)
    rests.leave(told[2].set)
    until(lambda: left.over and rests.over)
    assert left.state == rests.state == "cancelled" and left.result is not None
    progress = heard.progress, never.progress
    until(lambda: (heard.progress, never.progress) > progress)
    assert not heard.over and not never.over and told[0].is_set()


def test_who_comes_back_in_time_finds_it(two, monkeypatch):
    monkeypatch.setattr(runners, "LEASE", 1.0)
    job, event = two.submit("a", surface(LONG).to_json()), threading.Event()
    for _ in range(3):
        job.listen(event.set)
        job.leave(event.set)
        time.sleep(0.4)
        assert two.submit("a", surface(LONG).to_json()) is job
    job.listen(event.set)
    event.clear()
    assert job.unheard() == 0 and event.wait(WAIT) and not job.over
    job.leave(event.set)
    until(lambda: job.over)


def test_one_of_two_listeners_is_enough(two, monkeypatch):
    monkeypatch.setattr(runners, "LEASE", 0.2)
    job, first, second = two.submit("a", surface(LONG).to_json()), threading.Event(), threading.Event()
    job.listen(first.set)
    job.listen(second.set)
    job.leave(first.set)
    end = time.monotonic() + 0.5
    until(lambda: time.monotonic() > end)
    assert job.unheard() == 0 and not job.over
    job.leave(second.set)
    until(lambda: job.over)


def test_who_was_expected_and_never_came_is_gone(two, monkeypatch):
    monkeypatch.setattr(runners, "LEASE", 0.2)
    job = two.submit("a", surface(LONG).to_json())
    job.expect()
    until(lambda: job.over)
    assert job.state == "cancelled"


# --- turns


def test_who_has_just_come_goes_before_those_who_train(one):
    order, gate = [], one.ask("gate", time.sleep, 0.5)

    def turns(job, patient):
        job.tell(patient=patient)
        for _ in range(3):
            order.append(job.owner)
            yield time.sleep, (0.01,)

    jobs = [one.run(owner, "turns", partial(turns, patient=owner != "visitor")) for owner in ("a", "b", "visitor")]
    order.clear()  # a chain's first task is made when it is asked for
    assert all(job.wait(WAIT) for job in [gate, *jobs])
    assert order == ["visitor", "a", "b", "visitor", "a", "b"]


def test_those_who_train_leave_a_worker_to_the_others(two, monkeypatch):
    """Of two slots one is never theirs, however many train: a question is answered in the middle of a long task."""
    monkeypatch.setattr(chain, "CHUNK", 30.0)

    def training_turns():
        return [turn for turn in list(two._turns.values()) if turn.job.patient]

    jobs = [two.submit(owner, model(**FOREVER).to_json()) for owner in "ab"]
    before = None
    while not before or training_turns() != before:  # until a task is long, and who could take a slot has taken it
        before = training_turns()
        time.sleep(0.3)
    assert len(before) == 1
    for i in range(5):
        assert two.ask(i, sum, [1, 2]).answer(WAIT) == 3
    assert training_turns() == before
    for job in jobs:
        job.cancel()


@pytest.mark.parametrize(("problem", "epochs"), KINDS)
def test_a_killed_worker_changes_nothing(problem, epochs, one, small):
    wanted = model(problem, budget={"unit": "epochs", "amount": epochs}, seed=2)
    pid = one.ask("pid", os.getpid).answer(WAIT)
    job = one.submit("a", wanted.to_json())
    job.wait(WAIT, partial_result=True)
    os.kill(pid, signal.SIGKILL)
    found = job.answer(WAIT)
    assert isinstance(found, RunProgress)
    assert_same_run(found, train(wanted))
    assert one.ask("pid", os.getpid).answer(WAIT) != pid


def test_the_cursor_of_a_run_that_is_forgotten_ends_no_other(one):
    job = one.submit("a", surface(LONG).to_json())
    until(lambda: moves(job))
    told = one.at_cursor("a", surface(seed=31).to_json(), [0, 1, 2], WAIT)
    assert [lane["index"] for lane in told] == [0, 1, 2] and not job.over
    job.cancel()
