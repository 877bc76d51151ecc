"""A tape (floor 3): the arithmetic of a surface or a rule, recorded from its own definition.

Surfaces and rules are written with tensor methods. Called once with `Value`s in place of tensors, they leave behind the
list of what they did: a straight line of instructions on registers, which `machine` runs compiled. So there is one
definition of every formula, whatever runs it, and a new surface or rule is compiled without a line of its own here.

A register is *wide* (one number for every parameter of every lane; in the experiment's dtype) or *narrow* (one for
every lane; float64, as Python's own numbers are): learning rates, counters, swept knobs.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

_METHODS = (
    "add sub mul div neg sqrt abs exp expm1 log log1p log2 log10 sin cos tan asin acos atan sinh cosh tanh sigmoid "
    "hypot atan2 maximum minimum relu floor ceil sign pow le"
)
# eq: ==. gate: the first, and 0 where the second is 0. tame: the first, and 0 where only the second is finite.
# both: sin and cos of the first; the second is a target too.
_OTHERS = "copy eq gate tame both"
CODE = {name: number for number, name in enumerate(f"{_METHODS} {_OTHERS}".split())}
WIDE, NARROW = "wide", "narrow"
PRODUCTS = 16  # whole powers up to here are products


class NotRecordable(Exception):
    """The definition does something that a straight line of arithmetic cannot hold; the torch lane runs it."""


# The parts of a segment, in the order in which they run.
NARROW_CODE, SPREADS, WIDE_CODE, NARROW_MOVES, WIDE_MOVES, OUTPUTS = range(6)


class Program(NamedTuple):
    """What `machine` runs: one table, in segments of six parts each."""

    # (I, 4) uint32. Code: operation, target, first and second operand. Spreads: narrow register, wide register (the
    # same for every parameter). Moves: register, register of the state that it becomes. Outputs: a wide register.
    table: np.ndarray
    bounds: np.ndarray  # (segments, 7) uint32: part k of a segment is table[bounds[k]:bounds[k + 1]]


class Recording(NamedTuple):
    """The registers of some programs, and what must stand in them beforehand."""

    narrow_constants: tuple[tuple[int, float], ...]  # register, value
    wide_constants: tuple[tuple[int, float], ...]
    narrow_count: int
    wide_count: int


class Tape:
    """Collects instructions; hands out registers."""

    def __init__(self) -> None:
        self.code: dict[str, list[tuple[int, int, int, int]]] = {WIDE: [], NARROW: []}
        self.count = {WIDE: 0, NARROW: 0}
        self.constants: dict[str, dict[float, int]] = {WIDE: {}, NARROW: {}}
        self.spreads: dict[int, int] = {}
        self.parts: list[list[tuple[int, int, int, int]]] = []
        self.known: dict[tuple[str, str, int, int], int] = {}  # what was computed already, and where it is

    def register(self, kind: str) -> int:
        """A fresh one."""
        self.count[kind] += 1
        return self.count[kind] - 1

    def input(self, kind: str, swept: bool = False) -> "Value":
        """A value that is there before the program runs."""
        return Value(self, kind, self.register(kind), swept)

    def at(self, value: "Value | float", kind: str) -> int:
        """The register of this kind that holds a value or a constant."""
        if not isinstance(value, Value):
            number = float(value)
            if number not in self.constants[kind]:
                self.constants[kind][number] = self.register(kind)
            return self.constants[kind][number]
        if value.kind == kind:
            return value.place
        if kind == NARROW:
            raise NotRecordable("a number of every lane cannot come from the parameters")
        if value.place not in self.spreads:
            self.spreads[value.place] = self.register(WIDE)
        return self.spreads[value.place]

    def apply(self, name: str, *operands: "Value | float") -> "Value":
        """Record one operation on one or two operands; a number as exponent may make it several instructions."""
        if name == "pow" and not isinstance(operands[1], Value):
            return self._power(operands[0], float(operands[1]))
        return self._instruct(name, *operands)

    def _power(self, base: "Value | float", exponent: float) -> "Value":
        """As torch does: exact products for small whole powers, roots for halves."""
        size = abs(exponent)
        if size == 0.5:
            result = self._instruct("sqrt", base)
        elif size not in range(1, PRODUCTS + 1):
            return self._instruct("pow", base, exponent)
        else:
            result = self._instruct("copy", base)
            for bit in f"{int(size):b}"[1:]:
                result = self._instruct("mul", result, result)
                result = self._instruct("mul", result, base) if bit == "1" else result
        return result if exponent > 0 else self._instruct("div", 1.0, result)

    def _instruct(self, name: str, *operands: "Value | float") -> "Value":
        wide = any(isinstance(o, Value) and o.kind == WIDE for o in operands)
        kind = WIDE if wide else NARROW
        places = [self.at(o, kind) for o in operands]
        key = name, kind, places[0], places[-1]
        if key not in self.known:
            self.known[key] = self.register(kind)
            self.code[kind].append((CODE[name], self.known[key], places[0], places[-1]))
        return Value(self, kind, self.known[key])

    def end_segment(self, outputs: list["Value | float"], renewed: list[tuple["Value", "Value"]]) -> None:
        """What was recorded since the last segment leaves these results, and renews (new value, state) pairs."""
        out = [(self.at(value, WIDE), 0, 0, 0) for value in outputs]
        moves: dict[str, list[tuple[int, int, int, int]]] = {WIDE: [], NARROW: []}
        for new, old in renewed:
            if self.at(new, old.kind) != old.place:
                moves[old.kind].append((self.at(new, old.kind), old.place, 0, 0))
        spreads = [(narrow, wide, 0, 0) for narrow, wide in self.spreads.items()]
        self.parts += [self.code[NARROW], spreads, _paired(self.code[WIDE]), moves[NARROW], moves[WIDE], out]
        self.code, self.spreads, self.known = {WIDE: [], NARROW: []}, {}, {}

    def program(self) -> Program:
        """All segments."""
        ends = np.cumsum([0] + [len(part) for part in self.parts])
        bounds = [ends[i : i + OUTPUTS + 2] for i in range(0, len(self.parts), OUTPUTS + 1)]
        rows = [row for part in self.parts for row in part]
        return Program(np.array(rows, dtype=np.uint32).reshape(-1, 4), np.array(bounds, dtype=np.uint32))

    def recording(self) -> Recording:
        """What the programs start from."""
        narrow, wide = (tuple((place, value) for value, place in self.constants[k].items()) for k in (NARROW, WIDE))
        return Recording(narrow, wide, self.count[NARROW], self.count[WIDE])


def _paired(code: list[tuple[int, int, int, int]]) -> list[tuple[int, int, int, int]]:
    """The same, sin and cos of one number as one instruction, which fills the register of the other too."""
    paired: list[tuple[int, int, int, int]] = []
    first: dict[int, int] = {}  # of the two, by the number's register
    for operation, target, a, b in code:
        if operation in (CODE["sin"], CODE["cos"]):
            if a in first:
                other = paired[first[a]][1]
                targets = (other, target) if operation == CODE["cos"] else (target, other)
                paired[first[a]] = (CODE["both"], targets[0], a, targets[1])
                continue
            first[a] = len(paired)
        paired.append((operation, target, a, b))
    return paired


class Value:
    """Stands for a tensor, or for a number that differs between lanes, while a definition is recorded.

    Knows the tensor methods that surfaces and rules use. A method's in-place twin (`add_`) renews this very object.
    """

    shape = ()

    def __init__(self, tape: Tape, kind: str, place: int, swept: bool = False):
        self.tape, self.kind, self.place, self._swept = tape, kind, place, swept

    def __bool__(self) -> bool:
        # "if self.momentum:" asks whether a term may be left out; where a swept knob is 0, a tape of its own has it so.
        if self._swept:
            return True
        raise NotRecordable("the definition decides by a value that is only known while it runs")

    def __getattr__(self, name: str) -> Callable[..., "Value"]:
        if not name.startswith("_") and name.endswith("_") and hasattr(type(self), name[:-1]):
            return lambda *args, **options: self._become(getattr(self, name[:-1])(*args, **options))
        raise NotRecordable(f"the tensor method {name} is not on the list")

    def _become(self, other: "Value") -> "Value":
        self.kind, self.place = other.kind, other.place
        return self

    def __add__(self, other: "Value | float") -> "Value":
        return self.tape.apply("add", self, other)

    def __sub__(self, other: "Value | float") -> "Value":
        return self.tape.apply("sub", self, other)

    def __rsub__(self, other: float) -> "Value":
        return self.tape.apply("sub", other, self)

    def __mul__(self, other: "Value | float") -> "Value":
        if not isinstance(other, Value) and other == 1:
            return self.clone()
        return self.tape.apply("mul", self, other)

    def __truediv__(self, other: "Value | float") -> "Value":
        return self.tape.apply("div", self, other)

    def __rtruediv__(self, other: float) -> "Value":
        return self.tape.apply("div", other, self)

    def __neg__(self) -> "Value":
        return self.tape.apply("neg", self)

    def __eq__(self, other: object) -> "Value":  # type: ignore[override]
        return self.tape.apply("eq", self, other)  # type: ignore[arg-type]

    __hash__ = None  # type: ignore[assignment]
    __radd__, __rmul__ = __add__, __mul__

    def __pow__(self, exponent: "Value | float") -> "Value":
        return self.tape.apply("pow", self, exponent)

    def __rpow__(self, base: float) -> "Value":
        return self.tape.apply("pow", base, self)

    def add(self, other: "Value | float", *, alpha: "Value | float" = 1) -> "Value":
        return self + (other if not isinstance(alpha, Value) and alpha == 1 else other * alpha)

    def sub(self, other: "Value | float", *, alpha: "Value | float" = 1) -> "Value":
        return self - (other if not isinstance(alpha, Value) and alpha == 1 else other * alpha)

    def addcmul(self, a: "Value", b: "Value", *, value: "Value | float" = 1) -> "Value":
        return self.add(a * b, alpha=value)

    def addcdiv(self, a: "Value", b: "Value", *, value: "Value | float" = 1) -> "Value":
        return self.add(a / b, alpha=value)

    def lerp(self, end: "Value", weight: "Value | float") -> "Value":
        if isinstance(weight, Value) or weight < 0.5:
            return self + (end - self) * weight
        return end - (end - self) * (1 - weight)  # torch's choice: exact at weight 1

    def square(self) -> "Value":
        return self * self

    def reciprocal(self) -> "Value":
        return 1.0 / self

    def rsqrt(self) -> "Value":
        return 1.0 / self.tape.apply("sqrt", self)

    def new_tensor(self, number: float) -> "Value":
        return Value(self.tape, self.kind, self.tape.at(number, self.kind))

    def dim(self) -> int:
        return len(self.shape)

    def expand_as(self, other: "Value") -> "Value":
        return self.clone()

    def clone(self) -> "Value":
        return Value(self.tape, self.kind, self.place)

    mul, div, neg, pow = __mul__, __truediv__, __neg__, __pow__


def _method(name: str) -> Callable[..., Value]:
    def method(self: Value, *others: "Value | float") -> Value:
        return self.tape.apply(name, self, *others)

    return method


for _name in _METHODS.split():
    if not hasattr(Value, _name):
        setattr(Value, _name, _method(_name))


def asked(definition: Callable[..., Any], *arguments: Any) -> Any:
    """What a definition makes of values; it may ask for anything that a tensor can do."""
    try:
        return definition(*arguments)
    except NotRecordable:
        raise
    except Exception as error:
        raise NotRecordable(f"the definition needs a tensor: {error}") from error


def record_surface(function: Callable[[Any, Any], Any]) -> tuple[Program, Recording]:
    """The tape of value(x, y) or gradient(x, y); x and y are the wide registers 0 and 1.

    Example:
        >>> from mbsgd_core.problems.surfaces.booth import Booth
        >>> len(record_surface(Booth().gradient)[0].table)  # eight operations, two results
        10
    """
    tape = Tape()
    result = asked(function, tape.input(WIDE), tape.input(WIDE))
    results = list(result) if isinstance(result, tuple) else [result]
    if not all(isinstance(r, (Value, float, int)) for r in results):
        raise NotRecordable("the definition gives something that is not arithmetic on x and y")
    tape.end_segment(results, [])
    return tape.program(), tape.recording()
