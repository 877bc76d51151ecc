"""The axes of a sweep (floor 2): the numeric knobs of an experiment by name, and the experiment with other values.

A knob's full name is the path to it, the lanes left out: `schedule.learning_rate`, `rule.momentum`, `problem.noise`,
`problem.dataset.spread`, `seed`. Any end of it will do that belongs to one knob alone: `momentum`. The numbers of a
pair have names of their own: `beta1` and `beta2` are the betas.
"""

import difflib
import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, get_args, get_origin

import numpy as np

from mbsgd_core.errors import ExperimentError
from mbsgd_core.experiment import PARTS, Experiment
from mbsgd_core.knobs import Item, NamedItem
from mbsgd_core.registry import name_of
from mbsgd_core.texts import plain_type

# From the experiment to a value in it, as in ExperimentError: ("lanes", 0, "rule", "momentum").
Path = tuple[str | int, ...]


class Knob(NamedTuple):
    """A number in an experiment that can be an axis."""

    name: str  # in full, the lanes left out
    whole: bool  # takes whole numbers only
    places: tuple[Path, ...]  # one, or one in every lane that has it


class Axis(NamedTuple):
    """A knob and the values it takes; hashable."""

    name: str  # as it was asked for
    knob: Knob
    values: tuple[int | float, ...]  # duplicates may be among them


def knobs(experiment: Experiment) -> dict[str, Knob]:
    """Every knob that can be an axis, by its full name.

    Example:
        >>> e = Experiment.model_validate({"problem": "quadratic", "lanes": [
        ...     {"sampler": "full_batch", "rule": "adam", "schedule": "constant"}]})
        >>> knobs(e)["rule.beta1"]
        Knob(name='rule.beta1', whole=False, places=(('lanes', 0, 'rule', 'betas', 0),))
    """
    found: dict[str, Knob] = {}
    for i, lane in enumerate(experiment.lanes):
        for part in PARTS:
            for end, path, whole in _numbers(getattr(lane, part)):
                name = f"{part}.{end}"
                earlier = found[name].places if name in found else ()
                found[name] = Knob(name, whole, (*earlier, ("lanes", i, part, *path)))
    for end, path, whole in _numbers(experiment.problem):
        found[f"problem.{end}"] = Knob(f"problem.{end}", whole, (("problem", *path),))
    for end, path, whole in _numbers(experiment.budget):
        found[f"budget.{end}"] = Knob(f"budget.{end}", whole, (("budget", *path),))
    return {**found, "seed": Knob("seed", True, (("seed",),))}


def find(experiment: Experiment, name: str) -> Knob:
    """The knob that a name means.

    Raises:
        ExperimentError: it means none, or several; suggests what may be meant.

    Example:
        >>> e = Experiment.model_validate({"problem": "quadratic", "lanes": [
        ...     {"sampler": "reshuffle", "schedule": "constant"}]})
        >>> find(e, "batch_size") == find(e, "sampler.batch_size") == knobs(e)["sampler.batch_size"]
        True
    """
    known = knobs(experiment)
    if name in known:
        return known[name]
    meant = [full for full in known if full.endswith(f".{name}")]
    if len(meant) == 1:
        return known[meant[0]]
    given = name[:60]
    if meant:
        raise ExperimentError(f"{given!r} is a knob of several parts of this experiment; write {' or '.join(meant)}")
    near = difflib.get_close_matches(given, [*(full.rpartition(".")[2] for full in known), *known], 1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise ExperimentError(f"no number of this experiment is called {given!r}{hint} (known: {', '.join(known)})")


def read_axes(experiment: Experiment, given: Mapping[str, Any]) -> tuple[Axis, ...]:
    """One or two axes, accepted by the experiment's own validation.

    Limits are intervals, and one that depends on both knobs (batch_size and samples) is monotone in each: the corners
    of the grid speak for what lies between, as long as it is finite, and whole where the knob is.

    Args:
        experiment: has the knobs.
        given: {name: 1-D array of values}; the first is x, the second y.

    Raises:
        ExperimentError: not one or two axes, the same knob twice, a name or a value that is refused.

    Example:
        >>> e = Experiment.model_validate({"problem": "quadratic", "lanes": [
        ...     {"sampler": "reshuffle", "schedule": "constant"}]})
        >>> read_axes(e, {"batch_size": [8.0, 1, 8]})[0].values
        (8, 1, 8)
    """
    if not 1 <= len(given) <= 2:
        raise ExperimentError(f"a sweep has one or two axes; given {len(given)}")
    axes = tuple(Axis(name, find(experiment, name), _listed(name, values)) for name, values in given.items())
    if len({one.knob.name for one in axes}) < len(axes):
        raise ExperimentError(f"{' and '.join(given)} are the same knob; give two different ones")
    low, high = [min(one.values) for one in axes], [max(one.values) for one in axes]
    accepted = []
    for i, one in enumerate(axes):
        exact: dict[int | float, Any] = {}  # as validation reads them: 8 for 8.0 where the knob is whole
        for value in dict.fromkeys(one.values):
            if value in (low[i], high[i]) or not math.isfinite(value) or (one.knob.whole and value % 1):
                cell = validated(experiment, changes(axes, [*low[:i], value, *low[i + 1 :]]))
                exact[value] = value_at(cell, one.knob.places[0])
            else:
                exact[value] = int(value) if one.knob.whole else float(value)
        accepted.append(tuple(exact[value] for value in one.values))
    validated(experiment, changes(axes, high))
    return tuple(one._replace(values=values) for one, values in zip(axes, accepted, strict=True))


def changes(axes: Sequence[Axis], values: Sequence[int | float]) -> dict[Path, int | float]:
    """What makes the experiment a cell of the grid: a value of each axis, at all its places.

    Example:
        >>> changes([Axis("seed", Knob("seed", True, (("seed",),)), (1, 2))], [2])
        {('seed',): 2}
    """
    return {place: value for axis, value in zip(axes, values, strict=True) for place in axis.knob.places}


def value_at(experiment: Experiment, place: Path) -> Any:
    """What stands at a place.

    Example:
        >>> e = Experiment.model_validate({"problem": "quadratic", "lanes": [
        ...     {"sampler": "full_batch", "schedule": "constant"}]})
        >>> value_at(e, ("lanes", 0, "schedule", "learning_rate"))
        0.1
    """
    value: Any = experiment
    for step in place:
        value = value[step] if isinstance(step, int) else getattr(value, step)
    return value


def replaced(item: Any, values: Mapping[Path, Any]) -> Any:
    """An item with other values at these places, which nobody checks: for values that were accepted before.

    Args:
        item: an experiment, or a part of it from which the paths lead.
        values: {path: value}.

    Example:
        >>> from mbsgd_core.rules.adam import Adam
        >>> replaced(Adam(), {("betas", 0): 0.5, ("eps",): 1e-6})
        Adam(betas=(0.5, 0.999), eps=1e-06, amsgrad=False, weight_decay=0.0)
    """
    return _rebuild(item, values, lambda old, fields: old.model_copy(update=fields))


def validated(experiment: Experiment, values: Mapping[Path, Any]) -> Experiment:
    """The experiment with other values at these places, validated as a whole.

    Raises:
        ExperimentError: one is refused; names the field.

    Example:
        >>> e = Experiment.model_validate({"problem": "quadratic", "lanes": [
        ...     {"sampler": "full_batch", "schedule": "constant"}]})
        >>> validated(e, {("problem", "noise"): 2}).problem.noise
        2.0
    """

    def described(old: Item, fields: dict[str, Any]) -> dict[str, Any]:
        name = {"name": name_of(old)} if isinstance(old, NamedItem) else {}
        # What is by default goes unsaid: some of it may not be said, such as the rate of a sequence's part.
        told = {key: value for key, value in old if value != type(old).model_fields[key].default}
        return {**name, **told, **fields}

    return Experiment.model_validate(_rebuild(experiment, values, described))


def _listed(name: str, values: Any) -> tuple[int | float, ...]:
    array = np.asarray(values)
    if array.ndim != 1 or not array.size or array.dtype.kind not in "iuf":
        raise ExperimentError(f"{name[:60]}: the values of an axis are a list of numbers, at least one")
    return tuple(array.tolist())


def _numbers(item: Item | None) -> Iterator[tuple[str, Path, bool]]:
    """(name, path, whole) of every number among an item's fields: its own, those of its items, those of its pairs.

    Of several items in a field the first is, as in a link, part1; what is handed down to them is not theirs.
    """
    if item is None:
        return
    for name, field in type(item).model_fields.items():
        value, (kind, _) = getattr(item, name), plain_type(field.annotation)
        for i, child in enumerate(value if isinstance(value, tuple) else ()):
            for inner, path, whole in _numbers(child) if isinstance(child, Item) else ():
                if not (isinstance(item, NamedItem) and inner in item.handed_down):
                    yield f"{name.removesuffix('s')}{i + 1}.{inner}", (name, i, *path), whole
        if isinstance(value, Item):
            for inner, path, whole in _numbers(value):
                yield f"{name}.{inner}", (name, *path), whole
        elif kind in (int, float):
            yield name, (name,), kind is int
        elif get_origin(kind) is tuple and name.endswith("s") and Ellipsis not in get_args(kind):
            for i, part in enumerate(get_args(kind)):
                if plain_type(part)[0] is float:
                    yield f"{name[:-1]}{i + 1}", (name, i), False


def _rebuild(item: Any, values: Mapping[Path, Any], build: Callable[[Any, dict[str, Any]], Any]) -> Any:
    """`item` with the values; every item on the way is made anew by build(old item, {changed field: value})."""
    if () in values:
        return values[()]
    inside: defaultdict[Any, dict[Path, Any]] = defaultdict(dict)
    for path, value in values.items():
        inside[path[0]][path[1:]] = value
    if isinstance(item, tuple):
        return tuple(_rebuild(part, inside[i], build) if i in inside else part for i, part in enumerate(item))
    return build(item, {name: _rebuild(getattr(item, name), below, build) for name, below in inside.items()})
