"""Measuring a claim anew (floor 4): its numbers name functions of this folder, with their arguments, in its file.

A measurement is a public function of a file here, found by its name. One that asks for an `ending` first is about a
lane of the claim's bench; the others bring what they need.
"""

import hashlib
import importlib
import inspect
import json
import pkgutil
from collections.abc import Callable
from functools import cache, cached_property, lru_cache
from typing import Any, cast

import numpy as np
from pydantic import JsonValue

from mbsgd_core import claims, engine
from mbsgd_core.errors import DataError
from mbsgd_core.experiment import Experiment
from mbsgd_core.measures.truth import truth
from mbsgd_core.results.claim import Claim, Measured, Value, lesson, near
from mbsgd_core.types import State, Trace

Measurement = Callable[..., float | list[float | None] | None]
DIGITS = 6  # that a measured value is written with
SAME = 1e-3  # of a value: what a rerun on another processor may differ by


class Ending:
    """A lane and where it ends: run when it is asked for."""

    def __init__(self, experiment: Experiment, lane: int, after: int | None = None):
        self.experiment, self.lane = experiment, lane
        self.updates = after or experiment.updates(lane)

    @cached_property
    def run(self) -> tuple[State, Trace]:
        """The whole lane with its records."""
        return engine.run(self.experiment, self.lane)

    @property
    def least(self) -> float:
        """The least loss that is known."""
        value = truth(self.experiment).value
        if value is None:
            raise DataError("the least loss of this problem is not known")
        return value

    @property
    def minimizers(self) -> np.ndarray:
        """The points that have it, (K, P)."""
        return np.array(truth(self.experiment).minimizers)

    @cached_property
    def state(self) -> State:
        """Its last state, or that after some updates."""
        if "run" in vars(self) and self.updates == self.experiment.updates(self.lane):
            return self.run[0]
        begin = engine.init(self.experiment, self.lane)
        return engine.advance(begin, self.updates, every=self.experiment.updates(self.lane), evaluate=False)[0]


def of(setup: dict[str, JsonValue], measure: str, lane: str | None = None, **given: JsonValue) -> Value:
    """One number, or one for each of several lanes or seeds.

    Args:
        setup: the experiment.
        measure: the name of a measurement.
        lane: the label of a lane; "*": a list, one value a lane; None: the measurement asks for none.
        given: "lesson": the experiment is that of this lesson; "over": the label of a lane by whose value it is
            divided; "seeds": so many seeds, from 0 on: the least and the largest value; "mean": a mean over so many;
            "after": so many updates instead of all; "runs": so many runs; "with": other values below the experiment,
            such as {"learning_rate": 0.01, "budget.amount": 200}; the rest are the measurement's own arguments.

    Example:
        >>> of({}, "updates_to", "BGD", lesson="02_winner_changes", target=0.1)
        6.0
    """
    if isinstance(name := given.pop("lesson", None), str):
        setup = lesson(name)
    if isinstance(runs := given.pop("runs", None), int):
        setup = setup | {"runs": runs}
    if isinstance(other := given.pop("with", None), dict):
        setup = _changed(setup, other)
    if lane == "*":
        lanes = Experiment.model_validate(setup).lanes
        return [_number(of(setup, measure, each.label, **given)) for each in lanes]
    if isinstance(seeds := given.pop("seeds", None), int):
        rows = [of(setup | {"seed": seed}, measure, lane, **given) for seed in range(seeds)]
        known = [row for row in rows if isinstance(row, float)]
        return [min(known), max(known)] if len(known) == len(rows) else [min(known, default=None), None]
    if isinstance(seeds := given.pop("mean", None), int):
        values = [_number(of(setup | {"seed": seed}, measure, lane, **given)) for seed in range(seeds)]
        return None if None in values else _number(sum(value or 0.0 for value in values) / seeds)
    function = measurements()[measure]
    if lane is None:
        return _plain(function(**given))
    after, over = given.pop("after", None), given.pop("over", None)
    experiment = json.dumps(setup, sort_keys=True)
    labels = [each.label for each in _experiment(experiment).lanes]
    value = _plain(
        function(_ending(experiment, labels.index(lane), after if isinstance(after, int) else None), **given)
    )
    if isinstance(over, str):
        below = _number(of(setup, measure, over, **given))
        return None if below is None or not isinstance(value, float) else _number(value / below)
    return value


def measure(claim: Claim) -> list[Value]:
    """All its numbers, measured now."""
    return [_measured(claim, each) for each in claim.measured]


def is_kept(kept: Value, now: Value, tolerance: float = SAME) -> bool:
    """Whether a value that was written still comes out."""
    old, new = ([each] if not isinstance(each, list) else each for each in (kept, now))
    return len(old) == len(new) and all(
        near(a, b, tolerance) or (a is not None and b is not None and abs(a - b) < 1e-9)
        for a, b in zip(new, old, strict=True)
    )


def digest(claim: Claim) -> str:
    """Of all that its numbers depend on: its experiment, the arguments, and the text of the measurements."""
    used = sorted({str(each.how["measure"]) for each in claim.measured})
    others = sorted({str(each.how["lesson"]) for each in claim.measured if "lesson" in each.how})
    parts: list[Any] = [claim.setup, [lesson(name) for name in others], [each.how for each in claim.measured]]
    parts += [inspect.getsource(measurements()[name]) for name in used]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


@cache
def measurements() -> dict[str, Measurement]:
    """Every measurement by its name.

    Raises:
        DataError: two files have functions of one name.
    """
    found: dict[str, Measurement] = {}
    for info in pkgutil.iter_modules(claims.__path__):
        if info.name == "base" or info.name.startswith("_"):
            continue
        module = importlib.import_module(f"{claims.__name__}.{info.name}")
        own: dict[str, Measurement] = {
            name: cast(Measurement, function)
            for name, function in inspect.getmembers(module, callable)
            if inspect.unwrap(function).__module__ == module.__name__ and not name.startswith("_")
        }
        if twice := found.keys() & own.keys():
            raise DataError(f"{module.__name__}: {', '.join(twice)} is defined in another file too")
        found |= own
    return found


def _changed(setup: dict[str, JsonValue], values: dict[str, JsonValue]) -> dict[str, JsonValue]:
    """The experiment with a rate for all lanes, or with other values below its fields, by dotted names."""
    found: dict[str, Any] = json.loads(json.dumps(setup))
    for name, value in values.items():
        if name == "learning_rate":
            for each in found["lanes"]:
                each["schedule"]["learning_rate"] = value
            continue
        *path, last = name.split(".")
        place = found
        for part in path:
            place = place[int(part) if isinstance(place, list) else part]
        place[last] = value
    return found


def _measured(claim: Claim, each: Measured) -> Value:
    return of(claim.setup, **each.how)  # type: ignore[arg-type]  # of JSON, whose keys the measurement checks


@lru_cache(maxsize=64)
def _experiment(text: str) -> Experiment:
    return Experiment.model_validate_json(text)


@lru_cache(maxsize=24)
def _ending(text: str, lane: int, after: int | None) -> Ending:
    return Ending(_experiment(text), lane, after)


def _plain(found: float | list[float | None] | None) -> Value:
    if isinstance(found, list):
        return [_number(each) for each in found]
    return _number(found)


def _number(value: Value) -> float | None:
    """As it is written: some digits; None for what is not finite."""
    if value is None or isinstance(value, list):
        return None
    rounded = float(f"{float(value):.{DIGITS}g}")
    return rounded if abs(rounded) < float("inf") else None
