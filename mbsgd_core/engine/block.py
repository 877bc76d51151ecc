"""A block of updates by the torch definition, with its records (floor 3)."""

import numpy as np
import torch
from torch import Tensor

from mbsgd_core.engine.plan import Plan, samples_spent
from mbsgd_core.types import State, Trace

# A run counts as diverged once it is not finite, or its loss has grown by this factor over the start (or over 1).
DIVERGED = 1e9


def block(plan: Plan, state: State, stop: int, kept: np.ndarray) -> tuple[State, Trace]:
    """The updates up to `stop`, with their records."""
    problem, rule, schedule = plan.problem, plan.method.rule, plan.method.schedule
    theta, rule_state, rates_now = state.theta, state.rule_state, state.schedule_state
    rate = _rate(rates_now, theta)
    rows, rates = [], []
    for batch, ends_epoch in plan.batches(state.update, stop):
        delta, rule_state = rule.update(problem.gradient(theta, batch), rule_state, theta, rate)
        theta = theta + delta
        rows.append(theta)
        rates.append(rates_now[0][1])
        if ends_epoch or schedule.interval == "update":
            if schedule.watches_objective:
                watched = _objective(plan, theta[None], np.zeros(1, dtype=np.int64))[:, 0]
                rates_now = tuple(schedule.step(s, float(f)) for s, f in zip(rates_now, watched, strict=True))
            else:
                rates_now = (schedule.step(rates_now[0]),)
            rate = _rate(rates_now, theta)
    updates = np.arange(state.update + 1, stop + 1)
    wanted = np.isin(updates, kept, assume_unique=True)
    stack = torch.stack(rows)  # (n, R, P)
    seen = stack[torch.as_tensor(wanted)]
    loss = _objective(plan, seen, np.searchsorted(kept, updates[wanted]))
    diverged_at = _diverged(state, updates, stack, wanted, loss)
    fresh = diverged_at[state.diverged_at < 0]
    first = fresh[fresh >= 0].min(initial=stop)
    if first < stop:  # end the block there: what follows a divergence must not depend on where blocks end
        return block(plan, state, int(first), kept)
    trace = Trace(
        updates[wanted],
        samples_spent(plan.sizes, updates[wanted]),
        np.array(rates, dtype=np.float64)[wanted],
        seen.transpose(0, 1).cpu().numpy().copy(),
        loss,
    )
    if (diverged_at >= 0).any():
        lost = (diverged_at[:, None] >= 0) & (trace.update >= diverged_at[:, None])
        trace.theta[lost] = trace.loss[lost] = np.nan
        theta = theta.clone()
        theta[torch.as_tensor(diverged_at >= 0)] = torch.nan
    return state._replace(
        update=stop, theta=theta, rule_state=rule_state, schedule_state=rates_now, diverged_at=diverged_at
    ), trace


def _rate(schedule: tuple, theta: Tensor) -> float | Tensor:
    if len(schedule) == 1:
        return schedule[0][1]
    return torch.tensor([s[1] for s in schedule], dtype=theta.dtype, device=theta.device)[:, None]


def _objective(plan: Plan, theta: Tensor, at: np.ndarray) -> np.ndarray:
    """The objective of the records `at` (their places among all records), (R, K), on the evaluation grid."""
    kept, runs, parameters = theta.shape
    loss = np.empty((runs, kept), dtype=theta.cpu().numpy().dtype)
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


def _diverged(state: State, numbers: np.ndarray, stack: Tensor, wanted: np.ndarray, loss: np.ndarray) -> np.ndarray:
    """The first bad update of every run, -1 where there is none yet."""
    bad = ~torch.isfinite(stack).all(-1).cpu().numpy().T  # (R, n)
    yardstick = np.maximum(np.abs(state.first_loss), 1.0)[:, None]
    bad[:, wanted] |= ~(np.abs(loss) / DIVERGED <= yardstick)  # divided, since a huge yardstick would overflow
    first = np.where(bad.any(1), numbers[bad.argmax(1)], -1)
    return np.where(state.diverged_at >= 0, state.diverged_at, first)
