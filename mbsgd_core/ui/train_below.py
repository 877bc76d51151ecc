"""What stands below the stage on Train (floor 6): the landscape, instruments, the data, how to read it."""

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import streamlit as st

from mbsgd_core.errors import LabError
from mbsgd_core.experiment import Experiment
from mbsgd_core.figures import look
from mbsgd_core.jobs import surveys
from mbsgd_core.jobs.job import Job
from mbsgd_core.jobs.training import Training
from mbsgd_core.problems.models._linear import LinearModel
from mbsgd_core.ui import frame, train_run
from mbsgd_core.ui.fits import original_fits, standardisation
from mbsgd_core.ui.tables import table
from mbsgd_core.ui.work import runner

REFRESH = 0.6  # seconds between two looks at a survey
ROWS, COLUMNS = 5, 9  # of the data's table
IMAGES, IMAGES_A_ROW, ZOOM = 40, 20, 28  # shown of a data set of images; pixels of a side, about
QUIET = {"displayModeBar": False, "plotlyServerURL": ""}
KINDS: dict[surveys.Kind, str] = {
    "pca": "through the paths (PCA)",
    "random": "two random directions around the end of the first lane",
}


def below(experiment: Experiment) -> None:
    """Draw it; closed boxes cost nothing."""
    for label, key, draw in (
        ("The path in parameter space", "box/landscape", _landscape),
        ("Instruments: gradient, noise, curvature", "box/instruments", _instruments),
    ):
        box = frame.section(label, key)
        if box.open:
            with box:
                draw()
    if isinstance(experiment.problem, LinearModel):
        box = frame.section("The fit in original units", "box/units")
        if box.open:
            with box:
                _fits()
    box = frame.section("The data", "box/data")
    if box.open:
        with box:
            _data(experiment)
    box = frame.section("How to read this page", "box/reading")
    if box.open:
        box.markdown((frame.ROOT / "assets" / "text" / "train.md").read_text("utf-8"))


def _run() -> tuple[Experiment, Training] | None:
    known = train_run.result()
    if known is None or not any(len(lane.path) > 1 for lane in known.lanes):
        st.caption("Nothing is trained yet.")
        return None
    return Experiment.model_validate(json.loads(train_run.trained())), known


def _fits() -> None:
    found = _run()
    if found is not None and isinstance(found[0].problem, LinearModel):
        original_fits(found[0], [lane.path[-1] for lane in found[1].lanes])


def _landscape() -> None:
    found = _run()
    if found is None:
        return
    experiment, known = found
    points = surveys.size(experiment) ** 2
    rows = min(surveys.SAMPLES, experiment.problem.sample_count)
    kind = st.selectbox("Plane", list(KINDS), format_func=KINDS.__getitem__, key="landscape_kind")
    asked = st.button(
        "Compute the landscape",
        help=f"Evaluates the loss of {rows:,} rows at {points:,} points, in the background, of the run as it stands.",
    )
    if asked:
        _ask("landscape", partial(surveys.landscape, train_run.trained(), known.lanes, kind))
    _watch("landscape", partial(_draw_landscape, experiment, known))


def _draw_landscape(experiment: Experiment, known: Training, found: Any) -> None:
    from mbsgd_core.figures import train_survey as figures

    labels, looks = [lane.label for lane in experiment.lanes], look.looks(experiment.lanes)
    if len(found.paths) != len(labels):
        return
    st.caption(found.text)
    ends = ", ".join(f"{label} {losses[-1]:.3g}" for label, losses in zip(labels, found.path_losses, strict=True))
    alt = f"The loss in a plane, with the paths of {', '.join(labels)} in it. True losses at the end: {ends}."
    st.plotly_chart(figures.landscape(found, labels, looks), key="landscape_figure", config=QUIET, alt=alt)
    st.caption(
        "Lines: the true loss along the path. Marks: that of its shadow in the plane; far apart, the plane misleads."
    )
    epochs = [lane.looks[lane.at, 0] / max(experiment.updates_per_epoch(i), 1) for i, lane in enumerate(known.lanes)]
    figure = figures.along(found, labels, looks, epochs)
    st.plotly_chart(figure, key="along_figure", config=QUIET, alt=f"True losses: {ends}.")


def _instruments() -> None:
    from mbsgd_core.measures.findings import sharpness_cost

    found = _run()
    if found is None:
        return
    experiment, known = found
    rows = min(surveys.FEW, experiment.problem.sample_count)
    stops = sum(len(surveys.stops(lane)) for lane in known.lanes)
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
    if asked:
        chain = partial(surveys.instruments, train_run.trained(), known.lanes, noise, curved)
        _ask("instruments", chain)
    _watch("instruments", partial(_draw_instruments, experiment))


def _draw_instruments(experiment: Experiment, readings: list[surveys.Reading]) -> None:
    from mbsgd_core.figures import train_survey as figures

    labels, looks = [lane.label for lane in experiment.lanes], look.looks(experiment.lanes)
    lanes = [(label, looks[i], max(experiment.updates_per_epoch(i), 1)) for i, label in enumerate(labels)]
    titles = {
        "gradient": "Gradient norm |G|",
        "scale": "Noise scale: the batch whose noise is as long as the gradient",
        "sharpness": "Largest Hessian eigenvalue; dashed: what the rate can just bear",
    }
    for name, title in titles.items():
        known = [reading for reading in readings if np.isfinite(getattr(reading, name)) and reading.lane < len(labels)]
        if known:
            last = {reading.lane: getattr(reading, name) for reading in known}
            ends = ", ".join(f"{labels[i]} {value:.3g}" for i, value in sorted(last.items()))
            st.caption(f"{title}. At the end: {ends}.")
            figure = figures.instrument(known, name, lanes, edge=name == "sharpness")
            st.plotly_chart(figure, key=f"figure_{name}", config=QUIET, alt=f"{title}. At the end: {ends}.")


def _ask(name: str, chain: Callable[[Job], Any]) -> None:
    mine = st.session_state
    try:
        mine[name] = runner().run((name, mine["owner"]), object(), chain)
        mine[f"{name}_of"] = train_run.current()
    except LabError as error:
        st.error(str(error))


def _watch(name: str, draw: Callable[[Any], None]) -> None:
    """What a survey has found so far, again and again until it ends."""
    job: Job | None = st.session_state.get(name)
    if job is not None and st.session_state[f"{name}_of"] is train_run.current():  # not of a run before
        st.fragment(_watched, run_every=None if job.over else REFRESH)(name, job, not job.over, draw)


def _watched(name: str, job: Job, running: bool, draw: Callable[[Any], None]) -> None:
    over, result = job.over, job.result
    if not over:
        st.progress(job.progress, f"{job.progress:.0%} measured")
        st.button("Stop measuring", key=f"stop_{name}", on_click=job.cancel)
    elif job.state == "failed":
        st.error(job.message)
    if result:
        draw(result)
    if over and running:
        st.rerun()


def _data(experiment: Experiment) -> None:
    problem: Any = experiment.problem
    dataset = problem.dataset
    st.markdown(
        f"**{dataset.title}.** {dataset.summary}" + (f" Source: {dataset.reference}." * bool(dataset.reference))
    )
    if dataset.shape:
        _images(dataset.preview(experiment.seed), dataset)
        return
    rows = problem.columns(experiment.seed)
    names = [*rows.features[:COLUMNS], rows.target]
    shown = [
        [*(f"{v:.4g}" for v in x[:COLUMNS]), _value(y, rows)] for x, y in zip(rows.x[:ROWS], rows.y[:ROWS], strict=True)
    ]
    table("The first rows, in original units", names, shown)
    if len(rows.features) > COLUMNS:
        st.caption(f"{COLUMNS} of {len(rows.features)} columns.")
    standardisation(experiment, COLUMNS)


def _images(table: Any, dataset: Any) -> None:
    """The first images with their labels, as large as the page is wide."""
    from mbsgd_core.figures.train import montage

    shape, labels = dataset.shape, [_value(y, table) for y in table.y[:IMAGES]]
    pixels = table.x[:IMAGES].reshape(-1, *shape).mean(1) / dataset.white
    zoom = max(1, ZOOM // shape[2])
    shown = montage(pixels.repeat(zoom, 1).repeat(zoom, 2), IMAGES_A_ROW, gap=ZOOM // 6)
    st.image(shown, alt=f"The first {len(labels)} images: {', '.join(labels)}.")
    rows, own = dataset.counts()
    sides = " x ".join(str(side) for side in shape[1:])
    st.caption(
        f"Images of {sides} pixels: {rows:,} rows" + (f", and {own:,} of their own to be tested on." if own else ".")
    )


def _value(y: float, rows: Any) -> str:
    return str(rows.classes[int(y)]) if rows.classes else f"{y:.4g}"
