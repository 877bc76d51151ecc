"""The catalogue (floor 5): everything that can be named in an experiment, with all its knobs, as plain JSON values."""

import json
from types import NoneType
from typing import Any, Literal, get_args, get_origin

from pydantic.fields import FieldInfo

from mbsgd_core.experiment import KINDS, Budget, Experiment, Lane, registered
from mbsgd_core.knobs import Item, NamedItem, limits_of
from mbsgd_core.texts import plain_type


def catalogue() -> dict[str, Any]:
    """All problems, datasets, samplers, rules and schedules; then the fields of an experiment, a lane and a budget.

    Example:
        >>> catalogue()["rules"]["sgd"]["knobs"]["momentum"]["range"]
        {'ge': 0, 'lt': 1}
    """
    kinds = {
        f"{kind.__name__.lower()}s": {name: describe(name, cls) for name, cls in registered(kind).items()}
        for kind in KINDS
    }
    return {**kinds, **{cls.__name__.lower(): knobs(cls) for cls in (Experiment, Lane, Budget)}}


def describe(name: str, cls: type[NamedItem]) -> dict[str, Any]:
    """An item: what it is called, what it teaches or does, where it comes from, and its knobs."""
    first_line = (cls.__doc__ or "").strip().partition("\n")[0]
    return {
        "name": name,
        "title": getattr(cls, "title", "") or cls.__name__,
        "summary": getattr(cls, "summary", "") or first_line,
        "reference": getattr(cls, "reference", ""),
        "knobs": knobs(cls),
    }


def knobs(cls: type[Item]) -> dict[str, Any]:
    """All knobs of a class by name."""
    return {name: _knob(field) for name, field in cls.model_fields.items()}


def _knob(field: FieldInfo) -> dict[str, Any]:
    extra = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
    kind, limits = plain_type(field.annotation)
    shape: dict[str, Any] = {
        "label": field.title or "",
        "help": field.description or "",
        "type": _type_name(kind),
        "unit": extra.get("unit", ""),
        "required": field.is_required(),
        "default": None if field.is_required() else _default(field),
        "nullable": NoneType in get_args(field.annotation),
        "range": limits_of(field.metadata) | limits,
        "page": extra.get("page"),
        "scale": extra.get("scale", "linear"),
    }
    if get_origin(kind) is Literal:
        shape["choices"] = list(get_args(kind))
    return shape


def _default(field: FieldInfo) -> Any:
    default = field.get_default(call_default_factory=True)
    return default.model_dump(mode="json") if isinstance(default, Item) else json.loads(json.dumps(default))


def _type_name(kind: Any) -> str:
    if get_origin(kind) is Literal:
        return "choice"
    if get_origin(kind) is tuple:
        return f"list of {_type_name(plain_type(get_args(kind)[0])[0])}"
    names = {int: "whole number", float: "number", bool: "flag", str: "text"}
    return names.get(kind) or kind.__name__.lower()
