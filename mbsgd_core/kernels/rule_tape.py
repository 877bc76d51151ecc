"""A rule's update on the tape (floor 3): recorded once from its own definition, as surfaces are."""

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from mbsgd_core.kernels.tape import NARROW, WIDE, NotRecordable, Program, Recording, Tape, Value, asked


class Leaf(NamedTuple):
    """A part of a rule's state in its register."""

    place: int  # in the state tuple
    kind: str  # WIDE for tensors, NARROW for numbers
    register: int


class _Blank:
    """Stands for theta while rule.init says what a state holds."""

    shape = ()

    def new_zeros(self, shape: tuple) -> "_Fill":
        return self.new_full(shape, 0.0)

    def new_full(self, shape: tuple, value: "Value | float") -> "_Fill":
        if isinstance(value, Value) or tuple(shape):
            raise NotRecordable("the state begins with a swept knob, or has another form than theta")
        return _Fill(value)


class _Fill(NamedTuple):
    value: float


class RuleTape(NamedTuple):
    """A rule's update: wide registers 0 and 1 hold theta and the gradient, narrow register 0 the learning rate."""

    program: Program  # segment 0: the first update, whose state may be empty in part; 1: all others
    recording: Recording
    leaves: tuple[Leaf, ...]
    start: dict[int, float]  # what each leaf begins with, by its place
    knobs: dict[str, int]  # swept knobs: their narrow registers


def record_rule(rule: Any, knobs: Collection[str] = ()) -> RuleTape:
    """The tape of rule.update.

    Args:
        rule: its knobs are constants of the tape, except ...
        knobs: ... those that differ between lanes and are never 0 ("momentum", "beta1": the first of `betas`).

    Raises:
        NotRecordable: where the update is more than a straight line of arithmetic.
    """
    tape = Tape()
    theta, gradient, learning_rate = tape.input(WIDE), tape.input(WIDE), tape.input(NARROW)
    swept = {name: tape.input(NARROW, swept=True) for name in knobs}
    rule = with_knobs(rule, swept)
    state = asked(rule.init, _Blank())
    held: list[Value | None] = [
        None if leaf is None else tape.input(WIDE if isinstance(leaf, _Fill) else NARROW) for leaf in state
    ]
    for segment in range(2):
        given = tuple(None if leaf is None else leaf.clone() for leaf in held)
        delta, later = asked(rule.update, gradient.clone(), given, theta.clone(), learning_rate.clone())
        if not isinstance(delta, Value) or len(later) != len(held):
            raise NotRecordable("the rule gives no increment, or a state of another form")
        tape.end_segment([delta], _renewed(tape, held, later, theta, segment == 0))
    leaves = tuple(Leaf(i, leaf.kind, leaf.place) for i, leaf in enumerate(held) if leaf is not None)
    start = {leaf.place: _number(state[leaf.place]) for leaf in leaves}
    places = {name: value.place for name, value in swept.items()}
    return RuleTape(tape.program(), tape.recording(), leaves, start, places)


def _number(leaf: Any) -> float:
    """What a leaf begins with; one that is not there yet begins with nothing, 0."""
    if isinstance(leaf, _Fill):
        return leaf.value
    if leaf is None or isinstance(leaf, (int, float)):
        return leaf or 0.0
    raise NotRecordable("the state begins with more than numbers")


def _renewed(
    tape: Tape, held: list["Value | None"], later: tuple, theta: Value, begins: bool
) -> list[tuple["Value", "Value"]]:
    """(new value, register of the state) pairs; a state that begins to be held gets a register in `held`."""
    places = {(leaf.kind, leaf.place) for leaf in (theta, *held) if leaf is not None}
    pairs = []
    for i, new in enumerate(later):
        if new is None and held[i] is None:
            continue
        if not isinstance(new, Value):
            raise NotRecordable("a part of the rule's state forgets where it comes from")
        leaf = held[i]
        if leaf is None:
            if not begins or new.kind == NARROW:
                raise NotRecordable("a part of the rule's state begins later than the others, or as a number")
            leaf = held[i] = tape.input(WIDE)
        if (new.kind, new.place) in places and new.place != leaf.place:
            new = tape.apply("copy", new)  # it would be overwritten before it has been moved
        pairs.append((new, leaf))
    return pairs


def with_knobs(rule: Any, knobs: Mapping[str, "Value | float"]) -> Any:
    """The rule with values in place of some knobs; a number at the end of a name counts within a tuple."""
    update: dict[str, Any] = {}
    for name, value in knobs.items():
        if name in type(rule).model_fields:
            update[name] = value
            continue
        whole = name[:-1] + "s"
        parts = list(update.get(whole, getattr(rule, whole)))
        parts[int(name[-1]) - 1] = value
        update[whole] = tuple(parts)
    return rule.model_copy(update=update)
