"""Do those who train slow the others? Measured in real browsers. Run: python -m tests.benchmarks.visitors

Two visitors train the text's CNN on the images that come with the app, side by side; a third one uses the pages:
releases a slider on Compare, changes a setting on Train, walks from page to page. Medians and 95 % points, alone and
beside them; then how long Stop takes to act. All browsers run on the same machine as the server.
"""

import statistics
import time
from collections.abc import Callable

from playwright.sync_api import Browser, Page, sync_playwright

from mbsgd_core import share
from mbsgd_core.experiment import Experiment
from mbsgd_core.ui import presets
from tests.benchmarks.page import _RELEASE, p95
from tests.browser.chromium import ARGUMENTS, find
from tests.browser.conftest import serve

TRAINERS, ACTIONS, GOAL = 2, 24, 300  # visitors; of each kind; ms
LESSON = "train/07_cnn_on_mnist"
WAIT = 90_000  # ms


def trainer(browser: Browser, address: str, seed: int) -> Page:
    """A visitor whose run has begun, and goes on for minutes."""
    draft = presets.all_presets()[LESSON]["experiment"]
    wanted = Experiment.model_validate(draft | {"seed": seed, "budget": {"unit": "epochs", "amount": 50}})
    page = _open(browser, f"{address}/Train?{share.to_query(wanted)}")
    page.get_by_role("button", name="Train", exact=True).click()
    page.wait_for_function("window.__mbTrain?.stage.lanes[0]?.made > 0", timeout=WAIT)
    return page


def release(browser: Browser, address: str) -> Callable[[int], float]:
    """On Compare: a key press on a slider until its picture is painted, ms."""
    page = _open(browser, address)
    page.wait_for_function("window.__mbPlayer?.ready.first && !window.__mbPlayer.busy()", timeout=WAIT)
    page.evaluate("document.querySelector('button[aria-label=Pause]')?.click()")

    def once(i: int) -> float:
        page.wait_for_function("!window.__mbPlayer.busy()", timeout=WAIT)
        return page.evaluate(_RELEASE, ["Learning rate", i])

    return once


def setting(browser: Browser, address: str) -> Callable[[int], float]:
    """On Train: a changed rate until the page has taken it, ms."""
    page = _open(browser, f"{address}/Train")
    page.wait_for_function("window.__mbTrain?.stage.header?.status.state === 'done'", timeout=WAIT)
    field = page.get_by_role("spinbutton", name="Learning rate", exact=True).first
    link = "window.__mbTrain.link().match(/lane1.schedule.learning_rate=([^&]*)/)[1]"

    def once(i: int) -> float:
        field.fill(f"0.{100 + i}")
        begun = time.perf_counter()
        field.press("Enter")
        page.wait_for_function(f"{link} === '0.{100 + i}'.replace(/0+$/, '')", timeout=WAIT)
        return 1000 * (time.perf_counter() - begun)

    return once


def walk(browser: Browser, address: str) -> Callable[[int], float]:
    """From a page to another: until its heading stands, ms."""
    page = _open(browser, f"{address}/Lessons")
    names = ["Problems", "Lessons"]

    def once(i: int) -> float:
        name = names[i % 2]
        begun = time.perf_counter()
        page.get_by_role("link", name=name, exact=True).click()
        page.wait_for_function(f"document.querySelector('h1')?.textContent === '{name}'", timeout=WAIT)
        return 1000 * (time.perf_counter() - begun)

    return once


def stop(page: Page) -> float:
    """From the click on Stop until the page says so, ms."""
    begun = time.perf_counter()
    page.get_by_role("button", name="Stop", exact=True).click()
    page.wait_for_function("window.__mbTrain.stage.header.status.state === 'stopped'", timeout=WAIT)
    return 1000 * (time.perf_counter() - begun)


def _open(browser: Browser, address: str) -> Page:
    page = browser.new_context(viewport={"width": 1400, "height": 900}, reduced_motion="reduce").new_page()
    page.goto(address)
    page.wait_for_selector("h1", timeout=WAIT)
    return page


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
        made = [page.evaluate("window.__mbTrain.stage.lanes[0].made") for page in trainers]
        begun = time.perf_counter()
        _measure(actions, f"beside {TRAINERS} who train")
        passed = time.perf_counter() - begun
        rates = [
            (page.evaluate("window.__mbTrain.stage.lanes[0].made") - before) / passed
            for page, before in zip(trainers, made, strict=True)
        ]
        print(f"meanwhile they made {' and '.join(f'{rate:.1f}' for rate in rates)} updates a second")
        print(f"stop: {', '.join(f'{stop(page):.0f} ms' for page in trainers)} (goal 500)")
        browser.close()


if __name__ == "__main__":
    main()
