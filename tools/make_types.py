"""Writes assets/bench/types.d.ts from mbsgd_core/results/header.py: python -m tools.make_types."""

import collections.abc
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, NotRequired, Union, get_args, get_origin, get_type_hints

from mbsgd_core.results import header

PATH = Path(__file__).parents[1] / "assets/bench/types.d.ts"
HEAD = "// Made by `python -m tools.make_types` from mbsgd_core/results/header.py: change it there.\n"
_PLAIN = {str: "string", int: "number", float: "number", bool: "boolean", NoneType: "null", Any: "unknown"}


def types() -> str:
    """The file's text: an interface for each header and all that they hold, each after what it is made of."""
    found: dict[str, str] = {}
    for kind in header.TRAVELS:
        _written(kind, found)
    return HEAD + "".join(f"\n{text}" for text in found.values())


def _written(kind: Any, found: dict[str, str]) -> str:
    """A type in TypeScript; interfaces that it needs are added to those found."""
    origin, parts = get_origin(kind), get_args(kind)
    if kind in _PLAIN:
        return _PLAIN[kind]
    if origin is Literal:
        return " | ".join(f'"{value}"' for value in parts)
    if origin in (Union, UnionType):
        return " | ".join(dict.fromkeys(_written(part, found) for part in parts))
    if origin is collections.abc.Sequence:
        each = _written(parts[0], found)
        return f"({each})[]" if " " in each else f"{each}[]"
    if origin is collections.abc.Mapping:
        return f"Record<{_written(parts[0], found)}, {_written(parts[1], found)}>"
    if kind.__name__ not in found:
        hints = get_type_hints(kind, include_extras=True)
        lines = [_field(name, hint, found) for name, hint in hints.items()]
        found[kind.__name__] = f"/** {kind.__doc__} */\nexport interface {kind.__name__} {{\n{''.join(lines)}}}\n"
    return str(kind.__name__)


def _field(name: str, hint: Any, found: dict[str, str]) -> str:
    optional = get_origin(hint) is NotRequired
    return f"  {name}{'?' * optional}: {_written(get_args(hint)[0] if optional else hint, found)};\n"


if __name__ == "__main__":
    PATH.write_text(types())
