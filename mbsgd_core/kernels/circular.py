"""sin, cos, tan and the angles that belong to them as vector code (floor 3); see `elementary`."""

import math

import numpy as np

from mbsgd_core.kernels.elementary import ROUND, bits, fused, horner, inside

_TWO_OVER_PI = 2 / math.pi
# pi / 2 in parts: the last bits of the first two are zero, so that n times them is exact.
_QUARTER_A, _QUARTER_B = float.fromhex("0x1.921fb544p+0"), float.fromhex("0x1.0b4611a6p-34")
_QUARTER_C = float.fromhex("0x1.3198a2e037073p-69")
_REST = 6.123233995736766e-17  # pi / 2 - the float next to it
_FAR = 1e6  # n is below 2^20 up to here; numbers beyond are left to libm
_SINE = tuple((-1) ** k / math.factorial(2 * k + 1) for k in range(8, 0, -1))
_COSINE = tuple((-1) ** k / math.factorial(2 * k) for k in range(8, 1, -1))
# (atan(u) / u - 1) / u^2 in powers of u^2 at Chebyshev's points of |u| <= sqrt(2) - 1: right to 7e-18 of u.
_ARCTAN = (
    *(-0.01917687634038683, 0.039231649494329654, -0.050854494332888335, 0.05858148854584724, -0.06664511440680289),
    *(0.0769218319035032, -0.09090904578103423, 0.11111111015255858, -0.14285714284666537, 0.1999999999999552),
    -0.3333333333333333,
)


@inside
def _sine_and_cosine(x):
    """sin and cos of r = x - n pi / 2, |r| <= pi / 4, and the last bits of n; |x| <= _FAR."""
    t = fused(x, _TWO_OVER_PI, ROUND)
    n = t - ROUND
    r = fused(-n, _QUARTER_C, fused(-n, _QUARTER_B, fused(-n, _QUARTER_A, x)))
    z = r * r
    sine = r if r == 0 else fused(r * z, horner(z, _SINE), r)  # -0 stays -0
    return sine, 1.0 - (0.5 * z - z * z * horner(z, _COSINE)), bits(t)


@inside
def sines(r, out, a, quarters):
    """Row out = sin(row a + quarters pi / 2), quarters 0 or 1."""
    far = 0
    for v in range(r.shape[1]):
        x = np.float64(r[a, v])
        far += not abs(x) <= _FAR
        sine, cosine, n = _sine_and_cosine(x)
        n += quarters
        size = cosine if n & 1 else sine
        r[out, v] = -size if n & 2 else size
    if far:
        for v in range(r.shape[1]):
            x = np.float64(r[a, v])
            if not abs(x) <= _FAR:
                r[out, v] = math.cos(x) if quarters else math.sin(x)


@inside
def both(r, out, a, other):
    """Row out = sin(row a), row other = cos(row a)."""
    far = 0
    for v in range(r.shape[1]):
        x = np.float64(r[a, v])
        far += not abs(x) <= _FAR
        sine, cosine, n = _sine_and_cosine(x)
        up, along = (cosine, -sine) if n & 1 else (sine, cosine)
        r[out, v], r[other, v] = (-up, -along) if n & 2 else (up, along)
    if far:
        for v in range(r.shape[1]):
            x = np.float64(r[a, v])
            if not abs(x) <= _FAR:
                r[out, v], r[other, v] = math.sin(x), math.cos(x)


@inside
def tangents(r, out, a):
    """Row out = tan(row a)."""
    far = 0
    for v in range(r.shape[1]):
        x = np.float64(r[a, v])
        far += not abs(x) <= _FAR
        sine, cosine, n = _sine_and_cosine(x)
        r[out, v] = (-cosine if n & 1 else sine) / (sine if n & 1 else cosine)
    if far:
        for v in range(r.shape[1]):
            x = np.float64(r[a, v])
            if not abs(x) <= _FAR:
                r[out, v] = math.tan(x)


@inside
def _angle(up, along):
    """The angle, 0 to pi, of a point that is not (0, 0); up >= 0."""
    b = abs(along)
    steep, middle = up > 2.414213562373095 * b, up > 0.41421356237309503 * b
    u = (-b if steep else (up - b if middle else up)) / (up if steep else (up + b if middle else b))
    quarters = 1.0 if steep else (0.5 if middle else 0.0)
    u, quarters = (-u, 2.0 - quarters) if along < 0 else (u, quarters)
    z = u * u
    return quarters * (math.pi / 2) + (fused(u * z, horner(z, _ARCTAN), u) + quarters * _REST)


@inside
def arctangent(x):
    """atan(x)."""
    x = np.float64(x)
    return math.copysign(_angle(abs(x), 1.0), x)


@inside
def arcsine(x):
    """asin(x), the angle of x up and sqrt(1 - x^2) along."""
    x = np.float64(x)
    return math.copysign(_angle(abs(x), math.sqrt((1.0 - x) * (1.0 + x))), x)


@inside
def arccosine(x):
    """acos(x), the angle of sqrt(1 - x^2) up and x along."""
    x = np.float64(x)
    return _angle(math.sqrt((1.0 - x) * (1.0 + x)), x)


@inside
def angles(r, out, a, b):
    """Row out = the angle of the point (row b, row a), as atan2."""
    odd = 0
    for v in range(r.shape[1]):
        up, along = np.float64(r[a, v]), np.float64(r[b, v])
        odd += not (abs(up) + abs(along) > 1e-300 and abs(up) + abs(along) < 1e300)
        r[out, v] = math.copysign(_angle(abs(up), along), up)
    if odd:
        for v in range(r.shape[1]):
            up, along = np.float64(r[a, v]), np.float64(r[b, v])
            if not (abs(up) + abs(along) > 1e-300 and abs(up) + abs(along) < 1e300):
                r[out, v] = math.atan2(up, along)
