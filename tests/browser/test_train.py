"""What a person does on Train, in a real browser: watch lanes live, pause, stop, leave and come back, small screens."""

import re
from urllib.parse import parse_qs

import pytest
from playwright.sync_api import Page, expect

from mbsgd_core import share
from mbsgd_core.experiment import Experiment
from mbsgd_core.ui import presets, train_run

LANES = ("BGD", "SGD", "Mini-batch")
WAIT = 60_000  # ms
PIXELS = "document.querySelectorAll('.tr-canvas')[2].toDataURL()"


def long_run() -> str:
    """A link to a small convolutional net that starts by itself and has work for a minute."""
    draft = presets.first("Train")["experiment"]
    sizes = ["full_batch", {"name": "reshuffle", "batch_size": 16}, {"name": "reshuffle", "batch_size": 32}]
    lanes = [{**lane, "sampler": sampler} for lane, sampler in zip(draft["lanes"], sizes, strict=True)]
    problem = {"name": "cnn", "dataset": "digits", "channels": [8, 16], "hidden": 32}
    budget = {"unit": "epochs", "amount": 150}
    wanted = Experiment.model_validate(draft | {"problem": problem, "budget": budget, "lanes": lanes})
    assert train_run.seconds(wanted) < train_run.QUICK
    return share.to_query(wanted)


def visit(page: Page, app: str, query: str = "") -> Page:
    page.goto(f"{app}/Train" + (f"?{query}" if query else ""))
    page.wait_for_function("window.__mbTrain?.painted > 0", timeout=WAIT)
    return page


def state(page: Page) -> dict:
    return page.evaluate("window.__mbTrain.stage.header.status")


def ended(page: Page, how: str = "done") -> None:
    page.wait_for_function(f"window.__mbTrain.stage.header.status.state === '{how}'", timeout=WAIT)


def button(page: Page, name: str):
    return page.get_by_role("button", name=name, exact=True)


def test_everything_has_its_name_and_finishes(page: Page, app: str):
    visit(page, app)
    expect(page.get_by_role("heading", level=1)).to_have_text("Train")
    for name in LANES:
        expect(page.get_by_role("region", name=name, exact=True)).to_be_visible()
    expect(page.get_by_role("progressbar", name="Progress", exact=True)).to_be_visible()
    expect(page.get_by_role("combobox", name="Clock", exact=True)).to_be_visible()
    expect(page.get_by_role("table", name="Verdict", exact=True)).to_be_visible()
    for name in ("Train", "Copy link"):
        expect(button(page, name)).to_be_visible()
    ended(page)
    expect(button(page, "Pause")).to_have_count(0, timeout=WAIT)
    expect(page.get_by_role("img", name=re.compile("^SGD after 3,200 updates.*test rows right"))).to_be_visible()


def test_lanes_are_live_and_pause_resume_stop_act_at_once(page: Page, app: str):
    visit(page, app, long_run())
    first = page.evaluate("window.__mbTrain.stage.lanes.map(lane => lane.made)")
    page.wait_for_function(f"window.__mbTrain.stage.lanes[1].made > {first[1]}", timeout=WAIT)
    button(page, "Pause").click()
    ended(page, "paused")
    held = page.evaluate("window.__mbTrain.stage.lanes.map(lane => lane.made)")
    page.wait_for_timeout(1500)
    assert page.evaluate("window.__mbTrain.stage.lanes.map(lane => lane.made)") == held
    button(page, "Resume").click()
    page.wait_for_function(f"window.__mbTrain.stage.lanes[1].made > {held[1]}", timeout=WAIT)
    button(page, "Stop").click()
    ended(page, "stopped")
    expect(page.get_by_role("progressbar", name="Progress", exact=True)).to_have_attribute(
        "aria-valuenow", re.compile(r"\d")
    )


def test_it_goes_on_behind_another_page(page: Page, app: str):
    visit(page, app, long_run())
    before = page.evaluate("window.__mbTrain.stage.lanes[1].made")
    page.get_by_role("link", name="Lessons", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Lessons", timeout=WAIT)
    page.wait_for_timeout(1500)
    page.get_by_role("link", name="Train", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Train", timeout=WAIT)
    page.wait_for_function(f"window.__mbTrain.stage.lanes?.[1].made > {before}", timeout=WAIT)
    assert state(page)["state"] == "running"
    button(page, "Stop").click()
    ended(page, "stopped")


def test_the_clock_changes_the_axis_and_zoom_is_kept_while_it_trains(page: Page, app: str):
    visit(page, app, long_run())
    chart = "document.querySelector('.tr-chart .mb-chart')"
    page.wait_for_function(f"{chart}._fullLayout", timeout=WAIT)
    page.get_by_role("combobox", name="Clock", exact=True).select_option("updates")
    page.wait_for_function(f"{chart}._fullLayout.xaxis.title.text === 'updates'")
    page.evaluate(f"Plotly.relayout({chart}, {{'xaxis.range': [0, 10]}})")
    painted = page.evaluate("window.__mbTrain.painted")
    page.wait_for_function(f"window.__mbTrain.painted > {painted} + 2", timeout=WAIT)
    assert page.evaluate(f"{chart}._fullLayout.xaxis.range") == [0, 10]
    button(page, "Stop").click()


def test_a_short_run_is_seen_again_and_the_timeline_answers(page: Page, app: str):
    visit(page, app)
    page.wait_for_function("window.__mbTrain.stage.playing", timeout=WAIT)  # by itself, once
    page.wait_for_function("window.__mbTrain.frames > 5", timeout=WAIT)
    button(page, "Pause").click()
    readout = page.get_by_role("region", name="Mini-batch", exact=True).locator(".mb-readout")
    timeline = page.get_by_role("slider", name="Timeline", exact=True)
    timeline.press("Home")
    expect(readout).to_contain_text("0 updates")
    expect(timeline).to_have_attribute("aria-valuetext", "epoch 0 of 20")
    button(page, "Step forward").click()
    expect(timeline).not_to_have_attribute("aria-valuetext", "epoch 0 of 20")
    start = page.evaluate(PIXELS)
    timeline.press("End")
    expect(readout).to_contain_text("200 updates")
    assert page.evaluate(PIXELS) != start  # what it has learned at the end is another picture
    expect(page.get_by_text("Ringed: the last batch, 16 rows of 160.")).to_be_visible()
    page.get_by_role("combobox", name="Clock", exact=True).select_option("updates")
    timeline.press("Home")
    timeline.press("PageUp")
    expect(timeline).to_have_attribute("aria-valuetext", "update 320 of 3,200")
    expect(readout).to_contain_text("200 updates")  # its budget is spent by then


def test_the_clock_follows_the_pointer_over_a_curve_and_stays_where_it_is_clicked(page: Page, app: str):
    page.emulate_media(reduced_motion="reduce")
    visit(page, app)
    page.wait_for_function("window.__mbTrain.stage.film.ready()", timeout=WAIT)
    chart = page.locator(".tr-chart .mb-chart").first
    chart.scroll_into_view_if_needed()
    page.wait_for_function("document.querySelector('.tr-chart .mb-chart')._fullLayout", timeout=WAIT)
    readout = page.get_by_role("region", name="SGD", exact=True).locator(".mb-readout")
    box = chart.bounding_box()
    middle = (box["x"] + 0.5 * box["width"], box["y"] + 0.4 * box["height"])
    page.mouse.move(*middle)
    expect(readout).not_to_contain_text("3,200 updates")
    page.mouse.move(5, 5)
    expect(readout).to_contain_text("3,200 updates")
    page.mouse.click(*middle)
    page.mouse.move(5, 5)
    expect(readout).not_to_contain_text("3,200 updates")


def test_what_diverges_is_explained_and_nothing_is_drawn_where_it_is_not(page: Page, app: str):
    page.emulate_media(reduced_motion="reduce")
    lanes = [
        {"sampler": "full_batch", "schedule": {"name": "constant", "learning_rate": rate}, "label": label}
        for label, rate in (("wild", 5.0), ("tame", 0.1))
    ]
    problem = {"name": "linear_regression", "dataset": "diabetes"}
    visit(page, app, share.to_query(Experiment.model_validate({"problem": problem, "lanes": lanes})))
    ended(page)
    wild, tame = (page.get_by_role("region", name=name, exact=True) for name in ("wild", "tame"))
    expect(wild).to_contain_text("Rates above 2/L = 0.492 grow here")
    expect(wild).to_contain_text("88 of 88 predictions lie outside the picture.")
    expect(tame).not_to_contain_text("outside")
    expect(page.get_by_text("wild diverged.", exact=False).first).to_be_visible()


def test_the_lesson_in_hand_is_in_sight(page: Page, app: str):
    lesson = list(presets.all_presets("Train").values())[-1]
    visit(page, app, share.to_query(Experiment.model_validate(lesson["experiment"])))
    tile = page.get_by_role("button", name=lesson["title"], exact=True)
    expect(tile).to_have_attribute("aria-pressed", "true")
    expect(tile).to_be_in_viewport(ratio=1)


def test_reduced_motion_shows_the_end_and_waits(page: Page, app: str):
    page.emulate_media(reduced_motion="reduce")
    visit(page, app)
    page.wait_for_function("window.__mbTrain.stage.film.ready()", timeout=WAIT)
    page.wait_for_timeout(500)
    assert not page.evaluate("window.__mbTrain.stage.playing")
    expect(page.get_by_role("region", name="SGD", exact=True).locator(".mb-readout")).to_contain_text("3,200 updates")


def test_the_link_holds_the_experiment(page: Page, app: str):
    visit(page, app)
    query = parse_qs(page.evaluate("window.__mbTrain.link()"), keep_blank_values=True)
    assert query["problem"] == ["mlp"] and query["lane2.sampler.batch_size"] == ["1"]
    assert parse_qs(page.evaluate("location.search.slice(1)"), keep_blank_values=True) == query


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_everything_without_scrolling_sideways(page: Page, app: str, scheme):
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    page.set_viewport_size({"width": 390, "height": 844})
    visit(page, app)
    ended(page)
    for name in LANES:
        box = page.get_by_role("region", name=name, exact=True).bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= 390
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
