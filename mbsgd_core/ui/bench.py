"""The bench (floor 6), the app's home: every problem, three methods side by side, live.

Streamlit mounts the component and tells it which experiment is in hand; all else it fetches over the channel. It tells
the script one thing: the link of the experiment at which a hand has come to rest.
"""

from collections.abc import Callable
from typing import Any

import streamlit as st

from mbsgd_core import share
from mbsgd_core.experiment import Experiment
from mbsgd_core.figures.payload import VERSION, pack
from mbsgd_core.ui import channel, files, frame, live, presets, session, tiles
from mbsgd_core.ui.bench_details import below
from mbsgd_core.ui.preload import preload
from mbsgd_core.ui.sidebar import sidebar
from mbsgd_core.ui.singletons import runner

KEY = "bench"
_LOADER = """
export default function (component) {
  import(base + "/main.js").then(bench => bench.render({ ...component, base, root }));
}
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
    link = share.to_query(experiment)
    session.write_link(link)
    _mount(_header(experiment, link), on_settled=_on_settled)
    below(experiment)
    frame.end()


@st.cache_resource(show_spinner=False)
def _component() -> Any:
    return st.components.v2.component("mbsgd_bench", js=preload() + _LOADER, isolate_styles=False)


def _mount(header: dict[str, Any], **events: Callable[[], None]) -> None:
    handlers = {f"{name}_change": handler for name, handler in events.items()}
    _component()(key=KEY, data=pack(header, {}), **handlers)


def _header(experiment: Experiment, link: str) -> dict[str, Any]:
    """What the page knows: the experiment in hand, the lesson that it is, how it is to be shown."""
    state = st.session_state
    lesson = presets.like(state["experiment"])
    told = ("title", "lesson", "look_for", "question")
    return {
        "version": VERSION,
        "kind": "page",
        "link": link,
        "take": state["take"],
        "clock": state["clock"],
        "view": state.get("view"),
        "theme": st.context.theme.type,
        "embed": frame.embedded(),
        "plotly": files.PLOTLY,
        "channel": channel.PATH,
        "autoplay": True,
        "lesson": None if lesson is None else {name: lesson.get(name) for name in told},
        "summary": experiment.problem.summary,
    }


def _on_settled() -> None:
    """A hand has come to rest: its experiment becomes the page's."""
    told = dict(st.session_state[KEY].get("settled") or {})
    if "link" in told:
        experiment, _ = share.from_query(told["link"], page=True, fallback=session.current())
        session.put(experiment)
