"""A typed formula f(x, y): text -> closures over tensor methods (floor 1; no torch import, nothing is ever executed).

Python's own parser reads the text, and an allow-list walks the tree: a node that is not on the list is an error.
Numbers become tensors before any arithmetic, so that IEEE rules hold (1/0 = inf) and not Python's (an exception).
"""

import ast
import difflib
import math
import operator
import re
import string
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from mbsgd_core.errors import FormulaError

if TYPE_CHECKING:
    from torch import Tensor

    Closure = Callable[[Tensor, Tensor], Tensor]

LENGTH, NODES, LEVELS = 300, 120, 40

_FUNCTIONS = "sin cos tan asin acos atan sinh cosh tanh exp log log10 log2 sqrt abs floor ceil sign sigmoid relu"
_METHODS = {name: name for name in _FUNCTIONS.split()} | {"ln": "log"}
_PAIRS = {"min": "minimum", "max": "maximum", "atan2": "atan2", "pow": "pow"}
_OPERATORS = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}
_CONSTANTS = {"pi": math.pi, "e": math.e}
_NAMES = ("x", "y", *_CONSTANTS, *_METHODS, *_PAIRS)
ALLOWED = (
    f"allowed: x, y, pi, e, numbers, + - * / ^, parentheses, {' '.join(_METHODS)}, and {' '.join(_PAIRS)} of two values"
)

# The spaces keep neighbours apart: x²y must not turn into x**2y.
_SPELLINGS = {"^": "**", "²": "**2 ", "³": "**3 ", "·": "*", "×": "*", "−": "-", "π": " pi "}
_CHARACTERS = frozenset(string.ascii_letters + string.digits + ".+-*/(), ")
_POWER_OF_POWER = re.compile(r"[²³] *(?:[²³^]|\*\*)")
_NUMBER_THEN_LETTER = re.compile(r"(?<![\w.])(?>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)([A-Za-z])", re.ASCII)


@lru_cache(maxsize=64)
def parse(text: str) -> "Closure":
    """The formula as a function of two tensors.

    Args:
        text: at most 300 characters, 120 nodes (numbers, names, operations) and 40 levels of nesting.

    Returns:
        f(x, y), elementwise; a formula without x and y gives a tensor without axes.

    Raises:
        FormulaError: says where, and what is allowed.

    Example:
        >>> import torch
        >>> parse("x² + 3·y^2 + 1/0")(torch.tensor(1.0), torch.tensor(2.0)).item()
        inf
        >>> parse("2x")
        Traceback (most recent call last):
        mbsgd_core.errors.FormulaError: an operator is missing before 'x' at character 2; for a product type *
    """
    if len(text) > LENGTH:
        raise FormulaError(f"the formula has {len(text)} characters; at most {LENGTH} are allowed")
    if not text.strip(" "):
        raise FormulaError('the formula is empty; type one in x and y, e.g. "x^2 + 3*y^2"')
    return _Reader(text).closure()


class _Reader:
    """One formula on its way from text to closure."""

    def __init__(self, text: str):
        self.nodes = 0
        self.text = text
        if doubled := _POWER_OF_POWER.search(text):
            raise FormulaError(f"two exponents meet at character {doubled.start() + 1}; set parentheses")
        pieces = [_SPELLINGS.get(c, c) for c in text]
        code = "".join(pieces)
        lead = len(code) - len(code.lstrip(" "))
        # For each character handed to the parser, its place in what was typed, counted from 1.
        self.places = [i for i, piece in enumerate(pieces, 1) for _ in piece][lead:]
        self.code = code.lstrip(" ")

    def closure(self) -> "Closure":
        # Before the parser sees it: Python folds look-alikes such as a fullwidth x into plain letters.
        for i, c in enumerate(self.code):
            if c not in _CHARACTERS:
                shown = repr(c) if c.isascii() and c.isprintable() else f"U+{ord(c):04X}"
                raise FormulaError(f"the character {shown}{self._at(i)} cannot be part of a formula; {ALLOWED}")
        if glued := _NUMBER_THEN_LETTER.search(self.code):
            letter = glued.start(1)
            raise FormulaError(
                f"an operator is missing before {self.code[letter]!r}{self._at(letter)}; for a product type *"
            )
        try:
            tree = ast.parse(self.code, mode="eval")
        except SyntaxError as error:
            at = self._at((error.offset or len(self.code)) - 1)  # 0 stands for the end
            raise FormulaError(
                f"the formula cannot be read{at}: an operator, a value or a parenthesis is missing or out of place"
            ) from None
        except (ValueError, MemoryError, RecursionError):
            raise FormulaError(f"the formula is nested too deeply; at most {LEVELS} levels are allowed") from None
        return self._read(tree.body, 1)

    def _at(self, index: int) -> str:
        return f" at character {self.places[min(index, len(self.places) - 1)]}"

    def _read(self, node: ast.expr, level: int) -> "Closure":
        self.nodes += 1
        if self.nodes > NODES:
            raise FormulaError(f"the formula has more than {NODES} numbers, names and operations; make it shorter")
        if level > LEVELS:
            raise FormulaError(
                f"the formula is nested more than {LEVELS} levels deep{self._at(node.col_offset)}; split long sums "
                "with parentheses"
            )
        match node:
            case ast.Constant(value=int() | float() as number) if type(number) is not bool:
                if not math.isfinite(number):
                    raise FormulaError(
                        f"the number{self._at(node.col_offset)} is too large; at most 1.8e308 is allowed"
                    )
                return _constant(float(number))
            case ast.Name(id="x"):
                return lambda x, y: x
            case ast.Name(id="y"):
                return lambda x, y: y
            case ast.Name(id=name) if name in _CONSTANTS:
                return _constant(_CONSTANTS[name])
            case ast.UnaryOp(op=ast.UAdd(), operand=inner):
                return self._read(inner, level + 1)
            case ast.UnaryOp(op=ast.USub(), operand=inner):
                return _one(operator.neg, self._read(inner, level + 1))
            case ast.BinOp(left=base, op=ast.Pow(), right=ast.Constant(value=int() | float() as exponent) as right):
                # A number as exponent stays one: torch then squares exactly, which pow of two tensors does not.
                self._read(right, level + 1)
                return _one(lambda value: value ** float(exponent), self._read(base, level + 1))
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
                return self._two(_OPERATORS[type(op)], left, right, level)
            case ast.Call(func=ast.Name(id=name), args=[inner], keywords=[]) if name in _METHODS:
                return _one(operator.methodcaller(_METHODS[name]), self._read(inner, level + 1))
            case ast.Call(func=ast.Name(id=name), args=[left, right], keywords=[]) if name in _PAIRS:
                method = _PAIRS[name]
                return self._two(lambda a, b: getattr(a, method)(b), left, right, level)
        raise self._refusal(node)

    def _two(self, operation: Callable[..., Any], left: ast.expr, right: ast.expr, level: int) -> "Closure":
        a, b = self._read(left, level + 1), self._read(right, level + 1)
        return lambda x, y: operation(a(x, y), b(x, y))

    def _refusal(self, node: ast.expr) -> FormulaError:
        at = self._at(node.col_offset)
        match node:
            case ast.Name(id=name) if name in _METHODS or name in _PAIRS:
                return FormulaError(f"{name}{at} is a function: put what it applies to in parentheses")
            case ast.Call(func=ast.Name(id=name), args=args) if name in _METHODS or name in _PAIRS:
                wanted = "one value" if name in _METHODS else "two values"
                return FormulaError(f"{name}{at} takes exactly {wanted}; given {len(args)}")
            case ast.Call(func=ast.Constant() | ast.Name(id="x" | "y" | "pi" | "e") as factor):
                end = self._at(factor.end_col_offset or 0)
                return FormulaError(f"an operator is missing before the parenthesis{end}; for a product type *")
            case ast.Name(id=name) | ast.Call(func=ast.Name(id=name)):
                near = difflib.get_close_matches(name[:20], _NAMES, 1)
                hint = f" (did you mean {near[0]}?)" if near else ""
                return FormulaError(f"the name {name[:20]!r}{at} is not known{hint}; {ALLOWED}")
        return FormulaError(f"the part{at} is neither a number, a name, a function nor + - * / ^; {ALLOWED}")


def _constant(number: float) -> "Closure":
    # new_tensor rounds to the type of x and overflows to inf, as IEEE arithmetic does.
    return lambda x, y: x.new_tensor(number)


def _one(operation: Callable[..., Any], inner: "Closure") -> "Closure":
    return lambda x, y: operation(inner(x, y))
