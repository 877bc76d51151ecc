"""The script that begins to load the bench before it is drawn (floor 6)."""

import json

from mbsgd_core.ui import files


def preload() -> str:
    """A script that begins to load the bench and plotly.js, all files at once, for a component that is drawn earlier.

    plotly.js is only fetched: running it takes so long that the bench draws its first picture before. The page may be
    hosted below a sub-path: it is found from where Streamlit's own entry script came from.
    """
    modules, styles = (
        json.dumps(sorted(str(file.relative_to(files.BENCH)) for file in files.BENCH.rglob(kind)))
        for kind in ("*.js", "*.css")
    )
    return f"""
const root = document.querySelector('script[type="module"][src*="static/js/"]').src.split("static/js/")[0];
const base = root + "{files.BASE}/bench";
{modules}.forEach(file => import(`${{base}}/${{file}}`));
import(base + "/dom.js").then(dom => {{
  {styles}.forEach(file => dom.loadStyle(`${{base}}/${{file}}`));
  dom.fetchEarly(new URL("{files.PLOTLY}", base + "/").href);
}});
"""
