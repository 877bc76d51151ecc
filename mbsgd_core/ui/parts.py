"""The parts of a sequence in the sidebar (floor 6): which schedules follow each other, and how long each lasts."""

from typing import Any

import streamlit as st

from mbsgd_core.experiment import registered
from mbsgd_core.knobs import Item, NamedItem, Whole, knob, page_of, suggestion_of
from mbsgd_core.registry import name_of
from mbsgd_core.schedules.base import Schedule
from mbsgd_core.schedules.sequence import Sequence
from mbsgd_core.ui import session
from mbsgd_core.ui.controls import Path, choice, item_knobs

OWN = ("parts", "intervals")  # the knobs of a sequence that are drawn here


class _Length(Item):
    """What a part has beside its own knobs."""

    intervals: Whole = knob(1, label="Lasts", help="Intervals until the next part begins.", unit="intervals", ge=1)


def parts(sequence: Sequence, path: Path, words: dict[str, str]) -> None:
    """Draw the parts of the sequence that sits at `path`; words: titles of all schedules by name."""
    fitting = {
        name: words[name]
        for name, cls in registered(Schedule).items()
        if not (issubclass(cls, Sequence) or (issubclass(cls, Schedule) and cls.watches_objective))
    }
    last = len(sequence.parts) - 1
    for k, part in enumerate(sequence.parts):
        place = (*path, "parts", k)

        def pick(name: str, place: Path = place) -> None:
            def edit(draft: dict[str, Any]) -> None:
                *above, own = place
                around = at(draft, above)
                around[own] = other(around[own], registered(Schedule)[name], name, ("intervals",))

            session.change(edit)

        choice(f"Part {k + 1}", fitting, name_of(part), place, pick)
        if k < last:
            item_knobs(_Length(intervals=sequence.intervals[k]), place)
        item_knobs(part, place, leave_out=sequence.handed_down)
        if last and st.button(f"Remove part {k + 1}", key="/".join(map(str, (*place, "remove")))):
            session.change(lambda draft, k=k: _remove(at(draft, (*path, "parts")), k))
            st.rerun()
    most = page_of(Sequence.model_fields["parts"])
    if most and len(sequence.parts) < most[1] and st.button("Add a part", key="/".join(map(str, (*path, "add")))):
        session.change(lambda draft: _add(at(draft, (*path, "parts"))))
        st.rerun()


def at(draft: Any, path: Path | list[str | int]) -> Any:
    """What stands at a path of the experiment's dict."""
    for step in path:
        draft = draft[step]
    return draft


def other(given: dict[str, Any], cls: type[NamedItem], name: str, also: tuple[str, ...] = ()) -> dict[str, Any]:
    """An item of another class in the place of one; knobs that both have keep their value, required ones get one.

    Args:
        given: the item as JSON.
        cls, name: what takes its place.
        also: what stands beside its knobs and stays.
    """
    kept = {key: value for key, value in given.items() if key in cls.model_fields or key in also}
    for key, field in cls.model_fields.items():
        if field.is_required() and key not in kept:
            kept[key] = suggestion_of(field)
    return {"name": name, **kept}


def _remove(written: list[dict[str, Any]], k: int) -> None:
    del written[k]
    written[-1].pop("intervals", None)


def _add(written: list[dict[str, Any]]) -> None:
    written[-1].setdefault("intervals", 5)
    written.append({"name": "constant"})
