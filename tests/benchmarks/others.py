"""Visitors who open addresses of the bench and drag its knobs, and never rest; in a browser of their own process.

Run: python -m tests.benchmarks.others http://127.0.0.1:8501 8 (until its standard input is closed)

Apart, so that what is measured shares neither a browser nor a driver with them, and so that ending them, in whatever
state their pages are, is ending a process.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import sync_playwright

from tests.benchmarks.hand import restless
from tests.browser._bench import lesson
from tests.browser.chromium import ARGUMENTS, ROOT, find

SIZE = {"width": 1400, "height": 900}
LESSONS = ("01_three_methods", "03_line_through_patients", "13_momentum_ravine", "01_three_on_moons")
READY = b"ready\n"


@contextmanager
def others(app: str, count: int) -> Iterator[None]:
    """So many visitors of an app, each restless until the end."""
    command = [sys.executable, "-m", "tests.benchmarks.others", app, str(count)]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)
    try:
        assert process.stdout is not None
        if process.stdout.readline() != READY:
            raise RuntimeError("the other visitors could not come")
        yield
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def main() -> None:
    app, count = sys.argv[1], int(sys.argv[2])
    script = restless(json.dumps([app, *(f"{app}/?{lesson(name)}" for name in LESSONS)]))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find(), args=ARGUMENTS)
        for _ in range(count):
            page = browser.new_context(viewport=SIZE).new_page()
            page.add_init_script(script)
            page.goto(app, wait_until="commit")
        sys.stdout.buffer.write(READY)
        sys.stdout.buffer.flush()
        sys.stdin.buffer.read()


if __name__ == "__main__":
    main()
