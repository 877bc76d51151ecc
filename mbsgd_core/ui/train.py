"""The Train page (floor 6): data and models learnt in the background by three methods, side by side."""

import json
from typing import Any

import streamlit as st

from mbsgd_core import share
from mbsgd_core.errors import LabError
from mbsgd_core.experiment import Experiment
from mbsgd_core.figures import train as figure
from mbsgd_core.jobs.job import Job
from mbsgd_core.jobs.training import Training
from mbsgd_core.problems.models.base import DataProblem
from mbsgd_core.ui import files, frame, live, presets, session, tiles, train_run
from mbsgd_core.ui.films import films
from mbsgd_core.ui.train_below import below
from mbsgd_core.ui.train_fetch import fetch_box
from mbsgd_core.ui.train_sidebar import live_knobs, put_dataset, sidebar
from mbsgd_core.ui.train_stage import stage
from mbsgd_core.ui.work import runner

NAME = "Train"
REFRESH = 0.4  # seconds between two looks at a run


def main() -> None:
    """Draw the page."""
    frame.begin(NAME)
    session.load(NAME)
    _must_have_data()
    experiment = session.current()
    if not frame.embedded():
        st.title(NAME, anchor=False)
        tiles.tiles(NAME)
        sidebar(experiment)
    frame.say(st.session_state.get("notices", []))
    if "" in st.session_state.get("rejected", {}):
        frame.say([st.session_state["rejected"].pop("")[1]])
    if st.session_state.pop("suggest", False):
        session.put(live.suggested(session.current(), runner(), st.session_state["owner"]))
    experiment = session.current()
    session.write_link(share.to_query(experiment))
    _begin(experiment)
    live_knobs(experiment)
    _buttons(experiment)
    st.fragment(_stage, run_every=REFRESH if train_run.state() == "running" else None)()
    below(experiment)
    frame.end()


def _must_have_data() -> None:
    """A link may name a surface, which has nothing to learn from."""
    if not isinstance(session.current().problem, DataProblem):
        title = session.current().problem.title
        session.replace(Experiment.model_validate(presets.first(NAME)["experiment"]))
        st.session_state["notices"] = [f"{title} has no data to train on; here is the first lesson instead."]


def _begin(experiment: Experiment) -> None:
    """What somebody arrives with starts by itself, unless it takes long; the run before belongs to something else."""
    mine = st.session_state
    if mine.get("run_take") == mine["take"]:
        return
    mine["run_take"] = mine["take"]
    problem: Any = experiment.problem
    train_run.forget()
    if not problem.dataset.missing and train_run.seconds(experiment) <= train_run.QUICK:
        _train()


def _train() -> None:
    try:
        train_run.start(session.current())
    except LabError as error:
        st.session_state["notices"] = [str(error)]


def _buttons(experiment: Experiment) -> None:
    state, known = train_run.state(), train_run.result()
    changed = state != "none" and train_run.trained() != experiment.to_json()
    problem: Any = experiment.problem
    missing = bool(problem.dataset.missing)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.button("Train", type="primary", icon=":material/play_arrow:", on_click=_train, disabled=missing)
        if state == "running":
            st.button("Pause", icon=":material/pause:", on_click=train_run.end, args=("paused",))
            st.button("Stop", icon=":material/stop:", on_click=train_run.end, args=("stopped",))
        elif known is not None and not known.done and not changed:
            st.button("Resume", icon=":material/resume:", on_click=train_run.resume)
            if state == "paused":
                st.button("Stop", icon=":material/stop:", on_click=train_run.end, args=("stopped",))
        if not missing and (state == "none" or changed):
            before = "The settings have changed; below is the run before. " if changed else ""
            updates = sum(experiment.updates(i) for i in range(len(experiment.lanes)))
            st.caption(f"{before}Press Train: {updates:,} updates in all; the time left is shown once it is measured.")
    fetch_box(problem.dataset, put_dataset)


def _film(job: Job, known: Training) -> str:
    """Where the run that has come to rest can be seen again; packed once."""
    mine = st.session_state
    if mine.get("film_of") is not job:
        mine["film_of"], mine["film"] = job, films().put(figure.film(known.lanes))
    return mine["film"]


def _stage() -> None:
    """The lanes as far as they have come; runs again and again while they train."""
    job, known, state = train_run.current(), train_run.result(), train_run.state()
    if job is None:
        st.markdown(frame.plain(st.session_state["look_for"]))
        return
    if known is None or not known.lanes:
        st.caption(job.message if state != "failed" else "")
        if state == "failed":
            st.error(job.message)
        return
    experiment = Experiment.model_validate(json.loads(train_run.trained()))
    problem: Any = experiment.problem
    drawn = figure.message(
        experiment,
        known.scene,
        known.lanes,
        status={
            "state": state,
            "progress": 1.0 if state == "done" else known.progress,
            "message": job.message,
            "left": sum(lane.left for lane in known.lanes),
        },
        key=str(st.session_state["take"]),
        clock=st.session_state["clock"],
        link=share.to_query(session.current()),
        look_for=st.session_state["look_for"] or problem.dataset.summary,
        plotly=files.PLOTLY,
        theme=st.context.theme.type,
        film=None if state == "running" else _film(job, known),
    )
    stage(drawn)
    if state != "running" and st.session_state.get("run_seen") is not job:
        st.session_state["run_seen"] = job
        st.rerun()  # the whole page: its buttons, and no more looks
