"""What workers are tried with: tasks that never end, servers of their own."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
# A runaway in Python, and one inside a loop written in C, that no signal handler or thread of Python's can end.
RUNAWAYS = {"python": (exec, "while True: pass"), "c": (sum, range(10**13))}


def run_script(path: Path, text: str, cwd: Path, **more: str) -> subprocess.Popen:
    """A Python process of its own that runs a text, with more variables in its environment."""
    path.write_text(text)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **more}
    return subprocess.Popen(
        [sys.executable, str(path)], cwd=cwd, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
