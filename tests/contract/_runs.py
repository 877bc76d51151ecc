"""Small experiments of one lane, run and judged."""

from typing import Any

import numpy as np

from mbsgd_core import engine
from mbsgd_core.experiment import Experiment
from mbsgd_core.measures.diagnosis import diagnose
from mbsgd_core.measures.truth import truth
from mbsgd_core.results.verdict import Diagnosis
from mbsgd_core.types import Trace


def experiment(
    problem: Any,
    rate: float,
    sampler: Any = "full_batch",
    rule: Any = "sgd",
    epochs: float = 400,
    schedule: str = "constant",
    unit: str = "epochs",
    **more: Any,
) -> Experiment:
    """An experiment of one lane; `more` are fields of the experiment."""
    lane = {"sampler": sampler, "rule": rule, "schedule": {"name": schedule, "learning_rate": rate}}
    return Experiment.model_validate(
        {"problem": problem, "lanes": [lane], "budget": {"unit": unit, "amount": epochs}} | more
    )


def run(e: Experiment) -> Trace:
    """Every update of its lane."""
    return engine.run(e, 0, every=1)[1]


def judged(e: Experiment, trace: Trace | None = None) -> Diagnosis:
    """What became of its lane."""
    return diagnose(e, 0, run(e) if trace is None else trace, truth(e).value)


def again(e: Experiment, found: Diagnosis) -> Diagnosis:
    """What becomes of it with the remedy, where the knob is one of the schedule or of the rule."""
    remedy = found.badge.remedy
    assert remedy is not None and np.isfinite(remedy.value) and str(remedy.text).startswith("Try ")
    return judged(e.with_value(0, remedy.key, remedy.value))
