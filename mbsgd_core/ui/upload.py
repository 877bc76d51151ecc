"""The visitor's own table (floor 6): a file is read, its columns get their roles."""

from collections.abc import Callable
from typing import Any

import streamlit as st

from mbsgd_core.errors import LabError
from mbsgd_core.problems.datasets.base import Dataset
from mbsgd_core.problems.datasets.csv import Csv
from mbsgd_core.registry import pick
from mbsgd_core.ui import frame
from mbsgd_core.ui.controls import choice

_SEEN, _ERROR = "upload_seen", "upload_error"
PATH = ("problem", "dataset")


def upload(dataset: Csv, put: Callable[[dict[str, Any]], None]) -> None:
    """The widgets of a table.

    Args:
        dataset: the table in hand.
        put: takes another table, as plain values.
    """
    given = st.file_uploader("CSV file", type=["csv", "tsv", "txt"], key="upload", help="A header, then rows; 2 MB.")
    if given is not None and st.session_state.get(_SEEN) != given.file_id:
        st.session_state[_SEEN] = given.file_id  # a later change of a setting must not take it again
        _take(lambda: Csv.of(given.getvalue())[0], put)
        st.rerun()
    if st.session_state.get(_ERROR):
        st.error(frame.plain(st.session_state[_ERROR]))
    names, values = dataset.sheet.names, dataset.model_dump(mode="json")
    target = dataset.target or names[-1]

    def change(**roles: Any) -> None:
        _take(lambda: pick("mbsgd_core.problems.datasets", Dataset, values | roles, "data set"), put)

    def aim(name: str) -> None:
        kept = [column for column in dataset.inputs or () if column != name]
        change(target=name, inputs=kept or None)

    choice("Target", {name: name for name in names}, target, (*PATH, "target"), aim)
    others = [name for name in names if name != target]
    key = "/".join((*PATH, "inputs"))
    st.session_state[key] = list(dataset.inputs or others)
    helps = "The columns that it is predicted from."
    st.multiselect(
        "Inputs", others, key=key, help=helps, on_change=lambda: change(inputs=st.session_state[key] or None)
    )
    for note in dataset.reading.notes:
        st.caption(frame.plain(note))


def _take(read: Callable[[], Csv], put: Callable[[dict[str, Any]], None]) -> None:
    """Put a table in hand, or keep the sentence that says why not."""
    st.session_state[_ERROR] = ""
    try:
        put(read().model_dump(mode="json"))
    except LabError as error:
        st.session_state[_ERROR] = str(error)
