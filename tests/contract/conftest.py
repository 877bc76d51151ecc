"""Compiled lanes for the tests that ask for them. With CI=true a missing cache is a failure, never a skip."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def compiled_lanes():
    """Makes sure that small problems run compiled in this process."""
    from mbsgd_core.engine.plan import plan_of
    from mbsgd_core.kernels.ready import OFF, is_ready

    if is_ready():
        return
    if os.environ.get("CI") == "true" or os.environ.get(OFF) == "0":
        pytest.fail(
            "the compiled lanes are not used here: run python -m mbsgd_core.kernels (make kernels) before the tests, "
            f"and leave {OFF} unset"
        )
    subprocess.run([sys.executable, "-m", "mbsgd_core.kernels"], cwd=ROOT, check=True)
    is_ready.cache_clear()
    plan_of.cache_clear()
    assert is_ready(), "python -m mbsgd_core.kernels has compiled, and yet the compiled lanes are not used"
