"""Orders of visits, compiled (floor 3): numpy's permutations of counter-based streams, bit for bit.

Making a numpy generator costs three times the shuffle of 500 samples; this is the same algorithm without it: a bounded
number is a draw of just enough bits, drawn again if it is too large.

Reference: Salmon et al. 2011 (Philox4x64-10); Fisher and Yates 1938 (the shuffle).
"""

import numpy as np
from numba import uint64

from mbsgd_core.kernels.machine import exact

_LOW = uint64(0xFFFFFFFF)
_M0, _M1 = uint64(0xD2E7470EE14C6C93), uint64(0xCA5A826395121157)
_W0, _W1 = uint64(0x9E3779B97F4A7C15), uint64(0xBB67AE8584CAA73B)
_32, _1 = uint64(32), uint64(1)


@exact
def _high(a, b):
    """The upper half of a 128-bit product."""
    a0, a1, b0, b1 = a & _LOW, a >> _32, b & _LOW, b >> _32
    middle = a1 * b0 + ((a0 * b0) >> _32)
    return a1 * b1 + (middle >> _32) + ((a0 * b1 + (middle & _LOW)) >> _32)


@exact
def _philox(block, run, epoch, key0, key1, out):
    c0, c1, c2, c3 = block, uint64(0), run, epoch
    for _ in range(10):
        c0, c1, c2, c3 = _high(_M1, c2) ^ c1 ^ key0, _M1 * c2, _high(_M0, c0) ^ c3 ^ key1, _M0 * c0
        key0, key1 = key0 + _W0, key1 + _W1
    out[0], out[1], out[2], out[3] = c0, c1, c2, c3


@exact
def permutations(key0, key1, runs, epoch, out):
    """Generator(Philox(key, counter=(0, 0, run, epoch))).permutation(samples): out (R, E, samples), from `epoch` on."""
    words = np.empty(4, dtype=np.uint64)
    samples = out.shape[2]
    for r in range(runs):
        for e in range(out.shape[1]):
            order = out[r, e]
            for i in range(samples):
                order[i] = i
            drawn = 0  # halves of words so far, the lower half first
            mask = uint64(1)  # the bits that a number up to i needs
            while mask < uint64(samples - 1):
                mask = (mask << _1) | _1
            for i in range(samples - 1, 0, -1):
                if mask >> _1 >= uint64(i):
                    mask >>= _1
                while True:
                    if drawn % 8 == 0:
                        _philox(uint64(drawn // 8 + 1), uint64(r), uint64(epoch + e), key0, key1, words)
                    word = words[(drawn // 2) % 4]
                    j = (word >> _32 if drawn % 2 else word & _LOW) & mask
                    drawn += 1
                    if j <= uint64(i):
                        break
                order[i], order[j] = order[j], order[i]
