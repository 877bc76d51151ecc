"""Schedules one after the other: a warm-up, a plateau, a decay."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Self

from pydantic import (
    Field,
    SerializeAsAny,
    SerializerFunctionWrapHandler,
    WithJsonSchema,
    field_validator,
    model_serializer,
    model_validator,
)

from mbsgd_core.errors import ExperimentError
from mbsgd_core.knobs import Examples, Whole, knob
from mbsgd_core.registry import name_of, pick
from mbsgd_core.schedules.base import Schedule, ScheduleState

_PART = {
    "type": "object",
    "description": "A schedule, without learning_rate and interval, and how many intervals it lasts.",
    "properties": {"name": {"type": "string"}, "intervals": {"type": "integer", "minimum": 1}},
    "required": ["name"],
}
_WARM_UP = {"name": "linear", "start_factor": 0.1, "total_iters": 5, "intervals": 5}


class Sequence(Schedule):
    """Each part lasts its `intervals`, the last one until the budget ends; all start from this learning_rate.

    Part k takes over at interval t_k, the sum of the `intervals` before it, and counts its own from 0. Linear up,
    constant, linear down is the warmup-stable-decay of language models.

    Example:
        >>> schedule = Sequence(learning_rate=1.0, parts=[
        ...     {"name": "linear", "start_factor": 0.5, "total_iters": 2, "intervals": 2}, {"name": "constant"}])
        >>> state = schedule.init(4)
        >>> state[1], (state := schedule.step(state))[1], schedule.step(state)[1]
        (0.5, 0.75, 1.0)

    Reference: torch.optim.lr_scheduler.SequentialLR, to the last bit; Hu et al. 2024 (MiniCPM: warmup-stable-decay).
    Torch's own ways, which are kept: a later part begins by its closed form, not from the rate that the part before
    it has reached; where one part is one_cycle, its first rate becomes the base rate of the first part and of those
    behind it, while one_cycle and cyclic keep to this learning_rate. SequentialLR takes no reduce_on_plateau, as this.
    Where others differ: optax's join_schedules also counts each part from 0.
    """

    handed_down: ClassVar[tuple[str, ...]] = ("learning_rate", "interval")
    examples: ClassVar[Examples] = (
        {},
        {
            "parts": [
                {"name": "linear", "start_factor": 0.1, "total_iters": 4, "intervals": 4},
                {"name": "constant", "intervals": 20},
                {"name": "linear", "start_factor": 1.0, "end_factor": 0.0, "total_iters": 36},
            ]
        },
        {"parts": [{"name": "exponential", "gamma": 0.9, "intervals": 7}, {"name": "cosine", "T_max": 30}]},
        {"parts": [{"name": "cosine_restarts", "T_0": 3, "intervals": 10}, {"name": "power"}]},
    )

    parts: Annotated[
        tuple[SerializeAsAny[Schedule], ...],
        WithJsonSchema({"type": "array", "items": _PART, "minItems": 1}, mode="validation"),
    ] = knob(
        suggest=(_WARM_UP, {"name": "constant"}),
        label="Parts",
        help="Schedules in their order, each with the intervals it lasts; they take this rate.",
        min_length=1,
        max_length=64,
        page=(1, 8),
    )
    intervals: tuple[Annotated[Whole, Field(ge=1, le=10**9)], ...] = knob(
        (),
        label="Intervals of the parts",
        help="How long each part lasts; the last one goes on until the budget ends.",
        max_length=64,
    )

    @model_validator(mode="before")
    @classmethod
    def _take_the_intervals(cls, given: Any) -> Any:
        """What is written beside a part's knobs becomes this item's."""
        if not isinstance(given, Mapping) or not isinstance(given.get("parts"), (list, tuple)):
            return given
        parts = given["parts"]
        for i, part in enumerate(parts):
            for name in cls.handed_down if isinstance(part, Mapping) else ():
                if name in part and part[name] != given.get(name, cls.model_fields[name].default):
                    raise ExperimentError(
                        f"given {part[name]!r}; a part takes the {name} of its sequence; leave it out",
                        ("parts", i, name),
                    )
        lengths = [part["intervals"] for part in parts if isinstance(part, Mapping) and "intervals" in part]
        for i, part in enumerate(parts[:-1]):
            if (lengths or "intervals" not in given) and not (isinstance(part, Mapping) and "intervals" in part):
                raise ExperimentError("each part but the last needs its intervals", ("parts", i))
        bare = [
            {name: value for name, value in part.items() if name not in (*cls.handed_down, "intervals")}
            if isinstance(part, Mapping)
            else part
            for part in parts
        ]
        return {**given, "parts": bare} | ({"intervals": lengths} if lengths else {})

    @field_validator("parts", mode="before")
    @classmethod
    def _find_parts(cls, given: Any) -> Any:
        return tuple(_part(i, part) for i, part in enumerate(given)) if isinstance(given, (list, tuple)) else given

    @model_validator(mode="after")
    def _all_but_the_last_end(self) -> "Sequence":
        parts, lengths = len(self.parts), len(self.intervals)
        if not parts - 1 <= lengths <= parts:
            raise ExperimentError(
                f"given {lengths} times intervals for {parts} parts; each part but the last needs its own", ("parts",)
            )
        return self

    @model_validator(mode="after")
    def _one_base(self) -> "Sequence":
        setters = [i for i, part in enumerate(self.parts) if type(part).leaves_base is not Schedule.leaves_base]
        if setters[1:]:
            raise ExperimentError(
                "a second one_cycle would change the first: torch keeps the corners of both in one place",
                ("parts", setters[1]),
            )
        return self

    @model_serializer(mode="wrap")
    def _with_name(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        written = write(self)
        lengths = [{"intervals": length} for length in written.pop("intervals")]
        for part, length in zip(written["parts"], [*lengths, {}], strict=False):
            for name in self.handed_down:
                del part[name]
            part.update(length)
        return {"name": name_of(self), **written}

    def endless(self) -> Self:
        return self.model_copy(update={"parts": tuple(part.endless() for part in self.parts)})

    def init(self, intervals: int) -> ScheduleState:
        starts = [self._part(k).init(self._length(k, intervals)) for k in range(len(self.parts))]  # each may refuse
        first = self._part(0)
        if first.starts_from == "current":
            starts[0] = first.model_copy(update={"learning_rate": self._base(len(self.parts))}).init(
                self._length(0, intervals)
            )
        return (0, starts[0][1], 0, intervals, *starts[0])

    def step(self, state: ScheduleState, objective: float | None = None) -> ScheduleState:
        t, _, k, intervals, *inner = state
        t += 1
        if k + 1 < len(self.parts) and t == sum(self.intervals[: k + 1]):
            k += 1
            inner = [*self._part(k).begin(self._length(k, intervals))]
        else:
            inner = [*self._part(k).step(tuple(inner))]
        return (t, inner[1], k, intervals, *inner)

    def _length(self, k: int, intervals: int) -> int:
        """The intervals of part k; of the last one those that the budget leaves."""
        return self.intervals[k] if k + 1 < len(self.parts) else max(intervals - sum(self.intervals[:k]), 1)

    def _base(self, k: int) -> float:
        """The base rate that the optimizer has when part k is set up."""
        rate = self.learning_rate
        for part in self.parts[:k]:
            rate = part.leaves_base(rate, self.learning_rate)
        return rate

    def _part(self, k: int) -> Schedule:
        """Part k at its rate."""
        part = self.parts[k]
        rate = self.learning_rate if part.starts_from == "own" else self._base(k)
        return part.model_copy(update={"learning_rate": rate, "interval": self.interval})


def _part(i: int, given: Any) -> Schedule:
    """A part as it is kept: without a rate of its own."""
    try:
        part: Schedule = pick("mbsgd_core.schedules", Schedule, given, "schedule")
    except ExperimentError as error:
        raise ExperimentError(str(error), (i, *error.path), error.nearest) from None
    if isinstance(part, Sequence):
        raise ExperimentError("a part may be any schedule but a sequence; write its parts here", (i, "name"))
    if part.watches_objective:
        raise ExperimentError(
            f"{name_of(part)} watches the objective, which torch's SequentialLR allows no part; use it alone",
            (i, "name"),
        )
    if part.moves_momentum:
        raise ExperimentError(
            "a part cannot move the momentum: the parts beside it would train with what it left; turn it off",
            (i, "cycle_momentum"),
        )
    fields = type(part).model_fields
    return part.model_copy(update={name: fields[name].default for name in Sequence.handed_down})
