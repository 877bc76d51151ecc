"""Compiled lanes for small problems (floor 3), proven equal to the torch definitions.

A surface or a rule is recorded once from its own definition (`tape`) and run by one compiled machine; linear models
and small networks have loops of their own. What cannot be recorded, and everything where numba or its cache is
missing, runs on torch: nothing else changes. A server fills the cache in the background, `python -m mbsgd_core.kernels`
at once.
"""

from typing import Any

import numpy as np

from mbsgd_core.kernels.ready import DTYPES, ask_for, is_possible, is_ready, look_again
from mbsgd_core.random import key
from mbsgd_core.samplers.base import Sampler


def load() -> None:
    """Bring what has been compiled by now into this process: a second that no visitor waits for."""
    for dtype in look_again():
        from mbsgd_core.kernels.compile import EXAMPLES, run_once

        for example in EXAMPLES:
            run_once(example, dtype)


def descent_for(total: Any, rule: Any, schedule: Any, dtype: str) -> Any:
    """(the compiled form of a problem, the tape of a rule), or None where torch has to do it."""
    from mbsgd_core.kernels.forms import has_form

    if not is_possible() or not has_form(total) or (schedule.watches_objective and schedule.interval == "update"):
        return None
    if not is_ready(dtype):
        ask_for(dtype)
        return None
    from mbsgd_core.kernels.descents import descent_of
    from mbsgd_core.kernels.registers import tape_of

    descent, tape = descent_of(total), tape_of(rule)
    return None if descent is None or tape is None else (descent, tape)


def visits(sampler: Sampler, seed: int, runs: int, epoch: int, end: int, samples: int) -> np.ndarray:
    """Every run's visits in the epochs from `epoch` to `end`, end to end: (R, E samples)."""
    if sampler.permutes_anew and any(map(is_ready, DTYPES)):
        from mbsgd_core.kernels.shuffle import permutations

        orders = np.empty((runs, end - epoch, samples), dtype=np.int64)
        permutations(*key(seed, "order"), runs, epoch, orders)
    else:
        drawn = [sampler.orders(seed, runs, e, samples) for e in range(epoch, end)]
        orders = np.stack([d for d in drawn if d is not None], axis=1)
    return orders.reshape(runs, -1)
