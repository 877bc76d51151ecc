"""exp, tanh, sigmoid and log(1 + exp) as vector code (floor 3); libm's are called one number at a time.

All rest on exp(-a), a >= 0: n = round(a / log 2), r = n log 2 - a, q the Taylor sum of exp(r) - 1, |r| <= log(2) / 2.
Then exp(-a) = 2^-n q + 2^-n and exp(-a) - 1 = 2^-n q + (2^-n - 1): each is right to a few units of its own last place,
however small it is. NaN stays NaN.

Every function takes `row`s of a matrix and a workspace: int64 (count,) and the same memory read as float64.
"""

import math

import numpy as np

from mbsgd_core.kernels.machine import split_inside

_LOG2_E = 1 / math.log(2)
# log 2 in two parts: the last bits of the first are zero, so that n times it is exact (fdlibm).
_HIGH, _LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10
_TOP = 708.0  # exp(-708) is the least normal number, nearly
TANH, SIGMOID, RELU = 0, 1, 2


@split_inside
def _powers(matrix, row, count, factor, bits):
    """bits = the bits of 2^-n for a = factor |x|."""
    for s in range(count):
        a = factor * abs(np.float64(matrix[row, s]))
        a = _TOP if a > _TOP else a
        bits[s] = (1023 - np.int64(a * _LOG2_E + 0.5)) << 52


@split_inside
def _rest(x, factor):
    """q = exp(r) - 1 for a = factor |x|."""
    a = factor * abs(np.float64(x))
    a = _TOP if a > _TOP else a
    n = np.float64(np.int64(a * _LOG2_E + 0.5))
    r = (n * _HIGH - a) + n * _LOW
    q = 1 / 87178291200 * r + 1 / 6227020800
    q = q * r + 1 / 479001600
    q = q * r + 1 / 39916800
    q = q * r + 1 / 3628800
    q = q * r + 1 / 362880
    q = q * r + 1 / 40320
    q = q * r + 1 / 5040
    q = q * r + 1 / 720
    q = q * r + 1 / 120
    q = q * r + 1 / 24
    q = q * r + 1 / 6
    q = q * r + 0.5
    return (q * r + 1.0) * r


@split_inside
def activate(matrix, row, count, kind, bits, powers):
    """tanh, sigmoid or relu of the first `count` numbers of a row, in place."""
    if kind == RELU:
        for s in range(count):
            value = matrix[row, s]
            matrix[row, s] = value if value > 0 or value != value else 0
        return
    factor = 2.0 if kind == TANH else 1.0
    _powers(matrix, row, count, factor, bits)
    for s in range(count):
        x = matrix[row, s]
        power, q = powers[s], _rest(x, factor)
        if kind == TANH:
            e = power * q + (power - 1.0)  # exp(-2 |x|) - 1
            size = -e / (2.0 + e)
            matrix[row, s] = size if x >= 0 else -size
        else:
            e = power * q + power
            matrix[row, s] = 1.0 / (1.0 + e) if x >= 0 else e / (1.0 + e)


@split_inside
def softplus(x, power):
    """log(1 + exp(x)), with power = 2^-n of a = |x|."""
    e = power * _rest(x, 1.0) + power
    s = e / (2.0 + e)  # log(1 + e) = 2 artanh(s), s <= 1/3
    t = s * s
    q = t / 33 + 1 / 31
    q = q * t + 1 / 29
    q = q * t + 1 / 27
    q = q * t + 1 / 25
    q = q * t + 1 / 23
    q = q * t + 1 / 21
    q = q * t + 1 / 19
    q = q * t + 1 / 17
    q = q * t + 1 / 15
    q = q * t + 1 / 13
    q = q * t + 1 / 11
    q = q * t + 1 / 9
    q = q * t + 1 / 7
    q = q * t + 1 / 5
    q = q * t + 1 / 3
    q = q * t + 1.0
    return 2.0 * s * q + (x if x > 0 else 0.0)


@split_inside
def softplus_sum(matrix, row, count, bits, powers):
    """The sum of log(1 + exp(x)) over a row."""
    _powers(matrix, row, count, 1.0, bits)
    total = 0.0
    for s in range(count):
        total += softplus(np.float64(matrix[row, s]), powers[s])
    return total


@split_inside
def exp_of(matrix, row, count, bits, powers):
    """exp(x) for x <= 0, in place."""
    _powers(matrix, row, count, 1.0, bits)
    for s in range(count):
        matrix[row, s] = powers[s] * _rest(matrix[row, s], 1.0) + powers[s]
