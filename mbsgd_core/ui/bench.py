"""The bench (floor 6), the app's home: every problem, three methods side by side, live.

Streamlit mounts the component and tells it which experiment is in hand; all else it fetches over the channel. It tells
the script one thing: the link of the experiment at which a hand has come to rest.
"""

from collections.abc import Callable
from typing import Any, get_args

import streamlit as st

from mbsgd_core import share
from mbsgd_core.figures.payload import pack
from mbsgd_core.results.header import Box, PageHeader
from mbsgd_core.ui import files, frame, live, session, tiles
from mbsgd_core.ui.bench_details import below
from mbsgd_core.ui.page_header import page_header
from mbsgd_core.ui.sidebar import sidebar
from mbsgd_core.ui.singletons import runner

KEY = "bench"
# The app may be hosted below another path: that is found from where Streamlit's own entry script came from.
_LOADER = f"""
const root = document.querySelector('script[type="module"][src*="static/js/"]').src.split("static/js/")[0];
const base = root + "{files.BASE}/bench";
export default function (component) {{
  import(base + "/main.js").then(bench => bench.render({{ ...component, base, root }}));
}}
"""


def main() -> None:
    """Draw the page."""
    frame.begin(frame.HOME)
    session.load()
    experiment = session.current()
    if not frame.embedded():
        st.title(frame.HOME, anchor=False)
        tiles.tiles()
        sidebar(experiment)
    frame.say(session.notices())
    if st.session_state.pop("suggest", False):
        session.put(live.suggested(session.current(), runner(), st.session_state["owner"]))
    experiment = session.current()
    state = st.session_state
    header = page_header(
        experiment,
        take=state["take"],
        view=state["view"],
        embed=frame.embedded(),
        clock=state["clock"],
        theme=st.context.theme.type,
        box=next((name for name in get_args(Box) if state.get(f"box/{name}")), None),
    )
    session.write_link(header["link"])
    _mount(header, on_settled=_on_settled)
    below(experiment)
    frame.end()


@st.cache_resource(show_spinner=False)
def _component() -> Any:
    return st.components.v2.component("mbsgd_bench", js=_LOADER, isolate_styles=False)


def _mount(header: PageHeader, **events: Callable[[], None]) -> None:
    handlers = {f"{name}_change": handler for name, handler in events.items()}
    _component()(key=KEY, data=pack(header, {}), **handlers)


def _on_settled() -> None:
    """A hand has come to rest: its experiment becomes the page's."""
    told = dict(st.session_state[KEY].get("settled") or {})
    if "link" in told:
        experiment, _ = share.from_query(told["link"], page=True, fallback=session.current())
        session.put(experiment)
