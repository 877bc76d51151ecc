"""What a visitor waits for, measured in a real browser. Run: python -m tests.benchmarks.page

Prints the figures of the goals: first visit to a fresh server and later ones, frames a second, pictures a second while
a slider is dragged, and release to pixels. Medians and 95 % points; the machine is named, since the figures are its.
"""

import platform
import statistics
import time

from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.browser.chromium import ARGUMENTS, find
from tests.browser.conftest import serve

FIRST_VISITS, RELEASES = 5, 20
_LANE = (
    "&lane{0}={1}&lane{0}.sampler={2}&lane{0}.rule=sgd&lane{0}.schedule=constant&lane{0}.schedule.learning_rate=0.05"
)
# The heaviest that a default offers: all 10,000 updates of single samples, and two more lanes beside them.
HEAVIEST = (
    "?v=1&problem=linear_regression&problem.dataset=line&problem.dataset.samples=500"
    "&budget.amount=20&budget.unit=epochs"
    + _LANE.format(1, "BGD", "full_batch")
    + _LANE.format(2, "SGD", "reshuffle&lane2.sampler.batch_size=1")
    + _LANE.format(3, "Mini-batch", "reshuffle&lane3.sampler.batch_size=32")
)
HEAVY = (
    "?v=1&problem=quadratic&problem.noise=1&budget.amount=10000&budget.unit=updates"
    "&lane1=BGD&lane1.sampler=full_batch&lane1.rule=sgd&lane1.schedule=constant&lane1.schedule.learning_rate=0.01"
    "&lane2=SGD&lane2.sampler=reshuffle&lane2.sampler.batch_size=1&lane2.rule=sgd&lane2.schedule=constant"
    "&lane2.schedule.learning_rate=0.01&lane3=Mini-batch&lane3.sampler=reshuffle&lane3.sampler.batch_size=8"
    "&lane3.rule=sgd&lane3.schedule=constant&lane3.schedule.learning_rate=0.01"
)


def arrive(browser: Browser, address: str, context: BrowserContext | None = None) -> tuple[Page, tuple[float, float]]:
    """A new visitor (or one who has been here: in his own context), and the seconds until there is a picture.

    A picture that can be played and dragged, and the same with its charts made, which can be zoomed.
    """
    page = (context or browser.new_context(viewport={"width": 1400, "height": 900})).new_page()
    begun = time.perf_counter()
    page.goto(address)
    page.wait_for_function("window.__mbPlayer?.ready.seen", timeout=60_000)
    seen = time.perf_counter() - begun
    page.wait_for_function("window.__mbPlayer.ready.first", timeout=60_000)
    return page, (seen, time.perf_counter() - begun)


def visits(browser: Browser) -> tuple[list[tuple[float, float]], list[tuple[float, float]]]:
    first, later = [], []
    for _ in range(FIRST_VISITS):
        with serve() as address:
            page, took = arrive(browser, address)
            first.append(took)
            page.close()
            again, took = arrive(browser, address, page.context)
            later.append(took)
            again.context.close()
    return first, later


def frames(browser: Browser, address: str) -> float:
    """Drawn frames a second while 3 x 10,000 updates play."""
    page, _ = arrive(browser, address + HEAVY)
    page.wait_for_function("!window.__mbPlayer.busy()", timeout=120_000)
    if page.get_by_role("button", name="Play", exact=True).count():
        page.get_by_role("button", name="Play", exact=True).click()
    page.wait_for_timeout(300)
    count = "[window.__mbPlayer.frames, performance.now()]"
    before = page.evaluate(count)
    page.wait_for_timeout(3000)
    after = page.evaluate(count)
    page.context.close()
    return (after[0] - before[0]) / (after[1] - before[1]) * 1000


def dragging(browser: Browser, address: str) -> tuple[float, list[float]]:
    """(pictures a second during a drag, ms from each release to its picture)."""
    page, _ = arrive(browser, address)
    page.wait_for_function("!window.__mbPlayer.busy()", timeout=60_000)
    page.evaluate("document.querySelector('button[aria-label=Pause]')?.click()")
    page.evaluate(_DRAG, ["Learning rate", 500])  # what is made once is made
    rate = page.evaluate(_DRAG, ["Learning rate", 3000])
    delays = []
    for i in range(RELEASES):
        page.wait_for_function("!window.__mbPlayer.busy()", timeout=60_000)
        page.wait_for_timeout(600)
        delays.append(page.evaluate(_RELEASE, ["Learning rate", i]))
    page.context.close()
    return rate, delays


# The thumb moves 60 times a second for a while, without the cost of a browser driver that moves a mouse on the same
# two cores: what a person's hand does to the page.
_DRAG = """([name, ms]) => new Promise(done => {
  const input = document.querySelector(`input[type=range][aria-label="${name}"]`);
  const begun = performance.now(), before = window.__mbPlayer.updates;
  input.dispatchEvent(new PointerEvent("pointerdown", { bubbles: true }));
  const timer = setInterval(() => {
    const passed = performance.now() - begun;
    input.value = 0.3 + 0.3 * Math.abs(Math.sin(passed / 1000)) + 0.0001 * Math.random();
    input.dispatchEvent(new Event("input", { bubbles: true }));
    if (passed < ms) return;
    clearInterval(timer);
    input.dispatchEvent(new PointerEvent("pointerup", { bubbles: true }));
    done((window.__mbPlayer.updates - before) / passed * 1000);
  }, 16);
})"""

# A key press sends one value, as a release does: the time until the player has painted the answer.
_RELEASE = """([name, i]) => new Promise(done => {
  const input = document.querySelector(`input[type=range][aria-label="${name}"]`);
  const begun = performance.now(), before = window.__mbPlayer.painted;
  const key = i % 2 ? "ArrowLeft" : "ArrowRight";
  input.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
  const look = () => window.__mbPlayer.painted > before ? done(performance.now() - begun) : requestAnimationFrame(look);
  requestAnimationFrame(look);
})"""


def p95(values: list[float]) -> float:
    return statistics.quantiles(values, n=20, method="inclusive")[-1]


def main() -> None:
    print(f"{platform.machine()}, {platform.system()}, Python {platform.python_version()}")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find(), args=ARGUMENTS)
        first, later = visits(browser)
        for name, taken, goal in (("first visit to a fresh server", first, 2.5), ("later visits", later, 1)):
            seen, whole = map(list, zip(*taken, strict=True))
            figures = f"median {statistics.median(seen):.2f} s, worst {max(seen):.2f} s (goal {goal})"
            print(f"{name + ':':<31}{figures}; with its charts {statistics.median(whole):.2f} s")
        with serve() as address:
            for name, link in (("", ""), (", heaviest default", HEAVIEST)):
                rate, delays = dragging(browser, address + link)
                print(f"{f'drag{name}:':<31}{rate:.1f} pictures a second (goal 15)")
                median, worst = statistics.median(delays), p95(delays)
                print(f"{f'release to pixels{name}:':<31}median {median:.0f} ms, p95 {worst:.0f} ms (goal 150)")
            print(f"3 x 10,000 updates:            {frames(browser, address):.1f} drawn frames a second (goal 55)")
        browser.close()


if __name__ == "__main__":
    main()
