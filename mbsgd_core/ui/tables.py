"""Small tables as plain HTML (floor 6): the data-frame widget costs a page more to load than all else on it."""

from collections.abc import Sequence
from html import escape

import streamlit as st

_STYLE = """<style>
.lab-table {border-collapse: collapse; font-size: .85rem; width: 100%}
.lab-table th {font-weight: 500; text-align: left; opacity: .7}
.lab-table th, .lab-table td {padding: .3rem .8rem .3rem 0; vertical-align: top}
.lab-table tr + tr {border-top: 1px solid color-mix(in srgb, currentColor 15%, transparent)}
.lab-scroll {overflow-x: auto}
</style>"""


def table(name: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table with a name for screen readers; all texts are shown as they are, never as markup."""
    head = "".join(f'<th scope="col">{escape(column)}</th>' for column in columns)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    st.html(
        f'{_STYLE}<div class="lab-scroll"><table class="lab-table" aria-label="{escape(name)}">'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )
