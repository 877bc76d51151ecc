"""The Compare page (floor 6), the app's home: three methods side by side, live."""

from typing import Any

import streamlit as st

from mbsgd_core import share
from mbsgd_core.errors import JobError, LabError
from mbsgd_core.experiment import Experiment
from mbsgd_core.ui import files, frame, live, session, tiles
from mbsgd_core.ui.below import below
from mbsgd_core.ui.picture import payload
from mbsgd_core.ui.player import event, player
from mbsgd_core.ui.sidebar import sidebar
from mbsgd_core.ui.work import runner

# A first answer within this time makes one picture; what takes longer is shown while it grows.
PATIENCE = 0.4  # seconds


def main() -> None:
    """Draw the page."""
    frame.begin(frame.HOME)
    session.load()
    experiment = session.current()
    if not frame.embedded():
        st.title(frame.HOME, anchor=False)
        tiles.tiles()
        sidebar(experiment)
    frame.say(st.session_state.get("notices", []))
    if "" in st.session_state.get("rejected", {}):
        frame.say([st.session_state["rejected"].pop("")[1]])
    if st.session_state.pop("suggest", False):
        session.put(live.suggested(session.current(), runner(), st.session_state["owner"]))
    experiment = session.current()
    session.write_link(share.to_query(experiment))
    _stage()
    job = runner().submit(st.session_state["owner"], experiment.to_json())
    below(experiment, job.result if job.state == "done" else None)
    frame.end()


@st.fragment
def _stage() -> None:
    """The player, and everything that it asks for."""
    state = st.session_state
    if state.pop("whole_page", False):
        st.rerun()
    experiment = session.current()
    try:
        drawn = _payload(experiment)
    except LabError as error:
        st.error(str(error))
        return
    player(drawn, on_settled=_on_settled, on_start=_on_start, on_cursor=_on_cursor, on_poll=_on_poll)


def _payload(experiment: Experiment) -> bytes:
    state, text = st.session_state, experiment.to_json()
    return payload(
        experiment,
        runner().submit(state["owner"], text),
        PATIENCE,
        take=state["take"],
        seq=state.get("seq", 0),
        clock=state["clock"],
        autoplay=True,
        theme=st.context.theme.type,
        embed=frame.embedded(),
        plotly=files.PLOTLY,
        live={"path": live.PATH, "owner": state["owner"], "take": state["take"]},
        look_for=state["look_for"] or None,
        cursor=_at_cursor(text),
    )


def _at_cursor(experiment_json: str) -> dict[str, Any] | None:
    """The answer to the player's newest question about a record, if it is still about this experiment."""
    question = st.session_state.get("question")
    if not question or question["about"] != experiment_json:
        return None
    try:
        lanes = runner().at_cursor(st.session_state["owner"], experiment_json, question["indices"])
    except JobError:  # overtaken by a newer question, or the server is busy: the picture stands without it
        return None
    return {"seq": question["seq"], "lanes": lanes}


def _heard(name: str) -> dict[str, Any]:
    """A message of the player; what it says is remembered as acknowledged."""
    told = event(name)
    st.session_state["seq"] = max(st.session_state.get("seq", 0), int(told.get("seq", 0)))
    return told


def _on_settled() -> None:
    """A drag has come to rest: its experiment becomes the page's."""
    told = _heard("settled")
    experiment, _ = share.from_query(told["link"], page=True, fallback=session.current())
    session.put(experiment)
    st.session_state["whole_page"] = True


def _on_start() -> None:
    told, parameters = _heard("start"), session.current().problem.parameter_count
    if parameters <= 2:  # a point of a projected plane names no start
        session.change(lambda draft: draft.update(start=[told["x"], told["y"]][:parameters]))
        st.session_state["whole_page"] = True


def _on_cursor() -> None:
    told = _heard("cursor")
    about = session.current().to_json()
    st.session_state["question"] = {"seq": told["seq"], "indices": told["indices"], "about": about}


def _on_poll() -> None:
    _heard("poll")
