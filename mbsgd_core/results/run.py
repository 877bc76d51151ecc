"""How far a run has come (floor 0): plain values and arrays, so that they cross processes and outlive a worker."""

from typing import Any, NamedTuple

import numpy as np

from mbsgd_core.results.cost import Costs
from mbsgd_core.types import Trace, ViewBudget, Watch

Frame = dict[str, np.ndarray]  # what a model has learned after some updates, by the name of what shows it


class Scene(NamedTuple):
    """What stays the same of a data set while a model learns it."""

    kind: str  # "boundary" | "images" | "classes" | "numbers"
    train_rows: int  # that a train loss is a mean over
    test_rows: int
    classes: tuple[str, ...]
    axes: tuple[str, ...]  # the features, or the target
    arrays: dict[str, np.ndarray]
    device: str  # in words


class Evaluations(NamedTuple):
    """The model on the held-out rows, at some records; NaN where it cannot be said."""

    at: np.ndarray  # (E,) int64: which records, ascending
    test_loss: np.ndarray  # (E,)
    test_accuracy: np.ndarray  # (E,)

    @classmethod
    def none(cls) -> "Evaluations":
        """No record was judged."""
        return cls(np.empty(0, dtype=np.int64), np.empty(0), np.empty(0))

    def grown(self, piece: "Evaluations", records: int) -> "Evaluations":
        """These, then those of a piece that begins after so many records."""
        moved = piece._replace(at=piece.at + records)
        return Evaluations(*(np.concatenate(pair) for pair in zip(self, moved, strict=True)))


class Replay(NamedTuple):
    """What was learned on the way, to be seen again."""

    at: tuple[int, ...] = ()  # which records
    frames: tuple[Frame, ...] = ()

    def grown(self, piece: "Replay", records: int) -> "Replay":
        """This, then that of a piece that begins after so many records."""
        return Replay(self.at + tuple(k + records for k in piece.at), self.frames + piece.frames)


class LaneProgress(NamedTuple):
    """A lane as far as it has come, or one more piece of it. Pieces share arrays, so don't change them."""

    state: bytes | None  # to go on from; None: finished, or lost
    trace: Trace  # from record 0 on; of a piece: its own records. Its theta is (R, k, P): of the records `memory_cache`
    kept: np.ndarray  # (k,) int64: the records whose theta is kept, ascending
    update: int  # updates made since the start
    updates: int  # ... and planned
    spent: float  # seconds of work, all in; of a piece: its own
    diverged_at: int  # the first bad update, the earliest of all runs; -1: it is sound
    evaluations: Evaluations  # made on the way, where they cannot be made afterwards
    replay: Replay
    newest: Frame  # what it has learned so far; {}: nothing to show
    costs: Costs | None = None  # of an update, from the table; None: not measured yet
    memory: tuple[int, ...] | None = None  # bytes: data, helpers, parameters, gradient, optimizer, activations
    watch: Watch = Watch()  # of a lane with patience
    average_accuracy: float = np.nan  # of the average on the test rows, at the newest record; NaN: look for yourself

    def grown(self, piece: "LaneProgress") -> "LaneProgress":
        """This lane with the next piece at its end."""
        records = len(self.trace.update)
        return piece._replace(
            trace=Trace.joined([self.trace, piece.trace]),
            kept=np.concatenate([self.kept, piece.kept + records]),
            spent=self.spent + piece.spent,
            diverged_at=self.diverged_at if self.diverged_at >= 0 else piece.diverged_at,
            evaluations=self.evaluations.grown(piece.evaluations, records),
            replay=self.replay.grown(piece.replay, records),
            newest=piece.newest or self.newest,
            costs=self.costs,
            memory=self.memory,
            average_accuracy=self.average_accuracy if np.isnan(piece.average_accuracy) else piece.average_accuracy,
        )

    @property
    def over(self) -> bool:
        """Whether nothing is left to train."""
        return self.state is None

    @property
    def share(self) -> float:
        """Of its updates that are made, 0 ... 1."""
        return self.update / self.updates if self.updates else 1.0

    @property
    def pace(self) -> float:
        """Seconds of wall time an update, records and all, on average; 0 before the first one."""
        return self.spent / self.update if self.update else 0.0

    @property
    def left(self) -> float:
        """Seconds of work to come, about."""
        return 0.0 if self.over else (self.updates - self.update) * self.pace

    @property
    def path(self) -> Trace:
        """The records whose theta is kept, as a trace of their own."""
        trace, kept = self.trace, self.kept
        if len(kept) == len(trace.update):
            return trace
        thin = trace._replace(theta=trace.loss, average=trace.average_loss).at(kept)  # theta is thin already
        return thin._replace(theta=trace.theta, average=trace.average)


class View(NamedTuple):
    """How much of a run somebody looks at: which panels, and how closely."""

    panels: tuple[str, ...] = ()  # by name; (): those that the problem shows first
    view_budget: ViewBudget | None = None  # for a picture that moves; None: everything


EVERYTHING = View()


class RunProgress(NamedTuple):
    """A run as far as it has come, with the newest report on it."""

    lanes: tuple[LaneProgress, ...]
    report: dict[str, Any]  # of measures.report

    @property
    def done(self) -> bool:
        """Whether all lanes are over."""
        return all(lane.over for lane in self.lanes)

    @property
    def progress(self) -> float:
        """0 ... 1, in seconds of work; 0 before all lanes are measured."""
        if self.done:
            return 1.0
        made, left = sum(lane.update * lane.pace for lane in self.lanes), self.left
        return made / (made + left) if left is not None else 0.0

    @property
    def left(self) -> float | None:
        """Seconds of work to come, about; None before all lanes are measured."""
        waiting = [lane for lane in self.lanes if not lane.over]
        return sum(lane.left for lane in waiting) if all(lane.pace for lane in waiting) else None


def furthest_behind(lanes: "tuple[LaneProgress, ...] | list[LaneProgress]") -> int | None:
    """The unfinished lane with the smallest share of its updates behind it; None when all are over."""
    waiting = [i for i, lane in enumerate(lanes) if not lane.over]
    return min(waiting, key=lambda i: lanes[i].share, default=None)
