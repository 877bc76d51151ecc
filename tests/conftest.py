"""For all tests: one thread each, since two processes share the cores; compiled lanes for those that ask for them.

Costs of updates are measured in haste, and kept in a folder that goes with the tests: never the user's own table.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported anywhere

# Before any process of ours is started. Processes of one test run share it, as they inherit the variable.
if "MBSGD_COSTS" not in os.environ:
    COSTS = tempfile.TemporaryDirectory(prefix="costs-")
    os.environ["MBSGD_COSTS"] = COSTS.name

HASTE = {"LONG": 5e-4, "ROUNDS": 2, "FEW": 2, "LEAST": 2}

ROOT = Path(__file__).resolve().parents[1]


# Files that take longest. With --dist loadfile a process takes whole files, in their order: none of these may be last.
# Of two processes one mostly computes meanwhile, the other one mostly waits for a browser.
LONGEST = (
    *("oracle/test_science_networks", "browser/test_bench", "browser/test_learning", "oracle/test_science_training"),
    *("contract/test_train_presets", "browser/test_pages", "jobs/test_compiling", "browser/test_first_visits"),
    *("test_recipes", "browser/test_channel", "jobs/test_attached", "contract/test_cli", "contract/test_devices_runs"),
    *("jobs/test_idle", "pages/test_pages", "contract/test_cnn", "contract/test_kernels", "oracle/test_noise"),
    *("oracle/test_science_schedules", "contract/test_problems", "contract/test_pairs", "contract/test_engine_exact"),
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first."""
    place = {ROOT / f"tests/{name}.py": i for i, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.path, len(place)))


@pytest.fixture(scope="session", autouse=True)
def hasty_costs():
    """A cost is measured in a few milliseconds; tests of the measurement bring their own clock, or patience."""
    from mbsgd_core.measures import cost_slope

    patience = {name: getattr(cost_slope, name) for name in HASTE}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in HASTE.items():
            patch.setattr(cost_slope, name, value)
        yield patience


@pytest.fixture
def patient_costs(hasty_costs, monkeypatch):
    """Costs as they are measured outside the tests, in a table apart."""
    from mbsgd_core.measures import cost_slope

    for name, value in hasty_costs.items():
        monkeypatch.setattr(cost_slope, name, value)
    monkeypatch.setenv("MBSGD_COSTS", str(Path(os.environ["MBSGD_COSTS"]) / "patient"))


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
