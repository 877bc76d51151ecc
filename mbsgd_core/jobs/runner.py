"""The runner (floor 5): the web process's half of every background run. It never imports torch.

A run is a chain of short tasks: a generator yields the next task and is sent what came back. So progress, cancelling,
fairness between visitors and going on after a dead worker are the same few lines: the chain lives here, each task is a
pure function, and a worker holds nothing that can be lost.
"""

import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Hashable
from concurrent.futures import BrokenExecutor, Future
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple

from mbsgd_core.errors import JobError, LabError
from mbsgd_core.jobs import run, tasks
from mbsgd_core.jobs.job import Chain, Job
from mbsgd_core.jobs.results import Results, holds, unweighed
from mbsgd_core.jobs.slots import BACK, FRONT, Slot, ready
from mbsgd_core.results.run import EVERYTHING, RunProgress, View

RETRIES = 2  # of a task whose worker died
GRACE = 0.25  # seconds that a cancelled task is given to end by itself
UNKNOWN, LEAST, SLACK = 60.0, 5.0, 10.0  # a task may take 60 s at first, then 10 times its forerunner, at least 5 s
WAITING = 64  # jobs at a time
LEASE = 15.0  # seconds that a run outlives its last listener: connections break and come back

_log = logging.getLogger(__name__)


class _Turn(NamedTuple):
    """One task of a job in a slot."""

    job: Job
    begun: float
    limit: float  # seconds


class Runner:
    """Runs jobs on K slots, a task of each in turn; safe to use from all threads. One a web process.

    Patient jobs, those with long runs in the background, never have the first slot if there are others: who drags a
    slider finds a worker that is not in the middle of somebody's network, and that goes before it.

    Args:
        slots: worker processes; None: MBSGD_SLOTS, or one less than there are cores, at least 2.
    """

    def __init__(self, slots: int | None = None):
        count = slots or int(os.environ.get("MBSGD_SLOTS") or max(2, (os.cpu_count() or 1) - 1))
        self.slots = [Slot(FRONT if i == 0 else BACK) for i in range(count)]
        self._front = self.slots[0] if count > 1 else None
        self._lock = threading.RLock()
        self._queue: deque[Job] = deque()  # those with a task that no slot has
        self._free: list[Slot] = []
        self._turns: dict[Slot, _Turn] = {}
        self._ends: dict[Slot, float] = {}  # when the watch kills a turn
        self._newest: dict[Hashable, Job] = {}  # each owner's, until it is over
        self._results = Results()
        self._repairs: SimpleQueue[Slot | None] = SimpleQueue()
        self._warm = self._closed = False

    def warm(self) -> None:
        """Start the workers in the background, so that nobody waits for torch to be imported."""
        with self._lock:
            if self._warm or self._closed:
                return
            self._warm = True
        # Before concurrent.futures joins its threads at exit, or a runaway worker would hold the exit up for ever.
        threading._register_atexit(self.shutdown)  # type: ignore[attr-defined]
        for slot in self.slots:
            self._repairs.put(slot)
        threading.Thread(target=self._watch, name="runner", daemon=True).start()

    def shutdown(self) -> None:
        """Kill all workers, now."""
        with self._lock:
            self._closed = True
            for job in list(self._newest.values()):
                self._end(job, "cancelled", "The server stops.")
        self._repairs.put(None)
        for slot in self.slots:
            slot.kill()

    def submit(self, owner: Hashable, experiment_json: str, view: View = EVERYTHING, held: bool = False) -> Job:
        """Run an experiment, or find the run of it that the owner has; the owner's older run is cancelled.

        Args:
            owner: who asks; each has one run at a time.
            experiment_json: from Experiment.to_json().
            view: what the report must hold.
            held: whether the run makes its start alone (with a view budget: its first report), and waits for
                `go_on`.

        Returns:
            A Job; its `result`, partial ones too, is a RunProgress. Don't change it: equal experiments share it.
        """
        with self._lock:
            older = self._newest.get(owner)
            if older is not None and older.experiment == experiment_json and view.view_budget is None:
                older.view = view  # its next report
                return older
            known = self._results.get(experiment_json)
            if known is None or not holds(known.report, view) or unweighed(known, view):
                return self.run(
                    owner, (experiment_json, view), partial(run.run, experiment_json, known), experiment_json, view,
                    held and known is None,
                )  # fmt: skip
            self._cancel_older(owner)
            job = Job(owner, experiment_json, self._cancel)
            self._end(job, "done", "", progress=1.0, result=known)
            return job

    def known(self, experiment_json: str) -> RunProgress | None:
        """The finished run of an experiment, while it is remembered."""
        with self._lock:
            return self._results.get(experiment_json)

    def pause(self, owner: Hashable) -> None:
        """Let the owner's run rest after the task that it is at, the first one at least; it keeps what it has."""
        with self._lock:
            job = self._newest.get(owner)
            if job is not None and job.resting is None:
                job.held = True
                if job in self._queue and job.result is not None:
                    self._queue.remove(job)
                    self._rest(job)

    def go_on(self, owner: Hashable) -> None:
        """Let the owner's run go on, if it rests."""
        with self._lock:
            job = self._newest.get(owner)
            if job is None:
                return
            job.held = False
            if job.resting is not None:
                job.resting = None
                job.tell(state="queued", message="Waiting for a free worker.")
                self._queue.insert(self._place(job), job)
                self._give_turns()

    def _rest(self, job: Job) -> None:
        started = job.result is not None and any(lane.update for lane in job.result.lanes)
        job.resting = "paused" if started else "waiting"
        job.tell(state=job.resting, message="")

    def run(
        self,
        owner: Hashable,
        name: Hashable,
        chain: Callable[[Job], Chain],
        experiment_json: str | None = None,
        view: View = EVERYTHING,
        held: bool = False,
    ) -> Job:
        """Run any chain of tasks.

        Args:
            owner: who asks; an older job of the same owner is cancelled, unless it has the same name.
            name: what the job is.
            chain: makes the generator of its tasks.
            experiment_json: whose result it makes, to be remembered.
            view, held: as in `submit`.
        """
        self.warm()
        with self._lock:
            if self._closed:
                raise JobError("the server stops; nothing new can be run")
            older = self._newest.get(owner)
            if older is not None and older.name == name:
                return older
            self._cancel_older(owner)
            if len(self._newest) >= WAITING:
                raise JobError(f"the server is busy: {WAITING} runs wait already; try again in a few seconds")
            job = Job(owner, name, self._cancel)
            job.experiment, job.view, job.held = experiment_json, view, held
            job.chain = chain(job)
            job.task = next(job.chain)
            self._newest[owner] = job
            self._queue.insert(self._place(job), job)
            self._give_turns()
            return job

    def _place(self, job: Job) -> int:
        """Where a newcomer joins the queue: before those with long runs in the background, behind all others."""
        patient = (i for i, other in enumerate(self._queue) if other.patient and not job.patient)
        return next(patient, len(self._queue))

    def ask(self, owner: Hashable, function: Callable[..., Any], *args: Any) -> Job:
        """Run one function in a worker, in turn with everything else; the owner's older question is cancelled."""
        return self.run(("question", owner), object(), partial(run.question, function, args))

    def at_cursor(
        self, owner: Hashable, experiment_json: str, indices: list[int], timeout: float = 10.0
    ) -> list[dict[str, Any] | None]:
        """What other batches would say at one record of each lane; waits for the answer.

        Args:
            owner: who asks.
            experiment_json: what was run; it is run again if its result is no longer known.
            indices: the record of each lane; beyond the end means the last.
            timeout: seconds, after which a JobError says so.
        """
        with self._lock:
            newest, result = self._newest.get(owner), self._results.get(experiment_json)
            if newest is not None and newest.experiment == experiment_json:
                result = newest.result or result
        if result is None:
            again = self.submit(("cursor", owner), experiment_json)  # not in the place of what the owner looks at
            try:
                result = again.answer(timeout)
            finally:
                again.cancel()
        plane = result.report["plane"]
        if plane is None:
            return [None] * len(result.lanes)
        traces = [lane.trace for lane in result.lanes]
        at = [min(max(0, k), len(trace.update) - 1) for k, trace in zip(indices, traces, strict=True)]
        thetas = [trace.theta[0, k] for k, trace in zip(at, traces, strict=True)]
        updates = [int(trace.update[k]) for k, trace in zip(at, traces, strict=True)]
        asked = self.ask(owner, tasks.at_cursor, experiment_json, at, thetas, plane, updates)
        answers: list[dict[str, Any] | None] = asked.answer(timeout)
        return answers

    def _cancel_older(self, owner: Hashable) -> None:
        if owner in self._newest:
            self._cancel(self._newest[owner])

    def _cancel(self, job: Job) -> None:
        with self._lock:
            if job.over:
                return
            self._end(job, "cancelled", "Stopped.")
            if job in self._queue:
                self._queue.remove(job)
            for slot, turn in self._turns.items():
                if turn.job is job:
                    self._ends[slot] = min(self._ends[slot], time.monotonic() + GRACE)

    def _end(self, job: Job, state: str, message: str, **fields: Any) -> None:
        if self._newest.get(job.owner) is job:
            del self._newest[job.owner]
        if not job.over:
            job.tell(state=state, message=message, **fields)

    def _give_turns(self) -> None:
        while not self._closed and (match := self._match()) is not None:
            job, slot = match
            self._queue.remove(job)
            self._free.remove(slot)
            now = time.monotonic()
            limit = UNKNOWN if job.seconds is None else max(LEAST, SLACK * job.seconds)
            self._turns[slot], self._ends[slot] = _Turn(job, now, limit), now + limit
            if job.state == "queued":
                job.tell(state="running", message="Training.")
            function, args = job.task
            # The kernel's limit is the second line, for when nobody watches any more.
            future = _submit(slot, function, *args, cpu_seconds=limit + LEAST)
            future.add_done_callback(partial(self._turn_ended, slot))

    def _match(self) -> tuple[Job, Slot] | None:
        """The first job in the queue that may have a slot that is free, the first slot before others."""
        pairs = ((job, slot) for slot in sorted(self._free, key=self.slots.index) for job in self._queue)
        return next(((job, slot) for job, slot in pairs if not (job.patient and slot is self._front)), None)

    def _turn_ended(self, slot: Slot, future: Future[Any]) -> None:
        """Runs in the slot's own thread, as soon as the worker's answer is there."""
        with self._lock:
            turn, late = self._turns.pop(slot), time.monotonic() > self._ends.pop(slot)
            job, error = turn.job, _error(future)
            if isinstance(error, BrokenExecutor):
                self._repairs.put(slot)
                self._worker_died(job, turn.limit if late else None)
            else:
                self._free.append(slot)
                job.seconds, job.deaths = time.monotonic() - turn.begun, 0
                if not job.over:
                    self._go_on(job, future, error)
            self._give_turns()

    def _worker_died(self, job: Job, limit: float | None) -> None:
        if job.over:
            return
        job.deaths += 1
        if limit is not None:
            self._end(job, "failed", f"A step of this run took more than {limit:.0f} s and was stopped; ask for less.")
        elif job.deaths > RETRIES:
            self._end(job, "failed", "This run ended its worker process three times; it may need too much memory.")
        else:
            self._queue.appendleft(job)

    def _go_on(self, job: Job, future: Future[Any], error: BaseException | None) -> None:
        try:
            job.task = job.chain.throw(error) if error is not None else job.chain.send(future.result())
            if job.held:
                self._rest(job)
            else:
                self._queue.append(job)
        except StopIteration as stop:
            if job.experiment is not None:
                self._remember(job.experiment, stop.value)
            self._end(job, "done", "", progress=1.0, result=stop.value)
        except LabError as refusal:
            self._end(job, "failed", str(refusal))
        except Exception as bug:
            _log.exception("a background run failed")
            self._end(job, "failed", f"This run failed for a reason that was not foreseen ({type(bug).__name__}).")

    def _remember(self, experiment_json: str, result: RunProgress) -> None:
        """Keep a result; one that is thinned takes no place of one that is whole."""
        before = self._results.get(experiment_json)
        if before is None or result.report["thinned"] is None or before.report["thinned"] is not None:
            self._results.put(experiment_json, result)

    def _watch(self) -> None:
        """Starts workers, kills those that take too long, ends runs that nobody listens to any more.

        All of that may block, so it has a thread of its own."""
        while not self._closed:
            try:
                slot = self._repairs.get(timeout=0.1)
            except Empty:
                slot = None
            if slot is not None:
                slot.kill()
                _submit(slot, ready).add_done_callback(partial(self._worker_ready, slot))
            with self._lock:
                now = time.monotonic()
                late = [slot for slot, end in self._ends.items() if now > end]
                for job in [job for job in self._newest.values() if job.unheard() > LEASE]:
                    self._cancel(job)
            for slot in late:
                slot.kill()
        for slot in self.slots:
            slot.kill()

    def _worker_ready(self, slot: Slot, future: Future[Any]) -> None:
        error = _error(future)
        if error is None:
            with self._lock:
                self._free.append(slot)
                self._give_turns()
        elif not self._closed:
            _log.error("a worker process could not be started: %r", error)
            again = threading.Timer(1.0, self._repairs.put, [slot])
            again.daemon = True
            again.start()


def _submit(slot: Slot, function: Callable[..., Any], *args: Any, **limits: float) -> Future[Any]:
    """slot.submit, where a worker that cannot be started counts as one that died."""
    try:
        return slot.submit(function, *args, **limits)
    except (OSError, RuntimeError) as error:
        failed: Future[Any] = Future()
        failed.set_exception(BrokenExecutor(str(error)))
        return failed


def _error(future: Future[Any]) -> BaseException | None:
    return BrokenExecutor("killed") if future.cancelled() else future.exception()
