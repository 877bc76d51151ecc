"""The Plotly figure of a loss surface (floor 5): for pages that show a surface by itself, without paths."""

import numpy as np
import plotly.graph_objects as go

HEIGHT = 420


def contour(header: dict, arrays: dict[str, np.ndarray]) -> go.Figure:
    """Contours of the objective, its minimizers and saddles.

    Args:
        header: a picture's "problem".
        arrays: a picture's arrays z (ny, nx), xs (nx,), ys (ny,).
    """
    figure = go.Figure(go.Contour(z=heights(header, arrays["z"]), x=arrays["xs"], y=arrays["ys"], **_colours(header)))
    for name, symbol in (("minimizers", "star"), ("saddles", "x")):
        points = np.array(header[name]).reshape(-1, 2)
        if len(points):
            marker = {"symbol": symbol, "size": 13, "color": "white", "line": {"color": "#1c2126", "width": 1.5}}
            figure.add_scatter(x=points[:, 0], y=points[:, 1], mode="markers", name=name, marker=marker)
    figure.update_xaxes(title=header["axes"][0], range=header["view"][:2])
    figure.update_yaxes(title=header["axes"][1], range=header["view"][2:])
    return _framed(figure)


def relief(header: dict, arrays: dict[str, np.ndarray]) -> go.Figure:
    """The same surface in three dimensions."""
    figure = go.Figure(go.Surface(z=heights(header, arrays["z"]), x=arrays["xs"], y=arrays["ys"], **_colours(header)))
    titles = {"xaxis_title": header["axes"][0], "yaxis_title": header["axes"][1], "zaxis_title": _height_name(header)}
    figure.update_layout(scene=titles | {"aspectratio": {"x": 1, "y": 1, "z": 0.6}})
    return _framed(figure)


def heights(header: dict, z: np.ndarray) -> np.ndarray:
    """z, or its logarithm above the minimum where it spans many decades."""
    if not header["log_levels"]:
        return z
    lowest = np.nanmin(z) if header["optimal_value"] is None else min(np.nanmin(z), header["optimal_value"])
    above = z - lowest
    return np.log10(above + 1e-4 * np.nanmax(above))


def _height_name(header: dict) -> str:
    return "log10 of f above its minimum" if header["log_levels"] else "f"


def _colours(header: dict) -> dict:
    return {"colorscale": "Cividis", "colorbar": {"title": {"text": _height_name(header)}, "thickness": 12}}


def _framed(figure: go.Figure) -> go.Figure:
    clear = "rgba(0,0,0,0)"
    margin = {"l": 8, "r": 8, "t": 8, "b": 8}
    return figure.update_layout(height=HEIGHT, margin=margin, paper_bgcolor=clear, plot_bgcolor=clear, showlegend=False)
