"""The lessons (floor 6): one experiment each, in one order, in chapters.

A lesson is a file below assets/presets; its name is its path there without the ending.
"""

import json
from functools import cache
from typing import Any

from mbsgd_core.experiment import Experiment
from mbsgd_core.ui.frame import ROOT

FOLDER = ROOT / "assets" / "presets"
_GROUND = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 122 52"><rect width="122" height="52" fill="#00224e"/></svg>'
)
CLOCK = "epochs"  # of what is no lesson
OTHERS = "More lessons"  # the chapter of those that name none


@cache
def all_presets() -> dict[str, dict[str, Any]]:
    """The presets by name: {"title", "chapter", "lesson", "look_for", "clock", "experiment", "claims"}, in order.

    The chapters come in the order of their first files, those of a chapter in the order of theirs.
    """
    files = sorted(FOLDER.rglob("*.json"), key=lambda file: (len(file.parts), file.parts))
    read = {file.relative_to(FOLDER).with_suffix("").as_posix(): json.loads(file.read_text("utf-8")) for file in files}
    order = list(dict.fromkeys(preset.setdefault("chapter", OTHERS) for preset in read.values()))
    return dict(sorted(read.items(), key=lambda item: order.index(item[1]["chapter"])))


def chapters() -> dict[str, list[str]]:
    """The names of each chapter's presets, by its title."""
    found: dict[str, list[str]] = {}
    for name, preset in all_presets().items():
        found.setdefault(preset["chapter"], []).append(name)
    return found


@cache
def experiment(name: str) -> Experiment:
    """The experiment of a preset."""
    return Experiment.model_validate(all_presets()[name]["experiment"])


def like(values: dict[str, Any]) -> dict[str, Any] | None:
    """The preset that is this very experiment (as plain values), with its name; None if there is none."""
    return next((all_presets()[name] | {"name": name} for name, known in _values().items() if known == values), None)


@cache
def _values() -> dict[str, dict[str, Any]]:
    return {name: experiment(name).model_dump(mode="json") for name in all_presets()}


def first() -> dict[str, Any]:
    """The first preset."""
    return next(iter(all_presets().values()))


def opening() -> Experiment:
    """What a visitor sees who brings no link: the first preset's experiment."""
    return experiment(next(iter(all_presets())))


@cache
def picture(name: str) -> str:
    """The tile's small picture: SVG text, drawn from a real run of the preset; the bare ground while there is none."""
    file = FOLDER / f"{name}.svg"
    return file.read_text("utf-8") if file.exists() else _GROUND
