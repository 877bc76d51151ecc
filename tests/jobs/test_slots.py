"""One worker process: what it can do, and that it can always be stopped."""

import os
import signal
import time
from concurrent.futures import BrokenExecutor

import pytest

from mbsgd_core.jobs.slots import Slot, ready
from tests.jobs._workers import RUNAWAYS, run_script


@pytest.fixture(scope="module")
def slot():
    made = Slot()
    yield made
    made.kill()


def test_runs_in_another_process_that_stays(slot):
    pids = {slot.submit(os.getpid).result(60) for _ in range(3)}
    assert len(pids) == 1 and os.getpid() not in pids


def test_torch_is_preloaded_with_one_thread(slot):
    assert slot.submit(eval, "'torch' in __import__('sys').modules").result(60)
    assert slot.submit(eval, "__import__('torch').get_num_threads()").result(60) == 1
    assert slot.submit(eval, "__import__('os').environ['OMP_NUM_THREADS']").result(60) == "1"


def test_an_error_is_handed_over_and_the_worker_lives(slot):
    pid = slot.submit(os.getpid).result(60)
    with pytest.raises(ZeroDivisionError):
        slot.submit(divmod, 1, 0).result(60)
    assert slot.submit(os.getpid).result(60) == pid


@pytest.mark.parametrize("runaway", RUNAWAYS)
def test_kill_ends_a_runaway_and_the_next_task_works(slot, runaway):
    pid = slot.submit(ready).result(60)
    future = slot.submit(*RUNAWAYS[runaway])
    time.sleep(0.05)
    slot.kill()
    with pytest.raises(BrokenExecutor):
        future.result(60)
    assert slot.submit(ready).result(60) != pid


@pytest.mark.parametrize("runaway", RUNAWAYS)
def test_the_kernel_ends_a_runaway_that_nobody_watches(slot, runaway):
    future = slot.submit(*RUNAWAYS[runaway], cpu_seconds=0.01)
    with pytest.raises(BrokenExecutor):
        future.result(60)
    assert slot.submit(abs, -1).result(60) == 1


def test_a_worker_that_dies_idle_is_replaced(slot):
    os.kill(slot.submit(ready).result(60), signal.SIGKILL)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            assert slot.submit(abs, -2).result(60) == 2
            return
        except BrokenExecutor:  # its death has not been noticed yet
            continue
    pytest.fail("the slot never worked again")


def test_killing_one_slot_leaves_the_others_alone(slot):
    other = Slot()
    try:
        future = other.submit(time.sleep, 0.3)
        runaway = slot.submit(*RUNAWAYS["c"])
        slot.kill()
        assert future.result(60) is None
        assert isinstance(runaway.exception(60), BrokenExecutor)
    finally:
        other.kill()


@pytest.mark.parametrize("task", ["abs, 1", "exec, 'while True: pass'"])
def test_workers_go_when_their_server_is_killed(tmp_path, task):
    script = f"""
import time
from mbsgd_core.jobs import slots
slots.PRELOAD = "json"  # quicker than torch
slot = slots.Slot()
slot.submit(abs, 1).result()
slot.submit({task})
print("ready", flush=True)
time.sleep(600)
"""
    server = run_script(tmp_path / "server.py", script, tmp_path)
    assert server.stdout.readline() == "ready\n"
    server.kill()
    # Its descendants hold the other end of the pipe: it ends when the last of them has gone.
    assert server.communicate(timeout=30)[0] == ""
