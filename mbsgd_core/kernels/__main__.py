"""python -m mbsgd_core.kernels: compile everything into numba's cache, now; a server does so in the background."""

import sys
from time import perf_counter

from mbsgd_core.kernels.fill import fill_all
from mbsgd_core.kernels.ready import DTYPES, stamp

if __name__ == "__main__" and not all(stamp(dtype).exists() for dtype in DTYPES):
    began = perf_counter()
    if not fill_all():
        sys.exit(1)
    print(f"compiled lanes are ready ({perf_counter() - began:.0f} s)", file=sys.stderr)
