"""Which problems have a compiled form, and how each is called (floor 3)."""

from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from mbsgd_core.kernels import dense, judge, linear, smooth, surface
from mbsgd_core.kernels.derivative import record_gradient
from mbsgd_core.kernels.forms import has_form
from mbsgd_core.kernels.registers import Epochs, Registers, surface_registers
from mbsgd_core.kernels.tape import NotRecordable, record_surface
from mbsgd_core.memory_cache import derived_cache
from mbsgd_core.problems.base import FiniteSum
from mbsgd_core.problems.models._dense import DenseSum
from mbsgd_core.problems.models._linear import LinearSum
from mbsgd_core.problems.models.linear_regression import SquaredSum
from mbsgd_core.problems.models.logistic_regression import LogSum
from mbsgd_core.problems.surfaces.base import SurfaceSum

POINTS = 128  # evaluated side by side


class Descent(ABC):
    """A problem's compiled form: makes updates in a rule's registers."""

    runs_are_lanes = False  # True: lanes may have orders of their own
    most_lanes = 128  # side by side

    @abstractmethod
    def descend(
        self,
        registers: Registers,
        rates: np.ndarray,
        epochs: Epochs,
        orders: np.ndarray,
        keep: np.ndarray,
        trace: np.ndarray,
        first: int,
        lost: np.ndarray,
    ) -> None:
        """n updates of L lanes.

        Args:
            registers: theta and the rule's state; renewed.
            rates: (n, L) learning rates.
            epochs, orders: the batches; orders (1 or L, visits), none (1, 0) if every batch is all samples.
            keep: (n,) the row of trace (K, P L) that each update fills, or -1.
            first: the number of the first update, for lost (L,): where theta ceased to be finite.
        """

    def objective_of_lanes(self, trace: np.ndarray, lanes: int) -> np.ndarray | None:
        """The full objective at the records (K, P L) of lanes side by side: (K, L)."""
        by_lane = np.ascontiguousarray(trace.reshape(len(trace), -1, lanes).transpose(0, 2, 1))
        loss = self.objective(by_lane.reshape(len(trace) * lanes, -1))
        return None if loss is None else loss.reshape(-1, lanes)

    def judge(self, *arguments: Any) -> None:
        """What the losses of lanes side by side come to; see the function."""
        judge.judge(*arguments)

    def objective(self, theta: np.ndarray) -> np.ndarray | None:
        """The full objective at theta (K, P) -> (K,), each alike whatever stands beside it; None: not compiled."""
        return None


class SurfaceDescent(Descent):
    """A surface: its own tapes for slope and value."""

    runs_are_lanes = True

    def __init__(self, total: SurfaceSum):
        self.field, self.registers = record_gradient(total.surface)
        self.value, points = record_surface(total.surface.value)
        self.draws, self.scales = total.draws.numpy(), total.surface.noise_kind == "scale"
        self.noisy = total.surface.noise > 0
        self.value_registers = points
        self.points = surface_registers(points, POINTS, self.draws.dtype)

    def descend(self, registers, rates, epochs, orders, keep, trace, first, lost):
        count = len(rates) if self.noisy and orders.shape[1] else 0
        noise = np.empty((len(orders), count, self.draws.shape[1]), dtype=self.draws.dtype)
        if count:
            start = first - 1 - epochs.first * epochs.per_epoch
            for order, out in zip(orders, noise, strict=True):
                surface.batch_means(self.draws, order, start, epochs.size, epochs.per_epoch, epochs.samples, out)
        if len(noise) < registers.lanes:  # lanes that share one order
            noise = np.repeat(noise, registers.lanes, axis=0)
        surface.descend(
            self.field,
            surface_registers(self.registers, registers.lanes, self.draws.dtype),
            np.ascontiguousarray(noise.transpose(1, 2, 0)),
            self.scales,
            registers.program,
            rates,
            registers.narrow,
            registers.wide,
            keep,
            trace,
            first,
            lost,
        )

    def objective(self, theta: np.ndarray) -> np.ndarray:
        out = np.empty(len(theta), dtype=theta.dtype)
        surface.evaluate(self.value, self.points.copy(), theta, out)
        return out

    def objective_of_lanes(self, trace: np.ndarray, lanes: int) -> np.ndarray:
        out = np.empty((len(trace), lanes), dtype=trace.dtype)
        surface.evaluate_lanes(self.value, surface_registers(self.value_registers, lanes, trace.dtype), trace, out)
        return out


class LinearDescent(Descent):
    """Linear and logistic regression."""

    def __init__(self, total: LinearSum):
        penalty = total.x.new_zeros(total.parameters) if total.penalty is None else total.penalty
        self.data = tuple(t.contiguous().numpy() for t in (total.x, total.x.T, total.y, penalty))
        self.logistic = isinstance(total, LogSum)
        self.bowl = total.bowl if isinstance(total, SquaredSum) else None

    def descend(self, registers, rates, epochs, orders, keep, trace, first, lost):
        linear.descend(
            self.data,
            self.logistic,
            epochs,
            orders[0],
            registers.program,
            rates,
            registers.narrow,
            registers.wide,
            keep,
            trace,
            first,
            lost,
        )

    def objective(self, theta: np.ndarray) -> np.ndarray | None:
        out = np.empty(len(theta), dtype=theta.dtype)
        if self.bowl is None:
            linear.evaluate(self.data, theta, out)
            return out
        linear.bowl(*(np.asarray(part) for part in self.bowl), theta, out)
        return out


class DenseDescent(Descent):
    """A network of fully connected layers without dropout."""

    most_lanes = 1

    def __init__(self, total: DenseSum):
        penalty = total.x.new_zeros(total.parameters) if total.penalty is None else total.penalty
        self.data = tuple(t.contiguous().numpy() for t in (total.x, total.y.to(total.x.dtype), penalty))
        widths = np.array([total.layers[0][0], *(out for _, out in total.layers)])
        kinds = {"tanh": smooth.TANH, "relu": smooth.RELU, "sigmoid": smooth.SIGMOID}
        losses = {"squared": dense.SQUARED, "log": dense.LOG, "softmax": dense.SOFTMAX}
        self.net = widths, kinds[total.activation], losses[total.loss_name], bool(total.biases)

    def descend(self, registers, rates, epochs, orders, keep, trace, first, lost):
        dense.descend(
            self.data,
            self.net,
            epochs,
            orders[0],
            registers.program,
            rates,
            registers.narrow,
            registers.wide,
            keep,
            trace,
            first,
            lost,
        )

    def objective(self, theta: np.ndarray) -> np.ndarray:
        out = np.empty(len(theta), dtype=theta.dtype)
        dense.evaluate(self.data, self.net, theta, out)
        return out


@derived_cache(most=32)
def descent_of(total: FiniteSum) -> Descent | None:
    """The compiled form of a problem; None where it has none: the torch definition runs."""
    if not has_form(total):
        return None
    if isinstance(total, DenseSum):
        return DenseDescent(total)
    if isinstance(total, LinearSum):
        return LinearDescent(total)
    assert isinstance(total, SurfaceSum)
    try:
        return SurfaceDescent(total)
    except NotRecordable:
        return None
