"""What the tests do with a bench: visit it, wait until it rests, read its link, turn its knobs.

The bench says on its root element what goes on (data-state, data-status, data-link ...); nothing else is looked into.
"""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import parse_qs

from playwright.sync_api import Locator, Page

from mbsgd_core import share
from mbsgd_core.experiment import Experiment
from mbsgd_core.ui import presets

# ms. Runs are trained by workers that give way: beside two busy neighbours they get a tenth of a core.
WAIT = 150_000
ROOT = ".mb-root"
# lane -> its updates, in the words of its panel; 0 where it does not say them.
_UPDATES = r"""lane => {
  const words = document.querySelector(`[role=region][aria-label="${lane}"] .mb-updates`)?.textContent;
  return Number(words?.match(/update ([\d,]+)/)?.[1].replaceAll(",", "") ?? 0);
}"""


def visit(page: Page, address: str, charts: bool = True) -> Page:
    """Open an address and wait until its picture stands, by default with its charts."""
    page.goto(address)
    said(page, "painted", "value !== '-1'")
    if charts:
        said(page, "charts", "value === 'ready'")
    return page


def said(page: Page, name: str, condition: str) -> None:
    """Wait until what the bench says of itself fulfils a condition on `value`."""
    page.wait_for_function(
        f"(() => {{ const value = document.querySelector('{ROOT}')?.dataset.{name};"
        f" return value !== undefined && ({condition}); }})()",
        timeout=WAIT,
    )


def rests(page: Page) -> None:
    """Wait until everything that was asked is painted, and the page has heard of it."""
    said(page, "state", "value === 'idle'")


def ended(page: Page, how: str = "done") -> None:
    """Wait until the run is over, or rests."""
    said(page, "status", f"value === {json.dumps(how)}")


def link(page: Page) -> dict[str, list[str]]:
    """The experiment that is shown, as the parameters of its link."""
    return parse_qs(page.evaluate(f"document.querySelector('{ROOT}').dataset.link"), keep_blank_values=True)


def slider(page: Page, name: str) -> Locator:
    """A range input by its name: "Timeline", "Learning rate of SGD"."""
    return page.get_by_role("slider", name=name, exact=True)


def button(page: Page, name: str) -> Locator:
    """A button by its name."""
    return page.get_by_role("button", name=name, exact=True)


@contextmanager
def held(page: Page, name: str) -> Iterator[Callable[[float], None]]:
    """Take a handle, move it to shares of its track, and let it go at the end."""
    handle, track = slider(page, name), page.locator(".mb-track").filter(has=slider(page, name))
    track.scroll_into_view_if_needed()
    box, at = track.bounding_box(), float(handle.evaluate("e => e.value"))
    row = float(handle.evaluate("e => parseFloat(getComputedStyle(e.parentElement).getPropertyValue('--mb-row')) || 0"))
    assert box is not None
    left, width, middle = box["x"], box["width"], box["y"] + box["height"] / 2

    def move(to: float, down: float = 0, steps: int = 25) -> None:
        page.mouse.move(left + 10 + to * (width - 20), middle + down, steps=steps)

    move(at, row, 1)
    page.mouse.down()
    yield move
    page.mouse.up()


def drag(page: Page, name: str, to: float) -> None:
    """Drag a handle from where it is to a share of its track."""
    with held(page, name) as move:
        move(to)


def painted(page: Page) -> int:
    """The number of the question whose answer was painted last."""
    return int(str(page.locator(ROOT).get_attribute("data-painted")))


def experiment(lesson: str) -> Experiment:
    """A lesson's experiment, by the name of its file."""
    (preset,) = (preset for key, preset in presets.all_presets().items() if key.endswith(lesson))
    return Experiment.model_validate(preset["experiment"])


def lesson(name: str) -> str:
    """The link of a lesson, by the name of its file."""
    return share.to_query(experiment(name))


def updates(page: Page, lane: str = "SGD") -> int:
    """How far a lane has come, as its panel says."""
    return page.evaluate(_UPDATES, lane)


def moves_on(page: Page, made: int, lane: str = "SGD") -> None:
    """Wait until a lane has made more updates than these."""
    page.wait_for_function(f"([lane, made]) => ({_UPDATES})(lane) > made", arg=[lane, made], timeout=WAIT)


def go(page: Page, lane: str = "SGD") -> None:
    """Press the button of a run that waits for it, and wait until it is under way."""
    page.get_by_role("button", name=re.compile(r"^Train \(about ")).click(timeout=WAIT)
    moves_on(page, 0, lane)


def values(page: Page, knob: str) -> dict[str, float]:
    """Every lane's value of a knob, by its label."""
    handles = page.get_by_role("group", name=knob, exact=True).get_by_role("slider").all()
    return {
        str(handle.get_attribute("aria-label")).removeprefix(f"{knob} of "): float(
            str(handle.get_attribute("aria-valuetext")).split()[0].replace(",", "")
        )
        for handle in handles
    }
