"""What is shown of one lane: its numbers, its curves, its words (floor 4)."""

from typing import Any

import numpy as np

from mbsgd_core import engine
from mbsgd_core.experiment import Experiment
from mbsgd_core.kept import beside
from mbsgd_core.measures import along, divergence, ensemble, evaluation, noise, verdict
from mbsgd_core.measures.diagnosis import Diagnosis, diagnose, draws_with_replacement, start_of
from mbsgd_core.measures.glance import at, cursor, last_sound, outline
from mbsgd_core.measures.plane import Plane
from mbsgd_core.measures.text import number, point
from mbsgd_core.measures.truth import Truth
from mbsgd_core.problems.base import FiniteSum
from mbsgd_core.problems.models.base import DataProblem
from mbsgd_core.results.run import Evaluations, LaneProgress
from mbsgd_core.types import Glance

SIZES = 20_000  # of longer lists of batch sizes the first and last stand for all
FEW, MANY = 16, 120  # records where a model is judged on the held-out rows: while a knob is dragged, at rest
WORDY = 10  # parameters: longer points are not put into words


def lane_report(
    experiment: Experiment,
    i: int,
    lane: LaneProgress,
    drawn: Plane | None,
    known: Truth,
    goal: float | None,
    glance: Glance | None,
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """A lane's header values and its arrays."""
    method, samples, trace = experiment.lanes[i], experiment.problem.sample_count, lane.trace
    seconds = lane.seconds_per_update
    found = _diagnosis(experiment, i, lane, known)
    row = verdict.verdict(experiment, i, trace, seconds, known.value, goal, start_noise(experiment, i), found)
    runs = trace.loss.shape[0]
    curves = (
        trace.loss[0][:, None] if drawn is None else np.column_stack([drawn.project(trace.theta[0]), trace.loss[0]])
    )
    kept, close = np.arange(len(curves)), np.arange(len(curves))
    if glance is not None:
        here = cursor(glance, trace, experiment.updates_per_epoch(i), seconds)
        close = np.unique([here, min(here, last_sound(curves))])
        kept = np.union1d(outline(curves, glance.most), close)
    arrays = {
        "loss": trace.loss[0, kept],
        "update": trace.update[kept],
        "samples": trace.samples[kept],
        "rate": trace.learning_rate[kept],
    }
    batch = along.all_batches(experiment, i, int(trace.update[-1]))
    if batch is not None:
        arrays["batch"] = batch
    spread: dict[str, Any] = {}
    if drawn is not None:
        total, path, near = engine.finite_sum(experiment), curves[kept, :2], at(trace, close)
        arrays |= {
            "theta": path,
            "gradient": drawn.turn(along.gradients(total, near.theta[0])),
            "batch_gradient": drawn.turn(along.next_batch_gradients(experiment, i, near)),
        }
        if drawn.explained is not None:
            arrays["out_of_plane"] = drawn.distance(trace.theta[0, kept])
            arrays["plane_loss"] = along.path_losses(total, drawn.lift(path))
        spread = ensemble.spread(trace, drawn) if runs > 1 else {}
    if isinstance(experiment.problem, DataProblem) and evaluation.test_rows(experiment):
        seen = _evaluations(experiment, lane, kept)
        arrays |= {"seen": seen.at, "test_loss": seen.test_loss, "test_accuracy": seen.test_accuracy}
    sizes = method.sampler.sizes(samples)
    header = {
        "label": method.label,
        "samples": samples,
        "sizes": sizes if len(sizes) <= SIZES else [sizes[0], sizes[-1]],
        "updates": experiment.updates(i),
        "updates_per_epoch": len(sizes),
        "seconds_per_update": seconds,
        "records": len(kept),
        # The records of the gradients; all if None.
        "looked_at": None if glance is None else np.searchsorted(kept, close).tolist(),
        "runs": runs,
        "diverged_at": found.diverged_at,
        "summary": _summary(method.label, lane, row, found),
        "ellipse": ensemble.ellipse(spread["ends"]) if spread else None,
        "memory": None if lane.memory is None else list(lane.memory),
        "verdict": row,
    }
    return header, arrays | spread


def _diagnosis(experiment: Experiment, i: int, lane: LaneProgress, known: Truth) -> Diagnosis:
    if not evaluation.stops(experiment):
        return diagnose(experiment, i, lane.trace, known.value)
    if lane.diverged_at < 0:
        return Diagnosis("stable", "The loss stays finite.", None)
    why = divergence.why(experiment, i, lane.diverged_at, lane.trace.loss[0])
    return Diagnosis("diverged", why, lane.diverged_at)


def _evaluations(experiment: Experiment, lane: LaneProgress, records: np.ndarray) -> Evaluations:
    """The model on the held-out rows, at some of the records that are shown; `at` counts these."""
    if evaluation.stops(experiment):
        return lane.evaluations
    most = FEW if len(records) < len(lane.trace.update) else MANY
    some = evaluation.spaced(len(records) - 1, most)
    return evaluation.evaluations(experiment, lane.trace.theta[0, records[some]], some)


def _summary(label: str, lane: LaneProgress, row: dict[str, Any], found: Diagnosis) -> str:
    """A lane's picture in words."""
    trace, path = lane.trace, lane.path
    epochs = number(row["epochs"])
    made = f"{label}: {row['updates']:,} updates, {epochs} {'epoch' if epochs == '1' else 'epochs'}."
    runs = trace.loss.shape[0]
    lost = int((~np.isfinite(trace.loss)).any(1).sum())
    of_runs = f" {lost} of {runs} runs diverged." if runs > 1 and lost else ""
    if row["final_loss"] is None:
        return f"{made}{of_runs} {found.why}"
    mean = "mean loss" if runs > 1 else "loss"
    first, last = float(trace.loss[0, 0]), row["final_loss"]
    verb = "falls" if last < first else "rises" if last > first else "stays"
    way = ""
    if path.theta.shape[2] <= WORDY:
        ends = path.theta[0, -1]
        there = f", ending at {point(ends.tolist())}" if np.isfinite(ends).all() else ""
        way = f"; the path starts at {point(path.theta[0, 0].tolist())}{there}"
    return (
        f"{made}{of_runs} The {mean} {verb} from {number(first)} to {number(last)}, the lowest is "
        f"{number(row['best_loss'])}{way}. {found.why}"
    )


def start_noise(experiment: Experiment, lane: int) -> float | None:
    """The relative noise of this lane's batch gradients at the start; None where the gradient is zero or no number."""
    samples = experiment.problem.sample_count
    factor = noise.shrink(
        samples, experiment.lanes[lane].sampler.size(samples), draws_with_replacement(experiment, lane)
    )
    if not factor:
        return 0.0
    scale = _start_scale(engine.finite_sum(experiment), start_of(experiment))
    return None if scale is None else (factor * scale) ** 0.5


@beside(most=32)
def _start_scale(total: FiniteSum, start: tuple[float, ...]) -> float | None:
    if total.samples * total.parameters > noise.SAMPLE_WORK:
        return None
    scale = noise.simple_scale(noise.sample_gradients(total, np.array(start)))
    return scale if np.isfinite(scale) else None
