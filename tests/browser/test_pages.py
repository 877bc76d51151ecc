"""The other pages in a real browser, each as the first request to a server."""

import re
from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import Page, expect

from mbsgd_core.ui import frame


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
