"""The sidebar of Compare (floor 6): problem, data, start, lanes, budget."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import streamlit as st

from mbsgd_core.experiment import Experiment, problems
from mbsgd_core.problems.datasets.base import Dataset
from mbsgd_core.registry import discover, name_of
from mbsgd_core.rules.base import Rule
from mbsgd_core.samplers.base import Sampler
from mbsgd_core.schedules.base import Schedule
from mbsgd_core.ui import frame, session
from mbsgd_core.ui.controls import choice, item_knobs, knob

MOST_LANES = 6
FIRST_DATA = ("diabetes", "breast_cancer")  # shown first where they fit: real data before made ones
_PARTS = (("sampler", Sampler), ("rule", Rule), ("schedule", Schedule))


def sidebar(experiment: Experiment) -> None:
    """Draw every setting of the experiment that is not live."""
    with st.sidebar:
        _problem(experiment)
        box = frame.section("Start, seed, precision", "box/start")
        if box.open:
            with box:
                _start(experiment)
                item_knobs(experiment, (), leave_out=("version", "problem", "start", "budget", "lanes", "runs"))
        st.subheader("Budget", divider=False)
        item_knobs(experiment.budget, ("budget",))
        knob(experiment.runs, Experiment.model_fields["runs"], ("runs",), {"unit": ""})
        lanes(experiment)
        st.button("Reset", help="Back to the first picture.", width="stretch", on_click=session.reset)


def _problem(experiment: Experiment) -> None:
    problem: Any = experiment.problem
    titles = {**planar_titles(), name_of(problem): problem.title}
    choice("Problem", titles, name_of(problem), ("problem",), _pick_problem)
    st.caption(problem.summary)
    dataset = getattr(problem, "dataset", None)
    if dataset is not None:
        fitting = {
            name: cls.title
            for name, cls in discover("mbsgd_core.problems.datasets", Dataset).items()
            if name == name_of(dataset) or suits(name_of(problem), name)
        }
        choice("Data set", fitting, name_of(dataset), ("problem", "dataset"), _pick_dataset)
        item_knobs(dataset, ("problem", "dataset"), leave_out=("x", "y"))
        _features(experiment)
    box = frame.section("Problem settings", "box/problem", expanded=name_of(problem) == "formula")
    if box.open:
        with box:
            item_knobs(problem, ("problem",), leave_out=("dataset", "features"))


def _features(experiment: Experiment) -> None:
    problem: Any = experiment.problem
    every = list(problem.dataset.table(experiment.seed).features)
    key = "problem/features"
    st.session_state[key] = list(problem.features or every)

    def picked() -> None:
        chosen = st.session_state[key]

        def edit(draft: dict[str, Any]) -> None:
            draft["problem"]["features"] = chosen
            _fit(draft)

        session.change(edit, key, chosen)

    st.multiselect("Features", every, key=key, on_change=picked, help="One or two draw the exact loss surface.")
    if key in st.session_state.get("rejected", {}):
        st.error(st.session_state["rejected"][key][1])


def _start(experiment: Experiment) -> None:
    if experiment.problem.parameter_count > 6:
        st.caption("All lanes start at the problem's own start.")
        return
    knob(experiment.start, Experiment.model_fields["start"], ("start",), {})


def lanes(experiment: Experiment) -> None:
    st.subheader("Lanes", divider=False)
    for i, lane in enumerate(experiment.lanes):
        box = frame.section(lane.label, f"box/lane{i}")
        if not box.open:
            continue
        with box:
            knob(lane.label, type(lane).model_fields["label"], ("lanes", i, "label"), {})
            for part, base in _PARTS:
                _part(experiment, i, part, base)
            if len(experiment.lanes) > 1 and st.button("Remove this lane", key=f"remove{i}"):
                session.change(lambda draft, i=i: draft["lanes"].pop(i))
                st.rerun()
    if len(experiment.lanes) < MOST_LANES and st.button("Add a lane", width="stretch"):
        session.change(_add_lane)
        st.rerun()


def _part(experiment: Experiment, i: int, part: str, base: type) -> None:
    item = getattr(experiment.lanes[i], part)
    options = {name: _words(name) for name in discover(f"mbsgd_core.{part}s", base)}

    def pick(name: str) -> None:
        session.change(lambda draft: _swap(draft["lanes"][i], part, name, experiment))

    label = type(experiment.lanes[i]).model_fields[part].title or part
    choice(label, options, name_of(item), ("lanes", i, part), pick)
    item_knobs(item, ("lanes", i, part))


def _swap(lane: dict[str, Any], part: str, name: str, experiment: Experiment) -> None:
    """Another item in one part of a lane; knobs that both have keep their value, required ones get a start value."""
    package, base = {p: (f"mbsgd_core.{p}s", b) for p, b in _PARTS}[part]
    fields = discover(package, base)[name].model_fields
    kept = {key: value for key, value in lane[part].items() if key in fields}
    for key, field in fields.items():
        if field.is_required() and key not in kept:
            extra = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
            kept[key] = extra.get("suggest")
    if name != "full_batch" and lane[part].get("name") == "full_batch":
        kept |= {key: min(32, experiment.problem.sample_count) for key, f in fields.items() if _is_live(f)}
    lane[part] = {"name": name, **kept}


def _is_live(field: Any) -> bool:
    return isinstance(field.json_schema_extra, dict) and bool(field.json_schema_extra.get("live"))


def _add_lane(draft: dict[str, Any]) -> None:
    last = draft["lanes"][-1]
    draft["lanes"].append({**last, "label": f"Lane {len(draft['lanes']) + 1}"})


def _words(name: str) -> str:
    return name.replace("_", " ").capitalize() if len(name) > 5 else name.upper().replace("_", " ")


def _pick_problem(name: str) -> None:
    settings = {"name": name, **plane_settings(name)}
    change_problem(lambda draft: draft.update(problem=settings))


def planar_titles() -> dict[str, str]:
    """The problems whose loss can be drawn whole, by name."""
    return {name: cls.title for name, cls in problems().items() if cls.planar}


@lru_cache
def suits(model: str, dataset: str) -> bool:
    """Whether a model can be fitted to a data set as it comes; images are not for a plane of two features."""
    kind = discover("mbsgd_core.problems.datasets", Dataset)[dataset]
    if kind.shape or kind.task == "any":
        return False
    try:
        problems()[model].model_validate({"dataset": dataset})
    except ValueError:
        return False
    return True


def plane_settings(name: str) -> dict[str, Any]:
    """What a problem needs besides its name to be drawn: for a model, a data set and few enough features."""
    cls: Any = problems()[name]
    if "dataset" not in cls.model_fields:
        return {}
    fitting = [data for data in discover("mbsgd_core.problems.datasets", Dataset) if suits(name, data)]
    first = next((name for name in FIRST_DATA if name in fitting), fitting[0])
    dataset = discover("mbsgd_core.problems.datasets", Dataset)[first]()
    return {"dataset": {"name": first}, **cls.plane_settings(dataset)}


def _pick_dataset(name: str) -> None:
    cls: Any = type(session.current().problem)
    dataset = discover("mbsgd_core.problems.datasets", Dataset)[name]()
    settings = {"dataset": {"name": name}, **cls.plane_settings(dataset)}
    change_problem(lambda draft: draft["problem"].update(settings))


def change_problem(edit: Callable[[dict[str, Any]], None]) -> bool:
    """Change the problem, begin at its own start, and ask for a rate that suits it."""

    def whole(draft: dict[str, Any]) -> None:
        edit(draft)
        draft["start"] = None
        _fit(draft)

    changed = session.change(whole)
    if changed:
        st.session_state["suggest"] = True
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
