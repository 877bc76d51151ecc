"""Data that have to be fetched first (floor 6): says so, fetches them when asked, and shows how far that is."""

from collections.abc import Callable

import streamlit as st

from mbsgd_core.jobs.fetching import Fetch
from mbsgd_core.problems.datasets.base import Dataset
from mbsgd_core.ui import frame
from mbsgd_core.ui.singletons import fetches

WAIT = 0.3  # seconds between two looks at a download


def fetch_box(dataset: Dataset, put: Callable[[Dataset], None]) -> None:
    """What is missing of a data set; nothing where nothing is. Drawn last: a download is followed until its end.

    Args:
        dataset: the one in hand.
        put: takes another in its place.
    """
    if not dataset.missing:
        return
    fetch = fetches().of(dataset)
    if fetch is not None and fetch.state == "running":
        _follow(fetch)
        st.session_state["take"] += 1  # the bench asks again
        st.rerun()
    if fetch is not None and fetch.message:
        st.error(frame.plain(fetch.message))
    st.info(f"{dataset.title} is not on this server yet: {_size(dataset.missing)} to fetch, once for everybody.")
    with st.container(horizontal=True, gap="small"):
        icon = ":material/download:"
        st.button("Fetch the data", type="primary", icon=icon, on_click=_start, args=(dataset,))
        if not dataset.ready().missing:
            st.button("Take the part that comes with the app", on_click=put, args=(dataset.ready(),))


def _start(dataset: Dataset) -> None:
    fetches().start(dataset)


def _follow(fetch: Fetch) -> None:
    st.button("Stop fetching", on_click=fetch.cancel)
    place = st.empty()
    while not fetch.wait(WAIT):
        part = min(1.0, fetch.done / max(fetch.total, 1))
        place.progress(part, f"Fetching: {_size(fetch.done)} of {_size(fetch.total)}")


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB"
