"""What other batches would say at one record of each lane (floor 4)."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from mbsgd_core import engine
from mbsgd_core.experiment import Experiment
from mbsgd_core.format import number, plural
from mbsgd_core.measures import draws, noise, path_gradients, plane
from mbsgd_core.measures.draws import Draw, draw_at
from mbsgd_core.measures.plane import Plane


def at_cursor(
    experiment: Experiment,
    indices: Sequence[int],
    thetas: Sequence[Sequence[float]],
    drawn: Plane | None = None,
    updates: Sequence[int] | None = None,
) -> list[dict[str, Any] | None]:
    """The gradient, a fan of the batch gradients that might have been, and their covariances, at a record a lane.

    Args:
        experiment: whose lanes.
        indices: the record of each lane, echoed.
        thetas: the iterate (P,) at that record.
        drawn: the picture's plane; needed for more than two parameters.
        updates: the update number of each record; by default what `engine.records` keeps there.

    Returns:
        One dictionary a lane, all numbers in the plane; None for a lane that is not finite there.
    """
    drawn = drawn or plane.whole(experiment.problem.parameter_count)
    if updates is None:
        updates = [int(engine.records(experiment, i)[k]) for i, k in enumerate(indices)]
    return [
        _one(experiment, i, int(k), np.array(theta, dtype=np.float64), drawn, int(update))
        for i, (k, theta, update) in enumerate(zip(indices, thetas, updates, strict=True))
    ]


def _one(
    experiment: Experiment, lane: int, index: int, theta: np.ndarray, drawn: Plane, update: int
) -> dict[str, Any] | None:
    total = engine.finite_sum(experiment)
    if not np.isfinite(theta).all() or total.samples * total.parameters > noise.SAMPLE_WORK:
        return None
    each = noise.sample_gradients(total, theta)
    if not np.isfinite(each).all():
        return None
    draw = draw_at(experiment, lane, update)
    if draw is None:
        return None
    shown = drawn.turn(each)
    mean, spread = shown.mean(0), noise.covariance(shown)
    used = None
    if update < experiment.updates(lane):
        used = shown[path_gradients.batches(experiment, lane, np.array([update]))[0]].mean(0)

    def predicted(replacement: bool) -> list[list[float]] | None:
        if draw.fixed:  # the formulas speak of fresh batches
            return None
        found: list[list[float]] = (spread * noise.shrink(total.samples, draw.size, replacement)).tolist()
        return found

    return {
        "index": index,
        "gradient": mean.tolist(),
        "batch_gradient": None if used is None else used.tolist(),
        "fan": draws.fan(shown, draw, experiment.seed, update).tolist(),
        "measured": draws.covariance(shown, draw, experiment.seed, update).tolist(),
        "predicted_with": predicted(True),
        "predicted_without": predicted(False),
        "text": _text(each, draw),
    }


def _text(each: np.ndarray, draw: Draw) -> str:
    samples, variance = len(each), draws.variance(each, draw)
    length, scale = float(np.linalg.norm(each.mean(0))), noise.simple_scale(each)
    opening = f"The full gradient has length {number(length)}."
    if draw.size == samples and not draw.replacement:
        return f"{opening} The batch is all {samples:,} samples, so its gradient is exact."
    deviation = variance**0.5
    against = f", {number(deviation / length)} times the gradient" if np.isfinite(scale) else ""
    if draw.fixed:
        fresh = (noise.shrink(samples, draw.full, False) * noise.trace(each)) ** 0.5
        several = "the same batch" if len(draw.own) == 1 else f"its own {len(draw.own):,} batches"
        return (
            f"{opening} This lane repeats {several}: they miss it by {number(deviation)} (root mean square){against}; "
            f"fresh ones of {draw.full:,} would miss it by {number(fresh)}."
        )
    kind = "with" if draw.replacement else "without"
    which = f"Batches of {draw.size:,} drawn {kind} replacement"
    if draw.size < draw.full:
        which = f"The epoch's last batch has {plural(draw.size, 'sample')}: such batches drawn {kind} replacement"
    balance = f" Noise and gradient balance at batches of {number(scale)} (tr s²/|G|²)." if np.isfinite(scale) else ""
    return f"{opening} {which} miss it by {number(deviation)} (root mean square){against}.{balance}"
