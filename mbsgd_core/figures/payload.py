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
from mbsgd_core.figures import lane_style
from mbsgd_core.results.run import Scene

VERSION = 2
DONE = {"state": "done", "progress": 1.0, "message": "", "left": None, "estimate": None}
MEMORY = ("data", "helpers", "parameters", "gradient", "optimizer state", "activations")


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
    report: Mapping[str, Any],
    experiment: Experiment,
    *,
    seq: int = 0,
    key: str | None = None,
    status: Mapping[str, Any] | None = None,
    link: str = "",
    knobs: Sequence[Mapping[str, Any]] = (),
    lane_knobs: Sequence[Mapping[str, Any]] | None = None,
    pinned: Sequence[Sequence[str]] | None = None,
    kept: Collection[str] = (),
) -> bytes:
    """What the bench shows of a run.

    Args:
        report: what measures.report.report returned for the experiment.
        experiment: the lanes' settings, for their styles and descriptions.
        seq: number of the question that it answers.
        key: changes when zoom and cursor are to be reset; by default the report's own.
        status: {"state", "progress", "message", "left", "estimate"}; by default done.
        link: the query string of the experiment.
        knobs: the live sliders.
        lane_knobs: each lane's values of them.
        pinned: the knobs of each lane that are what it is, and so are shown and not moved.
        kept: arrays that the browser has and that are still right: they do not travel.
    """
    lanes = []
    for i, (lane, style) in enumerate(zip(experiment.lanes, lane_style.lane_styles(experiment.lanes), strict=True)):
        told = report["lanes"][i]
        own = {
            "knobs": dict(lane_knobs[i]) if lane_knobs else {},
            "pinned": list(pinned[i]) if pinned else [],
            "text": lane_style.describe(lane, experiment.problem.sample_count),
            "memory": None if told["memory"] is None else dict(zip(MEMORY, told["memory"], strict=True)),
        }
        lanes.append({**told, "role": lane_style.role(lane), **style._asdict(), **own})
    scene = report["scene"]
    header = {
        "version": VERSION,
        "kind": "run",
        "seq": seq,
        "key": report["key"] if key is None else key,
        "link": link,
        "status": dict(status or DONE),
        "problem": report["problem"],
        "data": report["data"],
        "scene": None if scene is None else _scene(scene, experiment.problem.sample_count),
        "panels": list(report["panels"]),
        "default_panels": list(report["first_panels"]),
        "shown": list(report["shown"]),
        "curves": _curves(report["arrays"]),
        "knobs": [dict(knob) for knob in knobs],
        "lanes": lanes,
        **{name: report[name] for name in ("target", "headline", "ranking", "columns", "best", "timing")},
        "kept": sorted(kept),
    }
    return pack(header, {name: values for name, values in report["arrays"].items() if name not in kept})


def _scene(scene: Scene, rows: int) -> dict[str, Any]:
    counts = {"train": scene.train_rows, "test": scene.test_rows, "all": rows}
    return {
        "kind": scene.kind,
        "classes": list(scene.classes),
        "axes": list(scene.axes),
        "rows": counts,
        "device": scene.device,
    }


def _curves(arrays: Mapping[str, np.ndarray]) -> list[str]:
    """What the loss chart can show: what any lane knows."""
    names = ("test_loss", "test_accuracy", "average_loss")
    known = [n for n in names if any(np.isfinite(v).any() for a, v in arrays.items() if a.endswith(f"/{n}"))]
    return ["loss", *known]
