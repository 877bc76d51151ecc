"""Descent on a surface, compiled (floor 3): its tape for the slope, a rule's tape for the step."""

import numpy as np

from mbsgd_core.kernels.machine import exact, execute, step, watch
from mbsgd_core.kernels.tape import OUTPUTS


@exact
def batch_means(draws, order, first, size, per_epoch, samples, out):
    """The mean noise draw of every batch: draws (m, W), order of whole epochs, out (n, W) for updates first ..."""
    width = draws.shape[1]
    for i in range(out.shape[0]):
        epoch, position = divmod(first + i, per_epoch)
        start = epoch * samples + position * size
        count = min(size, samples - position * size)
        for w in range(width):
            total = draws[order[start], w]
            for k in range(start + 1, start + count):
                total += draws[order[k], w]
            out[i, w] = total / count


@exact
def descend(field, registers, noise, scales, program, rates, narrow, wide, keep, trace, first, lost):
    """n updates of L lanes.

    Args:
        field: the tape of gradient(x, y), with its `registers` (f, L).
        noise: (n, W, L) mean draws, added to the slope or, if `scales`, e of (1 + e) times the slope; n = 0: none.
        program, narrow, wide: a rule's tape and its registers; wide holds x of all lanes, then y.
        rates: (n, L) learning rates.
        keep: (n,) rows of trace (K, 2 L) that each update fills, -1 for none.
        first: the number of the first update, for lost (L,): when a lane ceased to be finite.
    """
    lanes = narrow.shape[1]
    slopes, results, (table, bounds) = field.table, field.bounds[0, OUTPUTS], program
    cube = wide.reshape(wide.shape[0], 2, lanes)
    for i in range(rates.shape[0]):
        for lane in range(lanes):
            registers[0, lane], registers[1, lane] = cube[0, 0, lane], cube[0, 1, lane]
        execute(slopes, 0, results, registers)
        for axis in range(2):
            slope = slopes[results + axis, 0]
            if noise.shape[0] == 0:
                for lane in range(lanes):
                    cube[1, axis, lane] = registers[slope, lane]
            elif scales:
                for lane in range(lanes):
                    cube[1, axis, lane] = registers[slope, lane] * (1 + noise[i, 0, lane])
            else:
                for lane in range(lanes):
                    cube[1, axis, lane] = registers[slope, lane] + noise[i, axis, lane]
        step(table, bounds, 0 if first + i == 1 else 1, rates, i, narrow, wide, cube)
        if keep[i] >= 0:
            for v in range(wide.shape[1]):
                trace[keep[i], v] = wide[0, v]
        if watch(wide, lanes, first + i, lost):
            break


@exact
def evaluate(field, registers, theta, out):
    """The tape's first result at points theta (K, 2): out (K,)."""
    width, results = registers.shape[1], field.bounds[0, OUTPUTS]
    for begin in range(0, theta.shape[0], width):
        count = min(width, theta.shape[0] - begin)
        for k in range(count):
            registers[0, k] = theta[begin + k, 0]
            registers[1, k] = theta[begin + k, 1]
        execute(field.table, 0, results, registers)
        out[begin : begin + count] = registers[field.table[results, 0], :count]


@exact
def evaluate_lanes(field, registers, theta, out):
    """The tape's first result at points theta (K, 2 L), x of all lanes, then y: out (K, L)."""
    lanes, results = registers.shape[1], field.bounds[0, OUTPUTS]
    for k in range(theta.shape[0]):
        for lane in range(lanes):
            registers[0, lane] = theta[k, lane]
            registers[1, lane] = theta[k, np.uintp(lanes) + np.uintp(lane)]
        execute(field.table, 0, results, registers)
        out[k] = registers[field.table[results, 0]]
