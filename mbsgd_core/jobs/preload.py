"""Imported once by the server that workers are forked from (floor 5): all that is slow to import.

It must not start threads nor touch a GPU, since neither survives a fork.
"""

import os

os.environ["OMP_NUM_THREADS"] = "1"  # before torch: several threads a worker are up to 300 times slower on shared cores

import torch

from mbsgd_core import kernels
from mbsgd_core.experiment import problems
from mbsgd_core.measures import cost_table, cursor, report, suggestion  # noqa: F401
from mbsgd_core.problems.datasets.base import Dataset
from mbsgd_core.registry import discover
from mbsgd_core.rules.base import Rule
from mbsgd_core.samplers.base import Sampler
from mbsgd_core.schedules.base import Schedule

torch.set_num_threads(1)
kernels.load()
problems()
cost_table.machine()
for base in (Sampler, Rule, Schedule, Dataset):
    discover(base.__module__.removesuffix(".base"), base)
