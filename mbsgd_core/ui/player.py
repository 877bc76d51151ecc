"""The player's server half (floor 6): mounts assets/player as one component and hands it one binary payload.

The component's own script is a few lines; the modules, the style and plotly.js are static files that the browser
keeps, served by Streamlit itself under /component/. Nothing comes from another host.
"""

from collections.abc import Callable
from typing import Any

import streamlit as st

from mbsgd_core.ui.frame import ROOT

_FILES = st.components.v1.declare_component("player", path=str(ROOT / "assets" / "player"))
_VENDOR = st.components.v1.declare_component("vendor", path=str(ROOT / "assets" / "vendor"))

# The page may be hosted below a sub-path: find it from where Streamlit's own scripts came from.
_LOADER = """
// Streamlit's own entry script lies at static/js/ below the root.
const root = document.querySelector('script[type="module"][src*="static/js/"]').src.split("static/js/")[0];
const base = root + "component/__FILES__";
export default function (component) {
  import(base + "/main.js").then(player => player.render({ ...component, base }));
}
"""

KEY = "player"


def plotly_url() -> str:
    """Where the browser finds plotly.js, relative to the player's own files."""
    return f"../{_VENDOR.name}/plotly-cartesian.min.js"


@st.cache_resource(show_spinner=False)
def _component() -> Any:
    script = _LOADER.replace("__FILES__", _FILES.name)
    return st.components.v2.component("mbsgd_player", js=script, isolate_styles=False)


def player(payload: bytes, **events: Callable[[], None]) -> None:
    """Show a payload (see figures/payload.py); events are on_drag, on_start, on_cursor, on_poll.

    Mount it after the work for the payload is done: its arrival is the acknowledgement that lets the next message of
    a drag go out.
    """
    _component()(key=KEY, data=payload, **{f"{name}_change": handler for name, handler in events.items()})


def event(name: str) -> dict[str, Any]:
    """The newest message of one kind from the player; {} if there is none."""
    result = st.session_state.get(KEY)
    return dict(result.get(name) or {}) if result else {}
