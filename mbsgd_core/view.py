"""The part of a link that is no experiment (floor 2): what is looked at, and how.

    v=1&problem=quadratic&...&view.clock=seconds&view.at=0.4&view.panels=path,fit

All of it is optional; what a link does not say, the bench chooses. assets/bench/view.js writes these parameters.
"""

import difflib
from collections.abc import Mapping
from typing import Any, Literal

from mbsgd_core.errors import Notice
from mbsgd_core.knobs import Flag, Item, Real, knob, limits_of, page_of
from mbsgd_core.results.header import Box, Curve, Panel
from mbsgd_core.texts import fit, parse, shown
from mbsgd_core.types import Clock

VIEW = "view."  # begins every parameter


class ViewSettings(Item):
    """How a link wants its experiment to be shown; None: as the bench finds best."""

    clock: Clock | None = knob(None, label="Clock", help="What the time axis counts.")
    at: Real | None = knob(None, label="Cursor", help="Where in the run the cursor stands, as a share.", ge=0, le=1)
    panels: tuple[Panel, ...] | None = knob(None, label="Panels", help="What is shown of each lane, side by side.")
    layout: Literal["lanes", "overlay"] | None = knob(None, label="Layout", help="One panel a lane, or all in one.")
    curve: Curve | None = knob(None, label="Curve", help="What the loss chart shows.")
    log_x: Flag | None = knob(None, label="Log time", help="Whether the time axis is logarithmic.")
    log_y: Flag | None = knob(None, label="Log loss", help="Whether the loss axis is logarithmic.")
    excess: Flag | None = knob(None, label="Excess", help="Whether the loss is counted from the least known value.")
    tab: str | None = knob(None, label="Tab", help="The instrument that is in front.", page=(0, 40))
    speed: Real | None = knob(None, label="Speed", help="Of the play, in times the usual.", ge=0.0625, le=16)
    box: Box | None = knob(None, label="Box", help="The box below the bench that is open.")


def from_query(parameters: Mapping[str, str]) -> tuple[dict[str, Any] | None, list[Notice]]:
    """What a link says about the view.

    Args:
        parameters: all of a link; those of the experiment are left to `share`.

    Returns:
        (view, notices): plain values of what is said, None where nothing is; a sentence for what cannot be used.

    Example:
        >>> from_query({"v": "1", "view.clock": "seconds", "view.at": "2", "view.zoom": "3"})
        ({'clock': 'seconds', 'at': 1.0}, [Notice(key='view.at', text='given 2; 1 is used, the nearest allowed.'), \
Notice(key='view.zoom', text='there is no such parameter here; it is ignored.')])
    """
    said: dict[str, Any] = {}
    notices = []
    for key, text in parameters.items():
        name = key.removeprefix(VIEW)
        if name == key:
            continue
        field = ViewSettings.model_fields.get(name)
        if field is None:
            near = difflib.get_close_matches(name[:40], ViewSettings.model_fields, 1)
            hint = f" Did you mean {VIEW}{near[0]}?" if near else ""
            notices.append(Notice(shown(key), f"there is no such parameter here; it is ignored.{hint}"))
            continue
        try:
            given = parse(text, field.annotation)
            said[name] = fit(given, field.annotation, limits_of(field.metadata), page_of(field), True)
        except (ValueError, OverflowError, RecursionError) as error:
            wanted = str(error) if type(error) is ValueError else "a list of values"
            notices.append(Notice(key, f"given {shown(text) or 'nothing'}; it should be {wanted}. It is ignored."))
            continue
        if said[name] != given:
            notices.append(Notice(key, f"given {shown(text)}; {shown(said[name])} is used, the nearest allowed."))
    return {name: value for name, value in said.items() if value is not None} or None, notices
