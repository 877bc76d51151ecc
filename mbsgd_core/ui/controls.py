"""Widgets from declarations (floor 6): a knob is declared on its item, and this module draws it.

No knob is named here. A field's type chooses the widget, its declaration gives label, help, unit and range; the few
knobs declared `live` are left to the player's own sliders.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import streamlit as st
from pydantic.fields import FieldInfo

from mbsgd_core.knobs import Item
from mbsgd_core.ui import session

Path = tuple[str | int, ...]


def item_knobs(item: Item, path: Path, leave_out: Sequence[str] = ()) -> None:
    """Draw the knobs of an item that sits at `path` of the experiment: its own first, then those of its kind."""
    fields = type(item).model_fields
    own = [name for name in type(item).__annotations__ if name in fields]
    for name in dict.fromkeys([*own, *fields]):
        field = fields[name]
        extra = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
        if name not in leave_out and not extra.get("live"):
            knob(getattr(item, name), field, (*path, name), extra)


def choice(label: str, options: Mapping[str, str], value: str, path: Path, on_pick: Callable[[str], Any]) -> None:
    """A select box over names, showing titles; on_pick(name) when another is chosen."""
    key = _key(path)
    st.session_state[key] = value

    def picked() -> None:
        on_pick(st.session_state[key])

    st.selectbox(label, list(options), key=key, format_func=lambda name: options[name], on_change=picked)


def knob(value: Any, field: FieldInfo, path: Path, extra: Mapping[str, Any]) -> None:
    """One knob as the widget that fits its type."""
    key = _key(path)
    rejected = st.session_state.get("rejected", {}).get(key)
    kind, optional = _kind(field.annotation)
    unit = f" ({extra['unit']})" if extra.get("unit", "") not in ("", (field.title or "").lower()) else ""
    frame: dict[str, Any] = {"label": f"{field.title}{unit}", "help": field.description, "key": key}

    def changed(read: Callable[[Any], Any] = lambda typed: typed) -> None:
        typed = st.session_state[key]
        try:
            wanted = read(typed)
        except ValueError:
            wanted = typed
        session.change(lambda draft: put(draft, path, wanted), key, typed)

    if get_origin(kind) is Literal:
        st.session_state[key] = value
        st.selectbox(options=get_args(kind), on_change=changed, **frame)
    elif kind is bool:
        st.session_state[key] = value
        st.toggle(on_change=changed, **frame)
    elif kind in (int, float):
        _number(value if rejected is None else rejected[0], kind, optional, extra, frame, changed)
    elif kind is str:
        st.session_state[key] = value if rejected is None else rejected[0]
        st.text_input(on_change=changed, **frame)
    elif get_origin(kind) is tuple:
        # A row of numbers is typed as they are written in the link: separated by commas.
        shown = "" if value is None else ", ".join(f"{number:g}" for number in value)
        st.session_state[key] = shown if rejected is None else rejected[0]
        st.text_input(on_change=changed, args=(_numbers,), **frame)
    if rejected is not None:
        st.error(rejected[1])


def _number(
    value: Any, kind: type, optional: bool, extra: Mapping[str, Any], frame: dict[str, Any], changed: Callable[[], None]
) -> None:
    page: list[float] | None = extra.get("page") if extra.get("scale") == "linear" and not optional else None
    st.session_state[frame["key"]] = value if value is None else kind(value)
    # Whole numbers are typed: people know the one they want, and it need not lie within a slider's reach.
    if kind is float and page and page[0] <= value <= page[1]:
        st.slider(min_value=float(page[0]), max_value=float(page[1]), on_change=changed, **frame)
    else:
        step = {"step": 1} if kind is int else {"format": "%g"}
        st.number_input(on_change=changed, placeholder="automatic", **step, **frame)


def put(draft: dict[str, Any], path: Path, value: Any) -> None:
    """Set one field of the experiment's dict.

    Raises:
        LookupError: there is no such field any more: the lane is gone, or another item has taken the item's place.
    """
    whole: Any = draft
    item = reduce(lambda part, name: part[name], path[:-1], whole)
    if path[-1] not in item:
        raise KeyError(path[-1])
    item[path[-1]] = value


def _numbers(typed: str) -> list[float] | None:
    parts = [part for part in typed.replace(";", ",").split(",") if part.strip()]
    return [float(part) for part in parts] or None


def _key(path: Path) -> str:
    return "/".join(str(part) for part in path)


def _kind(annotation: Any) -> tuple[Any, bool]:
    """The plain type behind an annotation, and whether None is allowed too."""
    if get_origin(annotation) is Annotated:
        return _kind(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        rest = [part for part in get_args(annotation) if part is not type(None)]
        return _kind(rest[0])[0], True
    return annotation, False
