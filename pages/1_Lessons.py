"""Lessons: every preset as a card, with what it teaches and what to look for."""

from urllib.parse import parse_qsl

import streamlit as st

from mbsgd_core import share
from mbsgd_core.experiment import Experiment
from mbsgd_core.ui import frame, presets

COLUMNS = 3
PICTURES = {frame.HOME: "The paths", "Train": "The losses"}  # of each page that has lessons


def card(page: str, name: str, preset: dict) -> None:
    """One lesson: its picture, its sentences, and the link that opens it."""
    with st.container(border=True, height="stretch"):
        st.image(presets.picture(name), width="stretch", alt=f"{PICTURES[page]} of this lesson: {preset['title']}")
        st.subheader(preset["title"], anchor=name.split("/")[-1])
        st.write(preset["lesson"])
        st.caption(f"Look for: {preset['look_for']}")
        link = share.to_query(Experiment.model_validate(preset["experiment"]))
        file, icon = frame.pages()[page], ":material/play_arrow:"
        st.page_link(file, label=f"Open in {page}", icon=icon, query_params=parse_qsl(link))


def main() -> None:
    """Draw the page."""
    frame.begin("Lessons")
    st.title("Lessons", anchor=False)
    st.write(
        "Each lesson is one experiment on real mini-batches. Open it, let it play, then change one thing: its link "
        "carries every setting, so what you see is what your students see."
    )
    for page in PICTURES:
        st.header(page, anchor=False)
        lessons = list(presets.all_presets(page).items())
        for row in range(0, len(lessons), COLUMNS):
            for column, (name, preset) in zip(st.columns(COLUMNS), lessons[row : row + COLUMNS], strict=False):
                with column:
                    card(page, name, preset)
    frame.end()


main()
