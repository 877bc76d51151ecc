"""What a visitor has in hand (floor 6): the experiment as plain JSON values, and what had to be said about it.

Only plain values live in session_state: instances of our classes would not survive a hot reload.
"""

import json
import uuid
from typing import Any
from urllib.parse import parse_qsl

import streamlit as st

from mbsgd_core import share, view
from mbsgd_core.errors import ExperimentError
from mbsgd_core.experiment import Experiment
from mbsgd_core.ui import frame, presets

_KEY = "experiment"
# Streamlit can only add to the browser's history. A page that has just been entered has its entry already, which this
# completes, if it is still that one: else Back would need two presses, or lead to an address that never was.
_COMPLETE = """
const [path, read, written] = {known};
const embeds = ([key]) => key === "embed" || key.startsWith("embed_");
const here = [...new URLSearchParams(location.search)];
const said = parameters => JSON.stringify(Object.fromEntries(parameters));
if (location.pathname.endsWith("/" + path) && said(here.filter(pair => !embeds(pair))) === said(read)) {
  const query = new URLSearchParams([...written, ...here.filter(embeds)]);
  history.replaceState(history.state, "", `${location.pathname}?${query}${location.hash}`);
}
"""


def load() -> None:
    """Take the experiment from the address, if that is news: neither what this session wrote nor what it has read."""
    state, given = st.session_state, st.query_params.to_dict()
    state.setdefault("owner", uuid.uuid4().hex)
    before, state["read"] = state.get("read"), given
    if _KEY in state and (not given or given in (before, state.get("written"))):
        return
    experiment, notices = share.from_query(dict(given), page=True, fallback=presets.opening())
    wanted, more = view.from_query(given)
    replace(experiment, wanted)
    state["notices"] = [str(notice) for notice in (*notices, *more)]


def current() -> Experiment:
    """The experiment in hand."""
    return Experiment.model_validate(st.session_state[_KEY])


def replace(experiment: Experiment, wanted: dict[str, Any] | None = None) -> None:
    """Put another experiment in hand; if it is a lesson, with its clock.

    Args:
        wanted: how it is to be shown, as a link says it (see view.py).
    """
    state, values = st.session_state, experiment.model_dump(mode="json")
    lesson = presets.like(values) or {"clock": presets.CLOCK, "name": None}
    state[_KEY] = values
    state["clock"] = lesson["clock"]
    state["preset"] = lesson["name"]
    state["view"] = wanted
    state["take"] = state.get("take", 0) + 1
    state["notices"] = []
    state["rejected"] = {}
    if wanted and "box" in wanted:
        state[f"box/{wanted['box']}"] = True


def reset() -> None:
    """Put the first lesson in hand."""
    replace(presets.opening())


def put(experiment: Experiment) -> None:
    """Go on with a changed experiment; neither lesson nor view of the one that it came from speak for it."""
    st.session_state[_KEY] = experiment.model_dump(mode="json")
    st.session_state["preset"] = None
    st.session_state["view"] = None


def change(edit: Any, widget: str = "", typed: Any = None) -> bool:
    """Apply edit(dict) to the experiment if the result is valid; else remember what was typed, and why not.

    Args:
        edit: changes the experiment's dict in place. LookupError: its place is gone, which ends in nothing.
        widget: the key of the widget that asked, so that its input stays on screen when refused.
        typed: what the visitor put in.
    """
    draft = json.loads(json.dumps(st.session_state[_KEY]))
    rejected = st.session_state.setdefault("rejected", {})
    try:
        edit(draft)
        valid = Experiment.model_validate(draft)
    except LookupError:  # asked for before a lane was removed, or another item chosen
        return False
    except ExperimentError as error:
        rejected[widget] = (typed, str(error))
        return False
    if widget:
        rejected.pop(widget, None)
    else:  # lanes or items have come and gone: what was refused of the old ones is no longer meant
        rejected.clear()
    put(valid)
    st.session_state["notices"] = []
    return True


def notices() -> list[str]:
    """What has to be said about the link, and about an edit that belongs to no widget; each once."""
    refused = st.session_state.get("rejected", {}).pop("", None)
    return [*st.session_state.get("notices", []), *([refused[1]] if refused else [])]


def write_link(query: str) -> None:
    """Put the link into the address: a new entry of the browser's history where something changed on this page."""
    state = st.session_state
    wanted = dict(parse_qsl(query, keep_blank_values=True))
    if state["view"]:
        wanted |= {key: value for key, value in st.query_params.items() if key.startswith(view.VIEW)}
    before, state["written"] = state.get("written"), wanted
    read = st.query_params.to_dict()
    if read != wanted and (state["entered"] or before == wanted):
        path = "" if state["page"] == frame.HOME else state["page"]
        known = json.dumps([path, list(read.items()), list(wanted.items())]).replace("<", "\\u003c")
        frame.script("address", _COMPLETE.replace("{known}", known))
        return
    frame.script("address")
    if read != wanted:
        st.query_params.from_dict(wanted)
        state["read"] = wanted
