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
from mbsgd_core.ui import presets
from mbsgd_core.ui.frame import HOME

_KEY = "experiment"
_HAND = (_KEY, "look_for", "clock", "preset", "take", "notices", "rejected")


def load(page: str = HOME) -> None:
    """Take the experiment from the link, if the link is not the one that this session wrote itself."""
    state = st.session_state
    state.setdefault("owner", uuid.uuid4().hex)
    _turn_to(page)
    given = st.query_params.to_dict()
    if _KEY in state and (not given or given == state.get("written")):
        return
    fallback = Experiment.model_validate(presets.first(page)["experiment"])
    experiment, notices = share.from_query(dict(given), page=True, fallback=fallback)
    replace(experiment)
    state["notices"] = [str(notice) for notice in notices]


def _turn_to(page: str) -> None:
    """Every page has an experiment of its own: put away the other page's, take up this one's."""
    state = st.session_state
    before, state["page"] = state.get("page", page), page
    if before == page:
        return
    hands = state.setdefault("hands", {})
    hands[before] = {key: state.pop(key) for key in _HAND if key in state}
    state.pop("written", None)
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


def put(experiment: Experiment) -> None:
    """Go on with a changed experiment; the lesson that it came from no longer speaks for it."""
    st.session_state[_KEY] = experiment.model_dump(mode="json")
    st.session_state["look_for"] = ""
    st.session_state["preset"] = None


def change(edit: Any, widget: str = "", typed: Any = None) -> bool:
    """Apply edit(dict) to the experiment if the result is valid; else remember what was typed, and why not.

    Args:
        edit: changes the experiment's dict in place.
        widget: the key of the widget that asked, so that its input stays on screen when refused.
        typed: what the visitor put in.
    """
    draft = json.loads(json.dumps(st.session_state[_KEY]))
    rejected = st.session_state.setdefault("rejected", {})
    try:
        edit(draft)
        valid = Experiment.model_validate(draft)
    except ExperimentError as error:
        rejected[widget] = (typed, str(error))
        return False
    rejected.pop(widget, None)
    put(valid)
    st.session_state["notices"] = []
    return True


def write_link(query: str) -> None:
    """Put the link into the address bar."""
    given = dict(parse_qsl(query, keep_blank_values=True))
    if st.session_state.get("written") != given:
        st.session_state["written"] = given
        st.query_params.from_dict(given)
