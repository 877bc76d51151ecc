"""The player's server half (floor 6): mounts assets/bench as one component and hands it one binary payload.

The component's own script is a few lines; the modules, the style and plotly.js are static files that the browser
keeps (see files.py). Nothing comes from another host.
"""

import json
from collections.abc import Callable
from typing import Any

import streamlit as st

from mbsgd_core.ui import files

_LOADER = """
export default function (component) {
  import(base + "/main.js").then(player => player.render({ ...component, base, root }));
}
"""

KEY = "player"


def preload() -> str:
    """A script that begins to load the player and plotly.js, all files at once, for a component that is drawn earlier.

    plotly.js is only fetched: running it takes so long that the player draws its first picture before. The page may be
    hosted below a sub-path: it is found from where Streamlit's own entry script came from.
    """
    modules = json.dumps(sorted(file.relative_to(files.BENCH).as_posix() for file in files.BENCH.rglob("*.js")))
    return f"""
const root = document.querySelector('script[type="module"][src*="static/js/"]').src.split("static/js/")[0];
const base = root + "{files.BASE}/bench";
{modules}.forEach(file => import(`${{base}}/${{file}}`));
import(base + "/dom.js").then(dom => {{
  ["bench.css", "panels/panels.css"].forEach(file => dom.loadStyle(`${{base}}/${{file}}`));
  dom.fetchEarly(new URL("{files.PLOTLY}", base + "/").href);
}});
"""


@st.cache_resource(show_spinner=False)
def _component() -> Any:
    return st.components.v2.component("mbsgd_player", js=preload() + _LOADER, isolate_styles=False)


def player(payload: bytes, **events: Callable[[], None]) -> None:
    """Show a payload (see figures/payload.py); events are on_settled, on_start, on_cursor, on_poll.

    Mount it after the work for the payload is done: its arrival is the acknowledgement that lets the next message of
    a drag go out.
    """
    _component()(key=KEY, data=payload, **{f"{name}_change": handler for name, handler in events.items()})


def event(name: str) -> dict[str, Any]:
    """The newest message of one kind from the player; {} if there is none."""
    result = st.session_state.get(KEY)
    return dict(result.get(name) or {}) if result else {}
