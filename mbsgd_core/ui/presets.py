"""The lessons on the tiles (floor 6): assets/presets/*.json, one experiment each."""

import json
from functools import cache
from typing import Any

from mbsgd_core.experiment import Experiment
from mbsgd_core.ui.frame import ROOT

FOLDER = ROOT / "assets" / "presets"


@cache
def all_presets() -> dict[str, dict[str, Any]]:
    """Every preset by the name of its file: {"title", "lesson", "look_for", "clock", "experiment"}, in file order."""
    return {file.stem: json.loads(file.read_text("utf-8")) for file in sorted(FOLDER.glob("*.json"))}


def like(experiment: dict[str, Any]) -> dict[str, Any] | None:
    """The preset that is this very experiment (as plain values), with its name; None if there is none."""
    return next((preset | {"name": name} for name, preset in _values().items() if preset["values"] == experiment), None)


@cache
def _values() -> dict[str, dict[str, Any]]:
    written = {name: Experiment.model_validate(preset["experiment"]) for name, preset in all_presets().items()}
    return {name: all_presets()[name] | {"values": each.model_dump(mode="json")} for name, each in written.items()}


def first() -> dict[str, Any]:
    """What a visitor sees who brings no link."""
    return next(iter(all_presets().values()))


@cache
def picture(name: str) -> str:
    """The tile's small picture: SVG text, drawn from a real run of the preset."""
    file = FOLDER / f"{name}.svg"
    return file.read_text("utf-8") if file.exists() else ""
