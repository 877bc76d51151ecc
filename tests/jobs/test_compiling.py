"""A server that nobody has compiled for: it answers on torch at once, and goes on compiled."""

import os
import signal

import pytest

from mbsgd_core.jobs.compiling import NICE
from mbsgd_core.kernels import ready
from tests.jobs._server import drag, processes_of, served, wait_for
from tests.jobs.test_slots import run_script

FLIP = """
from mbsgd_core.jobs import compiling, slots
from mbsgd_core.kernels import ready
from tests.jobs._server import wait_for
from tests.jobs._standin import compiled_dtypes, copied

def known(slot):
    return slot.submit(compiled_dtypes).result(60)

two = [slots.Slot(), slots.Slot()]
workers = [slot.submit(slots.ready).result(60) for slot in two]
print(*map(known, two), flush=True)
compiling.begin(two, copied)
wait_for(lambda: all(known(slot) == ["float64"] for slot in two))
assert not ready.stamp("float32").exists()
two[0].submit(ready.ask_for, "float32").result(60)  # as a run does that misses it
wait_for(lambda: all(known(slot) == ["float64", "float32"] for slot in two))
two[0].kill()
two[0].submit(slots.ready).result(60)
print("renewed", known(two[0]), flush=True)
for slot in two:
    slot.kill()
"""


def test_workers_take_up_what_has_been_compiled(tmp_path, compiled_lanes):
    """Float64 without being asked, float32 when a run has missed it; a worker that is forked later has both."""
    source, cache = str(ready.folder()), tmp_path / "cache"
    script = run_script(tmp_path / "server.py", FLIP, tmp_path, SOURCE=source, NUMBA_CACHE_DIR=str(cache))
    out, error = script.communicate(timeout=300)
    assert out.splitlines() == ["[] []", "renewed ['float64', 'float32']"], error


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_a_fresh_server_answers_while_it_compiles_and_leaves_nothing_behind(tmp_path, end):
    cache = tmp_path / "cache"
    with served(tmp_path, NUMBA_CACHE_DIR=str(cache)) as server:
        assert drag(server, 0.05)
        compiling = wait_for(lambda: [p for p in processes_of(server) if p.nice == NICE], server.log)
        assert drag(server, 0.06) and not list(cache.glob("ready-*"))  # it was torch that answered
        assert len(compiling) <= 2
        wait_for(lambda: list(cache.rglob("*.nbc")), server.log)
        os.kill(server.process.pid, end)
        wait_for(lambda: not processes_of(server), server.log)
    assert list(cache.glob("begun-*")) and not list(cache.glob("ready-*"))
    assert "Traceback" not in server.log.read_text()
