"""Every data set with every model that can learn it: trains, travels, goes on after a rest, and has the right slope."""

import pickle
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch

from mbsgd_core import engine
from mbsgd_core.errors import ExperimentError
from mbsgd_core.experiment import Experiment, problems
from mbsgd_core.measures.suggestion import suggestion
from mbsgd_core.problems.datasets.base import Dataset
from mbsgd_core.problems.models.base import DataProblem
from mbsgd_core.registry import discover
from mbsgd_core.share import from_query, to_query

DATASETS = discover("mbsgd_core.problems.datasets", Dataset)
MODELS = {name: cls for name, cls in problems().items() if issubclass(cls, DataProblem)}
LANES = [{"sampler": "full_batch", "schedule": "constant"}]
FEW = 40  # training rows
STEPS = (1e-6, 1e-8)  # of difference quotients: a long one may cross the kinks of a rectifier, a short one is rounded


def data(name: str) -> list[dict[str, Any]]:
    """A data set in all versions that are tried."""
    return [{"name": name, **case} for case in DATASETS[name].cases()]


@cache
def verdict(model: str, dataset: str, version: int) -> str:
    """What the experiment says about a pair with default settings: nothing where it accepts it."""
    try:
        Experiment.model_validate({"problem": {"name": model, "dataset": data(dataset)[version]}, "lanes": LANES})
        return ""
    except ExperimentError as error:
        return str(error)


ALL = [(model, name, version) for model in MODELS for name in DATASETS for version in range(len(data(name)))]
PAIRS = [pair for pair in ALL if not verdict(*pair)]
every_pair = pytest.mark.parametrize(("model", "name", "version"), PAIRS)


def problem(model: str, name: str, version: int) -> dict[str, Any]:
    """The pair with few rows; the test rows stay as they are."""
    given = {"name": model, "dataset": data(name)[version]}
    whole = Experiment.model_validate({"problem": given, "lanes": LANES}).problem
    return given | {"train_rows": min(FEW, whole.sample_count)}


@cache
def experiment(model: str, name: str, version: int) -> Experiment:
    """Full batches, single samples and mini-batches, at rates that suit the pair."""
    given = problem(model, name, version)
    rate = suggestion(Experiment.model_validate({"problem": given, "lanes": LANES})).rate
    lanes = [
        {"sampler": sampler, "schedule": {"name": "constant", "learning_rate": share * rate}}
        for sampler, share in (
            ("full_batch", 1),
            ({"name": "reshuffle", "batch_size": 1}, 0.1),
            ({"name": "reshuffle", "batch_size": min(8, given["train_rows"])}, 0.4),
        )
    ]
    return Experiment.model_validate({"problem": given, "budget": {"amount": 3}, "lanes": lanes})


def test_every_model_and_every_data_set_has_a_partner():
    assert {model for model, _, _ in PAIRS} == set(MODELS)
    assert {(name, version) for _, name, version in PAIRS} == {(name, version) for _, name, version in ALL}


@pytest.mark.parametrize(("model", "name", "version"), [pair for pair in ALL if verdict(*pair)])
def test_a_pair_that_makes_no_sense_is_refused_with_a_sentence(model, name, version):
    said = verdict(model, name, version)
    assert said.startswith("problem.dataset") and ": " in said and len(said.splitlines()) == 1
    assert "needs" in said and len(said) < 300
    # What fits is said: by name, or by what it must be.
    named = [other for other in DATASETS if other in said.partition("needs")[2]]
    assert named or "0 or 1" in said or "0, 1, 2" in said or "choose another" in said


@every_pair
def test_it_trains_by_all_three_methods(model, name, version):
    e = experiment(model, name, version)
    total, (rows, apart) = engine.finite_sum(e), e.problem.dataset.counts()
    assert len(total.y_test) == (apart or round(rows * e.problem.held_out))
    for lane in range(len(e.lanes)):
        state, trace = engine.run(e, lane)
        assert np.isfinite(trace.theta).all() and np.isfinite(trace.loss).all() and state.diverged_at.tolist() == [-1]
        assert trace.loss[0, -1] < trace.loss[0, 0]
        seen = total.test_metrics(state.theta[0])
        tested = ["test_loss", *(["test_accuracy"] if e.problem.learns == "classification" else [])]
        assert list(seen) == (tested if len(total.y_test) else [])
        assert all(np.isfinite(value) and value >= 0 for value in seen.values()) and seen.get("test_accuracy", 0) <= 1


@every_pair
def test_its_link_brings_it_back(model, name, version):
    e = experiment(model, name, version)
    again, notices = from_query(to_query(e), page=True)
    assert again == e and notices == []


@every_pair
def test_it_goes_on_after_a_rest(model, name, version):
    e = experiment(model, name, version)
    updates = e.updates(2)
    whole, trace = engine.advance(engine.init(e, 2), updates)
    rested, first = engine.advance(engine.init(e, 2), updates // 2)
    rested, second = engine.advance(pickle.loads(pickle.dumps(rested)), updates)
    assert torch.equal(rested.theta, whole.theta) and rested.update == whole.update == updates
    for one, other in zip(engine.join([first, second]), trace, strict=True):
        assert one.tobytes() == other.tobytes()


@every_pair
def test_its_gradient_is_the_slope(model, name, version):
    total = engine.finite_sum(experiment(model, name, version))
    draw = np.random.default_rng(4)
    theta = total.start() + 0.05 * torch.tensor(draw.normal(size=total.parameters))
    gradient = total.gradient(theta[None], None)[0]
    for direction in torch.tensor(draw.normal(size=(3, total.parameters))):
        expected, errors = (gradient @ direction).item(), []
        for step in STEPS:
            up, down = (total.objective(theta + sign * step * direction).item() for sign in (1, -1))
            errors.append(abs((up - down) / (2 * step) - expected))
        assert min(errors) <= 1e-6 * gradient.norm().item()  # a slope along such a direction is about as large
