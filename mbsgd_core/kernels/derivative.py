"""Automatic differentiation of a tape (floor 3): the slopes of a surface that only says what its value is.

Reverse mode: the value is recorded, then every operation, last first, hands the slope that reached its result on to its
operands. Conventions are torch's, so that both lanes give the same slope where there is none: 0 for abs and relu at
their kinks, halves for the two sides of a tie of minimum and maximum, 0 for floor, ceil and sign.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from mbsgd_core.kernels.tape import WIDE, NotRecordable, Program, Recording, Tape, Value, asked, record_surface
from mbsgd_core.problems.surfaces.base import Surface

Slope = Value | float


class _Step(NamedTuple):
    """One operation of the definition, whatever instructions became of it."""

    name: str
    result: Value
    operands: tuple[Slope, ...]


class _Steps(Tape):
    """A tape that remembers the operations which it was asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.steps: list[_Step] = []

    def apply(self, name: str, *operands: Slope) -> Value:
        result = super().apply(name, *operands)
        held = tuple(o.clone() if isinstance(o, Value) else o for o in operands)
        self.steps.append(_Step(name, result.clone(), held))
        return result


def record_gradient(surface: Surface) -> tuple[Program, Recording]:
    """The tape of a surface's gradient: from its own definition, or from the value's where it is automatic."""
    return differentiate(surface.value) if surface.automatic else record_surface(surface.gradient)


def differentiate(value: Callable[[Any, Any], Any]) -> tuple[Program, Recording]:
    """The tape of the gradient of value(x, y), made from the value's.

    A slope that is not finite where the value is finite becomes 0.

    Raises:
        NotRecordable: where the value, or the slope of one of its operations, is more than arithmetic.

    Example:
        >>> program, recording = differentiate(lambda x, y: x * y)
        >>> len(program.table)  # the product, two slopes held against it, two results
        5
    """
    tape = _Steps()
    inputs = tape.input(WIDE), tape.input(WIDE)
    ground = asked(value, *inputs)
    if not isinstance(ground, Value):
        raise NotRecordable("the value is not arithmetic on x and y")
    steps, moving = tape.steps[:], {v.place for v in inputs}  # what depends on x or y
    for step in steps:
        if any(isinstance(o, Value) and o.place in moving for o in step.operands):
            moving.add(step.result.place)
    slopes: dict[int, Slope] = {ground.place: 1.0} if ground.place in moving else {}
    for step in reversed(steps):
        if (slope := slopes.pop(step.result.place, None)) is None:
            continue
        if step.name not in RULES:
            raise NotRecordable(f"nobody has said what the slope of {step.name} is")
        for operand, rule in zip(step.operands, RULES[step.name], strict=True):
            if isinstance(operand, Value) and operand.place in moving:
                part = rule(slope, step.result, *step.operands)
                slopes[operand.place] = slopes[operand.place] + part if operand.place in slopes else part
    ends = [slopes.get(v.place, 0.0) for v in inputs]
    tape.end_segment([tape.apply("tame", s, ground) if isinstance(s, Value) else s for s in ends], [])
    return tape.program(), tape.recording()


def _gate(slope: Slope, mask: Value) -> Value:
    """The slope, and 0 where the mask is 0, whatever the slope is there."""
    return mask.tape.apply("gate", slope, mask)


def _shared(slope: Slope, below: Value, above: Value) -> Value:
    """The slope where above > below or nobody knows, half of it in a tie, else 0."""
    share = 1 - above.le(below) + 0.5 * (above == below)
    return _gate(slope * share, share)


def _turning(a: Value, b: Value) -> Value:
    """1 / (a^2 + b^2), and 0 where that has no end."""
    square = a * a + b * b
    return _gate(square.reciprocal(), square)


def _power_by_base(slope: Slope, result: Value, base: Value, exponent: Slope) -> Slope:
    if isinstance(exponent, Value):
        return _gate(slope * (exponent * base ** (exponent - 1)), exponent)
    return slope * (exponent * base ** (exponent - 1)) if exponent else 0.0


def _power_by_exponent(slope: Slope, result: Value, base: Slope, exponent: Value) -> Value:
    base = base if isinstance(base, Value) else result.new_tensor(base)
    zero = (base == 0) * result.new_tensor(0).le(exponent)
    return slope * _gate(result * base.log(), 1 - zero)


# For each operation, for each of its operands: what becomes of the slope g of the result r. Operands: a, b.
RULES: dict[str, tuple[Callable[..., Any], ...]] = {
    "copy": (lambda g, r, a: g,),
    "add": (lambda g, r, a, b: g, lambda g, r, a, b: g),
    "sub": (lambda g, r, a, b: g, lambda g, r, a, b: -g),
    "mul": (lambda g, r, a, b: g * b, lambda g, r, a, b: g * a),
    "div": (lambda g, r, a, b: g / b, lambda g, r, a, b: -g * (r / b)),
    "neg": (lambda g, r, a: -g,),
    "sqrt": (lambda g, r, a: g / (2 * r),),
    "abs": (lambda g, r, a: g * a.sign(),),
    "exp": (lambda g, r, a: g * r,),
    "expm1": (lambda g, r, a: g * (r + 1),),
    "log": (lambda g, r, a: g / a,),
    "log1p": (lambda g, r, a: g / (a + 1),),
    "log2": (lambda g, r, a: g / (a * 0.6931471805599453),),
    "log10": (lambda g, r, a: g / (a * 2.3025850929940456),),
    "sin": (lambda g, r, a: g * a.cos(),),
    "cos": (lambda g, r, a: g * -a.sin(),),
    "tan": (lambda g, r, a: g * (1 + r**2),),
    "asin": (lambda g, r, a: g * (1 - a * a).rsqrt(),),
    "acos": (lambda g, r, a: g * -(1 - a * a).rsqrt(),),
    "atan": (lambda g, r, a: g / (a * a + 1),),
    "sinh": (lambda g, r, a: g * a.cosh(),),
    "cosh": (lambda g, r, a: g * a.sinh(),),
    "tanh": (lambda g, r, a: g * (1 - r * r),),
    "sigmoid": (lambda g, r, a: g * (1 - r) * r,),
    "hypot": (lambda g, r, a, b: g * a / r, lambda g, r, a, b: g * b / r),
    "atan2": (lambda g, r, a, b: g * b * _turning(a, b), lambda g, r, a, b: g * -a * _turning(a, b)),
    "maximum": (lambda g, r, a, b: _shared(g, b, a), lambda g, r, a, b: _shared(g, a, b)),
    "minimum": (lambda g, r, a, b: _shared(g, a, b), lambda g, r, a, b: _shared(g, b, a)),
    "relu": (lambda g, r, a: _gate(g, r),),
    "pow": (_power_by_base, _power_by_exponent),
    # 0, not nothing: on its way to x it still meets what is infinite.
    "floor": (lambda g, r, a: 0.0,),
    "ceil": (lambda g, r, a: 0.0,),
    "sign": (lambda g, r, a: 0.0,),
    "eq": (lambda g, r, a, b: 0.0, lambda g, r, a, b: 0.0),
    "le": (lambda g, r, a, b: 0.0, lambda g, r, a, b: 0.0),
}
