"""What every problem promises, surfaces and models alike: the definition, its closed forms, and its truths."""

import pickle

import numpy as np
import pytest
import torch

from mbsgd_core import engine
from mbsgd_core.experiment import Experiment, problems
from mbsgd_core.problems.models.base import DataProblem
from mbsgd_core.problems.surfaces.base import Surface
from tests.contract._items import on_small_data, takes_columns, tasks_of

WIDE_DATA = {"regression": "diabetes", "classification": "breast_cancer"}


def settings() -> list:
    """(name, settings) pairs: each problem plain, and with whatever changes its sum."""
    cases = []
    for name, cls in problems().items():
        if issubclass(cls, Surface):
            variants = [
                {"samples": 7, "noise": n, "noise_kind": k} for n, k in [(0, "tilt"), (0.5, "tilt"), (0.5, "scale")]
            ]
            variants = [example | variant for example in cls.cases() for variant in variants]
        elif issubclass(cls, DataProblem):
            variants = [
                given | variant
                for given in on_small_data(cls)
                for variant in ({}, {"l2": 0.3}, {"l2": 0.3, "intercept": False, "standardize": False})
            ]
            variants += [{"dataset": WIDE_DATA[task], "l2": 0.01} for task in tasks_of(cls) if takes_columns(cls)]
        else:
            raise AssertionError(f"{name}: say here which settings test this kind of problem")
        cases += [pytest.param({"name": name, **v}, id=f"{name}-{i}") for i, v in enumerate(variants)]
    return cases


every_problem = pytest.mark.parametrize("given", settings())


def experiment(given: dict, batch_size: int = 1, **more) -> Experiment:
    lane = {"sampler": {"name": "reshuffle", "batch_size": batch_size}, "schedule": "constant"}
    return Experiment.model_validate({"problem": given, "seed": 3, "lanes": [lane], **more})


def problem_of(given: dict):
    return experiment(given).problem


def realize(given: dict, dtype: torch.dtype = torch.float64):
    return problem_of(given).realize(3, dtype, "cpu")


def points(problem, runs: int) -> torch.Tensor:
    """Thetas scattered around the start, (R, P)."""
    noise = torch.tensor(np.random.default_rng(5).normal(size=(runs, problem.parameters)))
    return problem.start().double() + 0.3 * noise


def batches(problem, count: int, runs: int, size: int) -> torch.Tensor:
    return torch.tensor(np.random.default_rng(6).integers(problem.samples, size=(count, runs, size)))


def everything(problem, runs: int) -> torch.Tensor:
    return torch.arange(problem.samples).expand(runs, -1)


def by_autograd(problem, theta: torch.Tensor, indices: torch.Tensor) -> torch.Tensor:
    leaf = theta.clone().requires_grad_()
    return torch.autograd.grad(problem.losses(leaf, indices).mean(-1).sum(), leaf)[0]


def close(given: torch.Tensor, expected: torch.Tensor, share: float) -> None:
    """Equal up to a share of the largest number expected (or of 1)."""
    scale = max(expected.abs().max().item(), 1.0)
    torch.testing.assert_close(given, expected, rtol=0, atol=share * scale)


@every_problem
def test_sizes_are_known_before_any_tensor_exists(given):
    settings, problem = problem_of(given), realize(given)
    assert problem.start().shape == (settings.parameter_count,) == (problem.parameters,)
    assert settings.sample_count == problem.samples
    assert len(settings.parameter_names) == len(settings.axis_labels) == settings.parameter_count
    assert len(set(settings.axis_labels)) == settings.parameter_count


@every_problem
def test_the_mean_of_the_losses_is_the_objective(given):
    problem = realize(given)
    theta = points(problem, 3)
    close(problem.losses(theta, everything(problem, 3)).mean(-1), problem.objective(theta), 1e-12)
    assert problem.objective(theta.reshape(3, 1, 1, -1)).shape == (3, 1, 1)


@every_problem
@pytest.mark.parametrize("runs", [1, 3])
def test_the_gradient_is_autograds(given, runs):
    problem = realize(given)
    theta = points(problem, runs)
    close(problem.gradient(theta, None), by_autograd(problem, theta, everything(problem, runs)), 1e-10)
    for size in (1, 5, problem.samples):
        indices = batches(problem, 2, runs, size)
        for chosen, batch in zip(indices, problem.gather(indices), strict=True):
            close(problem.gradient(theta, batch), by_autograd(problem, theta, chosen), 1e-10)


@every_problem
def test_the_gradient_is_the_slope_of_the_objective(given):
    problem = realize(given)
    (theta,), step = points(problem, 1), 1e-5
    steps = step * torch.eye(problem.parameters, dtype=torch.float64)
    slopes = (problem.objective(theta + steps) - problem.objective(theta - steps)) / (2 * step)
    close(problem.gradient(theta[None], None)[0], slopes, 1e-6)


@every_problem
def test_the_samples_gradients_average_to_the_full_one(given):
    problem = realize(given)
    (theta,) = points(problem, 1)
    each = problem.sample_gradients(theta)
    assert each.shape == (problem.samples, problem.parameters)
    close(each.mean(0), problem.gradient(theta[None], None)[0], 1e-12)
    (third,) = problem.gather(torch.tensor([[[2]]]))
    close(each[2], problem.gradient(theta[None], third)[0], 1e-12)


@every_problem
def test_runs_do_not_mix(given):
    problem = realize(given)
    theta, indices = points(problem, 4), batches(problem, 1, 4, 3)
    (together,) = problem.gather(indices)
    whole, batched = problem.gradient(theta, None), problem.gradient(theta, together)
    for run in range(4):
        one, (alone,) = theta[run : run + 1], problem.gather(indices[:, run : run + 1])
        close(problem.gradient(one, None)[0], whole[run], 1e-12)
        close(problem.gradient(one, alone)[0], batched[run], 1e-12)


@every_problem
@pytest.mark.parametrize(("runs", "size"), [(1, 1), (1, 5), (3, 1), (3, 5)])
def test_a_batch_gives_the_same_bits_however_many_are_gathered(given, runs, size):
    problem = realize(given)
    theta, indices = points(problem, runs), batches(problem, 9, runs, size)
    for i, batch in enumerate(problem.gather(indices)):
        (alone,) = problem.gather(indices[i : i + 1])
        assert torch.equal(problem.gradient(theta, batch), problem.gradient(theta, alone))


@every_problem
def test_float32_follows_float64(given):
    double, single = realize(given), realize(given, torch.float32)
    theta = points(double, 2)
    assert single.start().dtype == torch.float32
    for exact, rough in [
        (double.objective(theta), single.objective(theta.float())),
        (double.gradient(theta, None), single.gradient(theta.float(), None)),
        (double.losses(theta, everything(double, 2)), single.losses(theta.float(), everything(double, 2))),
    ]:
        assert rough.dtype == torch.float32
        close(rough.double(), exact, 1e-4)


@every_problem
def test_the_solution_is_flat_and_nothing_is_lower(given):
    settings, problem = problem_of(given), realize(given)
    solution = settings.solution(3)
    if solution is None:
        assert settings.optimal_value is None
        return
    scattered = torch.cat([points(problem, 50), problem.start()[None]])
    scale = max(1.0, abs(solution.value))
    assert (problem.objective(scattered) >= solution.value - 1e-9 * scale).all()
    theta = torch.tensor(solution.minimizers)
    assert theta.shape == (len(theta), problem.parameters)
    if len(theta):
        close(problem.objective(theta), torch.full((len(theta),), solution.value, dtype=torch.float64), 1e-9)
        near = torch.tensor(np.random.default_rng(8).normal(size=(20, 1, problem.parameters))) * 1e-3
        assert (problem.objective(theta + near) >= solution.value - 1e-9 * scale).all()
        if getattr(settings, "smooth", True):
            curvature = (problem.gradient(theta + 1e-4, None).abs().max() / 1e-4).item()
            assert problem.gradient(theta, None).abs().max().item() <= 1e-6 * max(1.0, curvature)


@every_problem
def test_the_window_shows_the_start_and_a_minimizer(given):
    settings, problem = problem_of(given), realize(given)
    window, solution = settings.window(3), settings.solution(3)
    assert (window is None) == (settings.parameter_count != 2)
    if window is not None:
        x0, x1, y0, y1 = window
        known = [] if solution is None else solution.minimizers.tolist()
        shown = [x0 <= x <= x1 and y0 <= y <= y1 for x, y in [problem.start().tolist(), *known]]
        assert shown[0] and (any(shown[1:]) or not known)


@every_problem
def test_settings_survive_pickle_and_json(given):
    settings = problem_of(given)
    again = pickle.loads(pickle.dumps(settings))
    assert again == settings and hash(again) == hash(settings)
    assert problem_of(settings.model_dump(mode="json")) == settings
    assert torch.equal(again.realize(3, torch.float64, "cpu").start(), realize(given).start())


@every_problem
def test_trains_with_one_sample_and_with_all(given):
    budget = {"unit": "updates", "amount": 3}
    samples = problem_of(given).sample_count
    rate = {"name": "constant", "learning_rate": 1e-5}
    lanes = [
        {"sampler": sampler, "schedule": rate}
        for sampler in (
            {"name": "reshuffle", "batch_size": 1},
            {"name": "reshuffle", "batch_size": samples},
            {"name": "full_batch"},
        )
    ]
    e = experiment(given, budget=budget, lanes=lanes)
    one, all_of_them, full = (engine.run(e, i)[1] for i in range(3))
    for trace in (one, all_of_them, full):
        assert trace.theta.shape == (1, 4, e.problem.parameter_count) and np.isfinite(trace.theta).all()
    np.testing.assert_allclose(all_of_them.theta, full.theta, rtol=1e-9, atol=1e-12)
    if getattr(e.problem, "noise", 0) or isinstance(e.problem, DataProblem):
        assert not np.allclose(one.theta[0, -1], full.theta[0, -1], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", [name for name, cls in problems().items() if issubclass(cls, DataProblem)])
def test_the_penalty_spares_the_intercepts(name):
    for given in on_small_data(problems()[name]):
        given = {"name": name, **given}
        plain, penalised = (realize({**given, "l2": l2}) for l2 in (0.0, 0.7))
        theta = points(plain, 1)
        extra = penalised.gradient(theta, None) - plain.gradient(theta, None)
        names = problem_of(given).parameter_names
        weights = torch.tensor(["intercept" not in name and "bias" not in name for name in names])
        close(extra, 0.7 * theta * weights, 1e-12)
