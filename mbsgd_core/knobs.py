"""A knob: one setting of an item, declared once (floor 0).

The widget, the link, the command line, validation, the catalogue and the tests all read this declaration.
"""

import difflib
from collections.abc import Mapping
from typing import Annotated, Any

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

from mbsgd_core.errors import ExperimentError
from mbsgd_core.registry import name_of


def _whole(value: Any) -> Any:
    # JSON has one number type: 20.0 written by another program is the whole number 20.
    return int(value) if isinstance(value, float) and value.is_integer() else value


Whole = Annotated[int, Strict(), BeforeValidator(_whole)]
Real = Annotated[float, Strict(), Field(allow_inf_nan=False)]
Flag = Annotated[bool, Strict()]
Text = Annotated[str, Strict()]


def knob(
    default: Any = ...,
    *,
    label: str,
    help: str,
    unit: str = "",
    page: tuple[float, float] | None = None,
    scale: str = "linear",
    **limits: Any,
) -> Any:
    """Declare a knob: a pydantic field that also knows how it looks.

    Args:
        default: its value when not given; leave out for a required knob.
        label: its name on the page, in the field's standard term.
        help: one line: what it does.
        unit: of the number, e.g. "samples", "degrees"; "" for none.
        page: (low, high): the tighter range that the page offers; the experiment's own limits are `limits`.
        scale: "linear" or "log": how a slider runs over the page range.
        limits: ge, gt, le, lt, min_length, max_length ... as pydantic's Field has them.

    Example:
        >>> class Toy(Item):
        ...     momentum: Real = knob(0.0, label="Momentum", help="Share of the last step kept.", ge=0, lt=1)
        >>> Toy(momentum=0.9).momentum
        0.9
    """
    extra = {"unit": unit, "scale": scale} | ({"page": list(page)} if page else {})
    return Field(default, title=label, description=help, json_schema_extra=extra, **limits)


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
    """An item of a registry: written out with the name of its file."""

    @model_serializer(mode="wrap")
    def _with_name(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {"name": name_of(self), **write(self)}
