"""What is known exactly of a problem (floor 6): minimizers, saddles, the least value; the tests check it."""

import streamlit as st

from mbsgd_core.experiment import Experiment
from mbsgd_core.problems.surfaces.base import Surface
from mbsgd_core.ui.tables import table

MOST = 6  # coordinates of a point that is written out


def known(experiment: Experiment) -> None:
    """Draw it as a table."""
    problem = experiment.problem
    truth = problem.solution(experiment.seed)
    rows = {"Problem": problem.summary}
    if problem.parameter_count <= MOST:
        rows["Minimizers"] = _points(truth.minimizers if truth else ())
    if isinstance(problem, Surface):
        rows["Saddles"] = _points(problem.saddles)
    rows["Least value"] = "unbounded or unknown" if truth is None else f"{truth.value:.8g}"
    rows["Samples"] = f"{problem.sample_count:,}"
    names = problem.parameter_names
    rows["Parameters"] = ", ".join(names) if len(names) <= MOST else f"{problem.parameter_count:,}"
    rows["Source"] = problem.reference or "see the data set"
    table("What is known", ["", "truth"], list(rows.items()))
    st.caption("None of it is fitted by eye: each value is evaluated by a test.")


def _points(points: object) -> str:
    written = [f"({', '.join(f'{value:.6g}' for value in point)})" for point in points]  # type: ignore[attr-defined]
    return "; ".join(written) or "none known"
