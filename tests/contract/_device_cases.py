"""Every problem, small, and an experiment on it: what the tests of devices run."""

from typing import Any

import pytest

from mbsgd_core.experiment import Experiment, problems
from mbsgd_core.problems.models.base import DataProblem
from mbsgd_core.problems.surfaces.base import Surface
from tests.contract import _items as items

# Knobs that make a model draw while it trains.
DRAWING = {"dropout": 0.3, "augment_shift": 1}
QUADRATIC = {"name": "quadratic", "samples": 8, "noise": 1.0}


def settings() -> list:
    """Every problem, small; of models what they may learn, with a penalty and without an intercept."""
    cases: list[tuple[str, dict[str, Any]]] = []
    for name, cls in problems().items():
        if issubclass(cls, Surface):
            noisy = [{"samples": 8, "noise": 0.5, "noise_kind": kind} for kind in ("tilt", "scale")]
            cases += [(name, cls.cases()[0] | noise) for noise in noisy]
        elif issubclass(cls, DataProblem):
            drawing = {knob: value for knob, value in DRAWING.items() if knob in cls.model_fields}
            for given in items.on_small_data(cls):
                given = {"test_fraction": 0.25} | given | drawing
                cases += [(name, given), (name, given | {"l2": 0.1, "intercept": False})]
    return [pytest.param({"name": name, **given}, id=f"{name}-{i}") for i, (name, given) in enumerate(cases)]


every_problem = pytest.mark.parametrize("given", settings())


def experiment(given: Any, lanes: list | None = None, **more: Any) -> Experiment:
    rate = {"name": "constant", "learning_rate": 1e-3}
    batches = {"name": "reshuffle", "batch_size": 3}
    return Experiment.model_validate(
        {
            "problem": given,
            "budget": {"amount": 2},
            "lanes": lanes
            or [
                {"sampler": "full_batch", "schedule": rate},
                {"sampler": batches, "rule": "adam", "schedule": {"name": "reduce_on_plateau", "learning_rate": 1e-3}},
                {"sampler": batches, "schedule": rate | {"learning_rate": 1e30}},  # it diverges
            ],
            **more,
        }
    )
