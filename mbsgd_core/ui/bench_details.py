"""What stands below the bench (floor 6): what differs, what is measured on request, the data, how to read it."""

from collections.abc import Callable

import streamlit as st

from mbsgd_core.experiment import Experiment, Lane
from mbsgd_core.problems.models._linear import LinearModel
from mbsgd_core.problems.models.base import DataProblem
from mbsgd_core.registry import name_of
from mbsgd_core.ui import frame, surveys
from mbsgd_core.ui.data import data
from mbsgd_core.ui.fetch import fetch_box
from mbsgd_core.ui.known import known
from mbsgd_core.ui.original_units import original_fits
from mbsgd_core.ui.problem import put_dataset
from mbsgd_core.ui.singletons import runner
from mbsgd_core.ui.tables import table

_PARTS = ("sampler", "rule", "schedule", "clip", "average")


def below(experiment: Experiment) -> None:
    """Draw it; closed boxes cost nothing."""
    missing = st.container()
    boxes: dict[str, tuple[str, Callable[[Experiment], None]]] = {
        "box/differences": ("What differs between the lanes", differences),
        "box/known": ("What is known", known),
    }
    if isinstance(experiment.problem, DataProblem):
        boxes |= {
            "box/landscape": ("The path in parameter space", surveys.landscape),
            "box/instruments": ("Gradient, noise and curvature along the path", surveys.instruments),
            "box/data": ("The data", data),
        }
    if isinstance(experiment.problem, LinearModel):
        boxes["box/units"] = "The fit in original units", _fits
    boxes["box/reading"] = "How to read this page", _reading
    for key, (label, draw) in boxes.items():
        box = frame.section(label, key)
        if box.open:
            with box:
                draw(experiment)
    if isinstance(experiment.problem, DataProblem):
        with missing:
            fetch_box(experiment.problem.dataset, put_dataset)


def _fits(experiment: Experiment) -> None:
    known = runner().known(experiment.to_json())
    if known is None:
        st.caption("Nothing is trained yet: this is the fit of a finished run. Open this box again then.")
        return
    original_fits(experiment, [lane.path.theta[0, -1] for lane in known.lanes])


def _reading(_: Experiment) -> None:
    st.markdown((frame.ROOT / "assets" / "text" / "bench.md").read_text("utf-8"))


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
        if item is None:
            found[part] = "off"
            continue
        found[part] = name_of(item).replace("_", " ")
        for name, field in type(item).model_fields.items():
            found[field.title or name] = str(getattr(item, name))
    return found
