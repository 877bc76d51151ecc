"""Imported once by the server that workers are forked from (floor 5): all that is slow to import.

It must not start threads nor touch a GPU, since neither survives a fork.
"""

import os

os.environ["OMP_NUM_THREADS"] = "1"  # before torch: several threads a worker are up to 300 times slower on shared cores

import torch  # noqa: E402

from mbsgd_core.experiment import problems  # noqa: E402
from mbsgd_core.measures import cursor, picture  # noqa: E402, F401

torch.set_num_threads(1)
problems()
