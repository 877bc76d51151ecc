"""What a visitor has in hand (floor 6): the experiment as plain JSON values, and what had to be said about it.

Only plain values live in session_state: instances of our classes would not survive a hot reload.
"""

import json
import uuid
from typing import Any
from urllib.parse import parse_qsl

import streamlit as st

from mbsgd_core import share
from mbsgd_core.errors import ExperimentError
from mbsgd_core.experiment import Experiment
from mbsgd_core.ui import frame, presets

_KEY = "experiment"
_HAND = (_KEY, "look_for", "clock", "preset", "take", "notices", "rejected", "written")
# Streamlit can only add to the browser's history. A page that has just been entered has its entry already, which this
# completes, if it is still that one: else Back would need two presses, or lead to an address that never was.
_COMPLETE = """
const [path, read, written] = {known};
const embeds = ([key]) => key === "embed" || key.startsWith("embed_");
const here = [...new URLSearchParams(location.search)];
const said = parameters => JSON.stringify(Object.fromEntries(parameters));
if (location.pathname.endsWith("/" + path) && said(here.filter(pair => !embeds(pair))) === said(read)) {
  const query = new URLSearchParams([...new URLSearchParams(written), ...here.filter(embeds)]);
  history.replaceState(history.state, "", `${location.pathname}?${query}${location.hash}`);
}
"""


def load(page: str = frame.HOME) -> None:
    """Take the experiment from the address, if that is news: neither what this session wrote nor what it has read."""
    state = st.session_state
    state.setdefault("owner", uuid.uuid4().hex)
    given = st.query_params.to_dict()
    _turn_to(page)
    before, state["read"] = state.get("read"), given
    if _KEY in state and (not given or given in (before, state.get("written"))):
        return
    fallback = Experiment.model_validate(presets.first(page)["experiment"])
    experiment, notices = share.from_query(dict(given), page=True, fallback=fallback)
    replace(experiment)
    state["notices"] = [str(notice) for notice in notices]


def _turn_to(page: str) -> None:
    """Every page has an experiment of its own: put away the other page's, take up this one's."""
    state = st.session_state
    before, state["page"] = state.get("page"), page
    state["entered"] = before != page
    if not state["entered"]:
        return
    hands = state.setdefault("hands", {})
    hands[before] = {key: state.pop(key) for key in _HAND if key in state}
    for key, value in hands.get(page, {}).items():
        state[key] = value


def current() -> Experiment:
    """The experiment in hand."""
    return Experiment.model_validate(st.session_state[_KEY])


def replace(experiment: Experiment) -> None:
    """Put another experiment in hand; if it is a lesson, with the sentence and the clock that go with it."""
    values = experiment.model_dump(mode="json")
    lesson = presets.like(values, st.session_state["page"]) or {"look_for": "", "clock": "epochs", "name": None}
    st.session_state[_KEY] = values
    st.session_state["look_for"] = lesson["look_for"]
    st.session_state["clock"] = lesson["clock"]
    st.session_state["preset"] = lesson["name"]
    st.session_state["take"] = st.session_state.get("take", 0) + 1
    st.session_state["notices"] = []
    st.session_state["rejected"] = {}


def reset() -> None:
    """Put the page's first experiment in hand."""
    replace(Experiment.model_validate(presets.first(st.session_state["page"])["experiment"]))


def put(experiment: Experiment) -> None:
    """Go on with a changed experiment; the lesson that it came from no longer speaks for it."""
    st.session_state[_KEY] = experiment.model_dump(mode="json")
    st.session_state["look_for"] = ""
    st.session_state["preset"] = None


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
    state, wanted = st.session_state, dict(parse_qsl(query, keep_blank_values=True))
    before, state["written"] = state.get("written"), wanted
    state.setdefault("links", {})[state["page"]] = wanted
    read = st.query_params.to_dict()
    if read != wanted and (state["entered"] or before == wanted):
        path = "" if state["page"] == frame.HOME else state["page"]
        known = json.dumps([path, list(read.items()), query]).replace("<", "\\u003c")
        frame.script("address", _COMPLETE.replace("{known}", known))
        return
    frame.script("address")
    if read != wanted:
        st.query_params.from_dict(wanted)
        state["read"] = wanted
