"""What stands below the player on Compare (floor 6): what differs, the fit in original units, how to read it."""

from typing import Any

from mbsgd_core.experiment import Experiment, Lane
from mbsgd_core.problems.models._linear import LinearModel
from mbsgd_core.registry import name_of
from mbsgd_core.ui import frame
from mbsgd_core.ui.fits import original_fits
from mbsgd_core.ui.tables import table

_PARTS = ("sampler", "rule", "schedule")


def below(experiment: Experiment, result: dict[str, Any] | None) -> None:
    """Draw it; `result` is the finished run, None while it goes on."""
    box = frame.section("What differs between the lanes", "box/differences")
    if box.open:
        with box:
            differences(experiment)
    if result is not None and isinstance(experiment.problem, LinearModel):
        box = frame.section("The fit in original units", "box/units")
        if box.open:
            with box:
                original_fits(experiment, [run.trace.theta[0, -1] for run in result["lanes"]])
    box = frame.section("How to read this page", "box/reading")
    if box.open:
        box.markdown((frame.ROOT / "assets" / "text" / "compare.md").read_text("utf-8"))


def differences(experiment: Experiment) -> None:
    """A table with one row a setting that is not the same in all lanes, one column a lane."""
    columns = [_settings(lane) for lane in experiment.lanes]
    names = list(dict.fromkeys(name for column in columns for name in column))
    rows = [[name, *(column.get(name, "–") for column in columns)] for name in names]
    differing = [row for row in rows if len(set(row[1:])) > 1]
    table("What differs", ["", *(lane.label for lane in experiment.lanes)], differing)


def _settings(lane: Lane) -> dict[str, str]:
    found = {}
    for part in _PARTS:
        item = getattr(lane, part)
        found[part] = name_of(item).replace("_", " ")
        for name, field in type(item).model_fields.items():
            found[field.title or name] = str(getattr(item, name))
    return found
