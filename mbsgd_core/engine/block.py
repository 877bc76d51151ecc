"""A block of updates by the torch definition, with its records (floor 3)."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from mbsgd_core.engine.accumulation import batch_gradient
from mbsgd_core.engine.plan import Plan
from mbsgd_core.rules.base import Rule
from mbsgd_core.types import State, Trace

# A run counts as diverged once it is not finite, or its loss has grown by this factor over the start (or over 1).
DIVERGED = 1e9


def block(
    plan: Plan,
    state: State,
    stop: int,
    kept: np.ndarray,
    batch_losses: list[Tensor] | None = None,
    evaluate: bool = True,
) -> tuple[State, Trace]:
    """The updates up to `stop`, with their records; batch_losses and evaluate as in `advance`."""
    problem, schedule = plan.problem, plan.method.schedule
    theta, rule_state, rates_now = state.theta, state.rule_state, state.schedule_state
    rate, rule = _rate(rates_now, theta), rule_of(plan, rates_now)
    clip, average, averaged = plan.method.clip, plan.method.average, state.averaged
    rows, rates, losses, averages = [], [], [], []
    for batch, ends_epoch in plan.batches(state.update, stop):
        gradient, batch_loss = batch_gradient(problem, theta, batch, heard=batch_losses is not None)
        losses += [] if batch_loss is None else [batch_loss]
        if clip is not None:
            gradient = clip.clip(gradient)
        delta, rule_state = rule.update(gradient, rule_state, theta, rate)
        theta = theta + delta
        rows.append(theta)
        if average is not None and averaged is not None:
            averaged = average.after(averaged, theta, state.update + len(rows))
            averages.append(averaged.value)
        rates.append(rates_now[0][1])
        if ends_epoch or schedule.interval == "update":
            if schedule.watches_objective:
                watched = objective_of(plan, theta[None], np.zeros(1, dtype=np.int64))[:, 0]
                rates_now = tuple(schedule.step(s, float(f)) for s, f in zip(rates_now, watched, strict=True))
            else:
                rates_now = (schedule.step(rates_now[0]),)
            rate, rule = _rate(rates_now, theta), rule_of(plan, rates_now)
    updates = np.arange(state.update + 1, stop + 1)
    wanted = np.isin(updates, kept, assume_unique=True)
    seen, loss = _records(plan, rows, wanted, kept, updates, evaluate)
    diverged_at = _diverged(state, updates, rows, wanted, loss if evaluate else 0 * np.isnan(loss))
    fresh = diverged_at[state.diverged_at < 0]
    first = fresh[fresh >= 0].min(initial=stop)
    if first < stop:  # end the block there: what follows a divergence must not depend on where blocks end
        return block(plan, state, int(first), kept, batch_losses, evaluate)
    if batch_losses is not None:
        batch_losses += losses
    trace = Trace(
        updates[wanted],
        plan.spent(updates[wanted]),
        np.array(rates, dtype=np.float64)[wanted],
        seen.transpose(0, 1).cpu().numpy().copy(),
        loss,
    )
    if averaged is not None:
        means, mean_loss = _records(plan, averages, wanted, kept, updates, evaluate)
        trace = trace._replace(average=means.transpose(0, 1).cpu().numpy().copy(), average_loss=mean_loss)
    if (diverged_at >= 0).any():
        lost = (diverged_at[:, None] >= 0) & (trace.update >= diverged_at[:, None])
        trace.theta[lost] = trace.loss[lost] = np.nan
        if trace.averages:
            trace.average[lost] = trace.average_loss[lost] = np.nan
        theta = _without(theta, diverged_at)
        averaged = averaged and averaged._replace(value=_without(averaged.value, diverged_at))
    return state._replace(
        update=stop, theta=theta, rule_state=rule_state, schedule_state=rates_now, diverged_at=diverged_at,
        averaged=averaged,
    ), trace  # fmt: skip


def _records(
    plan: Plan, rows: list[Tensor], wanted: np.ndarray, kept: np.ndarray, updates: np.ndarray, evaluate: bool
) -> tuple[Tensor, np.ndarray]:
    """The wanted iterates (K, R, P) and their objective (R, K), NaN where nobody evaluates."""
    chosen = [rows[i] for i in np.flatnonzero(wanted)]
    seen = torch.stack(chosen) if chosen else rows[0].new_empty(0, *rows[0].shape)
    if evaluate:
        return seen, objective_of(plan, seen, np.searchsorted(kept, updates[wanted]))
    return seen, np.full((seen.shape[1], seen.shape[0]), np.nan, dtype=plan.experiment.dtype)


def _without(theta: Tensor, diverged_at: np.ndarray) -> Tensor:
    """A copy with NaN in the runs that are lost."""
    theta = theta.clone()
    theta[torch.as_tensor(diverged_at >= 0, device=theta.device)] = torch.nan
    return theta


def rule_of(plan: Plan, schedule: tuple[Any, ...]) -> Rule:
    """The lane's rule, with the momentum of this interval where the schedule moves it."""
    method = plan.method
    return (
        method.rule.with_momentum(method.schedule.momentum(schedule[0]))
        if method.schedule.moves_momentum
        else method.rule
    )


def _rate(schedule: tuple[Any, ...], theta: Tensor) -> float | Tensor:
    if len(schedule) == 1:
        rate: float = schedule[0][1]
        return rate
    return torch.tensor([s[1] for s in schedule], dtype=theta.dtype, device=theta.device)[:, None]


def objective_of(plan: Plan, theta: Tensor, at: np.ndarray) -> np.ndarray:
    """The objective of the records `at` (their places among all records), (R, K), on the evaluation grid."""
    kept, runs, parameters = theta.shape
    loss = np.empty((runs, kept), dtype=plan.experiment.dtype)
    done = 0
    while done < kept:
        offset = int(at[done]) % plan.evaluate
        count = min(plan.evaluate - offset, kept - done)
        # Always the same shape with a record always at the same row: matrix products then round alike.
        frame = theta.new_zeros(plan.evaluate, runs, parameters)
        frame[offset : offset + count] = theta[done : done + count]
        value = plan.problem.objective(frame)[offset : offset + count]
        loss[:, done : done + count] = value.T.cpu().numpy()
        done += count
    return loss


def beyond(state: State, loss: np.ndarray) -> np.ndarray:
    """Which objectives (R, K) are not finite, or too large for a run that is sound."""
    yardstick = np.maximum(np.abs(state.first_loss), 1.0)[:, None]
    return np.asarray(~(np.abs(loss) / DIVERGED <= yardstick))  # divided, since a huge yardstick would overflow


def _diverged(
    state: State, numbers: np.ndarray, rows: list[Tensor], wanted: np.ndarray, loss: np.ndarray
) -> np.ndarray:
    """The first bad update of every run, -1 where there is none yet."""
    bad = np.zeros((len(rows[-1]), len(rows)), dtype=bool)
    if not torch.isfinite(rows[-1]).all():  # what is not finite stays so: a sound last row vouches for all
        bad = ~torch.isfinite(torch.stack(rows)).all(-1).cpu().numpy().T
    bad[:, wanted] |= beyond(state, loss)
    first = np.where(bad.any(1), numbers[bad.argmax(1)], -1)
    return np.where(state.diverged_at >= 0, state.diverged_at, first)
