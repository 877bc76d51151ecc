"""The machine (floor 3): runs tapes, compiled. One body for every surface and every rule.

Registers are the rows of a matrix, so each instruction is a loop over lanes and parameters that the compiler turns
into vector code. A result never shares a row with its operands: rows that may overlap could not be vectorised.
"""

import math

import numpy as np
from numba import njit

from mbsgd_core.kernels.circular import angles, arccosine, arcsine, arctangent, both, sines, tangents
from mbsgd_core.kernels.elementary import (
    exponential,
    hyperbolic_cosine,
    hyperbolic_sine,
    hyperbolic_tangent,
    logarithm,
    logarithm_2,
    logarithm_10,
    powers,
    sigmoid,
)
from mbsgd_core.kernels.tape import CODE, NARROW_CODE, NARROW_MOVES, OUTPUTS, SPREADS, WIDE_CODE, WIDE_MOVES

exact = njit(cache=True, nogil=True, error_model="numpy")
# reassoc and contract let sums be split over vector lanes; unlike full fast-math they keep infinities and NaN.
split = njit(cache=True, nogil=True, error_model="numpy", fastmath={"reassoc", "contract"})
# A call hands over every array as ten words: for one lane that would cost more than the arithmetic.
exact_inside = njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
split_inside = njit(cache=True, nogil=True, error_model="numpy", fastmath={"reassoc", "contract"}, forceinline=True)

COPY, ADD, SUB, MUL, DIV, NEG = (CODE["copy"], CODE["add"], CODE["sub"], CODE["mul"], CODE["div"], CODE["neg"])
SQRT, ABS, EXP, EXPM1, LOG, LOG1P = (CODE["sqrt"], CODE["abs"], CODE["exp"], CODE["expm1"], CODE["log"], CODE["log1p"])
LOG2, LOG10, SIN, COS, TAN, ASIN = (CODE["log2"], CODE["log10"], CODE["sin"], CODE["cos"], CODE["tan"], CODE["asin"])
ACOS, ATAN, SINH, COSH, TANH = (CODE["acos"], CODE["atan"], CODE["sinh"], CODE["cosh"], CODE["tanh"])
SIGMOID, HYPOT, ATAN2, MAXIMUM, MINIMUM = (CODE[n] for n in ("sigmoid", "hypot", "atan2", "maximum", "minimum"))
RELU, FLOOR, CEIL, SIGN, POW = (CODE["relu"], CODE["floor"], CODE["ceil"], CODE["sign"], CODE["pow"])
EQ, LE, GATE, TAME, BOTH = (CODE["eq"], CODE["le"], CODE["gate"], CODE["tame"], CODE["both"])


@exact_inside
def execute(table, begin, end, r):
    """Run instructions (operation, target, first, second) on every column of the registers r."""
    width = r.shape[1]
    for i in range(begin, end):
        operation, out, a, b = table[i, 0], table[i, 1], table[i, 2], table[i, 3]
        if operation == MUL:
            for v in range(width):
                r[out, v] = r[a, v] * r[b, v]
        elif operation == ADD:
            for v in range(width):
                r[out, v] = r[a, v] + r[b, v]
        elif operation == SUB:
            for v in range(width):
                r[out, v] = r[a, v] - r[b, v]
        elif operation == DIV:
            for v in range(width):
                r[out, v] = r[a, v] / r[b, v]
        elif operation == NEG:
            for v in range(width):
                r[out, v] = -r[a, v]
        elif operation == SQRT:
            for v in range(width):
                r[out, v] = math.sqrt(r[a, v])
        elif operation == COPY:
            for v in range(width):
                r[out, v] = r[a, v]
        else:
            _seldom(operation, out, a, b, r)


@exact
def _seldom(operation, out, a, b, r):
    width = r.shape[1]
    if operation == MAXIMUM:
        for v in range(width):
            r[out, v] = r[a, v] if r[a, v] > r[b, v] or r[a, v] != r[a, v] else r[b, v]
    elif operation == MINIMUM:
        for v in range(width):
            r[out, v] = r[a, v] if r[a, v] < r[b, v] or r[a, v] != r[a, v] else r[b, v]
    elif operation == ABS:
        for v in range(width):
            r[out, v] = abs(r[a, v])
    elif operation == EQ:
        for v in range(width):
            r[out, v] = 1 if r[a, v] == r[b, v] else 0
    elif operation == LE:
        for v in range(width):
            r[out, v] = 1 if r[a, v] <= r[b, v] else 0
    elif operation == GATE:
        for v in range(width):
            r[out, v] = 0 if r[b, v] == 0 else r[a, v]
    elif operation == TAME:
        for v in range(width):
            r[out, v] = 0 if math.isfinite(r[b, v]) and not math.isfinite(r[a, v]) else r[a, v]
    elif operation == RELU:
        for v in range(width):
            r[out, v] = 0 if r[a, v] < 0 else r[a, v]
    elif operation == SIGN:
        for v in range(width):
            r[out, v] = 1 if r[a, v] > 0 else -1 if r[a, v] < 0 else 0
    elif operation == FLOOR:
        for v in range(width):
            r[out, v] = np.floor(r[a, v])
    elif operation == CEIL:
        for v in range(width):
            r[out, v] = np.ceil(r[a, v])
    elif operation == SIN:
        sines(r, out, a, 0)
    elif operation == COS:
        sines(r, out, a, 1)
    elif operation == BOTH:
        both(r, out, a, b)
    elif operation == TAN:
        tangents(r, out, a)
    elif operation == ASIN:
        for v in range(width):
            r[out, v] = arcsine(r[a, v])
    elif operation == ACOS:
        for v in range(width):
            r[out, v] = arccosine(r[a, v])
    elif operation == ATAN:
        for v in range(width):
            r[out, v] = arctangent(r[a, v])
    elif operation == SINH:
        for v in range(width):
            r[out, v] = hyperbolic_sine(r[a, v])
    elif operation == COSH:
        for v in range(width):
            r[out, v] = hyperbolic_cosine(r[a, v])
    elif operation == EXP:
        for v in range(width):
            r[out, v] = exponential(r[a, v])
    elif operation == EXPM1:
        for v in range(width):
            r[out, v] = math.expm1(r[a, v])
    elif operation == LOG:
        for v in range(width):
            r[out, v] = logarithm(r[a, v])
    elif operation == LOG1P:
        for v in range(width):
            r[out, v] = math.log1p(r[a, v])
    elif operation == LOG2:
        for v in range(width):
            r[out, v] = logarithm_2(r[a, v])
    elif operation == LOG10:
        for v in range(width):
            r[out, v] = logarithm_10(r[a, v])
    elif operation == TANH:
        for v in range(width):
            r[out, v] = hyperbolic_tangent(r[a, v])
    elif operation == SIGMOID:
        for v in range(width):
            r[out, v] = sigmoid(r[a, v])
    elif operation == HYPOT:
        for v in range(width):
            r[out, v] = math.hypot(r[a, v], r[b, v])
    elif operation == ATAN2:
        angles(r, out, a, b)
    elif operation == POW:
        powers(r, out, a, b)


@exact_inside
def step(table, bounds, segment, rates, i, narrow, wide, cube):
    """One update from the gradient in the wide register 1: theta (register 0) moves, the state is renewed.

    Args:
        table, bounds, segment: a rule's Program; segment 0 for the first update, else 1.
        rates, i: (n, L) learning rates, and which of them.
        narrow: (n, L) float64 registers.
        wide, cube: (w, P L) registers: parameter by parameter, the lanes side by side; the same as (w, P, L).
    """
    lanes, width = narrow.shape[1], wide.shape[1]
    for lane in range(lanes):
        narrow[0, lane] = rates[i, lane]
    execute(table, bounds[segment, NARROW_CODE], bounds[segment, SPREADS], narrow)
    for s in range(bounds[segment, SPREADS], bounds[segment, WIDE_CODE]):
        source, out = table[s, 0], table[s, 1]
        if lanes == 1:
            for v in range(width):
                wide[out, v] = narrow[source, 0]
        else:
            for p in range(cube.shape[1]):
                for lane in range(lanes):
                    cube[out, p, lane] = narrow[source, lane]
    execute(table, bounds[segment, WIDE_CODE], bounds[segment, NARROW_MOVES], wide)
    delta = table[bounds[segment, OUTPUTS], 0]
    for v in range(width):
        wide[0, v] += wide[delta, v]
    for s in range(bounds[segment, NARROW_MOVES], bounds[segment, WIDE_MOVES]):
        source, out = table[s, 0], table[s, 1]
        for lane in range(lanes):
            narrow[out, lane] = narrow[source, lane]
    for s in range(bounds[segment, WIDE_MOVES], bounds[segment, OUTPUTS]):
        source, out = table[s, 0], table[s, 1]
        for v in range(width):
            wide[out, v] = wide[source, v]


@split_inside
def watch(wide, lanes, update, lost):
    """Note in lost (L,) the update at which a lane's theta ceased to be finite; True where no lane is left."""
    total = wide[0, 0] * 0
    for v in range(wide.shape[1]):
        total += wide[0, v] * 0  # 0, or not a number
    if total == 0:
        return False
    left = 0
    for lane in range(lanes):
        for v in range(lane, wide.shape[1], lanes):
            if lost[lane] < 0 and not math.isfinite(wide[0, v]):
                lost[lane] = update
        left += lost[lane] < 0
    return left == 0
