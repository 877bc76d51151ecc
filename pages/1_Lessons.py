"""Lessons: every preset as a card, with what it teaches and what to look for."""

from base64 import b64encode
from html import escape
from urllib.parse import parse_qsl

import streamlit as st

from mbsgd_core import share
from mbsgd_core.experiment import Experiment
from mbsgd_core.ui import frame, presets

COLUMNS = 3
PICTURES = {frame.HOME: "The paths", "Train": "The losses"}  # of each page that has lessons
_STYLE = """<style>
.lesson img {display: block; width: 100%; border-radius: 8px}
.lesson h3 {font-size: 1.1rem !important; margin: 0 !important; padding: .8rem 0 .4rem !important}
.lesson p {margin: 0 0 .6rem}
.lesson p:last-child {font-size: .875rem; opacity: .7}
</style>"""


def card(page: str, name: str, preset: dict) -> None:
    """One lesson: its picture, its sentences, and the link that opens it. Few elements: there are many cards."""
    picture = b64encode(presets.picture(name).encode()).decode()
    title, lesson, look_for = (escape(preset[key]) for key in ("title", "lesson", "look_for"))
    with st.container(border=True, height="stretch"):
        st.html(
            f'<div class="lesson"><img alt="{PICTURES[page]} of this lesson: {title}" '
            f'src="data:image/svg+xml;base64,{picture}"><h3>{title}</h3><p>{lesson}</p>'
            f"<p>Look for: {look_for}</p></div>"
        )
        link = share.to_query(Experiment.model_validate(preset["experiment"]))
        file, icon = frame.pages()[page], ":material/play_arrow:"
        st.page_link(file, label=f"Open in {page}", icon=icon, query_params=parse_qsl(link))


def main() -> None:
    """Draw the page."""
    frame.begin("Lessons")
    st.title("Lessons", anchor=False)
    st.html(_STYLE)
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
