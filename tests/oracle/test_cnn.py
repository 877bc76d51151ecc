"""The textbook's network in numbers: parameters, operations, bytes. Ids here: H01, H02, H04, H06."""

import json
from math import prod
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from mbsgd_core import engine
from mbsgd_core.experiment import Experiment
from mbsgd_core.measures import cost

COVERS = ["H01", "H02", "H04", "H06"]

ORACLES = {o["id"]: o for o in json.loads((Path(__file__).parent / "oracles.json").read_text())["oracles"]}


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """The tensors are small, and tests run beside each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def experiment(rule="adam", **more) -> Experiment:
    """The textbook's network on images of MNIST's size."""
    problem = {"name": "cnn", "dataset": {"name": "mnist", "rows": "subset"}}
    sampler = {"name": "reshuffle", "batch_size": 64}
    lane = {"sampler": sampler, "rule": rule, "schedule": {"name": "constant", "learning_rate": 1e-3}}
    return Experiment.model_validate({"problem": problem, "lanes": [lane], "dtype": "float32", **more})


@pytest.fixture(scope="module")
def total():
    return engine.finite_sum(experiment())


@pytest.fixture(scope="module")
def saved(total):
    """Bytes saved for the way back by batch size, dropout included."""
    sizes = ORACLES["H06"]["expected"]
    return {int(b): cost.saved_bytes(total, total.start()[None], int(b)) for b in sizes}


def test_h01_parameters():
    expected, pieces = ORACLES["H01"]["expected"], experiment().problem.pieces
    layers = [prod(w.shape) + prod(b.shape) for w, b in zip(pieces[::2], pieces[1::2], strict=True)]
    assert layers == [expected[name] for name in ("conv1", "conv2", "fc1", "fc2")]
    assert experiment().problem.parameter_count == expected["total"]


@pytest.mark.parametrize(
    "name, rule", [("adam_state", "adam"), ("sgd", "sgd"), ("sgdm", {"name": "sgd", "momentum": 0.9})]
)
def test_h02_bytes_of_parameters_and_optimizer(name, rule):
    expected, spent = ORACLES["H02"]["expected"], cost.memory(experiment(rule), 0)
    assert spent.parameters == expected["params_bytes"]
    assert spent.parameters + spent.gradient + spent.optimizer == expected[f"{name}_bytes"]
    assert spent.data == 12_000 * (784 * 4 + 8)  # 10,000 rows and 2,000 to test, with their labels


def test_h02_activations_grow_with_the_batch(saved):
    model = ORACLES["H02"]["expected"]["act_bytes"]
    for size in set(saved) & set(map(int, model)):
        assert 1 <= saved[size] / model[str(size)] <= 3
    assert np.corrcoef(list(saved), list(saved.values()))[0, 1] ** 2 > 0.99


def test_h04_operations(total):
    expected, problem = ORACLES["H04"]["expected"], experiment().problem
    assert problem.flops == expected["forward_flops"]
    assert cost.training_flops(problem) == expected["train_flops_per_sample"]
    assert 60_000 * cost.training_flops(problem) == expected["per_epoch"]
    with FlopCounterMode(display=False) as counted:
        total.predict(total.start(), torch.zeros(3, 784))
    assert counted.get_total_flops() == 3 * problem.flops


def test_h06_saved_activations(saved):
    expected, share = ORACLES["H06"]["expected"], ORACLES["H06"]["tolerance"]["value"]
    for size, number in expected.items():
        assert saved[int(size)] == pytest.approx(number, rel=share)
    each = np.diff(list(saved.values())) / np.diff(list(saved))
    assert each == pytest.approx(each[0], rel=1e-3)  # a straight line
