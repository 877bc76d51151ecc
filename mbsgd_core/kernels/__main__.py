"""python -m mbsgd_core.kernels: compile everything into numba's cache, so that no visitor waits for it."""

import sys
from time import perf_counter

from mbsgd_core.kernels.ready import alone, clear, stamp

if __name__ == "__main__":
    with alone():
        sources, began = stamp(), perf_counter()
        if not sources.exists():
            from mbsgd_core.kernels.compile import compile_all

            clear()
            compile_all()
            if stamp() != sources:
                sys.exit("kernels/ was edited while it was compiled; run python -m mbsgd_core.kernels again")
            sources.touch()
            print(f"compiled lanes are ready ({perf_counter() - began:.0f} s)", file=sys.stderr)
