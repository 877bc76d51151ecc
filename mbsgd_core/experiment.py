"""The experiment (floor 2): the one value behind the page, the link, the command line and the script."""

import json
from collections.abc import Iterable
from typing import Any, Literal

from pydantic import SerializeAsAny, ValidationError, field_validator, model_validator
from pydantic.json_schema import models_json_schema

from mbsgd_core.averages.base import Average
from mbsgd_core.clips.base import Clip
from mbsgd_core.errors import ExperimentError
from mbsgd_core.knobs import Item, NamedItem, Real, Text, Whole, knob
from mbsgd_core.problems.base import Problem
from mbsgd_core.problems.datasets.base import Dataset
from mbsgd_core.problems.models.base import DataProblem
from mbsgd_core.registry import discover, first_error, name_of, pick
from mbsgd_core.rules.base import Rule
from mbsgd_core.rules.sgd import SGD
from mbsgd_core.samplers.base import Sampler
from mbsgd_core.schedules.base import Schedule

VERSION = 1
# The page's tighter limits that concern several fields at once; a field's own is its knob's `page`.
PAGE_UPDATES = 200_000  # of one lane: one run makes them one after the other
PAGE_WORK = 2_000_000  # updates x runs of one lane: the records that are kept and sent

PARTS = ("schedule", "rule", "sampler", "clip", "average")  # of a lane, in the order in which its knobs are looked for
_PROBLEMS = ("mbsgd_core.problems.surfaces", "mbsgd_core.problems.models")
# Every kind of named item with the packages that its files lie in.
KINDS: dict[type[NamedItem], tuple[str, ...]] = {
    Problem: _PROBLEMS,
    Dataset: ("mbsgd_core.problems.datasets",),
    Sampler: ("mbsgd_core.samplers",),
    Rule: ("mbsgd_core.rules",),
    Schedule: ("mbsgd_core.schedules",),
    Clip: ("mbsgd_core.clips",),
    Average: ("mbsgd_core.averages",),
}


def registered(kind: type[NamedItem]) -> dict[str, type[NamedItem]]:
    """All items of a kind by name.

    Example:
        >>> sorted(registered(Sampler))[:2]
        ['full_batch', 'in_order']
    """
    return {name: cls for package in KINDS[kind] for name, cls in discover(package, kind).items()}


def problems() -> dict[str, type[Problem]]:
    """All problems by name: surfaces, then models."""
    return registered(Problem)  # type: ignore[return-value]


class Budget(Item):
    """What every lane may spend."""

    unit: Literal["epochs", "updates", "samples"] = knob(
        "epochs", label="Budget in", help="The unit in which every lane spends the same."
    )
    amount: Whole = knob(
        20,
        label="Budget",
        help="How much each lane spends; 0 shows the start alone.",
        ge=0,
        le=10**9,
        page=(0, 200_000),
    )
    patience: Whole = knob(
        0,
        label="Patience",
        help="A lane stops when its test loss, or its objective where nothing is held out, has not fallen for so many "
        "epochs; 0: it spends its budget.",
        unit="epochs",
        ge=0,
        le=10**9,
        page=(0, 1000),
    )
    min_delta: Real = knob(0.0, label="Least fall", help="What counts as a fall for patience: more than this.", ge=0)


class Lane(Item):
    """One method: which batches, which rule, which rates."""

    label: Text = knob(
        "", label="Label", help="The lane's name; left empty: BGD, SGD or Mini-batch.", max_length=1000, page=(0, 60)
    )
    sampler: SerializeAsAny[Sampler] = knob(label="Sampler", help="How batches are drawn.")
    rule: SerializeAsAny[Rule] = knob(SGD(), label="Optimizer", help="How a gradient becomes a step.")
    schedule: SerializeAsAny[Schedule] = knob(label="Schedule", help="The learning rate over time.")
    clip: SerializeAsAny[Clip] | None = knob(
        None, label="Clip", help="A bound on each batch gradient, before the optimizer."
    )
    average: SerializeAsAny[Average] | None = knob(
        None, label="Average", help="A second iterate, averaged from those of the run; it never moves the run."
    )

    @field_validator("sampler", mode="before")
    @classmethod
    def _find_sampler(cls, given: Any) -> Any:
        return pick("mbsgd_core.samplers", Sampler, given, "sampler")

    @field_validator("rule", mode="before")
    @classmethod
    def _find_rule(cls, given: Any) -> Any:
        return pick("mbsgd_core.rules", Rule, given, "rule")

    @field_validator("schedule", mode="before")
    @classmethod
    def _find_schedule(cls, given: Any) -> Any:
        return pick("mbsgd_core.schedules", Schedule, given, "schedule")

    @field_validator("clip", mode="before")
    @classmethod
    def _find_clip(cls, given: Any) -> Any:
        return None if given is None else pick("mbsgd_core.clips", Clip, given, "clip")

    @field_validator("average", mode="before")
    @classmethod
    def _find_average(cls, given: Any) -> Any:
        return None if given is None else pick("mbsgd_core.averages", Average, given, "average")

    @model_validator(mode="before")
    @classmethod
    def _name_the_method(cls, given: Any) -> Any:
        if isinstance(given, dict) and given.get("label", "") == "":
            sampler = given.get("sampler")
            if isinstance(sampler, Sampler):
                sampler = sampler.model_dump()
            knobs = sampler if isinstance(sampler, dict) else {"name": sampler}
            one = knobs.get("batch_size") == 1 and knobs.get("accumulate", 1) == 1
            label = "BGD" if knobs.get("name") == "full_batch" else "SGD" if one else "Mini-batch"
            return {**given, "label": label}
        return given


class Experiment(Item):
    """A problem, a budget and lanes that race on it: everything a picture depends on.

    Example:
        >>> e = Experiment.model_validate({"problem": {"name": "quadratic"},
        ...     "lanes": [{"sampler": {"name": "full_batch"}, "schedule": {"name": "constant", "learning_rate": 0.1}}]})
        >>> e.budget.amount, e.lanes[0].label, e.updates(0)
        (20, 'BGD', 20)
    """

    version: Whole = knob(VERSION, label="Version", help="Of this format.", ge=1)
    problem: SerializeAsAny[Problem] = knob(label="Problem", help="What is minimised.")
    start: tuple[Real, ...] | None = knob(
        None, label="Start", help="Where all lanes and runs begin; null: the problem's own start."
    )
    budget: Budget = knob(Budget(), label="Budget", help="What every lane may spend.")
    seed: Whole = knob(0, label="Seed", help="Fixes data draws, orders and starts.", ge=0, lt=2**63, page=(0, 999_999))
    runs: Whole = knob(
        1,
        label="Runs",
        help="Independent repetitions that differ in the batch order alone.",
        unit="runs",
        ge=1,
        le=100_000,
        page=(1, 200),
        scale="log",
    )
    dtype: Literal["float64", "float32"] = knob("float64", label="Number type", help="Precision of the arithmetic.")
    device: Literal["auto", "cpu", "cuda"] = knob(
        "auto", label="Device", help="Where it runs; auto: the GPU if there is one and the problem is large."
    )
    lanes: tuple[Lane, ...] = knob(
        label="Lanes", help="The methods that race.", min_length=1, max_length=256, page=(1, 6)
    )

    @field_validator("problem", mode="before")
    @classmethod
    def _find_problem(cls, given: Any) -> Any:
        name = given.get("name") if isinstance(given, dict) else given
        package = next((p for p in _PROBLEMS if isinstance(name, str) and name in discover(p, Problem)), None)
        if package is None and not isinstance(given, Problem) and isinstance(name, str):
            raise ExperimentError(f"no problem is called {name[:60]!r}. Known: {', '.join(problems())}", ("name",))
        return pick(package or _PROBLEMS[0], Problem, given, "problem")

    @field_validator("version")
    @classmethod
    def _not_newer(cls, given: int) -> int:
        if given > VERSION:
            raise ExperimentError(f"given {given}, but this program knows versions up to {VERSION}; update it")
        return given

    @model_validator(mode="after")
    def _fits_the_problem(self) -> "Experiment":
        samples, parameters = self.problem.sample_count, self.problem.parameter_count
        if self.start is not None and len(self.start) != parameters:
            raise ExperimentError(
                f"given {len(self.start)} numbers; the problem has {parameters} parameters", ("start",)
            )
        for i, lane in enumerate(self.lanes):
            size = lane.sampler.at_once(samples)
            if size > samples:
                raise ExperimentError(
                    f"given {size}; the problem has {samples} samples, so it should be 1 to {samples}",
                    ("lanes", i, "sampler", "batch_size"),
                    nearest=samples,
                )
            if lane.schedule.moves_momentum and not lane.rule.has_momentum:
                raise ExperimentError(
                    f"{name_of(lane.rule)} has neither a momentum nor betas to move; turn it off, or take another rule",
                    ("lanes", i, "schedule", "cycle_momentum"),
                )
            try:
                lane.schedule.init(self.intervals(i))
            except ValueError as error:
                raise ExperimentError(str(error), ("lanes", i, "schedule")) from None
        return self

    @classmethod
    def model_validate(cls, obj: Any, **options: Any) -> "Experiment":
        """The experiment that a mapping describes; ExperimentError, one clear line, if it describes none."""
        if not isinstance(obj, (dict, Experiment)):
            raise ExperimentError(f"an experiment is a JSON object; given {type(obj).__name__}")
        try:
            return super().model_validate(obj, **options)
        except ValidationError as error:
            cause = first_error(error)
            where = ".".join(str(part) for part in cause.path)
            text = " ".join(f"{where}: {cause}".split()) if where else str(cause)  # one line, whatever was given
            raise ExperimentError(text, cause.path, cause.nearest) from None

    def to_json(self) -> str:
        """The experiment as JSON text, defaults filled in."""
        return json.dumps(self.model_dump(mode="json"))

    @property
    def data_problem(self) -> DataProblem:
        """The problem of an experiment on data; an ExperimentError where it is a surface."""
        if not isinstance(self.problem, DataProblem):
            raise ExperimentError(f"{self.problem.title} is a surface; choose a model on a data set", ("problem",))
        return self.problem

    def with_value(self, lane: int, knob: str, value: Any) -> "Experiment":
        """The experiment with one knob of one lane set.

        Args:
            lane: 0 ... L - 1.
            knob: the name of a knob of the lane's schedule, rule, sampler, clip or average; of the first that has it.
            value: what it becomes.

        Example:
            >>> e = Experiment.model_validate({"problem": "booth", "lanes": [
            ...     {"sampler": "full_batch", "schedule": {"name": "constant", "learning_rate": 0.1}}]})
            >>> e.with_value(0, "learning_rate", 0.05).lanes[0].schedule.learning_rate
            0.05
        """
        return self.with_values([(lane, knob, value)])

    def with_values(self, edits: Iterable[tuple[int, str, Any]]) -> "Experiment":
        """The experiment with several knobs set, each (lane, knob, value): the one operation by which it is edited."""
        draft = self.model_dump(mode="json")
        for lane, name, value in edits:
            if type(lane) is not int or lane not in range(len(self.lanes)):
                raise ExperimentError(f"given lane {lane!r}; it should be 0 to {len(self.lanes) - 1}", ("lanes",))
            parts = [part for part in PARTS if draft["lanes"][lane][part] is not None]
            part = next((part for part in parts if name != "name" and name in draft["lanes"][lane][part]), None)
            if part is None:
                known = dict.fromkeys(n for part in parts for n in draft["lanes"][lane][part] if n != "name")
                raise ExperimentError(
                    f"{self.lanes[lane].label} has no knob {str(name)[:60]!r}; known: {', '.join(known)}",
                    ("lanes", lane),
                )
            draft["lanes"][lane][part][name] = value
        return Experiment.model_validate(draft)

    def updates_per_epoch(self, lane: int) -> int:
        """ceil(m / b), or floor with drop_last."""
        return len(self.lanes[lane].sampler.sizes(self.problem.sample_count))

    def updates(self, lane: int) -> int:
        """The updates that the budget buys this lane."""
        unit, amount = self.budget.unit, self.budget.amount
        sizes = self.lanes[lane].sampler.sizes(self.problem.sample_count)
        if unit == "updates":
            return amount
        if unit == "epochs":
            return amount * len(sizes)
        epochs, rest = divmod(amount, sum(sizes))
        return epochs * len(sizes) + min(rest // sizes[0], len(sizes))

    def intervals(self, lane: int) -> int:
        """The schedule's intervals in the budget: updates, or epochs begun; at least 1."""
        updates = self.updates(lane)
        if self.lanes[lane].schedule.interval == "epoch":
            updates = -(-updates // self.updates_per_epoch(lane))
        return max(updates, 1)

    def learning_rate(self, lane: int, update: int) -> float:
        """The rate of the update after so many; of a schedule that watches the objective, the first.

        Example:
            >>> e = Experiment.model_validate({"problem": "quadratic", "budget": {"unit": "updates", "amount": 9},
            ...     "lanes": [{"sampler": "full_batch", "schedule": {"name": "exponential", "learning_rate": 8.0,
            ...     "gamma": 0.5}}]})
            >>> e.learning_rate(0, 0), e.learning_rate(0, 2)
            (8.0, 2.0)
        """
        schedule = self.lanes[lane].schedule
        state = schedule.init(self.intervals(lane))
        if not schedule.watches_objective:
            steps = update if schedule.interval == "update" else update // max(self.updates_per_epoch(lane), 1)
            for _ in range(steps if schedule.changes else 0):
                state = schedule.step(state)
        return float(state[1])

    def within_page(self) -> "Experiment":
        """The experiment itself, or the one with the largest budget that the page allows its lanes."""
        lanes = range(len(self.lanes))
        most = min(PAGE_UPDATES, PAGE_WORK // self.runs)
        amount = self.budget.amount
        worst = max(self.updates(i) for i in lanes)
        if worst <= most:
            return self
        fitting = self.budget.model_copy(update={"amount": amount * most // worst})
        return self.model_copy(update={"budget": fitting}).within_page()


def schema() -> dict[str, Any]:
    """The JSON Schema of the experiment: where a kind of item stands, any registered one may be written."""
    items = [(kind, name, cls) for kind in KINDS for name, cls in registered(kind).items()]
    models: list[type[Item]] = [Experiment, *KINDS, *(cls for _, _, cls in items)]
    refs, whole = models_json_schema([(model, "validation") for model in models])
    definitions = whole["$defs"]

    def definition(model: type[Item]) -> dict[str, Any]:
        shape: dict[str, Any] = definitions[refs[model, "validation"]["$ref"].rsplit("/", 1)[-1]]
        return shape

    for kind in KINDS:
        definition(kind).clear()
        definition(kind).update(title=kind.__name__, anyOf=[])
    for kind, name, cls in items:
        shape = definition(cls)
        shape["properties"] = {"name": {"const": name}, **shape.get("properties", {})}
        bare = [] if shape.get("required") else [{"const": name}]  # a name alone will do
        shape["required"] = ["name", *shape.get("required", [])]
        definition(kind)["anyOf"] += [refs[cls, "validation"], *bare]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **refs[Experiment, "validation"],
        "$defs": definitions,
    }


# Found once, at import, so that the first experiment is validated as fast as the next.
for _kind in KINDS:
    registered(_kind)
