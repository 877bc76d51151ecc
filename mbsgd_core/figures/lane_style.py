"""How a lane looks and is described (floor 5): the same on every picture."""

from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

from mbsgd_core.experiment import Lane
from mbsgd_core.format import setting
from mbsgd_core.knobs import Item
from mbsgd_core.registry import name_of


class LaneStyle(NamedTuple):
    """A colour and, always, two cues besides it."""

    color: str
    dash: str
    marker: str


# Wong 2011, "Color blindness", Nature Methods 8: colours that stay apart for colour-blind readers.
OF_ROLE = {
    "bgd": LaneStyle("#0072B2", "solid", "circle"),
    "sgd": LaneStyle("#D55E00", "dot", "triangle"),
    "mini": LaneStyle("#009E73", "dash", "square"),
}
_NAMED = {"SGD": "sgd", "Mini-batch": "mini"}
FURTHER = (
    LaneStyle("#CC79A7", "dashdot", "diamond"),
    LaneStyle("#56B4E9", "longdash", "cross"),
    LaneStyle("#E69F00", "longdashdot", "star"),
)


def role(lane: Lane) -> str:
    """What kind of method a lane is: "bgd" (all samples at once), "sgd" (one) or "mini".

    A lane labelled SGD or Mini-batch keeps its role, and so its colour, whatever batch size it is dragged to.

    Example:
        >>> role(Lane.model_validate({"sampler": "full_batch", "schedule": "constant"}))
        'bgd'
    """
    if name_of(lane.sampler) == "full_batch":
        return "bgd"
    if lane.label in _NAMED:
        return _NAMED[lane.label]
    return "sgd" if lane.sampler.size(2) == 1 else "mini"


def lane_styles(lanes: Sequence[Lane]) -> list[LaneStyle]:
    """A style for every lane: the first of each role has the role's own, the others take turns with the rest."""
    seen: Counter[str] = Counter()
    found, spare = [], 0
    for lane in lanes:
        kind = role(lane)
        if seen[kind]:
            found.append(FURTHER[spare % len(FURTHER)])
            spare += 1
        else:
            found.append(OF_ROLE[kind])
        seen[kind] += 1
    return found


def describe(lane: Lane, samples: int) -> str:
    """A lane in one line: its sampler, its rule, its rate, and what is not as usual.

    Example:
        >>> describe(Lane.model_validate({"sampler": {"name": "reshuffle", "batch_size": 32}, "rule":
        ...     {"name": "sgd", "momentum": 0.9}, "schedule": {"name": "constant", "learning_rate": 0.02}}), 442)
        'reshuffle, b = 32 of 442 · SGD + momentum 0.9 · rate 0.02'
    """
    size = lane.sampler.size(samples)
    batch = f"{_words(name_of(lane.sampler))}, b = {'m = ' if size == samples else ''}{size:,}"
    if size < samples:
        batch += f" of {samples:,}"
    if lane.sampler.at_once(samples) < size:
        batch += f" in batches of {lane.sampler.at_once(samples):,}"
    rule = " + ".join([type(lane.rule).__name__, *_changes(lane.rule)])
    rate = f"rate {setting(lane.schedule.learning_rate)}"
    schedule = name_of(lane.schedule)
    if schedule != "constant":
        changes = [c for c in _changes(lane.schedule) if not c.startswith("learning rate")]
        rate += f", {_words(schedule)}" + (f" ({', '.join(changes)})" if changes else "")
    parts = [", ".join([batch, *_changes(lane.sampler, "batch_size", "accumulate")]), rule, rate]
    if lane.clip is not None:
        parts.append(f"clip {_words(name_of(lane.clip))} {setting(lane.clip.max)}")
    if lane.average is not None:
        knobs = [f"{_words(name)} {_value(value)}" for name, value in lane.average]
        parts.append(f"average {_words(name_of(lane.average))}, {', '.join(knobs)}")
    return " · ".join(parts)


def _changes(item: Item, *without: str) -> list[str]:
    """The knobs that differ from their defaults, in words."""
    changed = []
    for name, field in type(item).model_fields.items():
        value = getattr(item, name)
        if name not in without and value != field.default:
            changed.append(_words(name) if value is True else f"{_words(name)} {_value(value)}")
    return changed


def _value(value: Any) -> str:
    if isinstance(value, tuple) and value and isinstance(value[0], Item):
        return ", then ".join(_words(name_of(part)) for part in value)
    return setting(value) if isinstance(value, float) else str(value)


def _words(name: str) -> str:
    return name.replace("_", " ")
