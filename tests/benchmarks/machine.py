"""The machine and the versions: the figures are theirs."""

import os
import platform
from importlib.metadata import version
from pathlib import Path

from mbsgd_core.kernels.ready import DTYPES, is_ready

PACKAGES = ("torch", "numpy", "numba", "scikit-learn")


def describe() -> dict[str, str]:
    """Processor, cores, system, versions, and whether the compiled lanes are there."""
    return {
        "processor": _processor(),
        "cores": str(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()),
        "system": f"{platform.system()} {platform.machine()}",
        "Python": platform.python_version(),
        **{name: version(name) for name in PACKAGES},
        "compiled lanes": "ready" if all(map(is_ready, DTYPES)) else "off: python -m mbsgd_core.kernels",
    }


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    facts = dict((part.strip() for part in line.split(":", 1)) for line in lines if ":" in line)
    name = facts.get("model name") or platform.processor() or "unknown"
    family = f" (family {facts['cpu family']}, model {facts['model']})" if "cpu family" in facts else ""
    return name + family
