"""The lanes in the sidebar (floor 6): what each is made of, added and removed."""

from typing import Any

import streamlit as st

from mbsgd_core.experiment import Experiment
from mbsgd_core.registry import discover, name_of
from mbsgd_core.rules.base import Rule
from mbsgd_core.samplers.base import Sampler
from mbsgd_core.schedules.base import Schedule
from mbsgd_core.schedules.sequence import Sequence
from mbsgd_core.ui import frame, session
from mbsgd_core.ui.controls import choice, item_knobs, knob
from mbsgd_core.ui.parts import OWN, other, parts

MOST_LANES = 6
_PARTS = (("sampler", Sampler), ("rule", Rule), ("schedule", Schedule))


def lanes(experiment: Experiment) -> None:
    """Draw a box for each lane; what is live is left to the bench."""
    st.subheader("Lanes", divider=False)
    for i, lane in enumerate(experiment.lanes):
        box = frame.section(lane.label, f"box/lane{i}")
        if not box.open:
            continue
        with box:
            knob(lane.label, type(lane).model_fields["label"], ("lanes", i, "label"), {})
            for part, base in _PARTS:
                _part(experiment, i, part, base)
            if len(experiment.lanes) > 1 and st.button("Remove this lane", key=f"remove{i}"):
                session.change(lambda draft, i=i: draft["lanes"].pop(i))
                st.rerun()
    if len(experiment.lanes) < MOST_LANES and st.button("Add a lane", width="stretch"):
        session.change(_add_lane)
        st.rerun()


def _part(experiment: Experiment, i: int, part: str, base: type) -> None:
    item = getattr(experiment.lanes[i], part)
    options = {name: _words(name) for name in discover(f"mbsgd_core.{part}s", base)}

    def pick(name: str) -> None:
        session.change(lambda draft: _swap(draft["lanes"][i], part, name, experiment))

    label = type(experiment.lanes[i]).model_fields[part].title or part
    choice(label, options, name_of(item), ("lanes", i, part), pick)
    if isinstance(item, Sequence):
        item_knobs(item, ("lanes", i, part), leave_out=OWN)
        parts(item, ("lanes", i, part), options)
    else:
        item_knobs(item, ("lanes", i, part))


def _swap(lane: dict[str, Any], part: str, name: str, experiment: Experiment) -> None:
    """Another item in one part of a lane; knobs that both have keep their value, required ones get a start value."""
    cls = discover(f"mbsgd_core.{part}s", dict(_PARTS)[part])[name]
    fresh = other(lane[part], cls, name)
    if name != "full_batch" and lane[part].get("name") == "full_batch":
        fresh |= {key: min(32, experiment.problem.sample_count) for key, f in cls.model_fields.items() if _is_live(f)}
    lane[part] = fresh


def _is_live(field: Any) -> bool:
    return isinstance(field.json_schema_extra, dict) and bool(field.json_schema_extra.get("live"))


def _add_lane(draft: dict[str, Any]) -> None:
    last = draft["lanes"][-1]
    draft["lanes"].append({**last, "label": f"Lane {len(draft['lanes']) + 1}"})


def _words(name: str) -> str:
    return name.replace("_", " ").capitalize() if len(name) > 5 else name.upper().replace("_", " ")
