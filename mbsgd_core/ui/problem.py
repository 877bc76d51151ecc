"""The problem in the sidebar (floor 6): chosen by name or picture, its data, its settings."""

import json
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import streamlit as st

from mbsgd_core.errors import DataError
from mbsgd_core.experiment import Experiment, problems
from mbsgd_core.problems.datasets.base import Dataset
from mbsgd_core.problems.datasets.csv import Csv
from mbsgd_core.problems.models.base import DataProblem
from mbsgd_core.registry import discover, name_of, pick
from mbsgd_core.ui import frame, session
from mbsgd_core.ui.controls import choice, item_knobs
from mbsgd_core.ui.tiles import pictures
from mbsgd_core.ui.upload import upload

DATA = "mbsgd_core.problems.datasets"
HIDDEN = ("inline",)  # data that are typed into an experiment, not chosen
# Where the visitor names no data: real ones whose surface can be drawn; for a net small ones that need it, or images.
FIRST_DATA, FIRST_FOR_NETS = ("diabetes", "breast_cancer"), ("moons", "digits")
KEPT = ("l2", "standardize", "test_fraction", "label_noise", "imbalance")  # by a change of model or data


def problem(experiment: Experiment) -> None:
    """Draw it."""
    chosen = experiment.problem
    box = frame.section("Choose by picture", "box/pictures")
    if box.open:
        with box:
            pictures(name_of(chosen), pick_problem)
    choice(
        "Problem", {name: cls.title for name, cls in problems().items()}, name_of(chosen), ("problem",), pick_problem
    )
    st.caption(chosen.summary)
    if isinstance(chosen, DataProblem):
        _data(experiment, chosen)
    box = frame.section("Problem settings", "box/problem", expanded=name_of(chosen) == "formula")
    if box.open:
        with box:
            item_knobs(chosen, ("problem",), leave_out=("dataset", "features"))


def _data(experiment: Experiment, chosen: DataProblem) -> None:
    dataset = chosen.dataset
    known = discover(DATA, Dataset)
    titles = {name: cls.title for name, cls in known.items() if name not in HIDDEN or name == name_of(dataset)}
    choice("Data set", titles, name_of(dataset), ("problem", "dataset"), _pick_dataset)
    rows = f"{chosen.parameter_count:,} parameters, {chosen.sample_count:,} training rows."
    st.caption(f"{dataset.summary} {rows}")
    if isinstance(dataset, Csv):
        upload(dataset, lambda table: _put(name_of(chosen), table))
    item_knobs(dataset, ("problem", "dataset"), leave_out=("x", "y", "lines", "sha256", "target", "inputs"))
    if not (dataset.shape or dataset.missing or isinstance(dataset, Csv)):
        _features(experiment, chosen)


def _features(experiment: Experiment, chosen: DataProblem) -> None:
    every = list(chosen.dataset.table(experiment.seed).features)
    key = "problem/features"
    st.session_state[key] = list(chosen.features or every)

    def picked() -> None:
        wanted = st.session_state[key]

        def edit(draft: dict[str, Any]) -> None:
            draft["problem"]["features"] = wanted
            _fit(draft)

        session.change(edit, key, wanted)

    st.multiselect("Features", every, key=key, on_change=picked, help="One or two draw the exact loss surface.")
    if key in st.session_state.get("rejected", {}):
        st.error(st.session_state["rejected"][key][1])


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


def settings(name: str, dataset: Dataset | None = None) -> dict[str, Any]:
    """A problem as it is first shown: a model with data that it can learn, few enough features to draw its surface.

    Args:
        name: the problem's.
        dataset: to be learnt; None: the first that fits, a drawable one if there is one.
    """
    cls: Any = problems()[name]
    if not issubclass(cls, DataProblem):
        return {"name": name}
    known = discover(DATA, Dataset)
    if dataset is None:
        first = FIRST_DATA if cls.planar else FIRST_FOR_NETS if "hidden" in cls.model_fields else ()
        every = [known[one].ready() for one in (*first, *known) if one not in HIDDEN]
        fitting = [one for one in every if name in models(_written(one)) and not one.missing]
        classes = [one for one in fitting if one.task == "classification"]
        flat = [one for one in fitting if not one.shape]
        dataset = next(iter([*flat, *fitting] if cls.planar else [*classes, *fitting]))
    own = dataset.shape or dataset.missing or isinstance(dataset, Csv)  # images, and columns that somebody chooses
    plane = cls.plane_settings(dataset) if cls.planar and not own else {}
    return {"name": name, "dataset": dataset.model_dump(mode="json"), **plane}


def pick_problem(name: str) -> None:
    """Put another problem in hand: a model keeps the data, if it can learn them."""
    before: Any = session.current().problem
    if isinstance(before, DataProblem) and name in models(_written(before.dataset)):
        _put(name, before.dataset.model_dump(mode="json"))
    elif name in problems():
        _change(lambda draft: draft.update(problem=settings(name)))


def _pick_dataset(name: str) -> None:
    put_dataset(discover(DATA, Dataset)[name].ready())


def put_dataset(dataset: Dataset) -> None:
    """Put another data set in hand, with the model if it can learn it."""
    _put(name_of(session.current().problem), dataset.model_dump(mode="json"))


def _put(model: str, dataset: dict[str, Any]) -> None:
    """Another model or data set; settings that both have are kept where they fit, and the model if it does."""
    fitting = models(json.dumps(dataset))
    if not fitting:
        raise DataError("no model can learn this table; see that its inputs are numbers and its target varies")
    model = model if model in fitting else fitting[-1]
    before = session.current().problem.model_dump(mode="json")
    kept = {key: before[key] for key in KEPT if key in before}
    plain = settings(model, pick(DATA, Dataset, dataset, "data set"))
    if not _change(lambda draft: draft.update(problem=plain | kept)):
        _change(lambda draft: draft.update(problem=plain))


def _written(dataset: Dataset) -> str:
    return json.dumps(dataset.model_dump(mode="json"))


def _change(edit: Callable[[dict[str, Any]], None]) -> bool:
    """Change the problem, begin at its own start, and ask for a rate that suits it."""

    def whole(draft: dict[str, Any]) -> None:
        edit(draft)
        draft["start"] = None
        _fit(draft)

    changed = session.change(whole)
    if changed:
        chosen: Any = session.current().problem
        # A rate is found for a surface, and for numbers: their losses come in all sizes, those of classes do not.
        flat = chosen.parameter_count <= 2 or getattr(chosen, "learns", "") == "regression"
        st.session_state["suggest"] = flat and not getattr(getattr(chosen, "dataset", None), "missing", 0)
    return changed


def _fit(draft: dict[str, Any]) -> None:
    """After the problem changed: a start that does not fit is dropped, a batch larger than m becomes m."""
    trial = {**draft, "start": None, "lanes": [{"sampler": "full_batch", "schedule": "constant"}]}
    problem = Experiment.model_validate(trial).problem
    if draft["start"] is not None and len(draft["start"]) != problem.parameter_count:
        draft["start"] = None
    for lane in draft["lanes"]:
        for key, value in lane["sampler"].items():
            if type(value) is int and value > problem.sample_count:
                lane["sampler"][key] = problem.sample_count
