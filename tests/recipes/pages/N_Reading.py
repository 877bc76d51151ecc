"""Reading: where the ideas come from."""

import streamlit as st

from mbsgd_core.ui import frame


def main() -> None:
    """Draw the page."""
    frame.begin("Reading")
    st.title("Reading", anchor=False)
    st.write("Bottou, Curtis, Nocedal 2018, Optimization methods for large-scale machine learning.")
    frame.end()


main()
