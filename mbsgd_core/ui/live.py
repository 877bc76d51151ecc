"""The knobs that move the picture while they are dragged (floor 6): read from declarations, none named here."""

from functools import cache
from typing import Any

from mbsgd_core.errors import ExperimentError
from mbsgd_core.experiment import Experiment, Lane
from mbsgd_core.figures import look
from mbsgd_core.jobs import tasks
from mbsgd_core.jobs.runner import Runner
from mbsgd_core.problems.surfaces.base import Surface
from mbsgd_core.registry import discover
from mbsgd_core.rules.base import Rule
from mbsgd_core.samplers.base import Sampler
from mbsgd_core.schedules.base import Schedule

PATH = "lab/live"  # where a dragged value is answered, below the app's root

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


def apply(draft: dict[str, Any], experiment: Experiment, message: dict[str, Any]) -> None:
    """Set one live knob as the player asks: {"key", "value", "lane": index, or null for all lanes}."""
    part, _ = declared()[message["key"]]
    for i in _targets(experiment, part, message):
        if message["key"] in draft["lanes"][i][part]:
            draft["lanes"][i][part][message["key"]] = message["value"]


def _targets(experiment: Experiment, part: str, message: dict[str, Any]) -> list[int]:
    every = range(len(experiment.lanes))
    if message.get("lane") is not None:
        if message["lane"] not in every:
            raise ExperimentError(f"given lane {message['lane']!r}; it should be 0 to {len(every) - 1}")
        return [message["lane"]]
    if part != "sampler":
        return list(every)
    # The sampler is what makes a lane BGD or SGD: together, only the mini-batch lanes change theirs.
    mini = [i for i in every if look.role(experiment.lanes[i]) == "mini"]
    return mini or list(every)


def suggested(experiment: Experiment, runner: Runner, owner: str) -> Experiment:
    """The experiment with a rate in every lane, and on a surface a noise, that suit its problem."""
    rate, noise = runner.ask(owner, tasks.suggestion, experiment.to_json()).answer(20)
    draft = experiment.model_dump(mode="json")
    key = next(name for name, (part, _) in declared().items() if part == "schedule")
    for i in range(len(experiment.lanes)):
        apply(draft, experiment, {"lane": i, "key": key, "value": rate})
    if isinstance(experiment.problem, Surface):
        draft["problem"]["noise"] = noise
    return Experiment.model_validate(draft)
