"""Data sets and networks on the bench, in a real browser: watched live, paused, left, found again."""

import re

import pytest
from playwright.sync_api import Page, expect

from mbsgd_core import share
from mbsgd_core.experiment import Experiment
from mbsgd_core.jobs import pace
from mbsgd_core.ui import channel
from tests.browser._bench import (
    button,
    ended,
    experiment,
    go,
    held,
    lesson,
    link,
    moves_on,
    painted,
    rests,
    said,
    slider,
    updates,
    visit,
)
from tests.browser.conftest import serve

LANES = ("BGD", "SGD", "Mini-batch")
BOUNDARY = "document.querySelectorAll('.mb-picture canvas')[2].toDataURL()"


def long_run() -> str:
    """A link to a small convolutional net that has work for a minute, and so waits for its button."""
    draft = experiment("01_three_on_moons").model_dump(mode="json")
    sizes = ["full_batch", {"name": "reshuffle", "batch_size": 16}, {"name": "reshuffle", "batch_size": 32}]
    lanes = [{**lane, "sampler": sampler} for lane, sampler in zip(draft["lanes"], sizes, strict=True)]
    problem = {"name": "cnn", "dataset": "digits", "channels": [8, 16], "hidden": 32}
    budget = {"unit": "epochs", "amount": 150}
    wanted = Experiment.model_validate(draft | {"problem": problem, "budget": budget, "lanes": lanes})
    assert pace.guess(wanted) > channel.BY_ITSELF
    return share.to_query(wanted)


def start(page: Page, app: str) -> None:
    visit(page, f"{app}/?{long_run()}")
    go(page)


def test_a_network_is_on_the_bench_like_any_other_problem(page: Page, app: str):
    visit(page, f"{app}/?{lesson('01_three_on_moons')}")
    ended(page)
    for name in LANES:
        expect(page.get_by_role("region", name=name, exact=True)).to_contain_text(re.compile(r"test \d+\.\d %"))
    expect(page.locator(".mb-headline")).to_contain_text("test accuracy")
    for name in ("Boundary", "Confusion", "Path"):
        expect(page.get_by_role("radiogroup", name="Panel").get_by_role("radio", name=name)).to_have_count(1)
    for name in ("Train loss", "Test loss", "Test accuracy"):
        expect(page.get_by_label("Loss", exact=True)).to_contain_text(name)
    expect(page.get_by_role("table", name="Verdict", exact=True)).to_contain_text("%")


def test_panels_can_be_changed(page: Page, app: str):
    page.emulate_media(reduced_motion="reduce")
    visit(page, f"{app}/?{lesson('01_three_on_moons')}")
    ended(page)
    page.get_by_role("radio", name="Path").check(force=True)
    expect(page.locator(".mb-stage .js-plotly-plot")).to_have_count(3)
    page.get_by_role("radio", name="Confusion").check(force=True)
    expect(page.get_by_role("img", name=re.compile("^Confusion matrix"))).to_have_count(3)


def test_a_network_runs_again_while_its_rate_is_dragged(page: Page, app: str):
    page.emulate_media(reduced_motion="reduce")
    visit(page, f"{app}/?{lesson('01_three_on_moons')}")
    ended(page)
    rests(page)
    with held(page, "Learning rate of Mini-batch") as move:
        for to in (0.4, 0.3):
            before = painted(page)
            move(to)
            said(page, "painted", f"Number(value) > {before}")
    rests(page)
    assert link(page)["lane3.schedule.learning_rate"] != ["0.2"]


def test_a_long_run_waits_for_its_button_and_rests_where_it_is(page: Page, app: str):
    start(page, app)
    made = updates(page)
    moves_on(page, made)
    button(page, "Pause training").click()
    ended(page, "paused")
    rests(page)
    held = updates(page)
    button(page, "Resume training").click()
    moves_on(page, held)
    button(page, "Pause training").click()
    ended(page, "paused")


def test_a_reload_finds_the_run_again(page: Page, app: str):
    start(page, app)
    made = updates(page)
    page.reload()
    said(page, "painted", "value !== '-1'")
    moves_on(page, made)
    assert page.evaluate("document.querySelector('.mb-root').dataset.status") == "running"
    button(page, "Pause training").click()
    ended(page, "paused")
    rests(page)
    held = updates(page)
    page.reload()
    ended(page, "paused")
    assert updates(page) == held


def test_it_goes_on_behind_another_page(page: Page, app: str):
    start(page, app)
    made = updates(page)
    page.get_by_role("link", name="Learn", exact=True).first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Learn")
    page.get_by_role("link", name="Compare", exact=True).first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Compare")
    moves_on(page, made)
    button(page, "Pause training").click()
    ended(page, "paused")


def test_what_was_learned_is_seen_again_on_the_timeline(page: Page, app: str):
    page.emulate_media(reduced_motion="reduce")
    visit(page, f"{app}/?{lesson('01_three_on_moons')}")
    ended(page)
    rests(page)
    timeline = slider(page, "Timeline")
    timeline.press("Home")
    expect(page.get_by_role("region", name="Mini-batch", exact=True)).to_contain_text("update 0")
    begun = page.evaluate(BOUNDARY)
    timeline.press("End")
    expect(page.get_by_role("region", name="Mini-batch", exact=True)).to_contain_text("update 200")
    assert page.evaluate(BOUNDARY) != begun  # what it has learned at the end is another picture
    expect(page.get_by_text("Ringed: last batch, 16 of 160 rows")).to_be_visible()


def test_what_diverges_is_explained_and_nothing_is_drawn_where_it_is_not(page: Page, app: str):
    page.emulate_media(reduced_motion="reduce")
    lanes = [
        {"sampler": "full_batch", "schedule": {"name": "constant", "learning_rate": rate}, "label": label}
        for label, rate in (("wild", 5.0), ("tame", 0.1))
    ]
    problem = {"name": "linear_regression", "dataset": "diabetes"}
    query = share.to_query(Experiment.model_validate({"problem": problem, "lanes": lanes}))
    visit(page, f"{app}/?{query}&view.panels=numbers")
    ended(page)
    badges = page.get_by_role("list", name="How each lane does").locator("details")
    expect(badges.first).to_contain_text("diverged")
    badges.first.locator("summary").click()
    expect(badges.first).to_contain_text("Rates above 2/L = 0.492 grow here")
    expect(badges.nth(1)).not_to_contain_text("diverged")
    expect(page.locator(".mb-headline")).to_contain_text("Wild diverges")


@pytest.mark.parametrize("panel", ["path,fit", "fit"])
def test_data_of_two_parameters_show_path_and_fit(page: Page, app: str, panel):
    page.emulate_media(reduced_motion="reduce")
    visit(page, f"{app}/?{lesson('03_line_through_patients')}&view.panels={panel}")
    ended(page)
    shown = page.get_by_role("radiogroup", name="Panel").get_by_role("radio", checked=True)
    expect(shown).to_have_count(1)
    expect(page.get_by_text("Data and fit").first).to_be_visible()


def test_a_server_that_is_gone_is_said_and_found_again(page: Page):
    with serve() as address:
        start(page, address)
    said(page, "status", "value === 'lost'")
    expect(page.get_by_text("The server does not answer")).to_be_visible()
    expect(button(page, "Start again")).to_be_visible()
    with serve(int(address.rpartition(":")[2])):
        expect(page.get_by_text("has forgotten how far this run had come")).to_be_visible()
        button(page, "Start again").click()
        said(page, "status", "value === 'running'")
        moves_on(page, 0)
