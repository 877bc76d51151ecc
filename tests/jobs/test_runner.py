"""The runner: the same numbers whatever happens on the way, and nobody waits for ever."""

import os
import signal
import time

import pytest

from mbsgd_core.errors import JobCancelled, JobError
from mbsgd_core.jobs import run, runner, tasks
from mbsgd_core.jobs.runner import Runner
from mbsgd_core.results.run import View
from mbsgd_core.types import ViewBudget
from tests.jobs._runs import LONG, WAIT, assert_engines, surface
from tests.jobs._workers import RUNAWAYS, run_script


@pytest.fixture(scope="module")
def two():
    """Two slots, shared by the tests."""
    made = Runner(slots=2)
    yield made
    made.shutdown()


@pytest.fixture(scope="module")
def one():
    """A single slot, so that jobs must take turns."""
    made = Runner(slots=1)
    yield made
    made.shutdown()


def test_result_equals_the_engine(two):
    wanted = surface()
    job = two.submit("a", wanted.to_json())
    result = job.answer(WAIT)
    assert (job.state, job.progress, result.done, result.progress) == ("done", 1.0, True, 1.0)
    assert_engines(result.lanes, wanted)
    assert all(lane.state is None and lane.costs.engine.seconds > 0 for lane in result.lanes)
    assert result.report["finished"]


@pytest.mark.parametrize("change", [{"epochs": 0}, {"rate": 1e9}, {"runs": 3}, {"dtype": "float32"}])
def test_edges(two, change):
    wanted = surface(**change)
    assert_engines(two.submit("a", wanted.to_json()).answer(WAIT).lanes, wanted)


def test_a_killed_worker_changes_nothing(one, monkeypatch):
    monkeypatch.setattr(run, "BUDGET", 1e-9)
    monkeypatch.setattr(run, "CHUNK", 0.01)
    wanted = surface(epochs=40, seed=3)
    pid = one.ask("pid", os.getpid).answer(WAIT)
    job = one.submit("a", wanted.to_json())
    job.wait(WAIT, partial_result=True)
    os.kill(pid, signal.SIGKILL)
    assert_engines(job.answer(WAIT).lanes, wanted)
    assert one.ask("pid", os.getpid).answer(WAIT) != pid


def test_a_task_that_always_kills_its_worker_fails(one):
    job = one.ask("a", os._exit, 1)
    assert job.wait(WAIT) and job.state == "failed" and "three times" in job.message
    assert one.ask("a", abs, -1).answer(WAIT) == 1


def test_a_dying_worker_leaves_others_alone(two):
    wanted = surface(epochs=30, seed=5)
    bystander = two.submit("bystander", wanted.to_json())
    assert two.ask("villain", os._exit, 1).wait(WAIT)
    assert_engines(bystander.answer(WAIT).lanes, wanted)


def test_cancel_keeps_what_is_known_and_frees_the_worker(one):
    job = one.submit("a", surface(LONG).to_json())
    assert job.wait(WAIT, partial_result=True) and job.state == "running" and 0 < job.progress < 1
    job.cancel()
    assert job.state == "cancelled" and not job.result.done
    assert one.ask("b", abs, -1).answer(WAIT) == 1
    with pytest.raises(JobCancelled, match="Stopped"):
        job.answer(WAIT)


@pytest.mark.parametrize("runaway", RUNAWAYS)
def test_cancel_kills_a_task_that_does_not_end(one, runaway):
    job = one.ask("a", *RUNAWAYS[runaway])
    while job.state == "queued":
        time.sleep(0.01)
    job.cancel()
    assert one.ask("b", abs, -1).answer(WAIT) == 1


def test_cancel_removes_what_waits(one):
    first = one.ask("a", time.sleep, 0.3)
    waits = one.submit("b", surface(LONG).to_json())
    waits.cancel()
    assert first.wait(WAIT) and first.state == "done" and waits.state == "cancelled" and waits.result is None
    waits.cancel()  # again is nothing


def test_a_newer_job_of_the_same_owner_replaces_the_older(one):
    older = one.submit("a", surface(LONG).to_json())
    assert one.submit("a", surface(LONG).to_json()) is older  # the same again is the same job
    newer = one.submit("a", surface(seed=7).to_json())
    assert older.state == "cancelled"
    assert_engines(newer.answer(WAIT).lanes, surface(seed=7))


def test_owners_take_turns(one):
    order = []

    def chain(job):
        for _ in range(4):
            order.append(job.owner)
            yield time.sleep, (0.02,)

    busy = one.ask("c", time.sleep, 0.2)
    jobs = [one.run(owner, "turns", chain) for owner in "ab"]
    assert all(job.wait(WAIT) for job in [busy, *jobs])
    assert order == list("abababab")


def test_a_task_that_takes_too_long_is_stopped(one, monkeypatch):
    monkeypatch.setattr(runner, "UNKNOWN", 0.2)
    job = one.ask("a", *RUNAWAYS["c"])
    assert job.wait(WAIT) and job.state == "failed" and "took more than" in job.message
    monkeypatch.undo()
    assert one.ask("a", abs, -1).answer(WAIT) == 1


def test_a_refused_experiment_fails_with_its_sentence(one):
    with pytest.raises(JobError, match="no problem is called 'nope'"):
        one.submit("a", '{"problem": "nope", "lanes": []}').answer(WAIT)


def test_a_bug_is_no_riddle_and_no_traceback(one, caplog):
    with pytest.raises(JobError, match="ZeroDivisionError"):
        one.ask("a", divmod, 1, 0).answer(WAIT)
    assert "ZeroDivisionError" in caplog.text


def test_the_queue_is_bounded(one, monkeypatch):
    monkeypatch.setattr(runner, "WAITING", 2)
    jobs = [one.ask(owner, time.sleep, 0.2) for owner in "ab"]
    with pytest.raises(JobError, match="busy"):
        one.ask("c", abs, 1)
    assert all(job.wait(WAIT) for job in jobs)


def test_equal_experiments_are_run_once(two):
    wanted = surface(seed=11).to_json()
    result = two.submit("a", wanted).answer(WAIT)
    again = two.submit("b", wanted)
    assert again.over and again.result is result


def test_a_glance_is_followed_by_the_whole_picture_of_the_same_run(two):
    wanted = surface(epochs=20, seed=13)  # 1,280 updates of the second lane
    glimpse = two.submit("a.0", wanted.to_json(), View(view_budget=ViewBudget(100))).answer(WAIT)
    assert glimpse.report["thinned"] == ViewBudget(100) and glimpse.report["lanes"][1]["records"] < 150
    assert two.submit("b", wanted.to_json(), View(view_budget=ViewBudget(100))).result is glimpse
    elsewhere = two.submit("a.0", wanted.to_json(), View(view_budget=ViewBudget(100, "updates", 9))).answer(WAIT)
    assert elsewhere.report["lanes"][1]["looked_at"] == [9]
    whole = two.submit("a", wanted.to_json()).answer(WAIT)
    assert whole.report["thinned"] is None and whole.report["lanes"][1]["records"] == 1281
    assert_engines(glimpse.lanes, wanted)
    assert_engines(whole.lanes, wanted)
    assert whole.lanes[1].spent == glimpse.lanes[1].spent  # nothing was trained again
    assert two.submit("a.0", wanted.to_json(), View(view_budget=ViewBudget(100))).result is whole


def test_at_cursor(two):
    wanted = surface(seed=12)
    told = two.at_cursor("a", wanted.to_json(), [0, 10**9, 3])
    assert [lane["index"] for lane in told] == [0, wanted.updates(1), 3]


def test_suggestion(two):
    # Half the inverse of the largest curvature, which is 10.
    assert two.ask("a", tasks.suggestion, surface().to_json()).answer(WAIT)[0] == pytest.approx(0.05)


def test_the_web_half_has_no_torch_and_workers_do_not_run_the_script(tmp_path):
    script = f"""
with open("runs", "a") as file:
    file.write("x")
import sys
from mbsgd_core.jobs.runner import Runner
from mbsgd_core.types import ViewBudget
runner = Runner(slots=2)
result = runner.submit("a", {surface().to_json()!r}).answer(60)
print(result.done, "torch" in sys.modules, flush=True)
runner.ask("a", *{(sum, range(10**13))!r})  # the exit must not wait for it
""".replace("<built-in function sum>", "sum")
    server = run_script(tmp_path / "server.py", script, tmp_path)
    assert server.communicate(timeout=WAIT)[0] == "True False\n"
    assert (tmp_path / "runs").read_text() == "x"


def test_after_shutdown_nothing_runs():
    made = Runner(slots=1)
    job = made.submit("a", surface(LONG).to_json())
    made.shutdown()
    assert job.state == "cancelled"
    with pytest.raises(JobError, match="stops"):
        made.ask("a", abs, 1)
