"""What a visitor waits for, measured in a real browser. Run: python -m tests.benchmarks.page

Prints the figures of the goals: first visit to a fresh server and later ones, frames a second, pictures a second while
a slider is dragged, and release to pixels. Medians and 95 % points; the machine is named, since the figures are its.
"""

import platform
import statistics
import time

from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.benchmarks.hand import DRAG, RELEASE
from tests.browser._bench import button, lesson, rests, said, slider
from tests.browser.chromium import ARGUMENTS, find
from tests.browser.conftest import serve

FIRST_VISITS, RELEASES = 5, 20
_LANE = "&lane{0}={1}&lane{0}.sampler={2}&lane{0}.rule=sgd&lane{0}.schedule=constant&lane{0}.schedule.learning_rate={3}"


def _three(rate: float, batch: int) -> str:
    """BGD, SGD and Mini-batch, in a link."""
    samplers = {
        "BGD": "full_batch",
        "SGD": "reshuffle&lane2.sampler.batch_size=1",
        "Mini-batch": f"reshuffle&lane3.sampler.batch_size={batch}",
    }
    return "".join(_LANE.format(i, label, sampler, rate) for i, (label, sampler) in enumerate(samplers.items(), 1))


# The heaviest that a default offers: all 10,000 updates of single samples, and two more lanes beside them.
HEAVIEST = (
    "v=1&problem=linear_regression&problem.dataset=line&problem.dataset.samples=500"
    "&budget.amount=20&budget.unit=epochs" + _three(0.05, 32)
)
HEAVY = "v=1&problem=quadratic&problem.noise=1&budget.amount=10000&budget.unit=updates" + _three(0.01, 8)
MOONS = lesson("01_three_on_moons")


def arrive(browser: Browser, address: str, context: BrowserContext | None = None) -> tuple[Page, tuple[float, float]]:
    """A new visitor (or one who has been here: in his own context), and the seconds until there is a picture.

    A picture that can be played and dragged, and the same with its charts made, which can be zoomed.
    """
    page = (context or browser.new_context(viewport={"width": 1400, "height": 900})).new_page()
    begun = time.perf_counter()
    page.goto(address, wait_until="commit")  # what else is loaded, nobody waits for
    said(page, "painted", "value !== '-1'")
    seen = time.perf_counter() - begun
    said(page, "charts", "value === 'ready'")
    return page, (seen, time.perf_counter() - begun)


def visits(browser: Browser, query: str) -> tuple[list[tuple[float, float]], list[tuple[float, float]]]:
    """The seconds of arrive: of the first visitor of a server, and of his second visit."""
    first, later = [], []
    for _ in range(FIRST_VISITS):
        with serve() as address:
            page, took = arrive(browser, f"{address}/?{query}")
            first.append(took)
            page.close()
            again, took = arrive(browser, f"{address}/?{query}", page.context)
            later.append(took)
            again.context.close()
    return first, later


def frames(browser: Browser, address: str) -> float:
    """Drawn frames a second while 3 x 10,000 updates play: each moves the timeline."""
    page, _ = arrive(browser, address)
    rests(page)
    if button(page, "Play").count():
        button(page, "Play").click()
    rate = slider(page, "Timeline").evaluate(_FRAMES, 3000)
    page.context.close()
    return rate


def dragging(browser: Browser, address: str) -> tuple[float, list[float]]:
    """(pictures a second during a drag, ms from each release to its picture)."""
    page, _ = arrive(browser, address)
    rests(page)
    page.evaluate("document.querySelector('button[aria-label=Pause]')?.click()")
    page.evaluate(DRAG, ["Learning rate", 500])  # what is made once is made
    rests(page)
    rate = page.evaluate(DRAG, ["Learning rate", 3000])
    delays = []
    for i in range(RELEASES):
        rests(page)
        page.wait_for_timeout(600)  # as a person does, who looks at it
        delays.append(page.evaluate(RELEASE, ["Learning rate", i]))
    page.context.close()
    return rate, delays


_FRAMES = """(timeline, ms) => new Promise(done => {
  let begun = null, count = 0, before = timeline.value;
  const look = now => {
    begun ??= now;
    count += timeline.value !== before;
    before = timeline.value;
    now - begun < ms ? requestAnimationFrame(look) : done(count / (now - begun) * 1000);
  };
  requestAnimationFrame(look);
})"""


def p95(values: list[float]) -> float:
    return statistics.quantiles(values, n=20, method="inclusive")[-1]


def main() -> None:
    print(f"{platform.machine()}, {platform.system()}, Python {platform.python_version()}")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find(), args=ARGUMENTS)
        for which, query in (("", ""), (", moons with a network", MOONS)):
            first, later = visits(browser, query)
            for name, taken, goal in (("first visit to a fresh server", first, 1.5), ("later visits", later, 0.8)):
                seen, whole = map(list, zip(*taken, strict=True))
                figures = f"median {statistics.median(seen):.2f} s, worst {max(seen):.2f} s (goal {goal})"
                print(_row(name + which, f"{figures}; with its charts {statistics.median(whole):.2f} s"), flush=True)
        with serve() as address:
            for which, query, goal in (
                ("", "", 30),
                (", heaviest default", HEAVIEST, 15),
                (", moons with a network", MOONS, 15),
            ):
                rate, delays = dragging(browser, f"{address}/?{query}")
                print(_row(f"drag{which}", f"{rate:.1f} pictures a second (goal {goal})"))
                median, worst = statistics.median(delays), p95(delays)
                figures = f"median {median:.0f} ms, p95 {worst:.0f} ms (goal 150)"
                print(_row(f"release to pixels{which}", figures), flush=True)
            rate = frames(browser, f"{address}/?{HEAVY}")
            print(_row("3 x 10,000 updates", f"{rate:.1f} drawn frames a second (goal 55)"))
        browser.close()


def _row(name: str, figures: str) -> str:
    return f"{name + ':':<54}{figures}"


if __name__ == "__main__":
    main()
