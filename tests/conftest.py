"""For all tests: one thread each, since two processes share the cores; compiled lanes for those that ask for them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported anywhere

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def compiled_lanes():
    """Makes sure that small problems run compiled here. With CI=true a missing cache is a failure, never a skip."""
    from mbsgd_core import kernels
    from mbsgd_core.engine.plan import plan_of
    from mbsgd_core.kernels.ready import DTYPES, OFF, is_ready

    if all(map(is_ready, DTYPES)):
        return
    if os.environ.get("CI") == "true" or os.environ.get(OFF) == "0":
        pytest.fail(
            "the compiled lanes are not used here: run python -m mbsgd_core.kernels (make kernels) before the tests, "
            f"and leave {OFF} unset"
        )
    subprocess.run([sys.executable, "-m", "mbsgd_core.kernels"], cwd=ROOT, check=True)
    kernels.load()
    plan_of.cache_clear()
    assert all(map(is_ready, DTYPES)), "python -m mbsgd_core.kernels has compiled, and yet torch does all"
