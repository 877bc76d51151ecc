"""Draw the small picture of every preset from its real run: python -m tools.make_tiles [NAME ...].

Where the loss surface is the subject (presets of the home page): level lines of the true objective where theta has two
coordinates, and each lane's first run on top; of several runs the end points too. Where training is (those of Train):
each lane's objective over its budget, on a log scale. The files are committed; drawn again when a preset changes.
"""

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch

from mbsgd_core import engine
from mbsgd_core.experiment import Experiment
from mbsgd_core.figures import lane_style
from mbsgd_core.measures import plane
from mbsgd_core.problems.base import FiniteSum

FOLDER = Path(__file__).resolve().parents[1] / "assets" / "presets"
WIDTH, HEIGHT, EDGE = 122, 52, 5
COLUMNS, ROWS = 25, 11  # of the grid under the level lines
GROUND, LINES = "#00224e", ("#35456c", "#575c6d", "#7d7c78", "#a59c74")  # Cividis, low to high
POINTS, ENDS = 93, 10  # of all paths together; end points of a lane
RECORDS = 34  # of a loss curve


def main(names: Sequence[str]) -> None:
    """Draw these presets by the names of their files, or all."""
    torch.set_num_threads(1)
    for file in sorted(FOLDER.glob("**/*.json")):
        if not names or file.stem in names:
            experiment = Experiment.model_validate(json.loads(file.read_text())["experiment"])
            draw = loss_curves if file.parent.name == "train" else paths_on_the_surface
            file.with_suffix(".svg").write_text(draw(experiment))


def loss_curves(experiment: Experiment) -> str:
    """Every lane's objective over its budget, as SVG text."""
    curves = []
    for i in range(len(experiment.lanes)):
        updates = experiment.updates(i)
        trace = engine.run(experiment, i, every=max(1, -(-updates // (RECORDS - 1))))[1]
        loss = trace.loss[0]
        known = np.isfinite(loss) & (loss > 0)
        curves.append(np.stack([trace.update[known] / updates, np.log(loss[known])], axis=1))
    every = np.concatenate(curves)[:, 1]
    low, high = every.min(), every.max()
    scale = [WIDTH - 2 * EDGE, -(HEIGHT - 2 * EDGE) / (high - low or 1)]
    rules = "".join(f"M0 {round(2 * HEIGHT * share)}h{2 * WIDTH}" for share in (0.25, 0.5, 0.75))
    ground = [f'<path d="{rules}" stroke="{LINES[0]}" stroke-width="1.6"/>']
    return svg(experiment, ground, [EDGE + (points - [0, high]) * scale for points in curves])


def paths_on_the_surface(experiment: Experiment) -> str:
    """Every lane's path, on the surface itself or on a plane laid through them, as SVG text."""
    traces = [engine.run(experiment, i)[1] for i in range(len(experiment.lanes))]
    total = engine.finite_sum(experiment)
    paths = [sound(trace.theta[0]) for trace in traces]
    drawn = plane.whole(2) if total.parameters == 2 else plane.fit(calm(paths), paths[0][0])
    window = experiment.problem.window(experiment.seed)
    flat = [drawn.project(path) for path in paths]
    ends = [drawn.project(sound(trace.theta[:ENDS, -1])) for trace in traces]
    x0, x1, y0, y1 = frame(np.concatenate(calm(flat) + ends), window)

    def pixels(points: np.ndarray) -> np.ndarray:
        share = (points - [x0, y1]) / [x1 - x0, y0 - y1]
        return np.clip(EDGE + share * [WIDTH - 2 * EDGE, HEIGHT - 2 * EDGE], -40, 160)

    ground = list(contours(total, x0, x1, y0, y1)) if total.parameters == 2 else []
    most = min(40, POINTS // len(flat)) if experiment.runs == 1 else 22
    dots = [pixels(last) for last in ends] if experiment.runs > 1 else []
    return svg(experiment, ground, [pixels(thin(path, most)) for path in flat], dots)


def svg(
    experiment: Experiment, ground: Sequence[str], lines: Sequence[np.ndarray], dots: Sequence[np.ndarray] = ()
) -> str:
    """The picture: one line and its head a lane, in the lane's colour.

    Args:
        experiment: whose lanes they are.
        ground: elements that lie under the lines.
        lines: of each lane, (n, 2) in pixels of the tile.
        dots: of each lane, (k, 2) in pixels, or nothing.
    """
    # Whole numbers of half pixels keep the file small.
    parts = [f'<rect width="{WIDTH}" height="{HEIGHT}" fill="{GROUND}"/>']
    parts.append('<g transform="scale(.5)" fill="none" stroke-linejoin="round" stroke-linecap="round">')
    parts += ground
    parts.append(f'<path d="{"".join(map(line, lines))}" stroke="#fff" stroke-width="5" stroke-opacity=".8"/>')
    colours = [style.color for style in lane_style.lane_styles(experiment.lanes)]
    for i, (points, colour) in enumerate(zip(lines, colours, strict=True)):
        parts.append(f'<path data-lane="{i + 1}" d="{line(points)}" stroke="{colour}" stroke-width="3.2"/>')
    for points, colour in zip(dots, colours, strict=False):
        d = "".join(f"M{2 * x:.0f} {2 * y:.0f}h0" for x, y in points)
        parts.append(f'<path d="{d}" stroke="{colour}" stroke-width="5"/>')
    for points, colour in zip(lines, colours, strict=True):
        x, y = points[-1]
        parts.append(f'<circle cx="{2 * x:.0f}" cy="{2 * y:.0f}" r="5" fill="{colour}" stroke="#fff"/>')
    parts.append("</g>")
    size = f'viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} aria-hidden="true">{"".join(parts)}</svg>\n'


def sound(points: np.ndarray) -> np.ndarray:
    """The points before the first that is not a number."""
    return np.asarray(points[np.isfinite(points).all(-1)])


def calm(paths: list[np.ndarray]) -> list[np.ndarray]:
    """Paths without the stretch on which they run away: at most ten times as far from the start as the shortest."""
    start = paths[0][0]
    far = [np.linalg.norm(path - start, axis=1) for path in paths]
    limit = 10 * min(distance.max() for distance in far)
    return [path[: (np.append(distance, np.inf) > limit).argmax()] for path, distance in zip(paths, far, strict=True)]


def frame(points: np.ndarray, window: tuple[float, float, float, float] | None) -> tuple[float, ...]:
    """x0, x1, y0, y1 around points (n, 2), as far as they lie in the problem's own window."""
    if window is not None:
        x0, x1, y0, y1 = window
        inside = (points >= [x0, y0]).all(1) & (points <= [x1, y1]).all(1)
        points = points[inside]
    low, high = points.min(0), points.max(0)
    side = np.maximum(high - low, 0.25 * (high - low).max()) * 1.1  # neither side much slimmer than the other
    middle = (low + high) / 2
    (x0, y0), (x1, y1) = middle - side / 2, middle + side / 2
    return float(x0), float(x1), float(y0), float(y1)


def thin(path: np.ndarray, most: int) -> np.ndarray:
    """At most so many points, the early ones densest: that is where a path goes somewhere."""
    return np.asarray(path[np.unique(np.geomspace(1, len(path), most).round().astype(int) - 1)])


def line(points: np.ndarray) -> str:
    """A path through points (n, 2) of the tile, in relative steps of half pixels; steps of nothing are left out."""
    halves = np.round(points * 2).astype(int)
    steps = np.diff(halves, axis=0)
    written = "".join(f"l{dx}{'' if dy < 0 else ' '}{dy}" for dx, dy in steps if dx or dy)
    return f"M{halves[0, 0]} {halves[0, 1]}{written}"


def contours(total: FiniteSum, x0: float, x1: float, y0: float, y1: float) -> Iterator[str]:
    """One SVG path a level, over the whole tile."""
    dx, dy = (x1 - x0) * EDGE / (WIDTH - 2 * EDGE), (y1 - y0) * EDGE / (HEIGHT - 2 * EDGE)
    xs, ys = np.linspace(x0 - dx, x1 + dx, COLUMNS), np.linspace(y1 + dy, y0 - dy, ROWS)
    grid = torch.as_tensor(np.stack(np.meshgrid(xs, ys), -1), dtype=total.start().dtype)
    z = total.objective(grid).numpy()
    for level, colour in zip(np.quantile(z, (0.1, 0.32, 0.56, 0.8)), LINES, strict=True):
        scale = np.array([WIDTH / (COLUMNS - 1), HEIGHT / (ROWS - 1)])
        d = "".join(line(np.array(chain) * scale) for chain in chains(z - level))
        yield f'<path d="{d}" stroke="{colour}" stroke-width="1.6"/>'


def chains(z: np.ndarray) -> Iterator[list[tuple[float, float]]]:
    """Marching squares: the polylines (column, row) on which z (rows, columns) is 0."""
    links: dict[tuple[float, float], list[tuple[float, float]]] = {}
    for j in range(z.shape[0] - 1):
        for i in range(z.shape[1] - 1):
            ring = [(i, j), (i + 1, j), (i + 1, j + 1), (i, j + 1)]
            crossed = []
            for a, b in zip(ring, ring[1:] + ring[:1], strict=True):
                a, b = min(a, b), max(a, b)  # both cells of an edge find the same point
                za, zb = z[a[1], a[0]], z[b[1], b[0]]
                if (za < 0) != (zb < 0):
                    t = za / (za - zb)
                    crossed.append((a[0] + t * (b[0] - a[0]), a[1] + t * (b[1] - a[1])))
            for p, q in zip(crossed[::2], crossed[1::2], strict=True):
                links.setdefault(p, []).append(q)
                links.setdefault(q, []).append(p)
    while links:
        # Begin at a loose end if there is one, so that an open line is one chain.
        at: tuple[float, float] | None = min(links, key=lambda p: (len(links[p]), p))
        chain = []
        while at is not None:
            chain.append(at)
            following = links[at].pop() if links[at] else None
            if not links[at]:
                del links[at]
            if following is not None:
                links[following].remove(at)
                if not links[following]:
                    del links[following]
                    chain.append(following)
                    following = None
            at = following
        yield chain


if __name__ == "__main__":
    main(sys.argv[1:])
