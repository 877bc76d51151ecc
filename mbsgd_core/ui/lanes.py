"""The lanes in the sidebar (floor 6): what each is made of, added and removed."""

from typing import Any

import streamlit as st

from mbsgd_core.averages.base import Average
from mbsgd_core.clips.base import Clip
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
_PARTS = (("sampler", Sampler), ("rule", Rule), ("schedule", Schedule), ("clip", Clip), ("average", Average))
_OFF = "off"  # of a part that a lane may lack


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
    field = type(experiment.lanes[i]).model_fields[part]
    off = {} if field.is_required() or field.default is not None else {_OFF: "Off"}
    options = off | {name: _words(name) for name in discover(f"mbsgd_core.{part}s", base)}

    def pick(name: str) -> None:
        session.change(lambda draft: _swap(draft["lanes"][i], part, name, experiment))

    choice(field.title or part, options, _OFF if item is None else name_of(item), ("lanes", i, part), pick)
    if isinstance(item, Sequence):
        item_knobs(item, ("lanes", i, part), leave_out=OWN)
        parts(item, ("lanes", i, part), options)
    elif item is not None:
        item_knobs(item, ("lanes", i, part))


def _swap(lane: dict[str, Any], part: str, name: str, experiment: Experiment) -> None:
    """Another item in one part of a lane; knobs that both have keep their value, required ones get a start value."""
    if name == _OFF:
        lane[part] = None
        return
    cls, old = discover(f"mbsgd_core.{part}s", dict(_PARTS)[part])[name], lane[part] or {}
    fresh = other(old, cls, name)
    if name != "full_batch" and old.get("name") == "full_batch":
        fresh |= {key: min(32, experiment.problem.sample_count) for key, f in cls.model_fields.items() if _is_live(f)}
    lane[part] = fresh


def _is_live(field: Any) -> bool:
    return isinstance(field.json_schema_extra, dict) and bool(field.json_schema_extra.get("live"))


def _add_lane(draft: dict[str, Any]) -> None:
    last = draft["lanes"][-1]
    draft["lanes"].append({**last, "label": f"Lane {len(draft['lanes']) + 1}"})


def _words(name: str) -> str:
    return name.replace("_", " ").capitalize() if len(name) > 5 else name.upper().replace("_", " ")
