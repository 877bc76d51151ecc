"""The lanes in the sidebar (floor 6): what each is made of, added and removed."""

from typing import Any

import streamlit as st

from mbsgd_core.averages.base import Average
from mbsgd_core.clips.base import Clip
from mbsgd_core.experiment import Experiment
from mbsgd_core.knobs import suggestion_of
from mbsgd_core.registry import discover, name_of
from mbsgd_core.rules.base import Rule
from mbsgd_core.samplers.base import Sampler
from mbsgd_core.schedules.base import Schedule
from mbsgd_core.ui import frame, session
from mbsgd_core.ui.controls import choice, item_knobs, knob

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
    if item is not None:
        item_knobs(item, ("lanes", i, part))


def _swap(lane: dict[str, Any], part: str, name: str, experiment: Experiment) -> None:
    """Another item in one part of a lane; knobs that both have keep their value, required ones get a start value."""
    if name == _OFF:
        lane[part] = None
        return
    package, base = {p: (f"mbsgd_core.{p}s", b) for p, b in _PARTS}[part]
    fields = discover(package, base)[name].model_fields
    old = lane[part] or {}
    kept = {key: value for key, value in old.items() if key in fields}
    for key, field in fields.items():
        if field.is_required() and key not in kept:
            kept[key] = suggestion_of(field)
    if name != "full_batch" and old.get("name") == "full_batch":
        kept |= {key: min(32, experiment.problem.sample_count) for key, f in fields.items() if _is_live(f)}
    lane[part] = {"name": name, **kept}


def _is_live(field: Any) -> bool:
    return isinstance(field.json_schema_extra, dict) and bool(field.json_schema_extra.get("live"))


def _add_lane(draft: dict[str, Any]) -> None:
    last = draft["lanes"][-1]
    draft["lanes"].append({**last, "label": f"Lane {len(draft['lanes']) + 1}"})


def _words(name: str) -> str:
    return name.replace("_", " ").capitalize() if len(name) > 5 else name.upper().replace("_", " ")
