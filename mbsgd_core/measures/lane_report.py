"""What is shown of one lane: its numbers, its curves, its words (floor 4)."""

from typing import Any

import numpy as np

from mbsgd_core import engine
from mbsgd_core.experiment import Experiment
from mbsgd_core.format import count, number, plural, point
from mbsgd_core.measures import cost, draws, ensemble, evaluation, noise, path_gradients, verdict
from mbsgd_core.measures.decimation import cursor, last_sound, outline
from mbsgd_core.measures.diagnosis import diagnose
from mbsgd_core.measures.draws import Draw, draw_at
from mbsgd_core.measures.limits import start_of
from mbsgd_core.measures.plane import Plane
from mbsgd_core.measures.scores import scores
from mbsgd_core.measures.truth import Truth
from mbsgd_core.memory_cache import derived_cache
from mbsgd_core.problems.base import FiniteSum
from mbsgd_core.problems.models.base import DataProblem
from mbsgd_core.results.cost import NO_COSTS, Costs
from mbsgd_core.results.run import Evaluations, LaneProgress
from mbsgd_core.results.verdict import Diagnosis, Row
from mbsgd_core.types import ViewBudget

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
    view_budget: ViewBudget | None,
) -> tuple[dict[str, Any], dict[str, np.ndarray], Row]:
    """A lane's header values, its arrays, and its row of the verdict."""
    method, samples, trace = experiment.lanes[i], experiment.problem.sample_count, lane.trace
    found = _stopped(experiment, lane, diagnose(experiment, i, trace, known.value, lane.newest))
    runs = trace.loss.shape[0]
    curves = trace.loss[0][:, None]
    if drawn is not None:
        curves = np.column_stack([drawn.project(trace.theta[0]), curves])
    kept, close = np.arange(len(curves)), np.arange(len(curves))
    if view_budget is not None:
        here = cursor(view_budget, trace, experiment.updates_per_epoch(i), lane.costs)
        close = np.unique([here, min(here, last_sound(curves))])
        kept = np.union1d(outline(curves, view_budget.most), close)
    arrays = {
        "loss": trace.loss[0, kept],
        "update": trace.update[kept],
        "samples": trace.samples[kept],
        "rate": trace.learning_rate[kept],
    }
    batch = path_gradients.all_batches(experiment, i, int(trace.update[-1]))
    if batch is not None:
        arrays["batch"] = batch
    spread: dict[str, Any] = {}
    if drawn is not None:
        total, path, near = engine.finite_sum(experiment), curves[kept, :2], trace.at(close)
        arrays |= {
            "theta": path,
            "gradient": drawn.turn(path_gradients.gradients(total, near.theta[0])),
            "batch_gradient": drawn.turn(path_gradients.next_batch_gradients(experiment, i, near)),
        }
        if drawn.explained is not None:
            arrays["out_of_plane"] = drawn.distance(trace.theta[0, kept])
            arrays["plane_loss"] = path_gradients.path_losses(total, drawn.lift(path))
        spread = ensemble.spread(trace, drawn) if runs > 1 else {}
    if isinstance(experiment.problem, DataProblem) and evaluation.test_rows(experiment):
        seen = _evaluations(experiment, lane, kept)
        arrays |= {"seen": seen.at, "test_loss": seen.test_loss, "test_accuracy": seen.test_accuracy}
    tested: dict[str, Any] = {name: arrays[name][-1] for name in ("test_loss", "test_accuracy") if name in arrays}
    if trace.averages:
        arrays["average_loss"] = trace.average_loss[0, kept]
    tested["average_test_accuracy"] = _average_accuracy(experiment, lane)
    spoilt = start_noise(experiment, i)
    tested |= scores(experiment, lane.path.theta[0, -1], lane.newest)._asdict()
    row = verdict.row(experiment, i, trace, lane.costs, found, goal=goal, lowest=known.value, noise=spoilt, **tested)
    sizes = method.sampler.sizes(samples)
    header = {
        "label": method.label,
        "samples": samples,
        "sizes": sizes if len(sizes) <= SIZES else [sizes[0], sizes[-1]],
        "updates": lane.watch.stopped_at if lane.watch.stopped_at >= 0 else experiment.updates(i),
        "updates_per_epoch": len(sizes),
        **_cost_header(lane.costs),
        "records": len(kept),
        # The records of the gradients; all if None.
        "looked_at": None if view_budget is None else np.searchsorted(kept, close).tolist(),
        "runs": runs,
        "diverged_at": found.diverged_at,
        "badge": found.badge.header(),
        "summary": _summary(lane, row),
        "ellipse": ensemble.ellipse(spread["ends"]) if spread else None,
        "memory": None if lane.memory is None else list(lane.memory),
        "memory_remark": cost.remark(experiment, i),
    }
    return header, arrays | spread, row


def _average_accuracy(experiment: Experiment, lane: LaneProgress) -> float:
    """The share of the held-out rows that the average of run 0 gets right at the newest record; NaN where unknown."""
    average = lane.trace.average
    if not average.size or evaluation.stops(experiment):
        return lane.average_accuracy
    seen = evaluation.evaluations(experiment, average[0, -1:], [0]).test_accuracy
    return float(seen[0]) if len(seen) else np.nan


def _stopped(experiment: Experiment, lane: LaneProgress, found: Diagnosis) -> Diagnosis:
    """The diagnosis; of a lane whose patience came to its end, with that first."""
    watch, budget, badge = lane.watch, experiment.budget, found.badge
    if watch.stopped_at < 0:
        return found
    watched = "test loss" if evaluation.test_rows(experiment) else "loss"
    by = f" by more than {number(budget.min_delta)}" if budget.min_delta else ""
    mean = "mean " if experiment.runs > 1 else ""
    best = f"; it was best after update {count(watch.best_at)}" if watch.best_at >= 0 else ""
    why = (
        f"Stopped early, after update {count(watch.stopped_at)}: the {mean}{watched} had not fallen{by} for "
        f"{plural(budget.patience, 'epoch')}{best}."
    )
    return found._replace(badge=badge._replace(why=f"{why} {badge.why}"))


def _cost_header(costs: Costs | None) -> dict[str, float | None]:
    """What an update costs by both clocks of time, and the half widths; None where that is not known."""
    here, loop = costs or NO_COSTS
    return {
        "seconds_per_update": here and here.seconds,
        "seconds_uncertainty": here and here.uncertainty,
        "pytorch_seconds_per_update": loop and loop.seconds,
        "pytorch_uncertainty": loop and loop.uncertainty,
    }


def _evaluations(experiment: Experiment, lane: LaneProgress, records: np.ndarray) -> Evaluations:
    """The model on the held-out rows, at some of the records that are shown; `at` counts these."""
    if evaluation.stops(experiment):
        return lane.evaluations
    most = FEW if len(records) < len(lane.trace.update) else MANY
    some = evaluation.spaced(len(records) - 1, most)
    return evaluation.evaluations(experiment, lane.trace.theta[0, records[some]], some)


def _summary(lane: LaneProgress, row: Row) -> str:
    """A lane's picture in words."""
    trace, path, why = lane.trace, lane.path, row.diagnosis.badge.text
    epochs = number(row.spent.epochs)
    made = f"{row.label}: {plural(row.spent.updates, 'update')}, {epochs} {'epoch' if epochs == '1' else 'epochs'}."
    runs = trace.loss.shape[0]
    lost = int((~np.isfinite(trace.loss)).any(1).sum())
    of_runs = f" {lost} of {runs} runs diverged." if runs > 1 and lost else ""
    if row.final_loss is None:
        return f"{made}{of_runs} {why}"
    mean = "mean loss" if runs > 1 else "loss"
    first, last = float(trace.loss[0, 0]), row.final_loss
    verb = "falls" if last < first else "rises" if last > first else "stays"
    way = ""
    if path.theta.shape[2] <= WORDY:
        ends = path.theta[0, -1]
        there = f", ending at {point(ends.tolist())}" if np.isfinite(ends).all() else ""
        way = f"; the path starts at {point(path.theta[0, 0].tolist())}{there}"
    return (
        f"{made}{of_runs} The {mean} {verb} from {number(first)} to {number(last)}, the lowest is "
        f"{number(row.best_loss)}{way}. {why}"
    )


def start_noise(experiment: Experiment, lane: int) -> float | None:
    """The relative noise of this lane's batch gradients at the start; None where the gradient is zero or no number."""
    draw = draw_at(experiment, lane, 0)
    return None if draw is None else _start_noise(engine.finite_sum(experiment), start_of(experiment), draw)


def _start_noise(total: FiniteSum, start: tuple[float, ...], draw: Draw) -> float | None:
    if draw.size == total.samples and not draw.replacement:
        return 0.0
    each = _start_gradients(total, start)
    if each is None:
        return None
    relative = noise.ratio(draws.variance(each, draw), float((each.mean(0) ** 2).sum()))
    return relative**0.5 if np.isfinite(relative) else None


@derived_cache(most=8)
def _start_gradients(total: FiniteSum, start: tuple[float, ...]) -> np.ndarray | None:
    if total.samples * total.parameters > noise.SAMPLE_WORK:
        return None
    return noise.sample_gradients(total, np.array(start))
