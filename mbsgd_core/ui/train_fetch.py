"""Data that have to be fetched first (floor 6): says so, fetches them when asked, and shows how far that is."""

from collections.abc import Callable

import streamlit as st

from mbsgd_core.jobs.fetching import Fetch
from mbsgd_core.problems.datasets.base import Dataset
from mbsgd_core.ui import frame
from mbsgd_core.ui.work import fetches

REFRESH = 0.3  # seconds between two looks at a download


def fetch_box(dataset: Dataset, put: Callable[[Dataset], None]) -> None:
    """What is missing of a data set; nothing where nothing is.

    Args:
        dataset: the one in hand.
        put: takes another in its place.
    """
    with st.container():  # its place is there also where nothing is missing, and belongs to no fragment
        if dataset.missing:
            _offer(dataset, put)


def _offer(dataset: Dataset, put: Callable[[Dataset], None]) -> None:
    fetch = fetches().of(dataset)
    if fetch is not None and fetch.state == "running":
        st.fragment(_watched, run_every=REFRESH)(fetch)
        return
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


def _watched(fetch: Fetch) -> None:
    if fetch.state != "running":
        st.rerun()
    share = min(1.0, fetch.done / max(fetch.total, 1))
    st.progress(share, f"Fetching: {_size(fetch.done)} of {_size(fetch.total)}")
    st.button("Stop fetching", on_click=fetch.cancel)


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB"
