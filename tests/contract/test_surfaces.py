"""Every surface keeps its promises: truths, gradients, and a finite sum whose mean is the surface itself."""

import numpy as np
import pytest
import torch

from mbsgd_core.problems.base import FiniteSum
from mbsgd_core.problems.surfaces.ackley import Ackley
from mbsgd_core.problems.surfaces.base import Surface
from mbsgd_core.problems.surfaces.formula import Formula
from mbsgd_core.problems.surfaces.quadratic import Quadratic
from mbsgd_core.registry import discover

SURFACES = {name: cls() for name, cls in discover("mbsgd_core.problems.surfaces", Surface).items()} | {
    "quadratic, turned": Quadratic(eigenvalues=(2, 30), angle=25),
    "quadratic, saddle": Quadratic(eigenvalues=(1, -3), angle=60),
    "formula, a cone": Formula(formula="sqrt(x^2 + y^2) + max(x, y)"),
    "formula, y alone": Formula(formula="y^4 - y", domain=(-3, -1, 0.5, 4)),
}
KINDS = ["tilt", "scale"]

over_surfaces = pytest.mark.parametrize("surface", SURFACES.values(), ids=SURFACES.keys())
over_kinds = pytest.mark.parametrize("kind", KINDS)


def points(window, count, seed=0):
    """Random points of a window, (count, 2)."""
    x0, x1, y0, y1 = window
    draws = np.random.default_rng(seed).uniform((x0, y0), (x1, y1), (count, 2))
    return torch.as_tensor(draws)


def gradient(surface, theta):
    return torch.stack(surface.gradient(theta[..., 0], theta[..., 1]), -1)


def value(surface, theta):
    return surface.value(theta[..., 0], theta[..., 1])


def hessian(surface, point):
    return torch.autograd.functional.hessian(lambda p: value(surface, p), torch.tensor(point, dtype=torch.float64))


def inside(window, point):
    return window[0] <= point[0] <= window[1] and window[2] <= point[1] <= window[3]


def noisy(surface, kind, noise=0.7, samples=12, seed=3):
    changed = surface.model_validate(
        {**dict(surface), "samples": samples, "noise": noise, "noise_kind": kind},
    )
    return changed.realize(seed, torch.float64, "cpu")


def close(actual, expected, tolerance):
    """Equal to `tolerance`, relative to the greatest number in sight (or 1)."""
    scale = max(1.0, expected.abs().max().item())
    torch.testing.assert_close(actual, expected, rtol=0, atol=tolerance * scale)


@over_surfaces
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_shapes_and_types(surface, dtype):
    for shape in [(5,), (1,), (3, 4), ()]:
        x, y = torch.full(shape, 0.5, dtype=dtype), torch.full(shape, 0.25, dtype=dtype)
        for result in (surface.value(x, y), *surface.gradient(x, y)):
            assert result.shape == shape
            assert result.dtype == dtype


@over_surfaces
def test_texts_and_windows(surface):
    assert surface.title
    assert surface.summary.endswith(".")
    assert surface.summary.count(". ") == 0, "one sentence"
    x0, x1, y0, y1 = surface.view
    assert x0 < x1
    assert y0 < y1
    for point in (surface.default_start, *surface.minimizers):
        assert inside(surface.view, point)
    for point in (surface.default_start, *surface.minimizers, *surface.saddles):
        assert inside(surface.domain, point)


@over_surfaces
def test_gradient_is_the_derivative_of_the_value(surface):
    theta = points(surface.view, 200)
    leaf = theta.clone().requires_grad_()
    (expected,) = torch.autograd.grad(value(surface, leaf).sum(), leaf)
    with torch.no_grad():
        actual = gradient(surface, theta)
    close(actual, expected, 1e-10)
    assert not actual.requires_grad


@over_surfaces
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_gradient_is_finite_wherever_the_surface_is(surface, dtype):
    tiny = torch.tensor([0.0, -0.0, 1e-320, -1e-200, 1e-160, 1e-40, 1e-20, 1.0, -1.0, 2.0, 1e3, -1e6], dtype=dtype)
    x, y = torch.meshgrid(tiny, tiny, indexing="ij")
    ground = surface.value(x, y).isfinite()
    for slope in surface.gradient(x, y):
        assert slope[ground].isfinite().all()


@over_surfaces
def test_minimizers(surface):
    for point in surface.minimizers:
        theta = torch.tensor([point], dtype=torch.float64)
        assert value(surface, theta).item() == pytest.approx(surface.optimal_value, rel=1e-14, abs=1e-12)
        if surface.smooth:
            close(gradient(surface, theta), torch.zeros_like(theta), 1e-10)
            assert torch.linalg.eigvalsh(hessian(surface, point)).min() > 0
    if surface.optimal_value is not None:
        assert value(surface, points(surface.domain, 1000)).min() >= surface.optimal_value


@over_surfaces
def test_saddles(surface):
    for point in surface.saddles:
        theta = torch.tensor([point], dtype=torch.float64)
        close(gradient(surface, theta), torch.zeros_like(theta), 1e-10)
        low, high = torch.linalg.eigvalsh(hessian(surface, point))
        assert low <= 0 <= high
        # What makes a saddle, also one without curvature: ways down and ways up around it.
        turn = torch.linspace(0, 2 * np.pi, 120, dtype=torch.float64)
        ring = value(surface, theta + 1e-3 * torch.stack([turn.cos(), turn.sin()], -1)) - value(surface, theta)
        assert ring.min() < 0 < ring.max()


def test_the_tip_of_the_cone_has_gradient_zero():
    for surface in (Ackley(), Formula(formula="sqrt(x^2 + y^2)"), Formula(formula="abs(x)^0.5 + sqrt(y)")):
        assert gradient(surface, torch.zeros(1, 2)).tolist() == [[0.0, 0.0]]
    beside = gradient(Ackley(), torch.tensor([[1e-9, 0.0]], dtype=torch.float64))
    assert beside[0, 0].item() == pytest.approx(2 * 2**0.5, rel=1e-6)


@over_surfaces
@over_kinds
def test_the_mean_of_the_samples_is_the_surface(surface, kind):
    total, theta = noisy(surface, kind), points(surface.view, 20)
    everything = torch.arange(total.samples).expand(len(theta), -1)
    losses = total.losses(theta, everything)
    assert losses.shape == (20, 12)
    close(losses.mean(-1), total.objective(theta), 1e-12)
    assert torch.equal(total.objective(theta), value(surface, theta))
    assert losses.std(-1).min() > 0


@over_surfaces
@over_kinds
def test_the_full_batch_is_the_exact_gradient(surface, kind):
    total, theta = noisy(surface, kind), points(surface.view, 20)
    close(total.gradient(theta, None), gradient(surface, theta), 1e-14)
    (batch,) = total.gather(torch.arange(total.samples).expand(1, 20, -1))
    close(total.gradient(theta, batch), gradient(surface, theta), 1e-12)


@over_surfaces
@over_kinds
def test_batch_gradients_are_derivatives_of_the_losses(surface, kind):
    total, theta = noisy(surface, kind), points(surface.view, 20)
    indices = torch.as_tensor(np.random.default_rng(1).integers(0, total.samples, (3, 20, 5)))
    for chosen, batch in zip(indices, total.gather(indices), strict=True):
        close(total.gradient(theta, batch), FiniteSum.gradient(total, theta, chosen), 1e-10)


@over_surfaces
@over_kinds
def test_noise_at_the_minima(surface, kind):
    total = noisy(surface, kind)
    for point in surface.minimizers:
        theta = torch.tensor(point, dtype=torch.float64)
        noise = total.sample_gradients(theta) - gradient(surface, theta)
        expected = total.draws if kind == "tilt" else torch.zeros_like(noise)
        close(noise, expected, 1e-9)


@over_kinds
@pytest.mark.parametrize("samples", [2, 3, 64, 1001])
def test_draws_are_centred_and_scaled(kind, samples):
    draws = noisy(Quadratic(), kind, noise=2.5, samples=samples).draws.numpy()
    assert draws.shape == (samples, 2 if kind == "tilt" else 1)
    np.testing.assert_allclose(draws.mean(0), 0, atol=1e-13)
    np.testing.assert_allclose(draws.std(0), 2.5, rtol=1e-12)


@over_surfaces
def test_one_sample_is_the_surface(surface):
    total, theta = noisy(surface, "tilt", noise=0, samples=1), points(surface.view, 4)
    (batch,) = total.gather(torch.zeros(1, 4, 1, dtype=torch.int64))
    close(total.gradient(theta, batch), gradient(surface, theta), 1e-14)
    with pytest.raises(ValueError, match="samples of at least 2"):
        noisy(surface, "tilt", noise=0.1, samples=1)
