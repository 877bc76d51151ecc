"""The recipes are true: a copy of the house gets one new file of every kind, and every test of such files passes.

The files are those of tests/recipes, each where it belongs. `N_` and `NN_` stand for the next number.
"""

import os
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
RECIPES = Path(__file__).with_name("recipes")
# Every new file, with the tests that look at each file of its kind.
EVERY = ("items",)  # of every item
DROPPED = {
    "mbsgd_core/problems/surfaces/egg_crate.py": (*EVERY, "surfaces", "problems", "kernels"),
    "mbsgd_core/samplers/bootstrap.py": (*EVERY, "samplers", "engine_exact"),
    "mbsgd_core/rules/signum.py": (*EVERY, "rules", "engine_exact", "kernels", "sweep"),
    "mbsgd_core/schedules/halving.py": (*EVERY, "schedules", "engine_exact", "kernels"),
    "mbsgd_core/problems/datasets/sine_curve.py": (*EVERY, "datasets", "pairs"),
    "mbsgd_core/problems/models/huber_regression.py": (*EVERY, "problems", "pairs", "kernels"),
    "assets/presets/NN_sign_or_size.json": ("presets",),
    "pages/N_Reading.py": ("pages",),
}


def word_of(path: str) -> str:
    """What the tests of a new file have in their names."""
    return re.sub(r"^N+_", "", Path(path).stem)


def numbered(path: Path) -> str:
    """Its name, with the next number of its folder in place of the letters N."""
    digits = len(path.name) - len(path.name.removeprefix("NN_").removeprefix("N_")) - 1
    known = len(list(path.parent.glob(f"[0-9]*{path.suffix}")))
    return f"{known + 1:0{digits}}_{word_of(str(path))}{path.suffix}" if digits > 0 else path.name


@pytest.fixture(scope="module")
def outcomes(compiled_lanes, tmp_path_factory) -> dict[str, list[str]]:
    """{test with its file: its complaints}, of all tests whose name has the name of a new file."""
    house = tmp_path_factory.mktemp("house")
    for part in ("mbsgd_core", "assets", "pages", "tests", ".streamlit"):
        shutil.copytree(ROOT / part, house / part)
    for file in [*ROOT.glob("*.py"), *ROOT.glob("*.ini"), *ROOT.glob("*.toml")]:
        shutil.copy2(file, house)
    for path in DROPPED:
        place = house / path
        shutil.copy2(RECIPES / path, place.with_name(numbered(place)))
    kinds = sorted({kind for kinds in DROPPED.values() for kind in kinds})
    tests = [f"tests/{'pages' if kind == 'pages' else 'contract'}/test_{kind}.py" for kind in kinds]
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "--tb=short", "--junitxml=found.xml"),
            *("-k", " or ".join(word_of(path) for path in DROPPED)),
            *(*tests, "mbsgd_core"),
        ],
        cwd=house,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=1800,
    )
    assert done.returncode in (0, 1), done.stdout[-3000:] + done.stderr[-3000:]
    found = ElementTree.parse(house / "found.xml").iter("testcase")
    return {
        f"{case.get('classname')}: {case.get('name')}": [
            part.get("message", "") + (part.text or "") for part in case if part.tag in ("failure", "error", "skipped")
        ]
        for case in found
    }


def test_every_new_file_is_dropped():
    files = [path for path in RECIPES.rglob("*.*") if path.is_file() and path.suffix != ".pyc"]
    assert {path.relative_to(RECIPES).as_posix() for path in files} == set(DROPPED)


@pytest.mark.parametrize("path", DROPPED, ids=word_of)
def test_a_new_file_needs_no_line_elsewhere(path, outcomes):
    own = {test: complaints for test, complaints in outcomes.items() if word_of(path) in test}
    said = [f"{test}\n{complaint}" for test, complaints in own.items() for complaint in complaints]
    assert not said, "\n".join(said)
    for kind in DROPPED[path]:
        assert any(f"test_{kind}:" in test for test in own), f"no test in test_{kind}.py looks at {path}"
