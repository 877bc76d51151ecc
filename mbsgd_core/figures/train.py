"""The payload of the Train page (floor 5): lanes in training, as far as they have come, as one binary value."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mbsgd_core.experiment import Experiment
from mbsgd_core.figures import look
from mbsgd_core.figures.payload import VERSION, pack

COLUMNS = ("update", "samples", "seconds", "train", "test", "accuracy")
FAR = 5  # times as many updates are worth a word
MEMORY = ("data", "parameters", "gradient", "optimizer state", "activations")


def message(
    experiment: Experiment,
    scene: Any,
    lanes: Sequence[Any],
    *,
    status: Mapping[str, Any],
    key: str,
    clock: str = "epochs",
    link: str = "",
    look_for: str = "",
    plotly: str = "",
    theme: str | None = None,
    film: str | None = None,
) -> bytes:
    """The payload.

    Args:
        experiment: what is trained.
        scene: its data as they are shown (jobs.looks.Scene).
        lanes: how far each lane has come (jobs.training.Course).
        status: {"state": "running" | "paused" | "stopped" | "failed" | "done", "progress", "message", "left"}.
        key: changes when zoom is to be reset.
        clock: what the time axis counts: epochs, updates, samples or seconds.
        link: the query string that "Copy link" copies.
        look_for: one sentence.
        plotly, theme: where the page finds plotly.js, and light or dark where Streamlit does not say.
        film: where it finds what `film` packed, below the app's root.
    """
    arrays: dict[str, np.ndarray] = {f"scene/{name}": values for name, values in scene.arrays.items()}
    told = []
    for i, (lane, method, style) in enumerate(zip(lanes, experiment.lanes, look.looks(experiment.lanes), strict=True)):
        arrays |= {f"lane{i}/{name}": lane.looks[:, c] for c, name in enumerate(COLUMNS)}
        arrays |= {f"lane{i}/{name}": values for name, values in lane.learned.items()}
        told.append(
            {
                "label": method.label,
                "role": look.role(method),
                **style._asdict(),
                "text": look.describe(method, experiment.problem.sample_count),
                "updates": lane.updates,
                "update": lane.update,
                "samples": lane.samples,
                "seconds": lane.seconds,
                "updates_per_epoch": max(experiment.updates_per_epoch(i), 1),
                "diverged_at": lane.diverged_at if lane.diverged_at >= 0 else None,
                "memory": None if lane.memory is None else dict(zip(MEMORY, lane.memory, strict=True)),
                "why": lane.why,
                "summary": summary(lane, method.label, scene),
            }
        )
    header = {
        "version": VERSION,
        "key": key,
        "plotly": plotly,
        "theme": theme,
        "link": link,
        "clock": clock,
        "film": film,
        "look_for": look_for,
        "status": dict(status),
        "kind": scene.kind,
        "classes": list(scene.classes),
        "axes": list(scene.axes),
        "rows": {"train": scene.train_rows, "test": scene.test_rows, "all": experiment.problem.sample_count},
        "device": scene.device,
        "lanes": told,
        "sentence": verdict([method.label for method in experiment.lanes], lanes, status["state"] == "running"),
    }
    return pack(header, arrays)


def verdict(labels: Sequence[str], lanes: Sequence[Any], running: bool) -> str:
    """Who is best by what counts most of what is known, who has made many more updates, who is lost: in sentences.

    Args:
        labels: of the lanes.
        lanes: jobs.training.Course.
        running: whether they still train.
    """
    sound = [i for i, lane in enumerate(lanes) if lane.diverged_at < 0]
    lost = [f"{labels[i]} diverged." for i in range(len(lanes)) if i not in sound]
    if not sound or max(lane.update for lane in lanes) == 0:
        return " ".join(lost)
    last = {i: lanes[i].looks[-1, 3:] for i in sound}
    which = next(w for w in (2, 1, 0) if w == 0 or all(np.isfinite(last[i][w]) for i in sound))
    what = ("Train loss", "Test loss", "Test rows right")[which]
    values = [float(last[i][which]) for i in sound]
    shown = [f"{value:.1%}" if which == 2 else number(value) for value in values]
    order = sorted(range(len(sound)), key=lambda k: -values[k] if which == 2 else values[k])
    ranking = ", ".join(f"{labels[sound[k]]} {shown[k]}" for k in order)
    sentences = [f"{what}{' so far' if running else ''}: {ranking}."]
    most, fewest = max(sound, key=lambda i: lanes[i].update), min(sound, key=lambda i: lanes[i].update)
    if lanes[most].update >= FAR * lanes[fewest].update > 0:
        few, many = f"{lanes[fewest].update:,}", f"{lanes[most].update:,}"
        sentences.append(f"{labels[fewest]} made {few} updates, {labels[most]} {many}.")
    return " ".join(sentences + lost)


def number(value: float) -> str:
    """Three significant digits, as the page's tables write them.

    Example:
        >>> number(0.012345), number(1784.2), number(2.0), number(1.98e13)
        ('0.0123', '1,780', '2', '1.98e+13')
    """
    short = f"{value:.3g}"
    return f"{float(short):,.0f}" if 1000 <= abs(value) < 1e6 else short


def film(lanes: Sequence[Any]) -> bytes:
    """What was learned on the way, look by look: of lane i "lane{i}/at", which looks, and "lane{i}/{name}" (K, ...)."""
    arrays: dict[str, np.ndarray] = {}
    for i, lane in enumerate(lanes):
        arrays[f"lane{i}/at"] = np.array(lane.film_at, dtype=np.uint32)
        names = lane.film[0] if lane.film else ()
        arrays |= {f"lane{i}/{name}": np.stack([frame[name] for frame in lane.film]) for name in names}
    return pack({"version": VERSION}, arrays)


def montage(images: np.ndarray, columns: int, gap: int = 2) -> np.ndarray:
    """Images (n, height, width), 0 ... 1 with ink at 1, side by side on white paper: (H, W) uint8.

    Example:
        >>> montage(np.ones((3, 2, 2)), columns=2, gap=1).tolist()
        [[0, 0, 255, 0, 0], [0, 0, 255, 0, 0], [255, 255, 255, 255, 255], [0, 0, 255, 255, 255], [0, 0, 255, 255, 255]]
    """
    count, tall, wide = images.shape
    rows = -(-count // columns)
    paper = np.full((rows * (tall + gap), columns * (wide + gap)), 255, dtype=np.uint8)
    for i, image in enumerate(images):
        y, x = (i // columns) * (tall + gap), (i % columns) * (wide + gap)
        paper[y : y + tall, x : x + wide] = np.round(255 * (1 - image.clip(0, 1)))
    return paper[:-gap, :-gap]


def summary(lane: Any, label: str, scene: Any) -> str:
    """A lane's picture in words."""
    if lane.diverged_at >= 0:
        return f"{label}: {lane.why}" if lane.why else f"{label} diverged at update {lane.diverged_at:,}."
    train, test, accuracy = lane.looks[-1, 3:]
    words = f"{label} after {lane.looks[-1, 0]:,.0f} updates: train loss {number(train)}"
    if np.isfinite(test):
        words += f", test loss {number(test)}"
    if np.isfinite(accuracy):
        words += f", {accuracy:.1%} of {scene.test_rows:,} test rows right"
        worst = _confused(lane.learned.get("confusion"), scene.classes)
        words += f"; {worst}" if worst else ""
    return words + "."


def _confused(counts: np.ndarray | None, classes: Sequence[str]) -> str:
    """The mistake that is made most often."""
    if counts is None or len(counts) < 3:
        return ""
    wrong = counts - np.diag(np.diag(counts))
    true, taken = np.unravel_index(wrong.argmax(), wrong.shape)
    most = int(wrong[true, taken])
    return f"most often it takes {classes[true]} for {classes[taken]} ({most} of {counts[true].sum()})" if most else ""
