"""Linear and logistic regression, compiled (floor 3): z = <theta, x>, a slope, and back along the rows."""

import math

import numpy as np

from mbsgd_core.kernels.machine import split, split_inside, step, watch
from mbsgd_core.kernels.smooth import softplus_sum

FEW = 8  # rows below which a batch is walked row by row


@split_inside
def _slope(z, y, logistic, one):
    return one / (one + math.exp(-z)) - y if logistic else z - y


@split_inside
def _row_by_row(x, y, order, begin, count, logistic, wide):
    """Few rows, one lane."""
    one = wide.dtype.type(1)
    for p in range(wide.shape[1]):
        wide[1, p] = 0
    for k in range(begin, begin + count):
        i = order[k]
        z = x[i, 0] * wide[0, 0]
        for p in range(1, wide.shape[1]):
            z += x[i, p] * wide[0, p]
        slope = _slope(z, y[i], logistic, one)
        for p in range(wide.shape[1]):
            wide[1, p] += slope * x[i, p]


@split_inside
def _column_by_column(x_lying, y, count, logistic, wide, z):
    """Many rows, one lane: x_lying (P, B), vector code along the batch."""
    one = wide.dtype.type(1)
    for s in range(count):
        z[s] = 0
    for p in range(wide.shape[1]):
        for s in range(count):
            z[s] += wide[0, p] * x_lying[p, s]
    for s in range(count):
        z[s] = _slope(z[s], y[s], logistic, one)
    for p in range(wide.shape[1]):
        total = z[0] * 0
        for s in range(count):
            total += z[s] * x_lying[p, s]
        wide[1, p] = total


@split_inside
def _lane_by_lane(x, y, order, begin, count, logistic, cube, z):
    """Any rows, many lanes side by side; an empty order: the rows as they lie."""
    one, parameters, lanes = cube.dtype.type(1), cube.shape[1], cube.shape[2]
    for p in range(parameters):
        for lane in range(lanes):
            cube[1, p, lane] = 0
    for k in range(begin, begin + count):
        i = order[k] if order.shape[0] else k
        for lane in range(lanes):
            z[lane] = 0
        for p in range(parameters):
            for lane in range(lanes):
                z[lane] += x[i, p] * cube[0, p, lane]
        for lane in range(lanes):
            z[lane] = _slope(z[lane], y[i], logistic, one)
        for p in range(parameters):
            for lane in range(lanes):
                cube[1, p, lane] += x[i, p] * z[lane]


@split
def descend(data, logistic, batches, order, program, rates, narrow, wide, keep, trace, first, lost):
    """n updates of L lanes that see the same batches.

    Args:
        data: x (N, P), x lying (P, N), y (N,), penalty (P,).
        batches: batch size, batches an epoch, samples, the epoch where `order` begins.
        order: the visits of whole epochs, end to end; empty: every batch is all samples.
        program, rates, narrow, wide, keep, trace, first, lost: as in surface.descend; trace (K, P L).
    """
    x, x_lying, y, penalty = data
    size, per_epoch, samples, epoch_of_order = batches
    lanes, width = narrow.shape[1], x.shape[1]
    everything, cube = order.shape[0] == 0, wide.reshape(wide.shape[0], width, lanes)
    z = np.empty(max(lanes, samples if everything else size), dtype=wide.dtype)
    rows = np.empty((width, 0 if everything else size), dtype=wide.dtype)
    targets = np.empty(rows.shape[1], dtype=wide.dtype)
    begin, count, (table, bounds) = 0, samples, program
    for i in range(rates.shape[0]):
        if not everything:
            epoch, position = divmod(first - 1 + i, per_epoch)
            begin = (epoch - epoch_of_order) * samples + position * size
            count = min(size, samples - position * size)
        if lanes > 1:
            _lane_by_lane(x, y, order, begin, count, logistic, cube, z)
        elif everything:
            _column_by_column(x_lying, y, samples, logistic, wide, z)
        elif count < FEW:
            _row_by_row(x, y, order, begin, count, logistic, wide)
        else:
            for k in range(count):
                targets[k] = y[order[begin + k]]
                for p in range(width):
                    rows[p, k] = x[order[begin + k], p]
            _column_by_column(rows, targets, count, logistic, wide, z)
        for p in range(width):
            for lane in range(lanes):
                cube[1, p, lane] = cube[1, p, lane] / count + penalty[p] * cube[0, p, lane]
        step(table, bounds, 0 if first + i == 1 else 1, rates, i, narrow, wide, cube)
        if keep[i] >= 0:
            for v in range(wide.shape[1]):
                trace[keep[i], v] = wide[0, v]
        if watch(wide, lanes, first + i, lost):
            break


@split
def evaluate(data, theta, out):
    """The mean log-loss and the penalty at theta (K, P): out (K,)."""
    _, x_lying, y, penalty = data
    samples = y.shape[0]
    z = np.empty((1, samples), dtype=theta.dtype)
    bits = np.empty(samples, dtype=np.int64)
    powers = bits.view(np.float64)
    for k in range(theta.shape[0]):
        for s in range(samples):
            z[0, s] = 0
        ridge = 0.0
        for p in range(theta.shape[1]):
            ridge += penalty[p] * theta[k, p] * theta[k, p]
            for s in range(samples):
                z[0, s] += theta[k, p] * x_lying[p, s]
        for s in range(samples):
            z[0, s] *= 1 - 2 * y[s]
        out[k] = softplus_sum(z, 0, samples, bits, powers) / samples + 0.5 * ridge


@split
def bowl(best, root, least, theta, out):
    """f* + |U (theta - theta*)|^2 / 2 with root = U^T (P, rows), at theta (K, P): out (K,)."""
    for k in range(theta.shape[0]):
        total = theta[k, 0] * 0
        for j in range(root.shape[1]):  # fewer than P where there are fewer samples
            part = theta[k, 0] * 0
            for p in range(best.shape[0]):
                part += (theta[k, p] - best[p]) * root[p, j]
            total += part * part
        out[k] = total / 2 + least
