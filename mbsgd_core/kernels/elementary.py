"""exp, log, powers and their kin as vector code (floor 3), right to a few units of the last place.

libm's are called one number at a time, five to ten times as slow. Here every function is straight arithmetic, which the
compiler lays side by side: the argument is brought near 0, a Taylor sum does the rest, and the exponent's bits are set
by hand. The order of every step is fixed: a number gives the same bits alone and among others.
"""

import math
import platform

import numpy as np
from llvmlite import ir
from llvmlite.binding import get_host_cpu_features
from numba import njit, types
from numba.extending import intrinsic

inside = njit(cache=True, nogil=True, error_model="numpy", forceinline=True)

_FUSES = platform.machine() not in ("x86_64", "AMD64") or get_host_cpu_features().get("fma", False)
# Added to a number and taken away again, 1.5 * 2^52 rounds it to a whole one, which then stands in its lowest bits.
ROUND, _ROUND_BITS = 6755399441055744.0, 0x4338000000000000
_LOG2_E = 1 / math.log(2)
# Logarithms of 2 in two parts: the last bits of the first are zero, so that whole numbers times it are exact.
_LOG2_A, _LOG2_B = float.fromhex("0x1.62e42feep-1"), float.fromhex("0x1.a39ef35793c76p-33")
_LG2_A, _LG2_B = float.fromhex("0x1.34413508p-2"), float.fromhex("0x1.f79fef311f12bp-34")
_LG_E, _LG_E_REST = math.log10(math.e), float.fromhex("0x1.95355baaafad3p-57")
_LEAST = 2.0**-1022  # normal number
_ROOT_HALF_BITS, _ONE_BITS, _FRACTION = 0x3FE6A09E00000000, 0x3FF0000000000000, 0xFFFFFFFFFFFFF
_EXP = tuple(1 / math.factorial(k) for k in range(13, 1, -1))
_ARTANH = tuple(2 / k for k in range(21, 1, -2))
# Larger exponents are left to libm, and all of them where nothing is fused: the logarithm's second part needs that.
_MOST = 1e5 if _FUSES else -1.0


@intrinsic
def bits(typing_context, x):
    """The bits of a float64, as int64."""

    def code(context, builder, signature, args):
        return builder.bitcast(args[0], ir.IntType(64))

    return types.int64(types.float64), code


@intrinsic
def _number(typing_context, x):
    """The float64 of these bits."""

    def code(context, builder, signature, args):
        return builder.bitcast(args[0], ir.DoubleType())

    return types.float64(types.int64), code


@intrinsic
def fused(typing_context, a, b, c):
    """a b + c, rounded once where the processor can."""

    def code(context, builder, signature, args):
        return builder.fma(*args) if _FUSES else builder.fadd(builder.fmul(args[0], args[1]), args[2])

    return types.float64(types.float64, types.float64, types.float64), code


@inside
def horner(z, terms):
    """The polynomial in z with these coefficients, the highest first."""
    total = terms[0]
    for i in range(1, len(terms)):
        total = fused(total, z, terms[i])
    return total


@inside
def _exp_parts(x, rest):
    """(q, n) with exp(x + rest) = 2^n (1 + q), |q| < 0.42; |x| < 2^30, a small rest."""
    t = fused(x, _LOG2_E, ROUND)
    n = t - ROUND
    r = fused(-n, _LOG2_B, fused(-n, _LOG2_A, x)) + rest
    return fused(r * r, horner(r, _EXP), r), bits(t) - _ROUND_BITS


@inside
def _power_of_two(n):
    """2^n for -1022 <= n <= 1023."""
    return _number((n + 1023) << 52)


@inside
def _exp_of(x, rest, n):
    """2^n exp(x + rest)."""
    x = 720.0 if x > 720.0 else x
    x = -760.0 if x < -760.0 else x
    q, m = _exp_parts(x, rest)
    half = m >> 1  # 2^m itself may be beyond what a number can be
    return (1.0 + q) * _power_of_two(half) * _power_of_two(m - half + n)


@inside
def exponential(x):
    """exp(x)."""
    return _exp_of(np.float64(x), 0.0, 0)


@inside
def sigmoid(x):
    """1 / (1 + exp(-x))."""
    return 1.0 / (1.0 + _exp_of(-np.float64(x), 0.0, 0))


@inside
def hyperbolic_tangent(x):
    """tanh(x) = (1 - p) / (1 + p), p = exp(-2 |x|) = 2^n (1 + q); where p is small, 1 - 2 p / (1 + p)."""
    x = np.float64(x)
    a = -2.0 * abs(x)
    a = -700.0 if a < -700.0 else a
    q, n = _exp_parts(a, 0.0)
    power = _power_of_two(n)
    p = power * q + power
    part = (2.0 * p if p < 0.25 else (1.0 - power) - power * q) / (1.0 + p)
    return math.copysign(1.0 - part if p < 0.25 else part, x)


@inside
def hyperbolic_cosine(x):
    """cosh(x) = h + 1 / (4 h), h = exp(|x|) / 2."""
    h = _exp_of(abs(np.float64(x)), 0.0, -1)
    return h + 0.25 / h


@inside
def hyperbolic_sine(x):
    """sinh(x) = h - 1 / (4 h), h = exp(|x|) / 2; near 0 (t + t / (1 + t)) / 2, t = exp(|x|) - 1."""
    x = np.float64(x)
    a = abs(x)
    h, near = _exp_of(a, 0.0, -1), a < 1.0
    q, n = _exp_parts(a if near else 0.0, 0.0)
    power = _power_of_two(n)
    t = power * q + (power - 1.0)
    part = (t if near else 0.25) / (1.0 + t if near else h)
    return math.copysign(0.5 * (t + part) if near else h - part, x)


@inside
def _split(x):
    """(k, f) with x = 2^k (1 + f), sqrt(1/2) <= 1 + f < sqrt(2), both exact; x > 0."""
    small = x < _LEAST
    b = bits(x * 2.0**54 if small else x) + (_ONE_BITS - _ROOT_HALF_BITS)
    k = _number((b >> 52) - 1023 + _ROUND_BITS) - ROUND - (54.0 if small else 0.0)
    return k, _number((b & _FRACTION) + _ROOT_HALF_BITS) - 1.0


@inside
def _log_parts(x):
    """(k, f, c) with log(x) = k log 2 + (f - c). log(1 + f) = 2 artanh(s) for s = f / (2 + f) = f - s f + ..."""
    k, f = _split(x)
    s = f / (2.0 + f)
    z = s * s
    half = 0.5 * f * f
    return k, f, half - s * fused(z, horner(z, _ARTANH), half)


@inside
def _log_of(x, result):
    """The logarithm, where x has one."""
    result = x if x == np.inf else result
    return result if x > 0 else (-np.inf if x == 0 else np.nan)


@inside
def logarithm(x):
    """log(x)."""
    x = np.float64(x)
    k, f, c = _log_parts(x)
    return _log_of(x, k * _LOG2_A - ((c - k * _LOG2_B) - f))


@inside
def logarithm_2(x):
    """The logarithm to base 2."""
    x = np.float64(x)
    k, f, c = _log_parts(x)
    return _log_of(x, k + (f - c) * _LOG2_E)


@inside
def logarithm_10(x):
    """The logarithm to base 10, exact where x is a power of 10."""
    x = np.float64(x)
    k, f, c = _log_parts(x)
    high = f - c
    low = (f - high) - c
    part = high * _LG_E
    rest = fused(high, _LG_E, -part) + (low * _LG_E + high * _LG_E_REST + k * _LG2_B)
    whole = k * _LG2_A
    total = whole + part
    other = total - whole
    return _log_of(x, total + ((whole - (total - other)) + (part - other) + rest))


@inside
def _power(x, y):
    """x^y = exp(y log x) for x > 0, with the logarithm in two parts, the second below the last place of the first."""
    k, f = _split(x)
    t = 2.0 + f
    inverse = 1.0 / t
    s = f * inverse
    lost = (fused(-s, t, f) - s * (f - (t - 2.0))) * inverse
    z = s * s
    whole, part = k * _LOG2_A, 2.0 * s
    total = whole + part
    other = total - whole
    more = (whole - (total - other)) + (part - other) + (2.0 * lost + k * _LOG2_B + s * z * horner(z, _ARTANH))
    high = total + more
    low = more - (high - total)
    p = y * high
    return _exp_of(p, fused(y, high, -p) + y * low, 0)


@inside
def powers(r, out, a, b):
    """Row out = (row a)^(row b)."""
    odd = 0
    for v in range(r.shape[1]):
        x, y = np.float64(r[a, v]), np.float64(r[b, v])
        size = abs(x)
        odd += not (size > 0 and size < np.inf and abs(y) <= _MOST)
        result = _power(size, y)
        if x < 0:  # a whole power has a value, an odd one its sign
            result = np.nan if y != np.floor(y) else (-result if 0.5 * y != np.floor(0.5 * y) else result)
        r[out, v] = result
    if odd:
        for v in range(r.shape[1]):
            x, y = np.float64(r[a, v]), np.float64(r[b, v])
            if not (abs(x) > 0 and abs(x) < np.inf and abs(y) <= _MOST):
                r[out, v] = x**y
