"""Data and fits in the units in which they were measured (floor 6): what training standardises, undone."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import streamlit as st

from mbsgd_core.experiment import Experiment
from mbsgd_core.ui.tables import table


def original_fits(experiment: Experiment, thetas: Sequence[np.ndarray]) -> None:
    """A table of a linear model's weights in the units of the data: each lane's, and the optimum's where it is known.

    Args:
        experiment: its problem is a linear model.
        thetas: one of each lane, (P,).
    """
    problem: Any = experiment.problem
    seed, labels = experiment.seed, [lane.label for lane in experiment.lanes]
    known = problem.solution(seed)
    if known is not None:
        thetas, labels = [*thetas, known.minimizers[0]], [*labels, "optimum"]
    raw = np.array([problem.original_units(np.asarray(theta, dtype=float), seed) for theta in thetas])
    data = problem.columns(seed)
    units = data.units or ("",) * len(data.features)
    names = [f"{name}, per {unit}" if unit else name for name, unit in zip(data.features, units, strict=True)]
    rows = [[name, *(f"{value:.5g}" for value in row)] for name, row in zip([*names, "intercept"], raw.T, strict=True)]
    st.caption("Training works on standardised columns; here are the same fits for the columns as measured.")
    table(f"Predicting {data.target}", ["", *labels], rows)


def standardisation(experiment: Experiment, most: int) -> None:
    """What is taken off each column and what it is divided by, of the first columns."""
    problem: Any = experiment.problem
    data = problem.prepare(experiment.seed)
    if not problem.standardize:
        st.caption("The columns are used as they are: standardise is off.")
        return
    st.caption("Standardised by the training rows: the mean is taken off, the rest is divided by the deviation.")
    rows = [
        [name, f"{mean:.5g}", f"{deviation:.5g}"]
        for name, mean, deviation in zip(data.table.features[:most], data.mean, data.deviation, strict=False)
    ]
    table("Standardisation", ["column", "mean", "deviation"], rows)
