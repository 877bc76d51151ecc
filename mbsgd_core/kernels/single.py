"""A network's gradient at one sample, compiled (floor 3): vector code along the units of a layer."""

import numpy as np

from mbsgd_core.kernels.machine import split_inside
from mbsgd_core.kernels.smooth import RELU, SIGMOID, TANH, activate, exp_of

SQUARED, LOG, SOFTMAX = 0, 1, 2


@split_inside
def _forward(x, i, widths, activation, biases, wide, layers, bits, powers):
    """Row l of layers: what layer l gives out."""
    for d in range(widths[0]):
        layers[0, d] = x[i, d]
    at = 0
    for layer in range(widths.shape[0] - 1):
        fan_in, fan_out = widths[layer], widths[layer + 1]
        offset = at + fan_in * fan_out
        for j in range(fan_out):
            begin = np.uintp(at + j * fan_in)  # unsigned: an index that cannot be negative can be vectorised
            total = wide[0, 0] * 0
            for k in range(np.uintp(fan_in)):
                total += wide[0, begin + k] * layers[layer, k]
            layers[layer + 1, j] = total + wide[0, offset + j] if biases else total
        if layer < widths.shape[0] - 2:
            activate(layers, layer + 1, fan_out, activation, bits, powers)
        at = offset + (fan_out if biases else 0)


@split_inside
def _slope(target, loss, classes, top, layers, slopes, bits, powers):
    """d loss / dz of the outputs."""
    if loss == LOG:
        activate(layers, top, 1, SIGMOID, bits, powers)
    elif loss == SOFTMAX:
        most = layers[top, 0]
        for j in range(1, classes):
            most = layers[top, j] if layers[top, j] > most or layers[top, j] != layers[top, j] else most
        for j in range(classes):
            layers[top, j] -= most
        exp_of(layers, top, classes, bits, powers)
        whole = layers[top, 0]
        for j in range(1, classes):
            whole += layers[top, j]
        for j in range(classes):
            layers[top, j] /= whole
    for j in range(classes):
        slopes[top, j] = layers[top, j]
    if loss == SOFTMAX:
        slopes[top, np.int64(target)] -= 1
    else:
        slopes[top, 0] -= target


@split_inside
def gradient_of_one(x, y, i, net, wide, layers, slopes, bits, powers):
    """Add the gradient at sample i to the register wide[1].

    Args:
        x, y, net: as in dense.descend.
        layers, slopes: (layers + 1, widest) workspace.
        bits, powers: workspace of smooth.
    """
    widths, activation, loss, biases = net
    top, at = widths.shape[0] - 1, wide.shape[1]
    _forward(x, i, widths, activation, biases, wide, layers, bits, powers)
    _slope(y[i], loss, widths[top], top, layers, slopes, bits, powers)
    for layer in range(top - 1, -1, -1):
        fan_in, fan_out = widths[layer], widths[layer + 1]
        at -= fan_out if biases else 0
        offset, at = at, at - fan_in * fan_out
        for k in range(fan_in):
            slopes[layer, k] = 0
        for j in range(fan_out):
            begin, slope = np.uintp(at + j * fan_in), slopes[layer + 1, j]
            if biases:
                wide[1, offset + j] += slope
            for k in range(np.uintp(fan_in)):
                wide[1, begin + k] += slope * layers[layer, k]
            if layer:
                for k in range(np.uintp(fan_in)):
                    slopes[layer, k] += slope * wide[0, begin + k]
        if layer:
            for k in range(fan_in):
                a = layers[layer, k]
                if activation == TANH:
                    slopes[layer, k] *= 1 - a * a
                elif activation == RELU:
                    slopes[layer, k] *= 1 if a > 0 else 0
                else:
                    slopes[layer, k] *= a * (1 - a)
