"""What other batches would say at one record of each lane (floor 4)."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from mbsgd_core import engine
from mbsgd_core.experiment import Experiment
from mbsgd_core.format import number
from mbsgd_core.measures import noise, path_gradients, plane
from mbsgd_core.measures.plane import Plane


def at_cursor(
    experiment: Experiment,
    indices: Sequence[int],
    thetas: Sequence[Sequence[float]],
    drawn: Plane | None = None,
    updates: Sequence[int] | None = None,
) -> list[dict[str, Any] | None]:
    """The gradient, a fan of 40 batch gradients and their covariances at one record of each lane.

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
    samples, size = total.samples, experiment.lanes[lane].sampler.size(total.samples)
    replacement = experiment.lanes[lane].sampler.draws_with_replacement
    shown = drawn.turn(each)
    mean, spread = shown.mean(0), noise.covariance(shown)
    used = None
    if update < experiment.updates(lane):
        used = shown[path_gradients.batches(experiment, lane, np.array([update]))[0]].mean(0)
    return {
        "index": index,
        "gradient": mean.tolist(),
        "batch_gradient": None if used is None else used.tolist(),
        "fan": noise.batch_gradients(shown, size, replacement, experiment.seed, noise.FAN).tolist(),
        "measured": noise.measured_covariance(shown, size, replacement, experiment.seed).tolist(),
        "predicted_with": (spread * noise.shrink(samples, size, True)).tolist(),
        "predicted_without": (spread * noise.shrink(samples, size, False)).tolist(),
        "text": _text(each, size, replacement),
    }


def _text(each: np.ndarray, size: int, replacement: bool) -> str:
    samples = len(each)
    length, scale = float(np.linalg.norm(each.mean(0))), noise.simple_scale(each)
    kind = "with" if replacement else "without"
    factor = noise.shrink(samples, size, replacement)
    opening = f"The full gradient has length {number(length)}."
    if not factor:
        return f"{opening} The batch is all {samples:,} samples, so its gradient is exact."
    deviation = (factor * noise.trace(each)) ** 0.5
    against = f", {number(deviation / length)} times the gradient" if np.isfinite(scale) else ""
    balance = f" Noise and gradient balance at batches of {number(scale)} (tr s²/|G|²)." if np.isfinite(scale) else ""
    return (
        f"{opening} Batches of {size:,} drawn {kind} replacement miss it by {number(deviation)} "
        f"(root mean square){against}.{balance}"
    )
