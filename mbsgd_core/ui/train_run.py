"""The visitor's run on Train (floor 6): started, stopped, taken up again.

It goes on while other pages are looked at, and ends when the browser's tab is gone.
"""

import json
import time
from collections.abc import Callable
from functools import partial

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from mbsgd_core.experiment import Experiment
from mbsgd_core.jobs.job import Job
from mbsgd_core.jobs.training import Training, training
from mbsgd_core.ui.work import runner

LEASE = 10.0  # seconds that a run outlives its page: connections break and come back
QUICK = 25.0  # seconds: what takes less starts by itself
CALL, SPEED = 1e-4, 2e10  # seconds an update at least; operations a second


def current() -> Job | None:
    """The newest run of this session."""
    return st.session_state.get("run")


def result() -> Training | None:
    """As far as it has come."""
    job = current()
    return None if job is None else job.result


def trained() -> str:
    """The experiment that it trains, as JSON."""
    return st.session_state.get("run_of", "")


def state() -> str:
    """none | running | paused | stopped | failed | done."""
    job = current()
    if job is None:
        return "none"
    if job.state == "cancelled":
        return st.session_state["run_ended"]
    return job.state if job.state in ("done", "failed") else "running"


def start(experiment: Experiment, known: Training | None = None) -> None:
    """Train it, from the start or from what is known."""
    mine, text = st.session_state, experiment.to_json()
    chain = partial(training, text, known, _lease())
    mine["run"] = runner().run(("train", mine["owner"]), object(), chain)
    mine["run_of"], mine["run_ended"] = text, "stopped"


def resume() -> None:
    """Go on with what was paused, stopped or failed."""
    start(Experiment.model_validate(json.loads(trained())), result())


def end(how: str) -> None:
    """Stop it, and keep what it has; how: "paused" or "stopped"."""
    job = current()
    if job is not None:
        st.session_state["run_ended"] = how
        job.cancel()


def forget() -> None:
    """Stop it, and have none."""
    end("stopped")
    st.session_state.pop("run", None)


def seconds(experiment: Experiment) -> float:
    """Roughly how long a run takes, guessed from its operations: good enough to decide whether it starts by itself."""
    total = 0.0
    for i in range(len(experiment.lanes)):
        updates, problem = experiment.updates(i), experiment.problem
        samples = problem.sample_count * updates / max(experiment.updates_per_epoch(i), 1)
        total += CALL * updates + 3 * problem.flops * samples / SPEED
    return total


def _lease() -> Callable[[], bool]:
    """Asks whether this session's tab is still there, or was a moment ago."""
    context = get_script_run_ctx()
    if context is None or not st.runtime.exists():
        return lambda: True
    session, seen = context.session_id, [time.monotonic()]

    def alive() -> bool:
        now = time.monotonic()
        if st.runtime.exists() and st.runtime.get_instance().is_active_session(session):
            seen[0] = now
        return now - seen[0] < LEASE

    return alive
