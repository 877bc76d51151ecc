"""The Compare page (floor 6), the app's home: three methods side by side, live."""

from typing import Any

import streamlit as st

from mbsgd_core import share
from mbsgd_core.errors import LabError
from mbsgd_core.experiment import Experiment
from mbsgd_core.figures import payload
from mbsgd_core.jobs.runner import Runner
from mbsgd_core.ui import frame, live, presets, session, tiles
from mbsgd_core.ui.player import event, player, plotly_url
from mbsgd_core.ui.sidebar import sidebar

# A first answer within this time makes one picture; what takes longer is shown while it grows.
PATIENCE = 0.4


@st.cache_resource(show_spinner=False)
def runner() -> Runner:
    """The web process's one runner; its workers start at once."""
    made = Runner()
    made.warm()
    return made


def main() -> None:
    """Draw the page."""
    frame.begin(frame.HOME)
    runner()
    session.load()
    experiment = session.current()
    if not frame.embedded():
        st.title(frame.HOME, anchor=False)
        tiles.tiles()
        sidebar(experiment)
    frame.say(st.session_state.get("notices", []))
    experiment = session.current()
    session.write_link(share.to_query(experiment))
    _stage()
    frame.end()


@st.fragment
def _stage() -> None:
    """The player, and everything that it asks for."""
    if st.session_state.pop("whole_page", False):
        st.rerun()
    experiment = session.current()
    try:
        message = _message(experiment)
    except LabError as error:
        st.error(str(error))
        return
    player(message, on_drag=_on_drag, on_start=_on_start, on_cursor=_on_cursor, on_poll=_on_poll)
