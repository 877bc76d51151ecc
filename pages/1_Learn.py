"""Learn: every lesson as a card, in chapters; then all textbook claims, each with what was measured."""

from base64 import b64encode
from html import escape

import streamlit as st

from mbsgd_core import share
from mbsgd_core.ui import claims, frame, presets

NAME, COLUMNS = "Learn", 3
_STYLE = """<style>
.lesson img {display: block; width: 100%; border-radius: 8px}
.lesson h3 {font-size: 1.1rem !important; margin: 0 !important; padding: .8rem 0 .4rem !important}
.lesson p, .lesson details {margin: 0 0 .6rem}
.lesson p:last-child {font-size: .875rem; opacity: .7}
</style>"""


def card(name: str) -> None:
    """One lesson: its picture, its sentences, and the link that opens it. Few elements: there are many cards."""
    preset, picture = presets.all_presets()[name], b64encode(presets.picture(name).encode()).decode()
    title, lesson, look_for = (escape(preset[key]) for key in ("title", "lesson", "look_for"))
    with st.container(border=True, height="stretch"):
        st.html(
            f'<div class="lesson"><img alt="What the lanes do in this lesson: {title}" '
            f'src="data:image/svg+xml;base64,{picture}"><h3>{title}</h3><p>{lesson}</p>'
            f"{claims.about(name)}<p>Look for: {look_for}</p></div>"
        )
        link = share.flat(presets.experiment(name))
        label = f"Open in {frame.HOME}"
        st.page_link(frame.pages()[frame.HOME], label=label, icon=":material/play_arrow:", query_params=link)


def main() -> None:
    """Draw the page."""
    frame.begin(NAME)
    st.title(NAME, anchor=False)
    st.html(_STYLE)
    st.write(
        "Each lesson is one experiment on real mini-batches. Open it, let it play, then change one thing: its link "
        "carries every setting, so what you see is what your students see."
    )
    for chapter, names in presets.chapters().items():
        st.header(chapter, anchor=False)
        for row in range(0, len(names), COLUMNS):
            for column, name in zip(st.columns(COLUMNS), names[row : row + COLUMNS], strict=False):
                with column:
                    card(name)
    st.header("Claims", anchor=False)
    st.write(f"What the texts say, and what was measured of it: {claims.tally()}.")
    claims.table()
    frame.end()


main()
