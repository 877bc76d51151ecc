"""Patience: a lane stops when its watched loss no longer falls (floor 3).

The watch is part of the State, so a run may be cut into chunks anywhere. All runs of a lane stop together: what is
watched is the mean over the runs that are sound.
"""

import numpy as np

from mbsgd_core.engine.block import objective_of
from mbsgd_core.engine.plan import Plan
from mbsgd_core.types import State, Trace


def look(plan: Plan, state: State, trace: Trace, looks: np.ndarray, evaluate: bool) -> State:
    """The state, with what its watch sees if an epoch ends here; the trace's last record is this update's."""
    sound = state.diverged_at < 0
    if state.update % plan.per_epoch or not sound.any():
        return state
    watch, loss = state.watch, _watched(plan, state, trace, looks, evaluate)[sound].mean()
    if loss < watch.best - plan.experiment.budget.min_delta:
        return state._replace(watch=watch._replace(best=float(loss), best_at=state.update, waited=0))
    waited = watch.waited + 1
    stopped = state.update if waited >= plan.patience else -1
    return state._replace(watch=watch._replace(waited=waited, stopped_at=stopped))


def only(trace: Trace, kept: np.ndarray, state: State) -> Trace:
    """The records that are kept, and the last one of a lane that has stopped."""
    wanted = np.isin(trace.update, kept) | (trace.update == state.watch.stopped_at)
    return trace if wanted.all() else trace.at(np.flatnonzero(wanted))


def _watched(plan: Plan, state: State, trace: Trace, looks: np.ndarray, evaluate: bool) -> np.ndarray:
    """The test loss of every run where rows are held out, else the objective, (R,)."""
    tested = plan.problem.test_curves(state.theta)[0]
    if not np.isnan(tested).all():
        return tested
    if evaluate:
        return trace.loss[:, -1].astype(np.float64)
    return objective_of(plan, state.theta[None], np.searchsorted(looks, [state.update]))[:, 0].astype(np.float64)
