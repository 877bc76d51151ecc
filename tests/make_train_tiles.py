"""Draw the small picture of every Train preset from its real run: python -m tests.make_train_tiles [NAME ...].

Each lane's train loss over its budget, on a log scale. The files are committed; drawn again when a preset changes.
"""

import sys

import numpy as np
import torch

from mbsgd_core.experiment import Experiment
from mbsgd_core.figures import look
from mbsgd_core.jobs.job import Job
from mbsgd_core.jobs.training import Training, training
from mbsgd_core.ui import presets
from tests.make_tiles import EDGE, GROUND, HEIGHT, LINES, WIDTH, line

POINTS = 34  # of a lane


def main() -> None:
    torch.set_num_threads(1)
    for name, preset in presets.all_presets("Train").items():
        if len(sys.argv) == 1 or name.split("/")[1] in sys.argv[1:]:
            (presets.FOLDER / f"{name}.svg").write_text(tile(Experiment.model_validate(preset["experiment"])))


def tile(experiment: Experiment) -> str:
    """The picture as SVG text."""
    curves = [curve(lane.looks, lane.updates) for lane in trained(experiment).lanes]
    every = np.concatenate([points[:, 1] for points in curves])
    low, high = np.nanmin(every), np.nanmax(every)

    def pixels(points: np.ndarray) -> np.ndarray:
        y = (high - points[:, 1]) / (high - low or 1)
        return np.stack([EDGE + points[:, 0] * (WIDTH - 2 * EDGE), EDGE + y * (HEIGHT - 2 * EDGE)], axis=1)

    parts = [f'<rect width="{WIDTH}" height="{HEIGHT}" fill="{GROUND}"/>']
    parts.append('<g transform="scale(.5)" fill="none" stroke-linejoin="round" stroke-linecap="round">')
    rules = "".join(f"M0 {round(2 * HEIGHT * share)}h{2 * WIDTH}" for share in (0.25, 0.5, 0.75))
    parts.append(f'<path d="{rules}" stroke="{LINES[0]}" stroke-width="1.6"/>')
    shown = [pixels(points) for points in curves]
    parts.append(f'<path d="{"".join(map(line, shown))}" stroke="#fff" stroke-width="5" stroke-opacity=".8"/>')
    for i, (points, style) in enumerate(zip(shown, look.looks(experiment.lanes), strict=True)):
        parts.append(f'<path data-lane="{i + 1}" d="{line(points)}" stroke="{style.color}" stroke-width="3.2"/>')
        x, y = points[-1]
        parts.append(f'<circle cx="{2 * x:.0f}" cy="{2 * y:.0f}" r="5" fill="{style.color}" stroke="#fff"/>')
    parts.append("</g>")
    size = f'viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} aria-hidden="true">{"".join(parts)}</svg>\n'


def trained(experiment: Experiment) -> Training:
    """The whole run, here."""
    chain, value = training(experiment.to_json(), None, lambda: True, Job("tile", "tile", lambda job: None)), None
    while True:
        try:
            function, args = chain.send(value)
        except StopIteration as stop:
            return stop.value
        value = function(*args)


def curve(looks: np.ndarray, updates: int) -> np.ndarray:
    """(share of the budget, log of the train loss) at some of the looks, (k, 2)."""
    sound = looks[np.isfinite(looks[:, 3]) & (looks[:, 3] > 0)]
    some = sound[np.unique(np.linspace(0, len(sound) - 1, POINTS).round().astype(int))]
    return np.stack([some[:, 0] / updates, np.log(some[:, 3])], axis=1)


if __name__ == "__main__":
    main()
