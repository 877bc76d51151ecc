"""python -m mbsgd_core.kernels: compile everything into numba's cache, so that no visitor waits for it."""

import sys
from time import perf_counter

from mbsgd_core.kernels.ready import clear, is_ready, stamp

if __name__ == "__main__":
    if not is_ready():
        from mbsgd_core.kernels.compile import compile_all

        began = perf_counter()
        clear()
        compile_all()
        stamp().parent.mkdir(parents=True, exist_ok=True)
        stamp().touch()
        print(f"compiled lanes are ready ({perf_counter() - began:.0f} s)", file=sys.stderr)
