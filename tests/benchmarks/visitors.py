"""Do those who train slow the others? Measured in real browsers. Run: python -m tests.benchmarks.visitors

Two visitors train the text's CNN on the images that come with the app, side by side; a third one releases a knob,
changes a setting in the sidebar, walks from page to page. Medians and 95 % points, alone and beside them; then how long
Pause takes to act. All browsers run on the same machine as the server.
"""

import statistics
import time
from collections.abc import Callable

from playwright.sync_api import Browser, Page, sync_playwright

from mbsgd_core import share
from mbsgd_core.ui import frame
from tests.benchmarks.hand import RELEASE
from tests.benchmarks.page import p95
from tests.browser._bench import WAIT, button, ended, experiment, go, rests, said, updates, visit
from tests.browser.chromium import ARGUMENTS, find
from tests.browser.conftest import serve

TRAINERS, ACTIONS, GOAL = 2, 24, 300  # visitors; of each kind; ms
LESSON = "07_cnn_on_mnist"


def trainer(browser: Browser, address: str, seed: int) -> Page:
    """A visitor whose run has begun, and goes on for minutes."""
    budget = {"unit": "epochs", "amount": 50}
    wanted = experiment(LESSON).model_copy(update={"seed": seed})
    wanted = type(wanted).model_validate(wanted.model_dump(mode="json") | {"budget": budget})
    page = visit(_visitor(browser), f"{address}/?{share.to_query(wanted)}")
    go(page, "Mini-batch")
    return page


def release(browser: Browser, address: str) -> Callable[[int], float]:
    """A key press on a knob until its picture is painted, ms."""
    page = visit(_visitor(browser), address)

    def once(i: int) -> float:
        rests(page)
        return page.evaluate(RELEASE, ["Learning rate", i])

    return once


def setting(browser: Browser, address: str) -> Callable[[int], float]:
    """A budget typed in the sidebar until the picture is its, ms."""
    page = visit(_visitor(browser), address)
    field = page.get_by_role("spinbutton", name="Budget", exact=True)

    def once(i: int) -> float:
        rests(page)
        field.fill(str(20 + i))
        begun = time.perf_counter()
        field.press("Enter")
        said(page, "link", f"/budget.amount={20 + i}(&|$)/.test(value)")
        return 1000 * (time.perf_counter() - begun)

    return once


def walk(browser: Browser, address: str) -> Callable[[int], float]:
    """From a page to another: until its heading stands, on the bench its picture too, ms."""
    page = visit(_visitor(browser), address)
    names = [*[name for name in frame.pages() if name != frame.HOME][:1], frame.HOME]

    def once(i: int) -> float:
        name = names[i % 2]
        begun = time.perf_counter()
        page.get_by_role("link", name=name, exact=True).first.click()
        bench = "document.querySelector('.mb-root')" if name == frame.HOME else "true"
        page.wait_for_function(f"document.querySelector('h1')?.textContent === '{name}' && {bench}", timeout=WAIT)
        return 1000 * (time.perf_counter() - begun)

    return once


def pause(page: Page) -> float:
    """From the click on Pause until the page says so, ms."""
    begun = time.perf_counter()
    button(page, "Pause training").click()
    ended(page, "paused")
    return 1000 * (time.perf_counter() - begun)


def _visitor(browser: Browser) -> Page:
    return browser.new_context(viewport={"width": 1400, "height": 900}, reduced_motion="reduce").new_page()


def _measure(actions: dict[str, Callable[[int], float]], when: str) -> None:
    for name, once in actions.items():
        taken = []
        for i in range(-2, ACTIONS):  # what is made once is made
            spent = once(i % (ACTIONS + 2))
            taken += [spent] if i >= 0 else []
            time.sleep(0.4)
        figures = f"median {statistics.median(taken):.0f} ms, p95 {p95(taken):.0f} ms, worst {max(taken):.0f} ms"
        print(f"{name}, {when}: {figures} (goal p95 {GOAL})", flush=True)


def main() -> None:
    with sync_playwright() as playwright, serve() as address:
        browser = playwright.chromium.launch(executable_path=find(), args=ARGUMENTS)
        actions = {make.__name__: make(browser, address) for make in (release, setting, walk)}
        _measure(actions, "alone")
        trainers = [trainer(browser, address, seed) for seed in range(TRAINERS)]
        made = [updates(page, "Mini-batch") for page in trainers]
        begun = time.perf_counter()
        _measure(actions, f"beside {TRAINERS} who train")
        passed = time.perf_counter() - begun
        rates = [(updates(page, "Mini-batch") - before) / passed for page, before in zip(trainers, made, strict=True)]
        print(f"meanwhile they made {' and '.join(f'{rate:.1f}' for rate in rates)} updates a second")
        print(f"pause: {', '.join(f'{pause(page):.0f} ms' for page in trainers)} (goal 500)")
        browser.close()


if __name__ == "__main__":
    main()
