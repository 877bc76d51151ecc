"""Choosing by picture (floor 6): the row of lessons above the bench, the problems in the sidebar."""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import streamlit as st

from mbsgd_core.experiment import problems
from mbsgd_core.ui import presets, session
from mbsgd_core.ui.frame import ROOT

PICTURES = ROOT / "assets" / "problems"  # drawn by tools/make_tiles.py

_JS = """
export default function ({ data, parentElement, setTriggerValue }) {
  const row = parentElement.querySelector(".row");
  row.setAttribute("aria-label", data.label);
  row.classList.toggle("grid", data.grid);
  row.replaceChildren(...data.tiles.map(tile => {
    const button = document.createElement("button");
    button.innerHTML = tile.svg;
    button.append(Object.assign(document.createElement("span"), { textContent: tile.title }));
    button.title = tile.help;
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
.grid {display: grid; grid-template-columns: repeat(auto-fill, minmax(104px, 1fr))}
button {flex: 0 0 132px; padding: 0 0 5px; border: 1px solid color-mix(in srgb, var(--st-text-color) 14%, transparent);
  border-radius: 8px; background: var(--st-background-color); color: var(--st-text-color); cursor: pointer;
  font: 500 12px/1.25 var(--st-font); text-align: left; overflow: hidden; display: flex; flex-direction: column}
button svg {display: block; width: 100%; height: 36px; background: #00224e}
button span {padding: 4px 8px 0; white-space: nowrap; overflow: hidden; text-overflow: ellipsis}
.grid button svg {height: 52px}
button:hover, button[aria-pressed=true] {border-color: var(--st-primary-color)}
button[aria-pressed=true] {box-shadow: 0 0 0 1px var(--st-primary-color)}
button:focus-visible {outline: 2px solid var(--st-primary-color); outline-offset: 1px}
"""


@st.cache_resource(show_spinner=False)
def _component() -> Any:
    html = '<div class="row" role="group"></div>'
    return st.components.v2.component("mbsgd_tiles", html=html, css=_CSS, js=_JS)


def _draw(
    key: str, label: str, shown: Sequence[dict[str, Any]], active: str | None, pick: Callable[[str], Any]
) -> None:
    def picked() -> None:
        pick(str(st.session_state[key].pick))

    data = {"label": label, "tiles": shown, "active": active, "grid": key == "pictures"}
    _component()(key=key, data=data, on_pick_change=picked)


def tiles() -> None:
    """Draw the lessons as tiles; a click puts the experiment of one in hand."""
    shown = [
        {"name": name, "title": preset["title"], "help": preset["lesson"], "svg": presets.picture(name)}
        for name, preset in presets.all_presets().items()
    ]
    _draw("tiles", "Lessons", shown, st.session_state.get("preset"), _pick)


def _pick(name: str) -> None:
    if name in presets.all_presets():
        session.replace(presets.experiment(name))


def pictures(active: str, pick: Callable[[str], Any]) -> None:
    """Draw the problems as tiles.

    Args:
        active: the name of the one in hand.
        pick: takes the name of another.
    """
    shown = [
        {"name": name, "title": cls.title, "help": cls.summary, "svg": _picture(name)}
        for name, cls in problems().items()
    ]
    _draw("pictures", "Problems", shown, active, pick)


@cache
def _picture(name: str) -> str:
    file = PICTURES / f"{name}.svg"
    return file.read_text("utf-8") if file.exists() else ""
