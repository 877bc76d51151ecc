"""A knob's value as text, and back (floor 0): what a link writes and reads.

Numbers are written as repr does, so that they come back to the last bit; flags as true and false; nothing as null;
tuples with commas, or as JSON where they are nested or hold texts with commas. Reading is directed by the declared
type: text stays text, and nothing is ever evaluated.
"""

import json
import math
import re
from collections.abc import Mapping
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from mbsgd_core.knobs import bare, nearest

# Python's own float() and int() would also take "1_000", "nan" and other scripts' digits.
_NUMBER = re.compile(r"[+-]?(\d{1,400}(\.\d{0,400})?|\.\d{1,400})(e[+-]?\d{1,5})?", re.ASCII | re.IGNORECASE)
_MARKUP = "<>[]`\\"  # a page may render text: no links, images or tags from strangers


def write(value: Any) -> str:
    """A value as text.

    Example:
        >>> write(0.1), write((1.0, 1e20)), write(None), write(("a,b", "c"))
        ('0.1', '1,1e20', 'null', '["a,b","c"]')
    """
    if isinstance(value, float):
        return repr(value).removesuffix(".0").replace("e+", "e")
    if isinstance(value, tuple):
        parts = [write(part) for part in value]
        nested = any(isinstance(part, tuple) for part in value)
        if not parts or nested or any(re.search(r"^$|^\[|,|^null$", part) for part in parts):
            return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
        return ",".join(parts)
    return value if isinstance(value, str) else json.dumps(value)


def shown(value: Any) -> str:
    """A value as a sentence quotes it: short, and with every unprintable character escaped.

    Example:
        >>> shown("abc\\x00")
        'abc\\\\x00'
    """
    text = value if isinstance(value, str) else write(value)
    text = text if len(text) <= 60 else f"{text[:57]}..."
    return text if text.isprintable() else repr(text)[1:-1]


def parse(text: str, annotation: Any) -> Any:
    """The value that a text stands for; ValueError, saying what it should be, if it is none of this type.

    A number may still be out of range, or not whole: see `fit`.

    Example:
        >>> parse("3", str), parse("1,2.5", tuple[float, ...]), parse("null", float | None)
        ('3', (1.0, 2.5), None)
    """
    kind, _ = bare(annotation)
    origin, arms = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        if text == "null" and NoneType in arms:
            return None
        kind, _ = plain_type(kind)
        return parse(text, kind)
    if origin is Literal:
        for choice in arms:
            if text == str(choice):
                return choice
        raise ValueError(f"one of {', '.join(map(str, arms))}")
    if origin is tuple:
        if text.startswith("["):
            return _tuples(json.loads(text))
        return tuple(parse(part, _part(kind, i)) for i, part in enumerate(text.split(",")))
    if kind is bool:
        if text not in ("true", "false"):
            raise ValueError("true or false")
        return text == "true"
    if kind is str:
        return text
    if not _NUMBER.fullmatch(text):
        raise ValueError("a number")
    if kind is int:
        return int(text) if text.lstrip("+-").isdigit() else float(text)
    if not math.isfinite(float(text)):
        raise ValueError("a number that is not too large")
    return float(text)


def fit(value: Any, annotation: Any, limits: Mapping[str, float], page: tuple[float, float] | None, tight: bool) -> Any:
    """The value itself, or the allowed one that is nearest; ValueError where there is none.

    Args:
        value: from `parse`.
        annotation, limits, page: of its knob.
        tight: whether the page's limits count: its ranges, and plain text only.
    """
    kind, own = plain_type(annotation)
    limits = {**limits, **own}
    if isinstance(value, tuple):
        return tuple(fit(part, _part(kind, i), {}, page, tight) for i, part in enumerate(value))
    if isinstance(value, str):
        longest = int(page[1] if page else 1000)
        plain = value.isprintable() and not any(sign in value for sign in _MARKUP)
        if tight and not (plain and len(value) <= longest):
            raise ValueError(f"plain text of at most {longest} characters, without any of {' '.join(_MARKUP)}")
        return value
    if value is None or isinstance(value, (bool, dict)):
        return value
    number = nearest(value, limits, page, tight)
    if not math.isfinite(number):
        raise ValueError("a finite number")
    return round(number) if kind is int else float(number)


def plain_type(annotation: Any) -> tuple[Any, dict[str, float]]:
    """The type of a value that is not None, and the limits that its annotation holds."""
    kind, limits = bare(annotation)
    if get_origin(kind) in (Union, UnionType):
        inner, more = plain_type(next(arm for arm in get_args(kind) if arm is not NoneType))
        return inner, {**limits, **more}
    return kind, limits


def _part(kind: Any, i: int) -> Any:
    """The declared type of a tuple's part i."""
    parts = [part for part in get_args(kind) if part is not Ellipsis] or [float]
    return parts[min(i, len(parts) - 1)]


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value
