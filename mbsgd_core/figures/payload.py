"""The player's payload (floor 5): one binary value that holds everything a picture needs.

u32 length of the header, little endian | header: strict JSON, UTF-8, padded with spaces so that what follows starts
at a multiple of 4 | arrays, each at a multiple of 4: float32, uint32 or bytes, little endian. The header's "arrays"
lists them.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from mbsgd_core.experiment import Experiment
from mbsgd_core.figures import look

VERSION = 1


def pack(header: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> bytes:
    """Header and arrays as one value.

    Args:
        header: plain JSON values; a NaN or infinity in it is a ValueError, since browsers cannot read it.
        arrays: uint8 travels as it is, other whole numbers as uint32, all others as float32; what is not finite there
            becomes NaN.

    Example:
        >>> unpack(pack({"seq": 1}, {"z": np.array([[1.0, 2.0]])}))[1]["z"].tolist()
        [[1.0, 2.0]]
    """
    listed, parts, offset = [], [], 0
    for name, values in arrays.items():
        flat = _narrow(values)
        listed.append({"name": name, "shape": list(values.shape), "dtype": flat.dtype.name, "offset": offset})
        parts.append(flat.tobytes() + bytes(-flat.nbytes % 4))
        offset += len(parts[-1])
    text = json.dumps({**header, "arrays": listed}, allow_nan=False, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)
    return b"".join([len(text).to_bytes(4, "little"), text, *parts])


def _narrow(values: np.ndarray) -> np.ndarray:
    values = np.asarray(values)
    if values.dtype == np.uint8:
        return np.ascontiguousarray(values)
    if values.dtype.kind in "iub":
        if values.size and (values.min() < 0 or values.max() > 0xFFFFFFFF):
            raise ValueError("an array of whole numbers must fit uint32; send it as float")
        return np.ascontiguousarray(values, dtype="<u4")
    with np.errstate(over="ignore", invalid="ignore"):
        narrow = values.astype("<f4", order="C")
    narrow[~np.isfinite(narrow)] = np.nan
    return narrow


def unpack(payload: bytes) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """(header, arrays) of a payload."""
    start = 4 + int.from_bytes(payload[:4], "little")
    header = json.loads(payload[4:start].decode())
    arrays = {}
    for entry in header["arrays"]:
        count = int(np.prod(entry["shape"]))
        kind = np.dtype(entry["dtype"]).newbyteorder("<")
        flat = np.frombuffer(payload, dtype=kind, count=count, offset=start + entry["offset"])
        arrays[entry["name"]] = flat.reshape(entry["shape"])
    return header, arrays


def message(
    picture: Mapping[str, Any],
    experiment: Experiment,
    *,
    seq: int = 0,
    key: str | None = None,
    status: Mapping[str, Any] | None = None,
    clock: str = "epochs",
    link: str = "",
    knobs: Sequence[Mapping[str, Any]] = (),
    lane_knobs: Sequence[Mapping[str, Any]] | None = None,
    autoplay: bool = False,
    theme: str | None = None,
    embed: bool = False,
    plotly: str = "",
    look_for: str | None = None,
    cursor: Mapping[str, Any] | None = None,
    live: Mapping[str, Any] | None = None,
    kept: Collection[str] = (),
) -> bytes:
    """The payload of one Compare page.

    Args:
        picture: what measures.picture.picture returned for the experiment.
        experiment: the lanes' settings, for their looks and descriptions.
        seq: number of the newest message from the player, as the acknowledgement.
        key: changes when zoom and cursor are to be reset; by default the picture's own.
        status: {"state", "progress", "message"}; by default done.
        clock: what the time axis counts: epochs, updates, samples or seconds.
        link: the query string that "Copy link" copies.
        knobs: the live sliders.
        lane_knobs: each lane's values of them.
        autoplay, theme, embed, plotly: how the player starts, and where it finds plotly.js.
        look_for: one sentence; by default the problem's summary.
        live: {"path", "owner", "take"}: where a drag is answered; None in such an answer itself.
        cursor: {"seq", "lanes"}, the answer of measures.cursor.at_cursor.
        kept: arrays that the player has and that are still right: they do not travel.
    """
    lanes = []
    for i, (lane, style) in enumerate(zip(experiment.lanes, look.looks(experiment.lanes), strict=True)):
        own = {"knobs": dict(lane_knobs[i]) if lane_knobs else {}, "text": look.describe(lane, _samples(picture))}
        lanes.append({**picture["lanes"][i], "role": look.role(lane), **style._asdict(), **own})
    header = {
        "version": VERSION,
        "seq": seq,
        "key": picture["key"] if key is None else key,
        "autoplay": autoplay,
        "theme": theme,
        "embed": embed,
        "plotly": plotly,
        "link": link,
        "status": dict(status or {"state": "done", "progress": 1.0, "message": ""}),
        "clock": clock,
        "problem": picture["problem"],
        "data": picture["data"],
        "knobs": [dict(knob) for knob in knobs],
        "lanes": lanes,
        "target": picture["target"],
        "sentence": picture["sentence"],
        "look_for": picture["problem"]["summary"] if look_for is None else look_for,
        "cursor": cursor,
        "live": live,
        "kept": sorted(kept),
    }
    return pack(header, {name: values for name, values in picture["arrays"].items() if name not in kept})


def _samples(picture: Mapping[str, Any]) -> int:
    return picture["problem"]["samples"]
