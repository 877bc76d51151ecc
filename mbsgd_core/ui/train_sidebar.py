"""The sidebar of Train (floor 6): data, model, budget, lanes."""

import json
from functools import lru_cache
from typing import Any

import streamlit as st

from mbsgd_core.errors import DataError
from mbsgd_core.experiment import Experiment, problems
from mbsgd_core.knobs import Item
from mbsgd_core.problems.datasets.base import Dataset
from mbsgd_core.problems.datasets.csv import Csv
from mbsgd_core.problems.models.base import DataProblem
from mbsgd_core.registry import discover, name_of
from mbsgd_core.ui import frame, live, session
from mbsgd_core.ui.controls import Path, choice, item_knobs, knob
from mbsgd_core.ui.sidebar import change_problem, lanes
from mbsgd_core.ui.train_upload import upload

HIDDEN = ("inline",)  # data that are typed into an experiment, not chosen
_COMPACT = """<style>
.st-key-live :is([data-testid="stTooltipIcon"], button) {display: none}
.st-key-live [data-testid="stVerticalBlock"] {gap: .2rem}
.st-key-live [class*="st-key-live-"] {flex-wrap: nowrap; gap: .7rem}
.st-key-live [class*="st-key-live-"] > div {min-width: 0; flex: 1 1 0}
.st-key-live label p {white-space: nowrap; font-size: .8rem}
</style>"""
KEPT = ("l2", "standardize", "test_fraction", "label_noise", "imbalance")  # by a change of model or data


def sidebar(experiment: Experiment) -> None:
    """Draw every setting but the live ones."""
    with st.sidebar:
        _data(experiment)
        _model(experiment)
        st.subheader("Budget", divider=False)
        item_knobs(experiment.budget, ("budget",))
        lanes(experiment)
        box = frame.section("Seed, precision, device", "box/start")
        if box.open:
            with box:
                item_knobs(experiment, (), leave_out=("version", "problem", "start", "budget", "lanes", "runs"))
        st.button("Reset", help="Back to the first lesson.", width="stretch", on_click=session.reset)


def live_knobs(experiment: Experiment) -> None:
    """Rate, momentum, batch size and whatever else is declared live: a row of them for each lane."""
    st.html(_COMPACT)
    with st.container(key="live"):
        for i, (column, lane) in enumerate(zip(st.columns(len(experiment.lanes)), experiment.lanes, strict=True)):
            with column:
                st.caption(frame.plain(lane.label))
                with st.container(horizontal=True, gap="small", key=f"live-{i}"):
                    for name, (part, _) in live.declared().items():
                        _live_knob(getattr(lane, part), name, ("lanes", i, part, name))


def _live_knob(item: Item, name: str, path: Path) -> None:
    field = type(item).model_fields.get(name)
    if field is not None:  # a full batch has no size
        with st.container():
            knob(getattr(item, name), field, path, {"scale": "log"})


def _data(experiment: Experiment) -> None:
    problem: Any = experiment.problem
    dataset = problem.dataset
    known = discover("mbsgd_core.problems.datasets", Dataset)
    titles = {name: cls.title for name, cls in known.items() if name not in HIDDEN or name == name_of(dataset)}
    choice("Data set", titles, name_of(dataset), ("problem", "dataset"), _pick_dataset)
    st.caption(dataset.summary)
    if isinstance(dataset, Csv):
        upload(dataset, lambda table: _put(name_of(problem), table))
    item_knobs(dataset, ("problem", "dataset"), leave_out=("x", "y", "lines", "sha256", "target", "inputs"))


def _model(experiment: Experiment) -> None:
    problem: Any = experiment.problem
    fitting = {name: problems()[name].title for name in models(json.dumps(problem.dataset.model_dump(mode="json")))}
    fitting.setdefault(name_of(problem), problem.title)
    choice("Model", fitting, name_of(problem), ("problem",), _pick_model)
    st.caption(f"{problem.summary} {problem.parameter_count:,} parameters, {problem.sample_count:,} training rows.")
    box = frame.section("Model, split, labels", "box/problem")
    if box.open:
        with box:
            item_knobs(problem, ("problem",), leave_out=("dataset", "features"))


@lru_cache(maxsize=32)
def models(dataset_json: str) -> tuple[str, ...]:
    """The models that can learn a data set, those with more parameters later."""
    dataset = json.loads(dataset_json)
    found = {}
    for name, cls in problems().items():
        if issubclass(cls, DataProblem):
            try:
                found[name] = cls.model_validate({"dataset": dataset}).parameter_count
            except ValueError:
                continue
    return tuple(sorted(found, key=found.__getitem__))


def _pick_dataset(name: str) -> None:
    put_dataset(discover("mbsgd_core.problems.datasets", Dataset)[name].ready())


def put_dataset(dataset: Dataset) -> None:
    """Put another data set in hand, with the model if it can learn it."""
    _put(name_of(session.current().problem), dataset.model_dump(mode="json"))


def _pick_model(name: str) -> None:
    problem: Any = session.current().problem
    _put(name, problem.model_dump(mode="json")["dataset"])


def _put(model: str, dataset: dict[str, Any]) -> None:
    """Another model or data set; settings that both have are kept where they fit, and the model if it does."""
    fitting = models(json.dumps(dataset))
    if not fitting:
        raise DataError("no model can learn this table; see that its inputs are numbers and its target varies")
    model = model if model in fitting else fitting[-1]
    before = session.current().problem.model_dump(mode="json")
    kept = {key: before[key] for key in KEPT if key in before}
    plain = {"name": model, "dataset": dataset}
    if not change_problem(lambda draft: draft.update(problem=plain | kept)):
        change_problem(lambda draft: draft.update(problem=plain))
    # A rate is found for numbers alone: their losses come in all sizes, those of classes do not.
    st.session_state["suggest"] = getattr(session.current().problem, "learns", "") == "regression"
