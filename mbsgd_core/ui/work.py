"""The web process's one runner (floor 6)."""

import streamlit as st

from mbsgd_core.jobs.runner import Runner


@st.cache_resource(show_spinner=False)
def runner() -> Runner:
    """The runner; its workers start at the first call, in the background."""
    made = Runner()
    made.warm()
    return made
