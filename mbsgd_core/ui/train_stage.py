"""The Train page's stage (floor 6): mounts assets/train as one component and hands it one binary payload."""

from typing import Any

import streamlit as st

from mbsgd_core.ui import files

KEY = "stage"
# The page may be hosted below a sub-path: it is found from where Streamlit's own entry script came from.
_JS = f"""
const root = document.querySelector('script[type="module"][src*="static/js/"]').src.split("static/js/")[0];
const base = root + "{files.BASE}/train";
const stage = import(base + "/main.js");
export default function (component) {{
  stage.then(found => found.render({{ ...component, base }}));
}}
"""


@st.cache_resource(show_spinner=False)
def _component() -> Any:
    return st.components.v2.component("mbsgd_train", js=_JS, isolate_styles=False)


def stage(payload: bytes) -> None:
    """Show a payload (see figures/train.py)."""
    _component()(key=KEY, data=payload)
