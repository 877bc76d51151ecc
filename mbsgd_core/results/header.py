"""The headers of what travels to the bench (floor 0), key by key; assets/bench/types.d.ts is made from them.

A payload is a header and arrays (figures/payload.py). `python -m tools.make_types` writes the types that the browser's
modules are checked with; tests/contract/test_header.py holds real payloads and that file to what stands here.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NotRequired, TypedDict

from mbsgd_core.results.verdict import BadgeName, Column, Headline, Remedy
from mbsgd_core.types import Clock

Panel = Literal["path", "fit", "boundary", "images", "confusion", "filters", "numbers"]
Curve = Literal["loss", "test_loss", "test_accuracy", "average_loss"]
Box = Literal["differences", "known", "landscape", "instruments", "data", "units", "reading"]  # below the bench


class PackedArray(TypedDict):
    """Where an array lies in a payload, counted from the end of the header."""

    name: str
    shape: Sequence[int]
    dtype: Literal["float32", "uint32", "uint8"]
    offset: int


class Lesson(TypedDict):
    """The lesson that the page shows."""

    title: str
    lesson: str
    look_for: str
    question: str | None


class PageHeader(TypedDict):
    """What the page gives the bench when it is mounted: no results."""

    version: int
    kind: Literal["page"]
    link: str
    take: int
    clock: Clock
    view: Mapping[str, Any] | None
    theme: str | None
    embed: bool
    plotly: str
    channel: str
    autoplay: bool
    lesson: Lesson | None
    summary: str
    box: Box | None


class Status(TypedDict):
    """How far a run is; times in seconds."""

    state: Literal["waiting", "queued", "running", "paused", "done", "failed"]
    progress: float
    message: str
    left: float | None
    estimate: float | None


class Projection(TypedDict):
    """How much of the paths a plane holds."""

    explained: Sequence[float]
    text: str


class Level(TypedDict):
    """A loss that needs no learning, drawn as a line."""

    curve: Curve
    value: float
    text: str


class ProblemHeader(TypedDict):
    """The problem; what is not required is there while its surface is shown."""

    title: str
    summary: str
    optimal_value: float | None
    samples: int
    parameters: int
    levels: Sequence[Level]
    remark: str
    axes: NotRequired[Sequence[str]]
    view: NotRequired[Sequence[float]]
    minimizers: NotRequired[Sequence[Sequence[float]]]
    saddles: NotRequired[Sequence[Sequence[float]]]
    log_levels: NotRequired[bool]
    finite_share: NotRequired[float]
    projection: NotRequired[Projection | None]


class DataHeader(TypedDict):
    """The rows behind a model of one or two features, in original units."""

    kind: Literal["regression", "classification"]
    x_label: str
    y_label: str
    classes: Sequence[str] | None
    mean: Sequence[float]
    deviation: Sequence[float]
    intercept: bool


class Rows(TypedDict):
    """How many rows there are."""

    train: int
    test: int
    all: int


class SceneHeader(TypedDict):
    """What stays the same of a data set while a model learns it."""

    kind: Literal["boundary", "images", "classes", "numbers"]
    classes: Sequence[str]
    axes: Sequence[str]
    rows: Rows
    device: str


class Knob(TypedDict):
    """A knob that may be dragged."""

    key: str
    label: str
    help: str
    unit: str
    scale: Literal["linear", "log"]
    min: float
    max: float
    integer: bool


# In one line of its own way, since "try" is no name in Python.
BadgeHeader = TypedDict("BadgeHeader", {"name": BadgeName, "why": str, "try": Remedy | None})
BadgeHeader.__doc__ = "What became of a lane, why, and what to try."


class Ellipse(TypedDict):
    """Where the runs of a lane end: two standard deviations."""

    centre: Sequence[float]
    axes: Sequence[Sequence[float]]


class LaneHeader(TypedDict):
    """One lane."""

    label: str
    role: Literal["bgd", "sgd", "mini"]
    color: str
    dash: str
    marker: str
    text: str
    summary: str
    samples: int
    sizes: Sequence[int]
    updates: int
    updates_per_epoch: int
    seconds_per_update: float | None
    seconds_uncertainty: float | None
    pytorch_seconds_per_update: float | None
    pytorch_uncertainty: float | None
    records: int
    looked_at: Sequence[int] | None
    runs: int
    diverged_at: int | None
    badge: BadgeHeader
    cells: Mapping[str, str]
    ellipse: Ellipse | None
    memory: Mapping[str, float] | None
    memory_remark: str
    knobs: Mapping[str, float | None]
    pinned: Sequence[str]


class TargetHeader(TypedDict):
    """The loss to be reached."""

    loss: float | None
    text: str


class RunHeader(TypedDict):
    """A run as far as it has come."""

    version: int
    kind: Literal["run"]
    seq: int
    key: str
    link: str
    status: Status
    problem: ProblemHeader
    data: DataHeader | None
    scene: SceneHeader | None
    panels: Sequence[Panel]
    default_panels: Sequence[Panel]
    shown: Sequence[Panel]
    curves: Sequence[Curve]
    knobs: Sequence[Knob]
    lanes: Sequence[LaneHeader]
    target: TargetHeader
    headline: Mapping[Clock, Headline]
    ranking: Mapping[Clock, Sequence[int]]
    columns: Sequence[Column]
    best: Mapping[str, int | None]
    timing: Mapping[str, str]
    kept: Sequence[str]
    arrays: Sequence[PackedArray]


class FailureHeader(TypedDict):
    """What is sent where a run cannot go on."""

    version: int
    kind: Literal["failure"]
    seq: int
    status: Status
    arrays: Sequence[PackedArray]


class CursorLane(TypedDict):
    """What other batches would say at one record of a lane, in the plane."""

    index: int
    gradient: Sequence[float]
    batch_gradient: Sequence[float] | None
    fan: Sequence[Sequence[float]]
    measured: Sequence[Sequence[float]]
    predicted_with: Sequence[Sequence[float]] | None
    predicted_without: Sequence[Sequence[float]] | None
    text: str


class CursorAnswer(TypedDict):
    """The answer to a question about the cursor; null for lanes that are not finite there."""

    lanes: Sequence[CursorLane | None]


TRAVELS = (PageHeader, RunHeader, FailureHeader, CursorAnswer)
