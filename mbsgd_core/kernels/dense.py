"""Fully connected networks, compiled (floor 3): backpropagation with vector code along the batch.

A batch is walked in pieces of 64 samples that stay in the nearest cache. Rows of `units` are units (features, then the
hidden units layer by layer, then outputs), its columns samples; `deltas` has the same shape. A few samples alone go one
by one (`single`), with vector code along the layers.
"""

import numpy as np

from mbsgd_core.kernels.machine import split, split_inside, step, watch
from mbsgd_core.kernels.single import LOG, SOFTMAX, SQUARED, gradient_of_one
from mbsgd_core.kernels.smooth import RELU, TANH, activate, exp_of, softplus_sum

PIECE, FEW = 64, 4


@split_inside
def _forward(x, order, begin, count, theta, row, widths, activation, biases, units, bits, powers):
    """units of `count` samples: those of order[begin] ..., or the rows from `begin` on where the order is empty."""
    for k in range(count):
        i = order[begin + k] if order.shape[0] else begin + k
        for d in range(widths[0]):
            units[d, k] = x[i, d]
    below, at = 0, 0
    for layer in range(widths.shape[0] - 1):
        fan_in, fan_out = widths[layer], widths[layer + 1]
        above, offset = below + fan_in, at + fan_in * fan_out
        for j in range(fan_out):
            bias = theta[row, offset + j] if biases else theta[row, at] * 0
            for s in range(count):
                units[above + j, s] = bias
            for k in range(fan_in):
                weight = theta[row, at + j * fan_in + k]
                for s in range(count):
                    units[above + j, s] += weight * units[below + k, s]
            if layer < widths.shape[0] - 2:
                activate(units, above + j, count, activation, bits, powers)
        below, at = above, offset + (fan_out if biases else 0)
    return below


@split_inside
def _softmax(units, top, classes, count, bits, powers):
    """Outputs become probabilities; returns the sum of log sum exp."""
    total = 0.0
    for s in range(count):
        most = units[top, s]
        for j in range(1, classes):
            most = units[top + j, s] if units[top + j, s] > most or units[top + j, s] != units[top + j, s] else most
        total += most
        for j in range(classes):
            units[top + j, s] -= most
    for j in range(classes):
        exp_of(units, top + j, count, bits, powers)
    for s in range(count):
        whole = units[top, s]
        for j in range(1, classes):
            whole += units[top + j, s]
        total += np.log(whole)
        for j in range(classes):
            units[top + j, s] /= whole
    return total


@split_inside
def _slopes(y, order, begin, count, loss, classes, top, units, deltas, bits, powers):
    """deltas of the outputs: d loss / dz."""
    if loss == SOFTMAX:
        _softmax(units, top, classes, count, bits, powers)
    elif loss == LOG:
        activate(units, top, count, 1, bits, powers)
    for j in range(classes):
        for s in range(count):
            deltas[top + j, s] = units[top + j, s]
    for s in range(count):
        target = y[order[begin + s] if order.shape[0] else begin + s]
        if loss == SOFTMAX:
            deltas[top + np.int64(target), s] -= 1
        else:
            deltas[top, s] -= target


@split_inside
def _backward(widths, activation, biases, top, count, wide, units, deltas):
    """Add the gradient's sum over the samples to the register wide[1]."""
    above, at = top, wide.shape[1]
    for layer in range(widths.shape[0] - 2, -1, -1):
        fan_in, fan_out = widths[layer], widths[layer + 1]
        below = above - fan_in
        at -= fan_out if biases else 0
        offset, at = at, at - fan_in * fan_out
        for j in range(fan_out):
            if biases:
                total = deltas[above, 0] * 0
                for s in range(count):
                    total += deltas[above + j, s]
                wide[1, offset + j] += total
            for k in range(fan_in):
                total = deltas[above, 0] * 0
                for s in range(count):
                    total += deltas[above + j, s] * units[below + k, s]
                wide[1, at + j * fan_in + k] += total
        if layer:
            for k in range(fan_in):
                for s in range(count):
                    deltas[below + k, s] = 0
                for j in range(fan_out):
                    weight = wide[0, at + j * fan_in + k]
                    for s in range(count):
                        deltas[below + k, s] += weight * deltas[above + j, s]
                for s in range(count):
                    a = units[below + k, s]
                    if activation == TANH:
                        deltas[below + k, s] *= 1 - a * a
                    elif activation == RELU:
                        deltas[below + k, s] *= 1 if a > 0 else 0
                    else:
                        deltas[below + k, s] *= a * (1 - a)
        above = below


@split
def descend(data, net, batches, order, program, rates, narrow, wide, keep, trace, first, lost):
    """n updates of one lane.

    Args:
        data: x (N, D), y (N,), penalty (P,).
        net: widths of all layers (features ... outputs), activation, loss, whether there are biases.
        batches, order, program, rates, narrow, wide, keep, trace, first, lost: as in linear.descend.
    """
    x, y, penalty = data
    widths, activation, loss, biases = net
    size, per_epoch, samples, epoch_of_order = batches
    table, bounds = program
    everything, cube = order.shape[0] == 0, wide.reshape(wide.shape[0], wide.shape[1], 1)
    units = np.empty((widths.sum(), PIECE), dtype=wide.dtype)
    deltas = np.empty_like(units)
    layers = np.empty((widths.shape[0], widths.max()), dtype=wide.dtype)
    slopes = np.empty_like(layers)
    bits = np.empty(max(PIECE, layers.shape[1]), dtype=np.int64)
    powers, classes = bits.view(np.float64), widths[-1]
    begin, count = 0, samples
    for i in range(rates.shape[0]):
        if not everything:
            epoch, position = divmod(first - 1 + i, per_epoch)
            begin = (epoch - epoch_of_order) * samples + position * size
            count = min(size, samples - position * size)
        for p in range(wide.shape[1]):
            wide[1, p] = 0
        for k in range(begin, begin + count if count < FEW else begin):
            gradient_of_one(x, y, order[k] if order.shape[0] else k, net, wide, layers, slopes, bits, powers)
        for at in range(begin, begin + count if count >= FEW else begin, PIECE):
            few = min(PIECE, begin + count - at)
            top = _forward(x, order, at, few, wide, 0, widths, activation, biases, units, bits, powers)
            _slopes(y, order, at, few, loss, classes, top, units, deltas, bits, powers)
            _backward(widths, activation, biases, top, few, wide, units, deltas)
        for p in range(wide.shape[1]):
            wide[1, p] = wide[1, p] / count + penalty[p] * wide[0, p]
        step(table, bounds, 0 if first + i == 1 else 1, rates, i, narrow, wide, cube)
        if keep[i] >= 0:
            for v in range(wide.shape[1]):
                trace[keep[i], v] = wide[0, v]
        if watch(wide, 1, first + i, lost):
            break


@split
def evaluate(data, net, theta, out):
    """The objective at theta (K, P): out (K,)."""
    x, y, penalty = data
    widths, activation, loss, biases = net
    units = np.empty((widths.sum(), PIECE), dtype=theta.dtype)
    bits = np.empty(PIECE, dtype=np.int64)
    powers, classes, nothing = bits.view(np.float64), widths[-1], np.empty(0, dtype=np.int64)
    for k in range(theta.shape[0]):
        total = 0.0
        for at in range(0, x.shape[0], PIECE):
            few = min(PIECE, x.shape[0] - at)
            top = _forward(x, nothing, at, few, theta, k, widths, activation, biases, units, bits, powers)
            for s in range(few):
                if loss == SQUARED:
                    total += 0.5 * (units[top, s] - y[at + s]) ** 2
                elif loss == SOFTMAX:
                    total -= units[top + np.int64(y[at + s]), s]
                elif y[at + s] > 0:
                    units[top, s] = -units[top, s]
            if loss == SOFTMAX:
                total += _softmax(units, top, classes, few, bits, powers)
            elif loss == LOG:
                total += softplus_sum(units, top, few, bits, powers)
        ridge = 0.0
        for p in range(theta.shape[1]):
            ridge += penalty[p] * theta[k, p] * theta[k, p]
        out[k] = total / x.shape[0] + 0.5 * ridge
