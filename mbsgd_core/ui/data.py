"""What the rows of a data set look like (floor 6): the first of them, how they are standardised, images."""

import streamlit as st

from mbsgd_core.experiment import Experiment
from mbsgd_core.figures.images import montage
from mbsgd_core.format import setting
from mbsgd_core.problems.datasets.base import Dataset, Table
from mbsgd_core.ui.original_units import standardisation
from mbsgd_core.ui.tables import table

ROWS, COLUMNS = 5, 9  # of the data's table
IMAGES, IMAGES_A_ROW, ZOOM = 40, 20, 28  # shown of a data set of images; pixels of a side, about


def data(experiment: Experiment) -> None:
    """Draw it."""
    problem = experiment.data_problem
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
        [*(setting(v) for v in x[:COLUMNS]), _value(y, rows)] for x, y in zip(rows.x[:ROWS], rows.y[:ROWS], strict=True)
    ]
    table("The first rows, in original units", names, shown)
    if len(rows.features) > COLUMNS:
        st.caption(f"{COLUMNS} of {len(rows.features)} columns.")
    standardisation(experiment, COLUMNS)


def _images(table: Table, dataset: Dataset) -> None:
    """The first images with their labels, as large as the page is wide."""
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


def _value(y: float, rows: Table) -> str:
    return str(rows.classes[int(y)]) if rows.classes else setting(y)
