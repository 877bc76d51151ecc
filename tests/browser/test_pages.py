"""The pages in a real browser: old addresses, deep links, back and forward, and nothing asked of anybody else."""

import json
import re
from collections.abc import Callable
from urllib.parse import parse_qsl, urlsplit

import pytest
from playwright.sync_api import Page, Route, expect

from mbsgd_core import share
from mbsgd_core.experiment import Experiment
from mbsgd_core.ui import frame
from tests.browser._bench import ROOT, WAIT, button, drag, link, rests, said, visit
from tests.contract.test_frozen_links import LINKS

BENCH, LEARN = frame.pages()
SOME = (0, 3, 12, 21, 24, 32, 40, -1)  # of the frozen links


def there(page: Page, name: str, query: str | None = None) -> tuple[str, str]:
    """Wait until a page stands, with this query in the address, and shows what the address says; (its name, query)."""
    expect(page.get_by_role("heading", level=1)).to_have_text(name, timeout=WAIT)
    expect(page).to_have_title(re.compile(name), timeout=WAIT)
    shown = f"document.querySelector('{ROOT}')?.dataset.link" if name == BENCH else "''"
    page.wait_for_function(
        f"""() => {{
          const sorted = query => [...new URLSearchParams(query)].sort().join("&");
          const here = sorted(location.search), wanted = {json.dumps(query)}, shown = {shown};
          return location.pathname === "/{"" if name == BENCH else name}" && shown !== undefined
            && here === sorted(shown) && (wanted === null || here === sorted(wanted));
        }}""",
        timeout=WAIT,
    )
    return name, page.evaluate("location.search")


def follow(page: Page, name: str) -> Callable[[], None]:
    return lambda: page.get_by_role("link", name=name, exact=True).first.click()


def type_budget(page: Page, value: str) -> None:
    box = page.get_by_role("spinbutton", name="Budget")
    box.fill(value)
    box.press("Enter")


def test_back_and_forward_bring_back_what_was_shown(page: Page, app: str):
    page.goto(app)
    places = [there(page, BENCH)]

    def go(act: Callable[[], None], name: str) -> None:
        before = places[-1]
        act()
        if name == before[0]:  # the address follows
            page.wait_for_function(f"location.search !== {json.dumps(before[1])}", timeout=WAIT)
        places.append(there(page, name))

    def open_lesson(i: int) -> Callable[[], None]:
        return lambda: page.get_by_role("link", name=f"Open in {BENCH}").nth(i).click()

    go(lambda: type_budget(page, "3"), BENCH)
    go(follow(page, LEARN), LEARN)
    go(open_lesson(1), BENCH)
    go(lambda: type_budget(page, "7"), BENCH)
    go(follow(page, LEARN), LEARN)
    go(open_lesson(2), BENCH)
    assert len({place for place in places if place[0] == BENCH}) == 5
    for place in reversed(places[:-1]):
        page.evaluate("history.back()")
        there(page, *place)
    for place in places[1:]:
        page.evaluate("history.forward()")
        there(page, *place)


def test_back_does_not_wait_for_the_page(page: Page, app: str):
    """Six presses at once, while every page is still being drawn."""
    page.goto(app)
    first = there(page, BENCH)
    for name in (LEARN, BENCH) * 3:
        follow(page, name)()
        there(page, name)
    for _ in range(6):
        page.evaluate("history.back()")
    there(page, *first)


@pytest.mark.parametrize("link", [LINKS[i] for i in SOME], ids=[str(i) for i in SOME])
def test_an_address_of_the_first_version_leads_to_what_it_meant(page: Page, app: str, link: dict):
    page.goto(app + link["address"])
    if link["experiment"] is None:
        expect(page.get_by_role("heading", level=1)).to_have_text(LEARN, timeout=WAIT)
        return
    page.wait_for_function(
        f"""() => {{
          const told = document.querySelector("{ROOT}")?.dataset.link, here = new URLSearchParams(location.search);
          return told && [...new URLSearchParams(told)].every(([key, text]) => here.get(key) === text);
        }}""",
        timeout=WAIT,
    )
    shown, notices = share.from_query(page.locator(ROOT).get_attribute("data-link") or "")
    assert shown == Experiment.model_validate(link["experiment"]) and not notices
    here = dict(parse_qsl(urlsplit(page.url).query, keep_blank_values=True))
    assert urlsplit(page.url).path == "/"
    assert share.from_query(here, page=True) == (shown, [])


def test_the_bench_does_not_wait_for_streamlit(page: Page, app: str):
    """It is drawn and dragged while Streamlit's own scripts are on their way, and the page takes it up as it is."""
    held: list[Route] = []
    page.route("**/static/js/index.*.js", lambda route: held.append(route))
    page.goto(app, wait_until="commit")
    said(page, "painted", "value !== '-1'")
    drag(page, "Momentum of Mini-batch", 0.5)
    said(page, "link", "/momentum=0\\.[345]/.test(value)")
    rests(page)
    before = link(page)
    for route in held:
        route.continue_()
    there(page, BENCH)
    said(page, "charts", "value === 'ready'")
    rests(page)
    assert link(page) == before and not page.locator(".mb-arrival").count()


def test_a_page_that_is_left_before_it_stands_takes_the_bench_with_it(page: Page, app: str):
    page.goto(f"{app}/{LEARN}")
    there(page, LEARN)
    assert not page.locator(ROOT).count()
    held: list[Route] = []
    page.route("**/static/js/index.*.js", lambda route: held.append(route))
    page.goto(app, wait_until="commit")
    said(page, "painted", "value !== '-1'")
    page.evaluate(f"history.pushState(null, '', '{LEARN}')")
    expect(page.locator(".mb-arrival")).to_have_count(0)
    for route in held:
        route.continue_()
    there(page, LEARN)


def test_nothing_is_asked_of_another_host(page: Page, app: str):
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("websocket", lambda socket: asked.append(socket.url))
    visit(page, app)
    follow(page, LEARN)()
    there(page, LEARN)
    follow(page, BENCH)()
    there(page, BENCH)
    own = urlsplit(app).netloc
    foreign = {url for url in asked if urlsplit(url).scheme not in ("data", "blob") and urlsplit(url).netloc != own}
    assert len(asked) > 20 and not foreign
    assert not page.get_by_role("button", name="Share chart").count()
    assert not page.locator("[data-title^='Share chart'], [data-attr=sendChartToCloud]").count()


@pytest.mark.parametrize("address", [f"/{LEARN}", "/Lessons", "/Problems?problem=himmelblau", "/Train"])
def test_a_deep_link_on_a_fresh_server(page: Page, fresh: str, address: str):
    name = LEARN if address in (f"/{LEARN}", "/Lessons") else BENCH
    page.goto(fresh + address)
    expect(page.get_by_role("heading", level=1)).to_have_text(name, timeout=WAIT)
    for other in frame.pages():
        expect(page.get_by_role("link", name=other, exact=True).first).to_be_visible(timeout=WAIT)


def test_a_problem_is_chosen_by_its_picture_and_says_what_is_known(page: Page, app: str):
    visit(page, f"{app}/Problems?problem=himmelblau", charts=False)
    expect(page.get_by_role("table", name="What is known")).to_contain_text("3, 2", timeout=WAIT)
    page.get_by_text("Choose by picture", exact=True).click()
    button(page, "Matyas's trough").click()
    page.wait_for_function(f"document.querySelector('{ROOT}').dataset.link.includes('problem=matyas&')", timeout=WAIT)
    there(page, BENCH)
