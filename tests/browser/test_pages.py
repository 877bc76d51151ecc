"""The other pages in a real browser, each as the first request to a server."""

import json
import re
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import Page, expect

from mbsgd_core.ui import frame

WAIT = 30_000  # ms
# What each page shows, as the query of its link; null while it shows nothing.
SHOWN = {frame.HOME: "window.__mbPlayer?.link()", "Train": "window.__mbTrain?.stage.header?.link"}


def there(page: Page, name: str, query: str | None = None) -> tuple[str, str]:
    """Wait until a page stands, with this query in the address, and shows what the address says; (its name, query)."""
    expect(page.get_by_role("heading", level=1)).to_have_text(name, timeout=WAIT)
    expect(page).to_have_title(re.compile(name))
    path = "" if name == frame.HOME else name
    known = "undefined" if query is None else json.dumps(query)
    page.wait_for_function(
        f"""() => {{
          const sorted = query => [...new URLSearchParams(query)].sort().join("&");
          const here = sorted(location.search), wanted = {known}, shown = {SHOWN.get(name, "''")};
          return location.pathname.endsWith("/{path}") && shown !== undefined && here === sorted(shown)
            && (wanted === undefined || here === sorted(wanted));
        }}""",
        timeout=WAIT,
    )
    return name, page.evaluate("location.search")


def type_budget(page: Page, value: str) -> None:
    box = page.get_by_role("spinbutton", name="Budget")
    box.fill(value)
    box.press("Enter")


def test_back_and_forward_bring_back_what_was_shown(page: Page, app: str):
    page.goto(app)
    places = [there(page, "Compare")]

    def go(act: Callable[[], None], name: str) -> None:
        act()
        if name in SHOWN:  # the address follows
            before = places[-1][1] if places[-1][0] == name else ""
            page.wait_for_function(f"location.search !== {json.dumps(before)}", timeout=WAIT)
        places.append(there(page, name))

    def follow(name: str) -> Callable[[], None]:
        return lambda: page.get_by_role("link", name=name, exact=True).first.click()

    go(lambda: type_budget(page, "3"), "Compare")
    go(follow("Lessons"), "Lessons")
    go(page.get_by_role("link", name="Open in Compare").nth(1).click, "Compare")
    go(follow("Train"), "Train")
    go(lambda: type_budget(page, "7"), "Train")
    go(follow("Compare"), "Compare")
    assert len(set(places)) == len(places) - 1  # the last is where the lesson was opened
    for place in reversed(places[:-1]):
        page.evaluate("history.back()")
        there(page, *place)
    for place in places[1:]:
        page.evaluate("history.forward()")
        there(page, *place)


def test_back_does_not_wait_for_the_page(page: Page, app: str):
    """Six presses at once, while every page is still being drawn."""
    page.goto(app)
    first = there(page, "Compare")
    for name in ("Lessons", "Train", "Lessons", "Compare", "Lessons", "Train"):
        page.get_by_role("link", name=name, exact=True).first.click()
        expect(page.get_by_role("heading", level=1)).to_have_text(name, timeout=WAIT)
    there(page, "Train")
    for _ in range(6):
        page.evaluate("history.back()")
    there(page, *first)


def test_nothing_is_asked_of_another_host(page: Page, app: str):
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("websocket", lambda socket: asked.append(socket.url))
    for name in frame.pages():
        page.goto(app if name == frame.HOME else f"{app}/{name}")
        there(page, name)
        page.wait_for_load_state("networkidle")
    own = urlsplit(app).netloc
    foreign = {url for url in asked if urlsplit(url).scheme not in ("data", "blob") and urlsplit(url).netloc != own}
    assert len(asked) > 20 and not foreign
    assert not page.get_by_role("button", name="Share chart").count()
    assert not page.locator("[data-title^='Share chart'], [data-attr=sendChartToCloud]").count()


def test_a_deep_link_to_a_page_on_a_fresh_server(page: Page, fresh: str):
    for name in frame.pages():
        if name != frame.HOME:
            page.goto(f"{fresh}/{name}")
            expect(page.get_by_role("heading", level=1)).to_have_text(name, timeout=20_000)
            for other in frame.pages():
                expect(page.get_by_role("link", name=other, exact=True).first).to_be_visible()


def test_a_lesson_opens_in_compare(page: Page, app: str):
    page.goto(f"{app}/Lessons")
    page.get_by_role("link", name="Open in Compare").nth(1).click()
    page.wait_for_function("window.__mbPlayer?.ready.first", timeout=30_000)
    assert re.search(r"(^|&)problem=", urlsplit(page.url).query)
    shown = parse_qs(page.evaluate("window.__mbPlayer.link()"))
    assert shown["problem"] == parse_qs(urlsplit(page.url).query)["problem"]


def test_a_problem_is_drawn_with_its_truth(page: Page, app: str):
    page.goto(f"{app}/Problems?problem=himmelblau")
    expect(page.locator(".js-plotly-plot").first).to_be_visible(timeout=20_000)
    expect(page.get_by_role("link", name="Run it in Compare")).to_be_visible(timeout=20_000)
