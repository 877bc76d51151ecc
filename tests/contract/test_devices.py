"""Whatever device a problem is on, it stays there: shown on a pretended one, since no GPU is at hand for the tests."""

from typing import Any

import numpy as np
import pytest
import torch

from mbsgd_core import engine, kernels
from mbsgd_core.cli.main import main
from mbsgd_core.errors import ExperimentError
from mbsgd_core.problems.base import FiniteSum, Place
from mbsgd_core.problems.surfaces.base import Surface
from mbsgd_core.registry import discover
from mbsgd_core.rules.base import Rule
from tests.contract import _items as items
from tests.contract._device_cases import DRAWING, QUADRATIC, every_problem, experiment
from tests.contract._fake_device import FAR, assert_same, far, near

RULES = discover("mbsgd_core.rules", Rule)
# --- the device that is chosen -----------------------------------------------------------------------------------


def test_cuda_without_a_gpu_is_an_error_with_one_line(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    e, words = experiment(QUADRATIC, device="cuda"), 'device: given "cuda", but this machine has no CUDA GPU'
    for ask in (engine.device_of, engine.finite_sum, lambda e: engine.init(e, 0), lambda e: engine.run(e, 0)):
        with pytest.raises(ExperimentError, match=words):
            ask(e)
    path = tmp_path / "e.json"
    path.write_text(e.to_json())
    for command in (["run", str(path)], ["sweep", str(path), "--x", "learning_rate=0.1,0.2"]):
        assert main(command) == 2
        said = capsys.readouterr()
        assert said.out == "" and len(said.err.splitlines()) == 1 and words in said.err


def test_auto_takes_the_gpu_for_large_problems_alone(monkeypatch):
    small = experiment(QUADRATIC)
    large = experiment({"name": "cnn", "dataset": {"name": "mnist", "rows": "subset"}})
    many = experiment({"name": "mlp", "dataset": "moons"}, runs=1000)
    assert [engine.device_of(e) for e in (small, large, many)] == ["cuda" if torch.cuda.is_available() else "cpu"] * 3
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert [engine.device_of(e) for e in (small, large, many)] == ["cpu", "cuda", "cuda"]
    for chosen in ("cpu", "cuda"):
        assert engine.device_of(large.model_copy(update={"device": chosen})) == chosen
        assert engine.device_of(small.model_copy(update={"device": chosen})) == chosen


@every_problem
def test_what_is_not_on_the_cpu_has_no_compiled_form(given, compiled_lanes):
    e = experiment(given)
    rule, schedule = e.lanes[0].rule, e.lanes[0].schedule
    small = e.problem.compiled and not DRAWING.keys() & given.keys()
    whole = e.problem.realize(0, torch.float64, "cpu")
    assert (kernels.descent_for(whole, rule, schedule, "float64") is not None) == small
    with far():
        assert kernels.descent_for(e.problem.realize(0, torch.float64, FAR), rule, schedule, "float64") is None


# --- the pretended device keeps its word -------------------------------------------------------------------------


def test_the_pretended_device_refuses_what_a_gpu_refuses():
    with far() as device:
        there, here = torch.ones(3, device=device), torch.ones(3)
        mask = torch.tensor([True, False, True])
        for mixed in (
            lambda: there + here,
            lambda: here * there,
            lambda: there[mask],
            lambda: torch.stack([there, here]),
            lambda: there.expand(1, -1).mm(here[:, None]),
            lambda: torch.add(there, there, out=here),
        ):
            with pytest.raises(AssertionError, match="mixes devices"):
                mixed()
        for read in (there.numpy, lambda: np.asarray(there)):
            with pytest.raises(RuntimeError):
                read()
        assert there.cpu().numpy().tolist() == there.tolist() == [1, 1, 1] and there.sum().item() == 3
        assert (2 * there).device.type == there.new_zeros(2).device.type == there.to(torch.float64).device.type == FAR


# --- problems and rules ------------------------------------------------------------------------------------------


def answers(total: FiniteSum, device: str) -> list[torch.Tensor]:
    """Everything that a sum says about some thetas, of one run and of three."""
    found = [total.start(), total.sample_gradients(total.start() + 0.125)]
    for runs in (1, 3):
        theta = (total.start() + 0.125).expand(runs, -1).contiguous()
        indices = torch.arange(2 * runs * 4, device=device).reshape(2, runs, 4) % total.samples
        place = Place(1, 2, 3)
        chosen = [None, *total.gather(indices), *total.gather_at(indices, place), total.all_at(place)]
        for batch in chosen:
            gradient, loss = total.gradient_and_loss(theta, batch)
            found += [total.gradient(theta, batch), gradient, *([] if loss is None else [loss])]
        found += [total.losses(theta, indices[0]), total.objective(theta), total.objective(theta[:, None])]
    if not isinstance(getattr(total, "surface", None), Surface):
        rows = total.x_test[:, : getattr(total, "columns", None)]  # type: ignore[attr-defined]
        found.append(total.predict(total.start() + 0.125, rows))
    return found


@every_problem
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
def test_a_problem_stays_on_its_device_and_says_the_same(given, dtype):
    problem = experiment(given).problem
    with torch.no_grad():
        total = problem.realize(0, dtype, "cpu")
        expected, metrics = answers(total, "cpu"), total.test_metrics(total.start() + 0.125)
        with far() as device:
            total = problem.realize(0, dtype, device)
            for value in vars(total).values():
                tensors = value if isinstance(value, tuple) else (value,)
                assert all(tensor.device.type == FAR for tensor in tensors if isinstance(tensor, torch.Tensor))
            found, seen = answers(total, device), total.test_metrics(total.start() + 0.125)
    assert all(tensor.device.type == FAR and tensor.dtype == dtype for tensor in found)
    assert_same(near(found), near(expected))
    assert_same(seen, metrics)


@pytest.mark.parametrize("name, knobs", items.cases(Rule))
def test_a_rule_stays_on_the_device_of_theta(name, knobs):
    item = RULES[name].model_validate(knobs)
    start = torch.tensor([[1.0, -2.0], [0.5, 3.0]])
    for rate in (0.1, [[0.1], [0.2]]):

        def steps(theta: torch.Tensor, rate: Any = rate, item: Rule = item) -> list:
            state, seen = item.init(theta), [theta]
            speed = theta.new_tensor(rate) if isinstance(rate, list) else rate
            for _ in range(3):
                delta, state = item.update(2 * theta, state, theta, speed)
                theta = theta + delta
                seen += [theta, *(value for value in state if isinstance(value, torch.Tensor))]
            return seen

        expected = steps(start)
        with far() as device:
            found = steps(start.to(device))
        assert all(tensor.device.type == FAR for tensor in found)
        assert_same(near(found), near(expected))
