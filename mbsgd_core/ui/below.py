"""What stands below the player on Compare (floor 6): what differs, the fit in original units, how to read it."""

from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from mbsgd_core.experiment import Experiment
from mbsgd_core.problems.models.base import DataProblem
from mbsgd_core.registry import name_of
from mbsgd_core.ui.frame import ROOT

_PARTS = ("sampler", "rule", "schedule")


def below(experiment: Experiment, result: dict[str, Any] | None) -> None:
    """Draw it; `result` is the finished run, None while it goes on."""
    left, right = st.columns(2)
    with left.expander("What differs between the lanes", expanded=False):
        st.dataframe(differences(experiment), hide_index=True)
    if result is not None and isinstance(experiment.problem, DataProblem):
        with right.expander("The fit in original units", expanded=False):
            st.caption("Training works on standardised columns; here are the same fits for the columns as measured.")
            st.dataframe(original_fits(experiment, result), hide_index=True)
    with st.expander("How to read this page"):
        st.markdown((ROOT / "assets" / "text" / "compare.md").read_text("utf-8"))


def differences(experiment: Experiment) -> pd.DataFrame:
    """One row a setting that is not the same in all lanes, one column a lane."""
    columns = [_settings(lane) for lane in experiment.lanes]
    names = list(dict.fromkeys(name for column in columns for name in column))
    rows = {name: [column.get(name, "–") for column in columns] for name in names}
    kept = {name: row for name, row in rows.items() if len(set(row)) > 1}
    titles = _unique([lane.label for lane in experiment.lanes])
    return pd.DataFrame([[name, *row] for name, row in kept.items()], columns=["setting", *titles])


def _settings(lane: Any) -> dict[str, str]:
    found = {}
    for part in _PARTS:
        item = getattr(lane, part)
        found[part] = name_of(item).replace("_", " ")
        for name, field in type(item).model_fields.items():
            found[field.title or name] = str(getattr(item, name))
    return found


def original_fits(experiment: Experiment, result: dict[str, Any]) -> pd.DataFrame:
    """Each lane's last iterate, and the optimum where it is known, in the units of the data."""
    problem: Any = experiment.problem
    seed = experiment.seed
    thetas = {lane.label: run.trace.theta[0, -1] for lane, run in zip(experiment.lanes, result["lanes"], strict=True)}
    known = problem.solution(seed)
    if known is not None:
        thetas["optimum"] = known.minimizers[0]
    raw = {name: problem.original_units(np.asarray(theta, dtype=float), seed) for name, theta in thetas.items()}
    table = problem.columns(seed)
    units = table.units or ("",) * len(table.features)
    names = [f"{name}, per {unit}" if unit else name for name, unit in zip(table.features, units, strict=True)]
    return pd.DataFrame({"": [*names, "intercept"]} | {name: values for name, values in raw.items()})


def _unique(labels: list[str]) -> list[str]:
    # Labels are free text and may repeat; a table's columns may not.
    return [label if labels.count(label) == 1 else f"{label} ({i + 1})" for i, label in enumerate(labels)]
