"""The other pages in a real browser, each as the first request to a server."""

import json
import re
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, expect

from mbsgd_core.ui import frame
from tests.browser._bench import ROOT, link, rests, visit

LEARN = "Learn"
# What a page shows, as the query of its link; undefined while it shows nothing.
SHOWN = {frame.HOME: f"document.querySelector('{ROOT}')?.dataset.link"}


def there(page: Page, name: str, query: str | None = None) -> tuple[str, str]:
    """Wait until a page stands, with this query in the address, and shows what the address says; (its name, query)."""
    expect(page.get_by_role("heading", level=1)).to_have_text(name)
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
            page.wait_for_function(f"location.search !== {json.dumps(before)}")
        places.append(there(page, name))

    def follow(name: str) -> Callable[[], None]:
        return lambda: page.get_by_role("link", name=name, exact=True).first.click()

    go(lambda: type_budget(page, "3"), "Compare")
    go(follow(LEARN), LEARN)
    go(page.get_by_role("link", name="Open in Compare").nth(1).click, "Compare")
    go(lambda: type_budget(page, "7"), "Compare")
    go(follow(LEARN), LEARN)
    go(follow("Compare"), "Compare")
    assert len(set(places)) == len(places) - 2  # Learn twice, and back to what was on the bench
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
    for name in (LEARN, "Compare") * 3:
        page.get_by_role("link", name=name, exact=True).first.click()
        expect(page.get_by_role("heading", level=1)).to_have_text(name)
    there(page, "Compare")
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
            expect(page.get_by_role("heading", level=1)).to_have_text(name)
            for other in frame.pages():
                expect(page.get_by_role("link", name=other, exact=True).first).to_be_visible()


def test_a_lesson_opens_in_compare(page: Page, app: str):
    page.goto(f"{app}/{LEARN}")
    page.get_by_role("link", name="Open in Compare").nth(1).click()
    there(page, frame.HOME)
    rests(page)
    assert link(page)["problem"] == parse_qs(urlsplit(page.url).query)["problem"]


@pytest.mark.parametrize(
    "old, name, problem",
    [
        ("Lessons", LEARN, None),
        ("Problems?problem=himmelblau", frame.HOME, "himmelblau"),
        ("Train?problem=mlp&problem.dataset=moons", frame.HOME, "mlp"),
    ],
)
def test_an_old_address_leads_to_what_it_meant(page: Page, app: str, old: str, name: str, problem: str | None):
    page.goto(f"{app}/{old}")
    there(page, name)
    if problem:
        rests(page)
        assert link(page)["problem"] == [problem]


def test_a_problem_is_shown_with_what_is_known(page: Page, app: str):
    visit(page, f"{app}/Problems?problem=himmelblau")
    expect(page.locator("section.main, [data-testid=stMain]").first).to_contain_text("Minimizers")
