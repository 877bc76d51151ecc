"""What a person does on Compare, in a real browser: names, live drags, clicks, links, small screens."""

import re
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, expect

LANES = ("BGD", "SGD", "Mini-batch")


def visit(page: Page, address: str) -> Page:
    page.goto(address)
    page.wait_for_function("window.__mbPlayer?.ready.first", timeout=30_000)
    return page


def settled(page: Page) -> None:
    """Wait until everything that was asked is painted and the player rests."""
    page.wait_for_function("!window.__mbPlayer.busy()", timeout=20_000)


def link(page: Page) -> dict[str, list[str]]:
    """What Copy link copies, as parameters."""
    return parse_qs(page.evaluate("window.__mbPlayer.link()"), keep_blank_values=True)


def slider(page: Page, name: str):
    return page.get_by_role("slider", name=name, exact=True)


def drag(page: Page, name: str, to: float, steps: int = 25) -> None:
    """Drag a slider's thumb from where it is to a share of its length."""
    box = slider(page, name).bounding_box()
    y = box["y"] + box["height"] / 2
    at = page.evaluate("e => (e.value - e.min) / (e.max - e.min)", slider(page, name).element_handle())
    page.mouse.move(box["x"] + 9 + at * (box["width"] - 18), y)
    page.mouse.down()
    page.mouse.move(box["x"] + 9 + to * (box["width"] - 18), y, steps=steps)
    page.mouse.up()


def test_everything_has_its_name(page: Page, app: str):
    visit(page, app)
    expect(page.get_by_role("heading", level=1)).to_have_text("Compare")
    for name in ("Step forward", "Step back", "Copy link"):
        expect(page.get_by_role("button", name=name, exact=True)).to_be_visible()
    expect(page.get_by_role("button", name=re.compile("^(Play|Pause)$"))).to_be_visible()
    for name in ("Learning rate", "Momentum", "Batch size", "Timeline"):
        expect(slider(page, name)).to_have_attribute("aria-valuetext", re.compile(r"\S"))
    expect(page.get_by_role("combobox", name="Clock", exact=True)).to_be_visible()
    for name in LANES:
        expect(page.get_by_role("region", name=name, exact=True)).to_be_visible()
    expect(page.get_by_role("table", name="Verdict", exact=True)).to_be_visible()


def test_knobs_panels_and_timeline_are_above_the_fold(page: Page, app: str):
    page.set_viewport_size({"width": 1400, "height": 900})
    visit(page, app)
    for place in (slider(page, "Batch size"), page.get_by_role("region", name="BGD"), slider(page, "Timeline")):
        box = place.bounding_box()
        assert box["y"] + box["height"] <= 900


def test_it_plays_once_by_itself_and_pause_stops_it(page: Page, app: str):
    visit(page, app)
    page.get_by_role("button", name="Pause", exact=True).click()
    expect(page.get_by_role("button", name="Play", exact=True)).to_be_visible()
    shown = [slider(page, "Timeline").get_attribute("aria-valuetext")]
    for name in ("Step forward", "Step forward", "Step back"):
        page.get_by_role("button", name=name, exact=True).click()
        shown.append(slider(page, "Timeline").get_attribute("aria-valuetext"))
    assert len(set(shown[:3])) == 3 and shown[3] == shown[1]


def test_the_newest_value_of_a_fast_drag_is_the_one_shown_and_linked(page: Page, app: str):
    visit(page, app)
    for to in (0.2, 0.7, 0.35):
        drag(page, "Learning rate", to, steps=40)
        settled(page)
        shown = float(slider(page, "Learning rate").get_attribute("aria-valuetext"))
        for lane in (1, 2, 3):
            linked = float(link(page)[f"lane{lane}.schedule.learning_rate"][0])
            assert linked == pytest.approx(shown, rel=0.01)


def test_the_picture_moves_while_the_thumb_is_held(page: Page, app: str):
    visit(page, app)
    settled(page)
    before = page.evaluate("window.__mbPlayer.painted")
    box = slider(page, "Momentum").bounding_box()
    page.mouse.move(box["x"] + 9, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.8, box["y"] + box["height"] / 2, steps=30)
    page.wait_for_function(f"window.__mbPlayer.painted > {before} + 1", timeout=10_000)
    page.mouse.up()


def test_a_dragged_long_run_shows_few_records_and_at_rest_all_of_them(page: Page, app: str):
    long = "?v=1&problem=linear_regression&problem.dataset=line&problem.dataset.samples=3200&budget.unit=epochs"
    lane = "&lane1=SGD&lane1.sampler=reshuffle&lane1.sampler.batch_size=1&lane1.rule=sgd&lane1.schedule=constant"
    visit(page, f"{app}/{long}&budget.amount=1{lane}&lane1.schedule.learning_rate=0.05")
    settled(page)
    page.evaluate("""() => {
        const { state } = window.__mbPlayer, take = state.take.bind(state);
        window.taken = [];
        state.take = (given) => take(given).finally(() => window.taken.push([state.short, state.lanes[0].records]));
    }""")
    state = "const [lane] = window.__mbPlayer.state.lanes; const k = window.__mbPlayer.state.records[0];"
    cursor = f"() => {{ {state} return [lane.update[k], lane.gradient[2 * k], lane.loss[lane.last], lane.text]; }}"
    page.evaluate("window.__mbPlayer.state.pause(); window.__mbPlayer.state.seek(0.615)")  # epochs
    box = slider(page, "Learning rate").bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.45, box["y"] + box["height"] / 2, steps=10)
    page.wait_for_function("window.taken.length && !window.__mbPlayer.state.gate.dragging", timeout=10_000)
    moving = page.evaluate(cursor)
    page.mouse.up()
    settled(page)
    page.wait_for_function("window.taken.at(-1)[1] === 3201", timeout=10_000)
    taken = page.evaluate("window.taken")
    assert all(records < 3010 for short, records in taken if short) and taken[-1] == [False, 3201]
    assert moving[0] == 1968
    assert page.evaluate(cursor) == moving  # the same record at the cursor, the same gradient, the same end


def test_the_first_picture_does_not_wait_for_the_charts(page: Page, app: str):
    held = []
    page.route("**/plotly-cartesian.min.js", lambda request: held.append(request))
    page.goto(app)
    page.wait_for_function("window.__mbPlayer?.ready.seen", timeout=30_000)
    middle = """() => {
        const canvas = document.querySelector(".mb-draft");
        return canvas ? Array.from(canvas.getContext("2d").getImageData(canvas.width / 2, 9, 1, 1).data) : null;
    }"""
    assert page.evaluate(middle)[3] == 255  # the surface
    page.get_by_role("button", name="Play", exact=True).click()
    expect(page.get_by_role("button", name="Pause", exact=True)).to_be_visible()
    drag(page, "Momentum", 0.5)
    page.wait_for_function(
        "window.__mbPlayer.link().includes('momentum=0.4') || window.__mbPlayer.link().includes('momentum=0.5')",
        timeout=10_000,
    )
    for request in held:
        request.continue_()
    page.wait_for_function("window.__mbPlayer.ready.first", timeout=30_000)
    assert page.evaluate(middle) is None
    expect(page.locator(".mb-panel .js-plotly-plot")).to_have_count(3)


def test_the_batch_size_slider_goes_to_all_samples_and_says_so(page: Page, app: str):
    visit(page, app)
    slider(page, "Batch size").press("End")
    settled(page)
    expect(slider(page, "Batch size")).to_have_attribute("aria-valuetext", re.compile("32 samples.*BGD"))
    query = link(page)
    assert query["lane3.sampler.batch_size"] == ["32"] and query["lane2.sampler.batch_size"] == ["1"]


def test_a_click_moves_the_start_of_all_lanes(page: Page, app: str):
    visit(page, app)
    settled(page)
    before = link(page)["start"]
    panel = page.get_by_role("region", name="SGD", exact=True).locator(".nsewdrag").first.bounding_box()
    page.mouse.click(panel["x"] + panel["width"] * 0.75, panel["y"] + panel["height"] * 0.25)
    page.wait_for_function(f"!window.__mbPlayer.link().includes('start={before[0]}')", timeout=10_000)
    x, y = (float(v) for v in link(page)["start"][0].split(","))
    assert x == pytest.approx(1.0, abs=0.05) and y == pytest.approx(1.0, abs=0.05)


def test_zoom_survives_a_change_and_a_drag_on_the_picture_does_not_move_the_start(page: Page, app: str):
    visit(page, app)
    settled(page)
    before = link(page)["start"]
    panel = page.get_by_role("region", name="BGD", exact=True).locator(".nsewdrag").first.bounding_box()
    page.mouse.move(panel["x"] + 60, panel["y"] + 60)
    page.mouse.down()
    page.mouse.move(panel["x"] + 160, panel["y"] + 150, steps=8)
    page.mouse.up()
    page.wait_for_timeout(500)
    read = "document.querySelector('[aria-label=BGD] .js-plotly-plot')._fullLayout.xaxis.range.join()"
    zoomed = page.evaluate(read)
    drag(page, "Learning rate", 0.4)
    settled(page)
    assert page.evaluate(read) == zoomed != "-2,2"
    assert link(page)["start"] == before


def test_a_deep_link_on_a_fresh_server_restores_everything(page: Page, fresh: str):
    query = (
        "?v=1&problem=rosenbrock&problem.samples=32&problem.noise=0.5&start=-1.2,1&budget.amount=150&budget.unit=updates&seed=7"
        "&lane1=BGD&lane1.sampler=full_batch&lane1.rule=sgd&lane1.rule.momentum=0.9&lane1.schedule=constant"
        "&lane1.schedule.learning_rate=0.0005&lane2=Adam&lane2.sampler=reshuffle&lane2.sampler.batch_size=4"
        "&lane2.rule=adam&lane2.schedule=cosine&lane2.schedule.T_max=20&lane2.schedule.learning_rate=0.05"
    )
    visit(page, f"{fresh}/{query}")
    for name in ("BGD", "Adam"):
        expect(page.get_by_role("region", name=name, exact=True)).to_be_visible()
    restored = link(page)
    for key, value in parse_qs(urlsplit(query).query).items():
        assert restored[key] == value, key
    assert "Rosenbrock" in page.content()


def test_a_bad_parameter_is_said_and_the_page_still_plays(page: Page, app: str):
    visit(page, f"{app}/?v=1&lane1.schedule.learning_rate=banana&whatever=1")
    notice = page.get_by_test_id("stAlert")
    expect(notice).to_contain_text("banana")
    expect(notice).to_contain_text("whatever")


def test_embedded_it_has_no_sidebar(page: Page, app: str):
    visit(page, f"{app}/?embed=true")
    expect(page.get_by_test_id("stSidebar")).to_be_hidden()
    expect(page.get_by_role("region", name="BGD", exact=True)).to_be_visible()


def test_the_clock_reorders_the_verdict(page: Page, app: str):
    visit(page, app)
    table = page.get_by_role("table", name="Verdict", exact=True)
    first = {}
    for clock in ("epochs", "updates", "samples", "seconds"):
        page.get_by_role("combobox", name="Clock", exact=True).select_option(clock)
        first[clock] = table.locator("tbody tr").first.inner_text().split()[0]
    assert first["epochs"] != first["updates"]


def test_keys_play_and_step(page: Page, app: str):
    visit(page, app)
    page.get_by_role("button", name="Pause", exact=True).click()
    page.get_by_role("region", name="BGD", exact=True).click(position={"x": 8, "y": 8})
    slider(page, "Timeline").press("Home")
    expect(slider(page, "Timeline")).to_have_attribute("aria-valuetext", re.compile(r"\b0\b"))
    slider(page, "Timeline").press("End")
    expect(slider(page, "Timeline")).to_have_attribute("aria-valuetext", re.compile(r"12 of 12"))


def test_on_a_phone_nothing_is_cut_off(page: Page, app: str):
    page.set_viewport_size({"width": 390, "height": 844})
    visit(page, app)
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0
    box = page.get_by_role("button", name=re.compile("^(Play|Pause)$")).bounding_box()
    assert box["x"] >= 0 and box["x"] + box["width"] <= 390 and box["y"] + box["height"] <= 844


def test_reduced_motion_starts_at_the_end_and_does_not_play(page: Page, app: str):
    page.emulate_media(reduced_motion="reduce")
    visit(page, app)
    page.wait_for_timeout(800)
    expect(page.get_by_role("button", name="Play", exact=True)).to_be_visible()
    expect(slider(page, "Timeline")).to_have_attribute("aria-valuetext", re.compile("12 of 12"))


def test_no_error_reaches_the_console(page: Page, app: str):
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    visit(page, app)
    drag(page, "Momentum", 0.9)
    settled(page)
    assert not errors


def test_nothing_is_asked_of_another_host(page: Page, app: str):
    asked = set()
    page.on("request", lambda request: asked.add(urlsplit(request.url).netloc))
    visit(page, app)
    assert asked - {""} == {urlsplit(app).netloc}


def test_what_a_panel_cannot_show_is_said_below_it(page: Page, app: str):
    visit(page, f"{app}/?v=1&problem=formula&problem.formula=log(x)%2By%5E2&start=1,1")
    expect(page.locator(".mb-caption")).to_have_text("The surface is not finite on 50 % of this window.")
    visit(page, f"{app}/?v=1&problem=linear_regression&problem.dataset=diabetes&problem.test_fraction=0")
    expect(page.locator(".mb-caption")).to_contain_text("of the variance of all paths in 11 dimensions")
