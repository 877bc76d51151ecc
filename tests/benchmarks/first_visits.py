"""First visits to every page, with others beside them: does it stand, without an error?

Run: python -m tests.benchmarks.first_visits [--visits 100] [--beside 8]

Each visit has a browser profile of its own. Beside them others open addresses of the bench and drag its knobs, and
never rest. Prints what was wrong, visit by visit, and how long it took until a page stood.
"""

import argparse
import statistics
import sys
import time

from playwright.sync_api import Browser, Page, sync_playwright
from playwright.sync_api import TimeoutError as TooLate

from mbsgd_core.ui import frame
from tests.benchmarks.others import SIZE, others
from tests.benchmarks.page import p95
from tests.browser._bench import WAIT, said
from tests.browser.chromium import ARGUMENTS, find
from tests.browser.conftest import serve


def first_visit(browser: Browser, app: str, name: str) -> tuple[float, list[str]]:
    """A visitor who has never been here opens a page: (seconds until it stands, what is wrong with it)."""
    context = browser.new_context(viewport=SIZE)
    page = context.new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(f"error: {error}"))
    page.on("console", lambda told: wrong.append(f"console: {told.text}") if told.type == "error" else None)
    begun = time.perf_counter()
    try:
        page.goto(app if name == frame.HOME else f"{app}/{name}")
        _stands(page, name)
        took = time.perf_counter() - begun
        _is_over(page)
        _stands(page, name)  # and has not turned white since
    except TooLate:
        took = time.perf_counter() - begun
        wrong.append(f"it does not stand: {_seen(page)!r}")
    context.close()
    return took, wrong


def _seen(page: Page) -> str:
    """What a page shows; it may be so busy that it cannot say."""
    try:
        return page.locator("[data-testid=stMain]").inner_text(timeout=5000)[:200]
    except TooLate:
        return "a white page"


def _stands(page: Page, name: str) -> None:
    """Its heading and what belongs to it are there, and no message of a failure."""
    page.wait_for_function(
        """([name, home]) => document.querySelector("h1")?.textContent === name
        && !document.querySelector("[data-testid=stException]")
        && (name !== home || document.querySelector(".mb-root"))""",
        arg=[name, frame.HOME],
        timeout=WAIT,
    )
    if name == frame.HOME:
        said(page, "painted", "value !== '-1'")


def _is_over(page: Page) -> None:
    """Streamlit has drawn all of the page."""
    page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]", state="attached", timeout=WAIT)


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.first_visits", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--visits", type=int, default=100, help="of each page; 100 unless told")
    parser.add_argument("--beside", type=int, default=8, help="other visitors meanwhile; 8 unless told")
    given = parser.parse_args()
    failed = 0
    with sync_playwright() as playwright, serve() as app:
        browser = playwright.chromium.launch(executable_path=find(), args=ARGUMENTS)
        with others(app, given.beside):
            for name in frame.pages():
                taken = []
                for i in range(given.visits):
                    took, wrong = first_visit(browser, app, name)
                    taken.append(took)
                    failed += bool(wrong)
                    for sentence in wrong:
                        print(f"{name}, visit {i + 1}: {sentence}", flush=True)
                figures = f"median {statistics.median(taken):.2f} s, p95 {p95(taken):.2f} s, worst {max(taken):.2f} s"
                print(f"{name}: {given.visits} first visits beside {given.beside} others: {figures}", flush=True)
        browser.close()
    print(f"{failed} visits with something wrong (goal 0)")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
