"""The Plotly figures of what is measured of a run afterwards (floor 5): its landscape, its instruments."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from mbsgd_core.figures.lane_style import LaneStyle

HEIGHT, SMALL = 460, 260
_CLEAR = "rgba(0,0,0,0)"
_SYMBOLS = {"triangle": "triangle-up"}


def landscape(found: Any, labels: Sequence[str], looks: Sequence[LaneStyle]) -> go.Figure:
    """Contours of the loss in the plane, on a log scale where it is positive, and the paths' shadows in it.

    Args:
        found: a measures.landscape.Landscape, on its way or finished.
        labels, looks: of the lanes.
    """
    z = found.coarse
    positive = bool(np.nanmin(z, initial=np.inf) > 0)
    shown = np.log10(z) if positive else z
    title = {"text": "log10 of the loss" if positive else "loss", "side": "top"}
    bar = {"orientation": "h", "y": 1.02, "yanchor": "bottom", "thickness": 10, "title": title}
    contour = go.Contour(
        z=shown, x=found.xs, y=found.ys, colorscale="Cividis", colorbar=bar, ncontours=24, hoverinfo="skip"
    )
    figure = go.Figure(contour)
    lanes = list(zip(labels, looks, found.paths, found.path_losses, strict=True))
    for label, look, path, losses in reversed(lanes):  # the first lane, often the shortest path, on top
        line = {"color": look.color, "width": 2.5, "dash": look.dash}
        figure.add_scatter(
            x=path[:, 0], y=path[:, 1], mode="lines", line={"color": "white", "width": 5}, hoverinfo="skip"
        )
        figure.add_scatter(
            x=path[:, 0], y=path[:, 1], mode="lines", name=label, line=line, customdata=losses,
            hovertemplate=f"{_plain(label)}: true loss %{{customdata:.4g}}<extra></extra>",
        )  # fmt: skip
        end = np.flatnonzero(np.isfinite(path).all(1))[-1:]
        marker = {"symbol": _SYMBOLS.get(look.marker, look.marker), "size": 11, "color": look.color}
        marker["line"] = {"color": "white", "width": 1.5}
        figure.add_scatter(x=path[end, 0], y=path[end, 1], mode="markers", marker=marker, hoverinfo="skip")
    starts = np.array([path[0] for path in found.paths])
    ring = {"symbol": "circle-open", "size": 13, "color": "white", "line": {"width": 3}}
    figure.add_scatter(x=starts[:, 0], y=starts[:, 1], mode="markers", marker=ring, hoverinfo="skip")
    figure.update_xaxes(title=found.labels[0], range=[found.xs[0], found.xs[-1]])
    figure.update_yaxes(title=found.labels[1], range=[found.ys[0], found.ys[-1]])
    return _framed(figure, HEIGHT)


def along(found: Any, labels: Sequence[str], looks: Sequence[LaneStyle], epochs: Sequence[np.ndarray]) -> go.Figure:
    """The true loss along each path (line) and that of its shadow in the plane (dots): how far to trust the picture.

    Args:
        found: a measures.landscape.Landscape.
        labels, looks: of the lanes.
        epochs: of each lane's iterates.
    """
    figure = go.Figure()
    lanes = zip(labels, looks, found.path_losses, found.shadow_losses, epochs, strict=True)
    for label, look, true, shadow, passed in lanes:
        steps = passed[: len(true)]
        figure.add_scatter(x=steps, y=true, mode="lines", name=label, line={"color": look.color, "dash": look.dash})
        marker = {"symbol": _SYMBOLS.get(look.marker, look.marker), "size": 5, "color": look.color}
        figure.add_scatter(x=steps, y=shadow, mode="markers", name=f"{label}, in the plane", marker=marker)
    figure.update_xaxes(title="epochs")
    figure.update_yaxes(title="loss", type="log" if _positive([*found.path_losses]) else "linear")
    return _framed(figure, SMALL)


def instrument(
    readings: Sequence[Any], name: str, lanes: Sequence[tuple[str, LaneStyle, int]], edge: bool = False
) -> go.Figure:
    """One instrument along all paths.

    Args:
        readings: see jobs.surveys.Reading.
        name: of the instrument, one of a reading's fields.
        lanes: label, look and updates an epoch of each.
        edge: whether to draw the limit that each lane's rate sets beside it.
    """
    figure = go.Figure()
    for i, (label, look, per_epoch) in enumerate(lanes):
        own = [reading for reading in readings if reading.lane == i]
        x, y = [reading.update / per_epoch for reading in own], [getattr(reading, name) for reading in own]
        marker = {"symbol": _SYMBOLS.get(look.marker, look.marker), "size": 7}
        line = {"color": look.color, "dash": look.dash}
        figure.add_scatter(x=x, y=y, mode="lines+markers", name=label, line=line, marker=marker)
        if edge and own and np.isfinite(own[0].edge):
            limit = [reading.edge for reading in own]
            thin = {"color": look.color, "width": 1, "dash": "dash"}
            figure.add_scatter(x=x, y=limit, mode="lines", name=f"{label}: {own[0].formula}", line=thin)
    values = [np.array([getattr(reading, name) for reading in readings])]
    figure.update_xaxes(title="epochs")
    figure.update_yaxes(title=name, type="log" if _positive(values) else "linear")
    return _framed(figure, SMALL).update_layout(showlegend=edge, legend={"orientation": "h", "y": -0.3})


def _positive(values: Sequence[np.ndarray]) -> bool:
    found = np.concatenate([np.ravel(each) for each in values]) if values else np.empty(0)
    found = found[np.isfinite(found)]
    return bool(len(found)) and bool((found > 0).all())


def _plain(label: str) -> str:
    return label.translate(str.maketrans("", "", "<>&%{}"))


def _framed(figure: go.Figure, height: int) -> go.Figure:
    margin = {"l": 8, "r": 8, "t": 8, "b": 8}
    layout = {"height": height, "margin": margin, "paper_bgcolor": _CLEAR, "plot_bgcolor": _CLEAR}
    return figure.update_layout(showlegend=False, uirevision="kept", **layout)
