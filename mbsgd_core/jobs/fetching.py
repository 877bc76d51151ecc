"""Files on their way here because somebody asked for them (floor 5): one download a data set, whoever waits for it.

It waits for the network, not for a processor, so it is a thread of the web process and takes no worker.
"""

import logging
import threading

from mbsgd_core.errors import JobCancelled, LabError
from mbsgd_core.problems.datasets.base import Dataset

_log = logging.getLogger(__name__)


class Fetch:
    """One download; read it from any thread."""

    def __init__(self, dataset: Dataset):
        self.done, self.total = 0, dataset.missing  # bytes
        self.state = "running"  # running | done | failed | cancelled
        self.message = ""
        self._unwanted = threading.Event()
        self._over = threading.Event()
        threading.Thread(target=self._run, args=(dataset,), name="fetch", daemon=True).start()

    def cancel(self) -> None:
        """End it soon; files that are whole already stay."""
        self._unwanted.set()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for its end; whether that came within the timeout (seconds)."""
        return self._over.wait(timeout)

    def _run(self, dataset: Dataset) -> None:
        try:
            dataset.fetch(self._tell)
            self.state = "done"
        except JobCancelled as stop:
            self.state, self.message = "cancelled", str(stop)
        except LabError as error:
            self.state, self.message = "failed", str(error)
        except Exception as bug:
            _log.exception("a download failed")
            self.state = "failed"
            self.message = f"The download failed for a reason that was not foreseen ({type(bug).__name__})."
        finally:
            self._over.set()

    def _tell(self, done: int, total: int) -> None:
        if self._unwanted.is_set():
            raise JobCancelled("The download was stopped.")
        self.done, self.total = done, total


class Fetches:
    """The server's downloads, by data set; visitors who want the same wait for the same."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._newest: dict[str, Fetch] = {}

    def of(self, dataset: Dataset) -> Fetch | None:
        """The newest download of this data set, if there was one."""
        return self._newest.get(dataset.model_dump_json())

    def start(self, dataset: Dataset) -> Fetch:
        """Fetch what is missing, unless that is under way."""
        with self._lock:
            running = self.of(dataset)
            if running is not None and running.state == "running":
                return running
            fetch = self._newest[dataset.model_dump_json()] = Fetch(dataset)
            return fetch
