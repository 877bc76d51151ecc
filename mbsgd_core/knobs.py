"""A knob: one setting of an item, declared once (floor 0).

The widget, the link, the command line, validation, the catalogue and the tests all read this declaration.
"""

import difflib
import math
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, ClassVar, get_args, get_origin

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    Strict,
    model_serializer,
    model_validator,
)
from pydantic.fields import FieldInfo

from mbsgd_core.errors import ExperimentError
from mbsgd_core.registry import name_of

LIMITS = ("ge", "gt", "le", "lt", "min_length", "max_length")


def _whole(value: Any) -> Any:
    # JSON has one number type: 20.0 written by another program is the whole number 20.
    return int(value) if isinstance(value, float) and value.is_integer() else value


Whole = Annotated[int, Strict(), BeforeValidator(_whole)]
Real = Annotated[float, Strict(), Field(allow_inf_nan=False)]
Flag = Annotated[bool, Strict()]
Text = Annotated[str, Strict()]
Examples = tuple[Mapping[str, Any], ...]  # settings: each names some of an item's knobs


def knob(
    default: Any = ...,
    *,
    label: str,
    help: str,
    unit: str = "",
    page: tuple[float, float] | None = None,
    scale: str = "linear",
    live: bool = False,
    suggest: Any = None,
    **limits: Any,
) -> Any:
    """Declare a knob: a pydantic field that also knows how it looks.

    Args:
        default: its value when not given; leave out for a required knob.
        label: its name on the page, in the field's standard term.
        help: one line: what it does.
        unit: of the number, e.g. "samples", "degrees"; "" for none.
        page: (low, high): the tighter range that the page offers, for a number or for each of a tuple's; for a text
            it is the length, for items their count. The experiment's own limits are `limits`.
        scale: "linear" or "log": how a slider runs over the page range.
        live: True for the few that people drag to compare: they get a slider that moves the picture at once.
        suggest: where a page, and a test, begins with a required knob, which has no default.
        limits: ge, gt, le, lt, min_length, max_length ... as pydantic's Field has them.

    Example:
        >>> class Toy(Item):
        ...     momentum: Real = knob(0.0, label="Momentum", help="Share of the last step kept.", ge=0, lt=1)
        >>> Toy(momentum=0.9).momentum
        0.9
    """
    extra: dict[str, Any] = {"unit": unit, "scale": scale, "live": live, "suggest": suggest} | (
        {"page": list(page)} if page else {}
    )
    return Field(default, title=label, description=help, json_schema_extra=extra, **limits)


def limits_of(metadata: Iterable[Any]) -> dict[str, float]:
    """The limits among a field's metadata, by pydantic's names.

    Example:
        >>> limits_of(knob(0.0, label="Momentum", help="", ge=0, lt=1).metadata)
        {'ge': 0, 'lt': 1}
    """
    found: dict[str, float] = {}
    for part in metadata:
        if isinstance(part, FieldInfo):
            found |= limits_of(part.metadata)
        found |= {name: getattr(part, name) for name in LIMITS if getattr(part, name, None) is not None}
    return found


def page_of(field: FieldInfo) -> tuple[float, float] | None:
    """The page's range of a knob, None if it has none."""
    extra: Any = field.json_schema_extra
    return tuple(extra["page"]) if isinstance(extra, dict) and "page" in extra else None


def suggestion_of(field: FieldInfo) -> Any:
    """The value that a required knob begins with, None if it has none.

    Example:
        >>> suggestion_of(knob(suggest=5, label="Step size", help="Intervals between two drops."))
        5
    """
    extra: Any = field.json_schema_extra
    return extra.get("suggest") if isinstance(extra, dict) else None


def bare(annotation: Any) -> tuple[Any, dict[str, float]]:
    """A type without its annotations, and the limits they held.

    Example:
        >>> bare(Annotated[int, Field(ge=1)])
        (<class 'int'>, {'ge': 1})
    """
    if get_origin(annotation) is Annotated:
        inner, *metadata = get_args(annotation)
        return inner, limits_of(metadata)
    return annotation, {}


def nearest(value: float, limits: Mapping[str, float], page: tuple[float, float] | None, tight: bool) -> float:
    """The allowed number nearest to a value.

    Args:
        value: any number, infinite too.
        limits: ge, gt, le, lt. An end that is itself excluded gives way to the page's, if there is one.
        page: the tighter range, if the knob has one ...
        tight: ... and whether it counts.

    Example:
        >>> nearest(1, {"ge": 0, "lt": 1}, (0.0, 0.99), False), nearest(-1, {"gt": 0}, None, False)
        (0.99, 5e-324)
    """
    if page and tight:
        return min(max(value, page[0]), page[1])
    if "ge" in limits and value < limits["ge"]:
        return limits["ge"]
    if "le" in limits and value > limits["le"]:
        return limits["le"]
    if "gt" in limits and value <= limits["gt"]:
        return page[0] if page else math.nextafter(limits["gt"], math.inf)
    if "lt" in limits and value >= limits["lt"]:
        return page[1] if page else math.nextafter(limits["lt"], -math.inf)
    return value


def allowed(limits: Mapping[str, float], page: tuple[float, float] | None, tight: bool) -> str:
    """What `nearest` allows, in words.

    Example:
        >>> allowed({"gt": 0}, None, False), allowed({"ge": 0}, (0.0, 0.99), True)
        ('above 0', '0 to 0.99')
    """
    if page and tight:
        return f"{page[0]:g} to {page[1]:g}"
    words = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}
    return " and ".join(f"{word} {limits[name]:g}" for name, word in words.items() if name in limits)


class Item(BaseModel):
    """Base of everything with knobs: frozen, hashable, and strict about names."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _no_unknown_fields(cls, given: Any) -> Any:
        if isinstance(given, Mapping):
            for key in given:
                if key not in cls.model_fields:
                    near = difflib.get_close_matches(str(key)[:60], cls.model_fields, 1)
                    hint = f"; did you mean {near[0]!r}?" if near else ""
                    known = ", ".join(cls.model_fields) or "none"
                    raise ExperimentError(f"there is no such field{hint} (known: {known})", (str(key)[:60],))
        return given


class NamedItem(Item):
    """An item of a registry: written out with the name of its file.

    What a test or a measure has to know of an item stands on it, in class variables such as `examples`: a new file
    needs no line elsewhere.
    """

    # The settings that it is tested with, the rest by default. The first shows what it does within a few updates.
    examples: ClassVar[Examples] = ({},)
    # Knobs that the items in it take from it: these do not write them, and nobody sets them there.
    handed_down: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def suggested(cls) -> dict[str, Any]:
        """What its required knobs begin with, as far as they suggest something."""
        required = {name: suggestion_of(field) for name, field in cls.model_fields.items() if field.is_required()}
        return {name: value for name, value in required.items() if value is not None}

    @classmethod
    def cases(cls) -> tuple[dict[str, Any], ...]:
        """Its examples, each with what its required knobs suggest where it does not say.

        Example:
            >>> class Toy(NamedItem):
            ...     examples: ClassVar[Examples] = ({}, {"gamma": 0.5})
            ...     gamma: Real = knob(suggest=0.9, label="Gamma", help="A factor.")
            >>> Toy.cases()
            ({'gamma': 0.9}, {'gamma': 0.5})
        """
        return tuple(cls.suggested() | dict(example) for example in cls.examples)

    @model_serializer(mode="wrap")
    def _with_name(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {"name": name_of(self), **write(self)}
