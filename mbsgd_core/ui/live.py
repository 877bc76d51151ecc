"""The knobs that move the picture while they are dragged (floor 6): read from declarations, none named here."""

from functools import cache
from typing import Any

from mbsgd_core.errors import ExperimentError
from mbsgd_core.experiment import Experiment, Lane
from mbsgd_core.figures import lane_style
from mbsgd_core.jobs import tasks
from mbsgd_core.jobs.runner import Runner
from mbsgd_core.problems.surfaces.base import Surface
from mbsgd_core.registry import discover
from mbsgd_core.rules.base import Rule
from mbsgd_core.samplers.base import Sampler
from mbsgd_core.schedules.base import Schedule

# In the order of the page: the rate, the momentum, the batch.
_PARTS = {"schedule": Schedule, "rule": Rule, "sampler": Sampler}


@cache
def declared() -> dict[str, tuple[str, Any]]:
    """Every live knob: {name: (part of the lane, field)}, from the first item that declares it."""
    found: dict[str, tuple[str, Any]] = {}
    for part, base in _PARTS.items():
        for item in discover(f"mbsgd_core.{part}s", base).values():
            for name, field in item.model_fields.items():
                if (field.json_schema_extra or {}).get("live"):
                    found.setdefault(name, (part, field))
    return found


def headers(samples: int) -> list[dict[str, Any]]:
    """The sliders as the player draws them; a knob with no page range runs from 1 to m."""
    drawn = []
    for name, (_, field) in declared().items():
        extra = field.json_schema_extra
        low, high = extra.get("page") or (1, samples)
        drawn.append(
            {
                "key": name,
                "label": field.title,
                "help": field.description,
                "unit": extra["unit"],
                "scale": extra["scale"],
                "min": low,
                "max": high,
                "integer": field.annotation is int,
            }
        )
    return drawn


def values(lane: Lane, samples: int) -> dict[str, float | None]:
    """A lane's live values; None where its item has no such knob. A full batch has all the samples."""
    read = {name: getattr(getattr(lane, part), name, None) for name, (part, _) in declared().items()}
    sizes = [name for name, (part, _) in declared().items() if part == "sampler" and read[name] is None]
    return read | dict.fromkeys(sizes, samples)


def pinned(lane: Lane) -> list[str]:
    """The knobs that make a lane what its name says: the batch size of BGD and of SGD is shown, and stays as it is."""
    fixed = lane_style.role(lane) == "bgd" or lane.label == "SGD"
    return [name for name, (part, _) in declared().items() if part == "sampler" and fixed]


def apply(experiment: Experiment, edit: dict[str, Any]) -> Experiment:
    """The experiment after an edit on the bench.

    Args:
        edit: {"key", "value", "lane": index}, several of them as {"edits": [...]}, or {"start": [x, y]}.
    """
    if "start" in edit:
        parameters = experiment.problem.parameter_count
        if parameters > 2:
            raise ExperimentError("a point of a projected plane names no start; choose a problem with two parameters")
        draft = experiment.model_dump(mode="json") | {"start": list(edit["start"])[:parameters]}
        return Experiment.model_validate(draft)
    edits = edit.get("edits", [edit])
    if any(one["key"] not in declared() for one in edits):
        raise ExperimentError(f"the bench edits {', '.join(declared())}; given {edits[0]['key']!r}")
    return experiment.with_values((one["lane"], one["key"], one["value"]) for one in edits)


def suggested(experiment: Experiment, runner: Runner, owner: str, alike: bool = False) -> Experiment:
    """The experiment with a rate in every lane that suits its batches, and on a surface a noise that suits it.

    `alike`: with one rate in all lanes, that of the full batch.
    """
    rate, noise, rates = runner.ask(owner, tasks.suggestion, experiment.to_json()).answer(20)
    rates = (rate,) * len(rates) if alike else rates
    key = next(name for name, (part, _) in declared().items() if part == "schedule")
    changed = experiment.with_values((i, key, rate) for i, rate in enumerate(rates))
    if not isinstance(experiment.problem, Surface):
        return changed
    draft = changed.model_dump(mode="json")
    draft["problem"]["noise"] = noise
    return Experiment.model_validate(draft)
