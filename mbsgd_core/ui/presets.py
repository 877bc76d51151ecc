"""The lessons on the tiles (floor 6): one experiment each.

assets/presets/*.json belong to the home page, those in a folder there to the page of that name.
"""

import json
from functools import cache
from typing import Any

from mbsgd_core.experiment import Experiment
from mbsgd_core.ui.frame import HOME, ROOT

FOLDER = ROOT / "assets" / "presets"


@cache
def all_presets(page: str = HOME) -> dict[str, dict[str, Any]]:
    """A page's presets by name: {"title", "lesson", "look_for", "clock", "experiment"}, in the order of their files."""
    files = sorted((FOLDER if page == HOME else FOLDER / page.lower()).glob("*.json"))
    return {str(file.relative_to(FOLDER).with_suffix("")): json.loads(file.read_text("utf-8")) for file in files}


def like(experiment: dict[str, Any], page: str = HOME) -> dict[str, Any] | None:
    """The preset that is this very experiment (as plain values), with its name; None if there is none."""
    known = _values(page).items()
    return next((preset | {"name": name} for name, preset in known if preset["values"] == experiment), None)


@cache
def _values(page: str) -> dict[str, dict[str, Any]]:
    found = all_presets(page).items()
    written = {name: Experiment.model_validate(preset["experiment"]) for name, preset in found}
    return {name: preset | {"values": written[name].model_dump(mode="json")} for name, preset in found}


def first(page: str = HOME) -> dict[str, Any]:
    """What a visitor sees who brings no link."""
    return next(iter(all_presets(page).values()))


@cache
def picture(name: str) -> str:
    """The tile's small picture: SVG text, drawn from a real run of the preset."""
    file = FOLDER / f"{name}.svg"
    return file.read_text("utf-8") if file.exists() else ""
