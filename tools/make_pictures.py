"""Draw the small picture of every problem, by which it is chosen: python -m tools.make_pictures [NAME ...].

Level lines of the true objective where theta has two coordinates, with stars at its minimizers; else what is to be
learnt: points in the colour of their class, or an image. The files are committed; drawn again when a problem changes.
"""

import sys
from collections.abc import Iterator, Sequence

import numpy as np
import torch

from mbsgd_core import engine
from mbsgd_core.experiment import Experiment, problems
from mbsgd_core.ui.problem import settings
from mbsgd_core.ui.tiles import PICTURES
from tools.make_tiles import EDGE, GROUND, HEIGHT, LINES, WIDTH, contours

CLASSES = ("#E69F00", "#56B4E9", "#009E73", "#CC79A7")
ROWS = 80  # points of a data set
PLANE = (-1.0, 3.0)  # of theta, where a problem names no window


def main(names: Sequence[str]) -> None:
    """Draw these problems, or all."""
    torch.set_num_threads(1)
    PICTURES.mkdir(exist_ok=True)
    for name in problems():
        if not names or name in names:
            (PICTURES / f"{name}.svg").write_text(picture(name))


def picture(name: str) -> str:
    """A problem's picture as SVG text."""
    draft = {"problem": settings(name), "lanes": [{"sampler": "full_batch", "schedule": "constant"}]}
    experiment = Experiment.model_validate(draft)
    if experiment.problem.parameter_count == 2:
        drawn = surface(experiment)
    else:
        drawn = image(experiment) if experiment.data_problem.dataset.shape else points(experiment)
    size = f'viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}"'
    ground = f'<rect width="{WIDTH}" height="{HEIGHT}" fill="{GROUND}"/>'
    body = f'{ground}<g transform="scale(.5)" fill="none" stroke-linejoin="round">{"".join(drawn)}</g>'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} aria-hidden="true">{body}</svg>\n'


def surface(experiment: Experiment) -> Iterator[str]:
    """Level lines, and a dot at each minimizer in sight."""
    window = experiment.problem.window(experiment.seed)
    truth = experiment.problem.solution(experiment.seed)
    if window is None and truth is not None:
        (x, y), side = truth.minimizers[0], 1.5 * np.abs(truth.minimizers[0]).max() or 1.0
        window = x - side, x + side, y - side, y + side
    x0, x1, y0, y1 = window or PLANE * 2
    yield from contours(engine.finite_sum(experiment), x0, x1, y0, y1)
    for x, y in truth.minimizers if truth is not None else ():
        if x0 <= x <= x1 and y0 <= y <= y1:
            at = place(np.array([[(x - x0) / (x1 - x0), (y - y0) / (y1 - y0)]]))[0]
            yield f'<circle cx="{at[0]}" cy="{at[1]}" r="5" fill="#fff"/>'


def points(experiment: Experiment) -> Iterator[str]:
    """The first rows over the first two features, in the colours of their classes."""
    table = experiment.data_problem.dataset.table(experiment.seed)
    x, y = table.x[:ROWS, :2], table.y[:ROWS].astype(int)
    at = place((x - x.min(0)) / (x.max(0) - x.min(0)))
    for label in np.unique(y):
        dots = "".join(f"M{px} {py}h0" for px, py in at[y == label])
        yield f'<path d="{dots}" stroke="{CLASSES[label % len(CLASSES)]}" stroke-width="7" stroke-linecap="round"/>'


def image(experiment: Experiment) -> Iterator[str]:
    """The first three images, in three greys."""
    dataset = experiment.data_problem.dataset
    _, rows, columns = dataset.shape
    images = dataset.preview(experiment.seed).x[:3].reshape(3, -1, rows, columns)[:, 0] / dataset.white
    pixel = 2 * (HEIGHT - 2 * EDGE) / rows
    square = f"h{pixel:.0f}v{pixel:.0f}h-{pixel:.0f}z"
    left = (2 * WIDTH - 3 * columns * pixel) / 2
    for level, grey in zip((0.25, 0.5, 0.75), LINES[1:], strict=True):
        cells = [
            f"M{left + (n * columns + column) * pixel:.0f} {2 * EDGE + row * pixel:.0f}{square}"
            for n, row, column in np.argwhere((images >= level) & (images < level + 0.25 + (level == 0.75)))
        ]
        yield f'<path d="{"".join(cells)}" fill="{grey}"/>'


def place(shares: np.ndarray) -> np.ndarray:
    """Points (n, 2) as shares of the picture, y upwards -> whole half pixels."""
    edge, size = np.array([EDGE, EDGE]), np.array([WIDTH, HEIGHT])
    flipped = np.stack([shares[:, 0], 1 - shares[:, 1]], axis=1)
    return np.asarray(np.round(2 * (edge + flipped * (size - 2 * edge))).astype(int))


if __name__ == "__main__":
    main(sys.argv[1:])
