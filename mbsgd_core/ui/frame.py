"""The frame of every page (floor 6): title, style, navigation, notices, and a settled garbage collector."""

import gc
from collections.abc import Sequence
from pathlib import Path

import streamlit as st
from streamlit.elements.lib.mutable_expander_container import ExpanderContainer

from mbsgd_core.ui.singletons import runner

ROOT = Path(__file__).resolve().parents[2]
HOME = "Compare"

_STYLE = """<style>
.block-container {padding-top: 1.2rem; padding-bottom: 4rem; max-width: 1600px;
  padding-left: clamp(1rem, 2.5vw, 3rem); padding-right: clamp(1rem, 2.5vw, 3rem)}
h1 {font-size: 1.3rem !important; padding: 0 !important; letter-spacing: -0.01em}
[data-testid="stHeading"] h2 {font-size: 1.2rem !important; padding: .9rem 0 .2rem !important}
h3 {font-size: 1.05rem !important; padding: .4rem 0 .5rem !important}
@media (max-width: 640px) {.block-container {padding-top: 3.6rem; padding-left: 1rem; padding-right: 1rem}}
[data-testid="stSidebarContent"] [data-testid="stVerticalBlock"] {gap: .55rem}
[data-testid="stSidebarHeader"] {padding-bottom: 0; height: 2.2rem}
[data-testid="stLayoutWrapper"]:has(> [class*="st-key-script-"]) {display: none}
</style>"""
# A page that the visitor has gone back from may still be on its way. When it arrives, Streamlit would add its address
# to the history, above the one gone back to: so nobody writes there from a step back until the visitor's next act.
_HISTORY = """
if (!Object.hasOwn(history, "pushState")) {
  let travelling = false;
  addEventListener("popstate", () => (travelling = true));
  for (const act of ["pointerdown", "keydown", "click"]) addEventListener(act, () => (travelling = false), true);
  for (const name of ["pushState", "replaceState"]) {
    const write = history[name];
    history[name] = (...entry) => travelling || write.apply(history, entry);
  }
}
"""


def pages() -> dict[str, str]:
    """Every page by its name, with the file that Streamlit runs for it: the home page, then pages/ in order."""
    found = {file.stem.split("_", 1)[1].replace("_", " "): f"pages/{file.name}" for file in _page_files()}
    return {HOME: "app.py", **found}


def _page_files() -> list[Path]:
    return sorted((ROOT / "pages").glob("[0-9]*_*.py"))


def begin(name: str) -> None:
    """Open a page: its first call, so that a deep link works as the first request to a fresh server.

    Args:
        name: the page's name in the navigation; also its h1.
    """
    runner()  # the workers import torch while the page is being drawn
    st.set_page_config(f"{name} · Mini-Batch SGD Lab", str(ROOT / "assets" / "icon.svg"), layout="wide")
    st.html(_STYLE)
    script("history", _HISTORY)
    state = st.session_state
    state["entered"], state["page"] = state.get("page") != name, name
    if embedded():
        st.html("<style>[data-testid=stSidebar], [data-testid=stSidebarCollapsedControl] {display: none}</style>")
        return
    with st.sidebar:
        for title, file in pages().items():
            # With all that is in hand there, so that going there is one step in the browser's history.
            link = state.get("written") if title == HOME != name else None
            st.page_link(file, label=title, query_params=link)
        st.divider()


def script(name: str, text: str = "") -> None:
    """Run a script of ours in the browser, once for each text; its place is there also without one."""
    with st.container(key=f"script-{name}"):
        if text:
            st.html(f"<script>{{{text}}}</script>", unsafe_allow_javascript=True)


def embedded() -> bool:
    """Whether the page sits in somebody else's: then without sidebar and tiles."""
    return bool(st.context.is_embedded)


def section(label: str, key: str, expanded: bool = False) -> ExpanderContainer:
    """A box that opens and closes; draw into it only while its `open` is true: closed boxes then cost nothing."""
    return st.expander(label, expanded=expanded, key=key, on_change="rerun")


def say(notices: Sequence[str]) -> None:
    """Show what was changed or ignored, plainly and all of it; its place is there also where nothing is said."""
    with st.container():
        if notices:
            st.warning("\n".join(f"- {plain(notice)}" for notice in notices), icon=":material/info:")


def plain(text: str) -> str:
    # What a visitor typed must not become a link, a picture or a heading.
    return "".join(f"\\{c}" if c in r"\`*_{}[]()#+!|<>~$:" else c for c in text)


def end() -> None:
    """Close a page. Streamlit collects all garbage after every run: freeze what the imports left behind, once."""
    _settle()


@st.cache_resource(show_spinner=False)
def _settle() -> bool:
    gc.collect()
    gc.freeze()
    return True
