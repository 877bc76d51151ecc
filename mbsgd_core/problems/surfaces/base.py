"""Two-parameter surfaces as finite sums (floor 1).

The sum is built so that its mean is the surface *exactly*: tilts f_i = f + <xi_i, theta> with sum xi_i = 0 (the same
noise everywhere), or scalings f_i = (1 + e_i) f with sum e_i = 0 (no noise at the minima: interpolation).
Shifted copies of f would change the surface.
"""

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from pydantic import model_validator

from mbsgd_core.knobs import Real, Whole, knob
from mbsgd_core.problems.base import Batch, FiniteSum, Plain, Problem
from mbsgd_core.random import stream

if TYPE_CHECKING:
    import torch
    from torch import Tensor

Point = tuple[float, float]
Window = tuple[float, float, float, float]


class Surface(Problem):
    """f(x, y) with closed-form value and gradient; the truth about it is data, checked by the tests.

    Write `value` and `gradient` with tensor methods and operators only (x.cos(), x**2): no import of torch.
    """

    compiled: ClassVar[bool] = True  # False: does more than arithmetic (a branch on a value), and so runs on torch
    domain: ClassVar[Window]  # x0, x1, y0, y1: where the reference defines it
    automatic: ClassVar[bool] = False  # True: the value's, differentiated; 0 where it alone is not finite
    smooth: ClassVar[bool] = True  # False: no gradient test at the minimizers (a cone, a kink)

    samples: Whole = knob(
        64,
        label="Samples",
        help="m: how many functions the surface is the mean of.",
        unit="samples",
        ge=1,
        le=1_000_000,
        page=(1, 4096),
        scale="log",
    )
    noise: Real = knob(
        0.0,
        label="Gradient noise",
        help="Standard deviation of the samples' tilts (or scalings) around the surface; 0: all samples agree.",
        ge=0,
        page=(0.0, 100.0),
    )
    noise_kind: Literal["tilt", "scale"] = knob(
        "tilt",
        label="Kind of noise",
        help="tilt: f + <xi, theta>, the same noise everywhere; scale: (1 + e) f, no noise at the minima.",
    )

    @model_validator(mode="after")
    def _noise_needs_samples(self) -> "Surface":
        if self.noise > 0 and self.samples < 2:
            raise ValueError("noise needs samples of at least 2, since the draws must sum to zero; raise samples")
        return self

    @property
    def view(self) -> Window:
        """x0, x1, y0, y1: the window that the page shows; the whole domain unless the item says otherwise."""
        return self.domain

    @property
    @abstractmethod
    def default_start(self) -> Point:
        """Where a run starts unless told otherwise."""

    @property
    def saddles(self) -> tuple[Point, ...]:
        """Known saddle points in the domain."""
        return ()

    @abstractmethod
    def value(self, x: "Tensor", y: "Tensor") -> "Tensor":
        """f(x, y), elementwise."""

    @abstractmethod
    def gradient(self, x: "Tensor", y: "Tensor") -> "tuple[Tensor, Tensor]":
        """(df/dx, df/dy), elementwise and in closed form."""

    @property
    def sample_count(self) -> int:
        return self.samples

    @property
    def parameter_count(self) -> int:
        return 2

    @property
    def parameter_names(self) -> tuple[str, ...]:
        return ("x", "y")

    def window(self, seed: int) -> Window:
        return self.view

    def realize(self, seed: int, dtype: "torch.dtype", device: str) -> "SurfaceSum":
        return SurfaceSum(self, seed, dtype, device)


def centred_draws(seed: int, count: int, width: int, deviation: float) -> np.ndarray:
    """(count, width) draws with sum exactly about 0 and standard deviation (ddof 0) `deviation` in each column."""
    draws = stream(seed, "noise").standard_normal((count, width))
    if deviation == 0:
        return np.zeros_like(draws)
    draws -= draws.mean(0)
    scaled: np.ndarray = draws / draws.std(0) * deviation
    return scaled


class SurfaceSum(FiniteSum):
    """A surface with its m noise draws, as tensors."""

    data: ClassVar[tuple[str, ...]] = ("draws",)

    parameters = 2

    def __init__(self, surface: Surface, seed: int, dtype: "torch.dtype", device: str):
        import torch

        self.surface = surface
        self.samples = surface.samples
        self._tilts = surface.noise_kind == "tilt"
        draws = centred_draws(seed, surface.samples, 2 if self._tilts else 1, surface.noise)
        self.draws = torch.as_tensor(draws, dtype=dtype, device=device)  # (m, 2) xi or (m, 1) e
        self._start = torch.tensor(surface.default_start, dtype=dtype, device=device)
        self._stack, self._addmm = torch.stack, torch.addmm
        if surface.quadratic:  # the gradient is affine: one small matrix product instead of many steps
            corners = torch.tensor([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]], dtype=dtype, device=device)
            slopes = torch.stack(surface.gradient(*corners), -1)  # at the origin and one step along each axis
            self._slope, self._hessian = slopes[:1], slopes[1:] - slopes[:1]

    def start(self) -> "Tensor":
        return self._start.clone()

    def objective(self, theta: "Tensor") -> "Tensor":
        return self.surface.value(*theta.unbind(-1))

    def losses(self, theta: "Tensor", indices: "Tensor") -> "Tensor":
        value = self.objective(theta)[:, None]
        draws = self.draws[indices]  # (R, B, 2) or (R, B, 1)
        if self._tilts:
            return value + (draws * theta[:, None, :]).sum(-1)
        return value * (1 + draws[..., 0])

    def gather(self, indices: "Tensor") -> Sequence[Batch]:
        # A batch acts through its mean draw alone: (n, R, B, .) -> (n, R, .).
        return self.draws[indices].mean(2).unbind(0)

    def gradient(self, theta: "Tensor", batch: Batch) -> "Tensor":
        if self.surface.quadratic:
            slope = self._addmm(self._slope, theta, self._hessian)
        else:
            slope = self._stack(self.surface.gradient(*theta.unbind(-1)), -1)
        if batch is None:
            return slope
        return slope.add_(batch) if self._tilts else slope.mul_(1 + batch)

    def plain(self) -> Plain:
        import torch

        module = torch.nn.Module()
        theta = module.theta = torch.nn.Parameter(self.start())

        def loss(chosen: "Tensor | None") -> "Tensor":
            mean = (self.draws if chosen is None else self.draws[chosen]).mean(0)
            value = self.surface.value(*theta)
            return value + mean @ theta if self._tilts else value * (1 + mean[0])

        return Plain(module, loss)
