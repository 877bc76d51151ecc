"""The results that the web process remembers (floor 5)."""

from collections import OrderedDict
from typing import Any

import numpy as np

from mbsgd_core.results.run import RunProgress, View

CAPACITY = 128e6  # bytes
OBJECT = 32  # bytes of what Python puts around a number, and more


class Results:
    """The newest results, by experiment: determinism makes them as good as a new run."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, tuple[RunProgress, int]] = OrderedDict()
        self._bytes = 0

    def get(self, experiment_json: str) -> RunProgress | None:
        if experiment_json not in self._kept:
            return None
        self._kept.move_to_end(experiment_json)
        return self._kept[experiment_json][0]

    def put(self, experiment_json: str, result: RunProgress) -> None:
        if experiment_json in self._kept:
            self._bytes -= self._kept.pop(experiment_json)[1]
        self._kept[experiment_json] = result, _size(result) + _size(experiment_json)
        self._bytes += self._kept[experiment_json][1]
        while self._bytes > CAPACITY:
            self._bytes -= self._kept.popitem(last=False)[1][1]


def holds(report: dict[str, Any], view: View) -> bool:
    """Whether a report has all that a view asks for."""
    asked = set(view.panels or report["first_panels"]) & set(report["panels"])
    return report["thinned"] in (None, view.view_budget) and asked <= set(report["shown"])


def unweighed(result: RunProgress, view: View) -> list[int]:
    """The lanes of a finished run whose memory a view shows, and which nobody has measured: those that learn data."""
    if view.view_budget is not None or result.report["scene"] is None or not result.done:
        return []
    return [i for i, lane in enumerate(result.lanes) if lane.memory is None]


def _size(value: Any) -> int:
    """About the bytes that a result occupies: those of its arrays, and of the long lists and texts between them."""
    if isinstance(value, np.ndarray):
        return OBJECT + value.nbytes
    if isinstance(value, (str, bytes)):
        return OBJECT + len(value)
    if isinstance(value, dict):
        return OBJECT + sum(_size(key) + _size(part) for key, part in value.items())
    return OBJECT + sum(map(_size, value)) if isinstance(value, (list, tuple)) else OBJECT
