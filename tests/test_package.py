"""pyproject.toml and the documents say what the files say; nothing is installed to find out."""

import re
import tomllib
from importlib import import_module
from pathlib import Path

import pytest

import mbsgd_core
from mbsgd_core.problems.datasets import base

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


def test_the_package_and_the_app_pin_the_same_versions():
    lines = (ROOT / "requirements.txt").read_text("utf-8").splitlines()
    app = [line for line in lines if line and not line.startswith("#")]
    core, extras = PROJECT["project"]["dependencies"], PROJECT["project"]["optional-dependencies"]
    assert sorted(app) == sorted(core + extras["app"])
    assert all("==" in line for line in app)


def test_there_is_one_version():
    assert PROJECT["project"]["dynamic"] == ["version"] and "version" not in PROJECT["project"]
    place = ROOT / PROJECT["tool"]["hatch"]["version"]["path"]
    assert place.samefile(mbsgd_core.__file__)
    changes = (ROOT / "CHANGELOG.md").read_text("utf-8")
    assert f"## [{mbsgd_core.__version__}]" in changes, "a version has its chapter in CHANGELOG.md"


def test_the_command_is_there():
    module, _, function = PROJECT["project"]["scripts"]["mbsgd"].partition(":")
    assert callable(getattr(import_module(module), function))


def test_installed_data_lie_where_the_core_looks_for_them():
    ((source, target),) = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"].items()
    assert ROOT / source == base.FOLDER and ROOT / target == base.INSTALLED
    assert not base.INSTALLED.exists(), "in a checkout there is one copy of the data"


@pytest.mark.parametrize("name", ["plotly-LICENSE.txt", "plotly-cartesian.min.js"])
def test_the_licence_names_what_is_vendored(name):
    assert (ROOT / "assets" / "vendor" / name).exists()
    assert f"assets/vendor/{name}" in (ROOT / "LICENSE").read_text("utf-8")


def test_the_licence_names_every_file_of_data():
    text = (ROOT / "LICENSE").read_text("utf-8")
    assert [path.name for path in base.FOLDER.glob("*.npz") if path.name not in text] == []


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "mbsgd_core/README.md"])
def test_every_place_that_a_document_links_to_exists(name):
    document = ROOT / name
    links = re.findall(r"\]\(([^)#:]+)\)", document.read_text("utf-8"))
    assert [link for link in links if not (document.parent / link).exists()] == []


def test_every_file_that_a_recipe_starts_from_exists():
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    recipes = re.findall(r"\*\*A [\w ]+\*\*: `([\w/]+)/[\w.]+`(?:, a copy of `(\w+\.\w+)`)?", text)
    assert len(recipes) >= 9
    missing = [f"{folder}/{copied}" for folder, copied in recipes if not (ROOT / folder / copied).exists()]
    assert missing == []
    commands = re.findall(r"^`pytest (.*)`$", text, re.MULTILINE)
    tests = [word for command in commands for word in command.split() if word.startswith("tests/")]
    assert tests and [test for test in tests if not (ROOT / test).exists()] == []
