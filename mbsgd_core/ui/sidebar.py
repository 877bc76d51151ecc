"""The sidebar of the bench (floor 6): problem, start, budget, lanes."""

import streamlit as st

from mbsgd_core.experiment import Experiment
from mbsgd_core.ui import frame, session
from mbsgd_core.ui.controls import item_knobs, knob
from mbsgd_core.ui.lanes import lanes
from mbsgd_core.ui.problem import problem

SPENDING, STOPPING = ("unit", "amount"), ("patience", "min_delta")  # a budget's knobs: all lanes need the first
MOST_COORDINATES = 6  # of a start that somebody types


def sidebar(experiment: Experiment) -> None:
    """Draw every setting of the experiment that is not live."""
    with st.sidebar:
        problem(experiment)
        box = frame.section("Start, seed, stopping", "box/start")
        if box.open:
            with box:
                _start(experiment)
                item_knobs(experiment, (), leave_out=("version", "problem", "start", "budget", "lanes", "runs"))
                item_knobs(experiment.budget, ("budget",), leave_out=SPENDING)
        st.subheader("Budget", divider=False)
        item_knobs(experiment.budget, ("budget",), leave_out=STOPPING)
        knob(experiment.runs, Experiment.model_fields["runs"], ("runs",), {"unit": ""})
        lanes(experiment)
        st.button("Reset", help="Back to the first lesson.", width="stretch", on_click=session.reset)


def _start(experiment: Experiment) -> None:
    if experiment.problem.parameter_count > MOST_COORDINATES:
        st.caption("All lanes start at the problem's own start.")
        return
    knob(experiment.start, Experiment.model_fields["start"], ("start",), {})
