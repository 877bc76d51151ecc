"""The row of lessons above the picture (floor 6)."""

from typing import Any

import streamlit as st

from mbsgd_core.experiment import Experiment
from mbsgd_core.ui import presets, session
from mbsgd_core.ui.frame import HOME
from mbsgd_core.ui.preload import preload

_JS = """
export default function ({ data, parentElement, setTriggerValue }) {
  const row = parentElement.querySelector(".row");
  row.replaceChildren(...data.tiles.map(tile => {
    const button = document.createElement("button");
    button.innerHTML = tile.svg;
    button.append(Object.assign(document.createElement("span"), { textContent: tile.title }));
    button.title = tile.lesson;
    button.setAttribute("aria-pressed", tile.name === data.active);
    button.onclick = () => setTriggerValue("pick", tile.name);
    return button;
  }));
  const shown = row.querySelector("[aria-pressed=true]");
  if (shown && row.dataset.shown !== data.active)
    row.scrollLeft = shown.offsetLeft - row.offsetLeft - (row.clientWidth - shown.clientWidth) / 2;
  row.dataset.shown = data.active;
}
"""
_CSS = """
.row {display: flex; gap: 10px; overflow-x: auto; padding: 3px 3px 9px; scrollbar-width: thin}
button {flex: 0 0 122px; padding: 0 0 7px; border: 1px solid color-mix(in srgb, var(--st-text-color) 14%, transparent);
  border-radius: 8px; background: var(--st-background-color); color: var(--st-text-color); cursor: pointer;
  font: 500 12px/1.25 var(--st-font); text-align: left; overflow: hidden; display: flex; flex-direction: column}
button svg {display: block; width: 100%; height: 52px; background: #00224e}
button span {padding: 6px 8px 0}
button:hover, button[aria-pressed=true] {border-color: var(--st-primary-color)}
button[aria-pressed=true] {box-shadow: 0 0 0 1px var(--st-primary-color)}
button:focus-visible {outline: 2px solid var(--st-primary-color); outline-offset: 1px}
"""
_KEY = "tiles"


@st.cache_resource(show_spinner=False)
def _component() -> Any:
    html = '<div class="row" role="group" aria-label="Lessons"></div>'
    return st.components.v2.component("mbsgd_tiles", html=html, css=_CSS, js=preload() + _JS)


def tiles(page: str = HOME) -> None:
    """Draw a page's presets as tiles; a click puts its experiment in hand."""
    shown = [
        {"name": name, "title": preset["title"], "lesson": preset["lesson"], "svg": presets.picture(name)}
        for name, preset in presets.all_presets(page).items()
    ]
    _component()(key=_KEY, data={"tiles": shown, "active": st.session_state.get("preset")}, on_pick_change=_pick)


def _pick() -> None:
    name = st.session_state[_KEY].pick
    preset = presets.all_presets(st.session_state["page"]).get(name)
    if preset:
        session.replace(Experiment.model_validate(preset["experiment"]))
