"""A job (floor 5): what somebody asked for, as all threads of the web process see it."""

import threading
import time
from collections.abc import Callable, Generator, Hashable
from typing import Any

from mbsgd_core.errors import JobCancelled, JobError
from mbsgd_core.results.run import View

Task = tuple[Callable[..., Any], tuple[Any, ...]]  # what a worker calls
Chain = Generator[Task, Any, Any]  # yields the next task, is sent its result, returns the job's


class Job:
    """What somebody asked for. Read it from any thread; only the runner writes it."""

    def __init__(self, owner: Hashable, name: Hashable, cancel: Callable[["Job"], None]):
        self.owner, self.name = owner, name
        self.state = "queued"  # queued | running | waiting | paused | done | failed | cancelled
        self.progress = 0.0
        self.message = "Waiting for a free worker."
        self.result: Any = None  # the newest, partial ones too
        # The runner's own notes:
        self.experiment: str | None = None  # whose result is worth remembering
        self.view = View()  # what its next report is to hold
        self.held = False  # whether its next task waits until somebody lets it go on
        self.resting: str | None = None  # "waiting" or "paused" while it does
        self.chain: Chain
        self.task: Task  # the next, or the one that runs
        self.seconds: float | None = None  # that the last one took
        self.patient = False  # whether those who have just come go first
        self.deaths = 0  # of workers, in this one
        self._changed = threading.Condition()
        self._cancel = cancel
        self._listeners: list[Callable[[], Any]] = []
        self._left: float | None = None  # when the last listener went; None: nobody ever listened

    @property
    def over(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.state in ("done", "failed", "cancelled")

    def wait(self, timeout: float | None = None, partial_result: bool = False) -> bool:
        """Wait for the end, or just for the first result; whether that came within the timeout (seconds)."""
        with self._changed:
            return self._changed.wait_for(lambda: self.over or (partial_result and self.result is not None), timeout)

    def answer(self, timeout: float | None = None) -> Any:
        """Wait for the final result and return it; a JobError says why there is none."""
        if not self.wait(timeout):
            raise JobError(f"the answer took more than {timeout:g} s; try again, or ask for less")
        if self.state != "done":
            raise (JobCancelled if self.state == "cancelled" else JobError)(self.message)
        return self.result

    def listen(self, told: Callable[[], Any]) -> None:
        """Call `told` whenever something has changed, from any thread, until `leave`."""
        with self._changed:
            self._listeners.append(told)

    def expect(self) -> None:
        """Somebody is about to listen: who then never does counts as gone."""
        with self._changed:
            self._left = time.monotonic()

    def leave(self, told: Callable[[], Any]) -> None:
        """No longer call it."""
        with self._changed:
            self._listeners.remove(told)
            self._left = time.monotonic()

    def unheard(self) -> float:
        """Seconds since its last listener went; 0 while somebody listens, and if nobody ever did."""
        return 0.0 if self._listeners or self._left is None else time.monotonic() - self._left

    def cancel(self) -> None:
        """Stop it; what is known so far stays in `result`."""
        self._cancel(self)

    def tell(self, **fields: Any) -> None:
        """Change fields and wake who waits; for the runner and the chains."""
        with self._changed:
            vars(self).update(fields)
            self._changed.notify_all()
            listeners = list(self._listeners)
        for told in listeners:
            told()
