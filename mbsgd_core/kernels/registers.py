"""A rule's tape with its registers (floor 3): packs theta and the rule's state, runs, unpacks."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from mbsgd_core.kernels.rule_tape import RuleTape, record_rule
from mbsgd_core.kernels.tape import NARROW, NotRecordable, Recording


class Epochs(NamedTuple):
    """How updates find their batches in the visits of whole epochs."""

    size: int  # of a batch
    per_epoch: int  # batches
    samples: int
    first: int  # the epoch with which the visits begin


class Registers:
    """One run's registers for L lanes: theta and tensors of the state as (P L,) rows, numbers as (L,) rows."""

    def __init__(self, tape: RuleTape, parameters: int, lanes: int, dtype: Any, knobs: Mapping[str, np.ndarray] = {}):
        self.program, self.leaves, self.start, self.lanes = tape.program, tape.leaves, tape.start, lanes
        self.narrow = filled(tape.recording.narrow_constants, tape.recording.narrow_count, lanes, np.float64)
        self.wide = filled(tape.recording.wide_constants, tape.recording.wide_count, parameters * lanes, dtype)
        for name, values in knobs.items():
            self.narrow[tape.knobs[name]] = values

    def begin(self, theta: np.ndarray) -> None:
        """Put in theta (P, L or 1) and the state before the first update."""
        self.wide[0].reshape(-1, self.lanes)[:] = theta
        for leaf in self.leaves:
            (self.narrow if leaf.kind == NARROW else self.wide)[leaf.register] = self.start[leaf.place]

    def load(self, theta: np.ndarray, state: Mapping[int, Any]) -> None:
        """Put in theta (P, L) and the leaves of the state by their places: numbers, or tensors (P, L)."""
        self.wide[0] = theta.reshape(-1)
        for leaf in self.leaves:
            if leaf.kind == NARROW:
                self.narrow[leaf.register] = state[leaf.place]
            else:
                self.wide[leaf.register] = state[leaf.place].reshape(-1)


@lru_cache(maxsize=256)
def tape_of(rule: Any, knobs: tuple[str, ...] = ()) -> RuleTape | None:
    """The rule's tape, None if it is more than a straight line of arithmetic; cached."""
    try:
        return record_rule(rule, knobs)
    except NotRecordable:
        return None


def filled(constants: tuple[tuple[int, float], ...], count: int, width: int, dtype: Any) -> np.ndarray:
    """(count, width) registers, the constants in place."""
    registers = np.zeros((count, width), dtype=dtype)
    with np.errstate(over="ignore"):  # 1e300 is infinite in float32, as it is for torch
        for register, value in constants:
            registers[register] = value
    return registers


def surface_registers(recording: Recording, width: int, dtype: Any) -> np.ndarray:
    """(f, width) registers of a surface's tape."""
    return filled(recording.wide_constants, recording.wide_count, width, dtype)
