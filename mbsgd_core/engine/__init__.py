"""The engine (floor 3): init(experiment, lane) -> State, advance(state, n) -> (State, Trace).

advance is pure and chunk-invariant: advance(state, 400) equals eight times advance(state, 50) bit for bit. Two things
make it so. Randomness is counter-based, so an epoch's order needs no history. And whatever is computed for several
updates at once (gathering batches, evaluating the objective) is cut on a grid that is fixed to the update's own
number, never to where a chunk begins: the shapes, and so the rounding, are the same for every chunking.
"""

from mbsgd_core.engine.block import DIVERGED, beyond
from mbsgd_core.engine.lane import advance, init, join, run, snapshot
from mbsgd_core.engine.plan import SPARSE_RECORDS, batch_indices, device_of, finite_sum, records, samples_spent
from mbsgd_core.engine.sweep import Part, Sweep, SweepState, sweep, sweep_advance, sweep_init, sweep_join

__all__ = [
    "DIVERGED",
    "SPARSE_RECORDS",
    "Part",
    "Sweep",
    "SweepState",
    "advance",
    "batch_indices",
    "beyond",
    "device_of",
    "finite_sum",
    "init",
    "join",
    "records",
    "run",
    "samples_spent",
    "snapshot",
    "sweep",
    "sweep_advance",
    "sweep_init",
    "sweep_join",
]
