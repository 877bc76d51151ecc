"""What is measured of a run on request (floor 6): the landscape around its path, instruments along it."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import streamlit as st

from mbsgd_core.errors import LabError
from mbsgd_core.experiment import Experiment
from mbsgd_core.figures import lane_style
from mbsgd_core.format import number
from mbsgd_core.jobs import surveys
from mbsgd_core.jobs.job import Job
from mbsgd_core.results.run import LaneProgress
from mbsgd_core.ui.singletons import runner

WAIT = 0.4  # seconds between two looks at a survey
QUIET = {"displayModeBar": False, "plotlyServerURL": ""}
KINDS: dict[surveys.Kind, str] = {
    "pca": "through the paths (PCA)",
    "random": "two random directions around the end of the first lane",
}
_TITLES = {
    "gradient": "Gradient norm |G|",
    "scale": "Noise scale: the batch whose noise is as long as the gradient",
    "sharpness": "Largest Hessian eigenvalue; dashed: what the rate can just bear without noise",
}


def landscape(experiment: Experiment) -> None:
    """The loss in a plane through the paths of the finished run."""
    lanes = _finished(experiment)
    if lanes is None:
        return
    points, rows = surveys.size(experiment) ** 2, min(surveys.SAMPLES, experiment.problem.sample_count)
    kind = st.selectbox("Plane", list(KINDS), format_func=KINDS.__getitem__, key="landscape_kind")
    asked = st.button(
        "Compute the landscape",
        help=f"Evaluates the loss of {rows:,} rows at {points:,} points, in the background, of the finished run.",
    )
    chain = partial(surveys.landscape, experiment.to_json(), lanes, kind)
    _survey("landscape", experiment, chain if asked else None, partial(_draw_landscape, experiment, lanes))


def instruments(experiment: Experiment) -> None:
    """Gradient norm, noise scale and curvature along the paths of the finished run."""
    from mbsgd_core.results.learning import sharpness_cost

    lanes = _finished(experiment)
    if lanes is None:
        return
    rows = min(surveys.FEW, experiment.problem.sample_count)
    stops = sum(len(surveys.stops(path)) for path in surveys.paths(lanes))
    noise = st.toggle(f"Gradient norm and noise scale: {stops * rows:,} sample gradients", True, key="measure_noise")
    most = stops * sharpness_cost(rows)
    curved = st.toggle(
        f"Largest Hessian eigenvalue: as much work as {most:,} sample gradients, at most", key="measure_curvature"
    )
    asked = st.button(
        "Measure",
        disabled=not (noise or curved),
        help=f"At {stops} places of the paths, over {rows:,} rows, in the background. The run is not touched.",
    )
    chain = partial(surveys.instruments, experiment.to_json(), lanes, noise, curved)
    _survey("instruments", experiment, chain if asked else None, partial(_draw_instruments, experiment))


def _finished(experiment: Experiment) -> tuple[LaneProgress, ...] | None:
    known = runner().known(experiment.to_json())
    if known is None or not any(len(lane.path.update) > 1 for lane in known.lanes):
        st.caption(
            "Nothing is trained yet: this is measured along the path of a finished run. Open this box again then."
        )
        return None
    return known.lanes


def _survey(name: str, experiment: Experiment, chain: Callable[[Job], Any] | None, draw: Callable[[Any], None]) -> None:
    """Ask for a survey, follow it while the page is being drawn, show what it found; any other click ends it."""
    mine, text = st.session_state, experiment.to_json()
    place = st.empty()
    if chain is not None:
        try:
            job = runner().run((name, mine["owner"]), object(), chain)
            _follow(place, job)
            mine[name] = text, job.answer()
        except LabError as error:
            place.error(str(error))
    found = mine.get(name)
    if found is not None and found[0] == text:
        draw(found[1])


def _follow(place: Any, job: Job) -> None:
    try:
        while not job.wait(WAIT):
            place.progress(job.progress, f"{job.progress:.0%} measured")
        place.empty()
    finally:
        if not job.over:
            job.cancel()


def _draw_landscape(experiment: Experiment, lanes: tuple[LaneProgress, ...], found: Any) -> None:
    from mbsgd_core.figures import survey as figures

    labels, looks = [lane.label for lane in experiment.lanes], lane_style.lane_styles(experiment.lanes)
    if len(found.paths) != len(labels):
        return
    st.caption(found.text)
    ends = ", ".join(f"{label} {number(losses[-1])}" for label, losses in zip(labels, found.path_losses, strict=True))
    alt = f"The loss in a plane, with the paths of {', '.join(labels)} in it. True losses at the end: {ends}."
    st.plotly_chart(figures.landscape(found, labels, looks), key="landscape_figure", config=QUIET, alt=alt)
    st.caption(
        "Lines: the true loss along the path. Marks: that of its shadow in the plane; far apart, the plane misleads."
    )
    walked = surveys.paths(lanes)
    epochs = [path.update / max(experiment.updates_per_epoch(i), 1) for i, path in enumerate(walked)]
    figure = figures.along(found, labels, looks, epochs)
    st.plotly_chart(figure, key="along_figure", config=QUIET, alt=f"True losses: {ends}.")


def _draw_instruments(experiment: Experiment, readings: list[surveys.Reading]) -> None:
    from mbsgd_core.figures import survey as figures

    labels, looks = [lane.label for lane in experiment.lanes], lane_style.lane_styles(experiment.lanes)
    lanes = [(label, looks[i], max(experiment.updates_per_epoch(i), 1)) for i, label in enumerate(labels)]
    for name, title in _TITLES.items():
        known = [reading for reading in readings if np.isfinite(getattr(reading, name)) and reading.lane < len(labels)]
        if known:
            last = {reading.lane: getattr(reading, name) for reading in known}
            ends = ", ".join(f"{labels[i]} {number(value)}" for i, value in sorted(last.items()))
            st.caption(f"{title}. At the end: {ends}.")
            figure = figures.instrument(known, name, lanes, edge=name == "sharpness")
            st.plotly_chart(figure, key=f"figure_{name}", config=QUIET, alt=f"{title}. At the end: {ends}.")
