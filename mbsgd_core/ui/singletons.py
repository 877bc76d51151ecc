"""The web process's one runner, and its downloads (floor 6)."""

import streamlit as st

from mbsgd_core.jobs.fetching import Fetches
from mbsgd_core.jobs.runner import Runner


@st.cache_resource(show_spinner=False)
def runner() -> Runner:
    """The runner; its workers start at the first call, in the background."""
    made = Runner()
    made.warm()
    return made


@st.cache_resource(show_spinner=False)
def fetches() -> Fetches:
    """The downloads that visitors have asked for."""
    return Fetches()
