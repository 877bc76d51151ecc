"""What a person does on the bench, in a real browser: names, live drags, clicks, links, small screens."""

import re
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, expect

from mbsgd_core.ui import channel
from tests.browser._bench import button, drag, held, lesson, link, painted, rests, said, slider, values, visit

LANES = ("BGD", "SGD", "Mini-batch")
KNOBS = ("Learning rate", "Momentum", "Batch size")
SLOWLY = f"{lesson('01_three_methods')}&view.speed=0.1"

# Listens to what the server answers about runs: how many records the newest picture of each answer has.
RECORDS = """
window.heard = [];
const ask = window.fetch;
const recordsOf = bytes => {
  const view = new DataView(bytes);
  let records = 0;
  for (let at = 0, size; at + 4 < bytes.byteLength; at += 4 + size) {
    size = view.getUint32(at, true);
    if (!size || at + 4 + size > bytes.byteLength) continue; // a sign of life, or cut off
    const header = new TextDecoder().decode(new Uint8Array(bytes, at + 8, view.getUint32(at + 4, true)));
    ({ records } = JSON.parse(header).lanes[0]);
  }
  return records;
};
const listen = async answer => {
  const [reader, pieces] = [answer.clone().body.getReader(), []];
  try {
    for (let piece; !(piece = await reader.read()).done; ) pieces.push(piece.value);
  } catch {} // the bench has heard enough
  return recordsOf(await new Blob(pieces).arrayBuffer());
};
window.fetch = async (...request) => {
  const answer = await ask(...request);
  if (answer.url.endsWith("/lab/run")) window.heard.push(listen(answer));
  return answer;
};
"""


def test_everything_has_its_name(page: Page, app: str):
    visit(page, app)
    expect(page.get_by_role("heading", level=1)).to_have_text("Compare")
    for name in ("Step forward", "Step back", "Copy link"):
        expect(button(page, name)).to_be_visible()
    expect(page.get_by_role("button", name=re.compile("^(Play|Pause)$"))).to_be_visible()
    for knob in KNOBS:
        expect(page.get_by_role("group", name=knob, exact=True)).to_be_visible()
        for lane in LANES:
            expect(slider(page, f"{knob} of {lane}")).to_have_attribute("aria-valuetext", re.compile(r"\S"))
    expect(slider(page, "Timeline")).to_have_attribute("aria-valuetext", re.compile(r"\S"))
    expect(page.get_by_role("radiogroup", name="Clock", exact=True)).to_be_visible()
    for name in LANES:
        expect(page.get_by_role("region", name=name, exact=True)).to_be_visible()
    expect(page.get_by_role("table", name="Verdict", exact=True)).to_be_visible()


@pytest.mark.usefixtures("still")
@pytest.mark.parametrize("size", [(1400, 900), (1024, 768)])
def test_what_matters_is_above_the_fold(page: Page, app: str, size):
    page.set_viewport_size(dict(zip(("width", "height"), size, strict=True)))
    visit(page, app)
    places = [
        page.locator(".mb-headline"),
        page.get_by_role("region", name="BGD", exact=True),
        page.get_by_label("Loss", exact=True),
        slider(page, "Timeline"),
        *(page.get_by_role("group", name=knob, exact=True) for knob in KNOBS),
    ]
    for place in places:
        box = place.bounding_box()
        assert box and box["y"] + box["height"] <= size[1] and box["x"] + box["width"] <= size[0]


def test_it_plays_once_by_itself_and_pause_stops_it(page: Page, app: str):
    """The page's clock is slow: on a busy machine the charts come late, and it would rather not surprise anybody."""
    page.add_init_script("const now = performance.now.bind(performance); performance.now = () => now() / 100;")
    visit(page, f"{app}/?{SLOWLY}")
    button(page, "Pause").click()
    expect(button(page, "Play")).to_be_visible()
    shown = [slider(page, "Timeline").get_attribute("aria-valuetext")]
    for name in ("Step forward", "Step forward", "Step back"):
        button(page, name).click()
        shown.append(slider(page, "Timeline").get_attribute("aria-valuetext"))
    assert len(set(shown[:3])) == 3 and shown[3] == shown[1]


def test_the_newest_value_of_a_fast_drag_is_the_one_shown_and_linked(page: Page, app: str):
    visit(page, app)
    for to in (0.2, 0.7, 0.35):
        drag(page, "Learning rate of Mini-batch", to)
        rests(page)
        shown = values(page, "Learning rate")
        for i, label in enumerate(LANES, 1):
            linked = float(link(page)[f"lane{i}.schedule.learning_rate"][0])
            assert linked == pytest.approx(shown[label], rel=0.01)


@pytest.mark.usefixtures("still")
def test_linked_handles_keep_their_ratios_and_unlinked_ones_move_alone(page: Page, app: str):
    visit(page, f"{app}/?{lesson('02_winner_changes')}")
    rests(page)
    before = values(page, "Learning rate")
    assert len(set(before.values())) > 1
    slider(page, "Learning rate of Mini-batch").press("ArrowLeft")
    rests(page)
    after = values(page, "Learning rate")
    ratios = [after[label] / before[label] for label in LANES]
    assert max(ratios) < 1 and max(ratios) / min(ratios) == pytest.approx(1, rel=0.03)
    button(page, "Linked").click()
    slider(page, "Learning rate of SGD").press("ArrowLeft")
    rests(page)
    alone = values(page, "Learning rate")
    assert alone["SGD"] < after["SGD"] and alone["BGD"] == after["BGD"] and alone["Mini-batch"] == after["Mini-batch"]


@pytest.mark.usefixtures("still")
def test_what_a_method_is_stays_as_it_is(page: Page, app: str):
    visit(page, app)
    handle = slider(page, "Batch size of Mini-batch")
    handle.press("End")
    rests(page)
    expect(handle).to_have_attribute("aria-valuetext", re.compile("32 samples.*BGD"))
    for label in ("BGD", "SGD"):
        expect(slider(page, f"Batch size of {label}")).to_have_attribute("aria-disabled", "true")
        slider(page, f"Batch size of {label}").press("ArrowRight")
    rests(page)
    query = link(page)
    assert query["lane3.sampler.batch_size"] == ["32"] and query["lane2.sampler.batch_size"] == ["1"]


def test_the_picture_moves_while_the_thumb_is_held(page: Page, app: str):
    visit(page, app)
    rests(page)
    with held(page, "Momentum of Mini-batch") as move:
        for to in (0.4, 0.8, 0.6):
            before = painted(page)
            move(to)
            said(page, "painted", f"Number(value) > {before}")


@pytest.mark.usefixtures("still")
def test_keys_reach_what_is_turned_most(page: Page, app: str):
    """Play within 15 Tab stops of the bench, three stops for three knobs."""
    visit(page, app)
    page.locator(".mb-root").focus()
    names = []
    for _ in range(30):
        page.keyboard.press("Tab")
        names.append(page.evaluate("document.activeElement.getAttribute('aria-label') ?? ''"))
    assert any(name in ("Play", "Pause") for name in names[:15])
    assert sum(" of " in name for name in names) == len(KNOBS)
    slider(page, "Learning rate of BGD").focus()
    page.keyboard.press("ArrowDown")
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "Learning rate of SGD"


def test_a_dragged_long_run_shows_few_records_and_at_rest_all_of_them(page: Page, app: str):
    long = "?v=1&problem=linear_regression&problem.dataset=line&problem.dataset.samples=3200&budget.unit=epochs"
    lane = "&lane1=SGD&lane1.sampler=reshuffle&lane1.sampler.batch_size=1&lane1.rule=sgd&lane1.schedule=constant"
    page.add_init_script(RECORDS)
    visit(page, f"{app}/{long}&budget.amount=1{lane}&lane1.schedule.learning_rate=0.05")
    rests(page)
    drag(page, "Learning rate of SGD", 0.45)
    rests(page)
    first, *dragged, last = page.evaluate("Promise.all(window.heard)")
    assert first == last == 3201 and 0 < max(dragged) <= channel.RECORDS


def test_the_first_picture_does_not_wait_for_the_charts(page: Page, app: str):
    held = []
    page.route("**/plotly-cartesian.min.js", lambda request: held.append(request))
    visit(page, f"{app}/?{SLOWLY}", charts=False)
    middle = """() => {
        const canvas = document.querySelector(".mb-draft");
        return canvas ? Array.from(canvas.getContext("2d").getImageData(canvas.width / 2, 9, 1, 1).data) : null;
    }"""
    assert page.evaluate(middle)[3] == 255  # the surface
    button(page, "Play").click()
    expect(button(page, "Pause")).to_be_visible()
    drag(page, "Momentum of Mini-batch", 0.5)
    said(page, "link", "/momentum=0\\.[345]/.test(value)")
    for request in held:
        request.continue_()
    said(page, "charts", "value === 'ready'")
    assert page.evaluate(middle) is None


@pytest.mark.usefixtures("still")
def test_a_click_moves_the_start_of_all_lanes(page: Page, app: str):
    visit(page, app)
    rests(page)
    before = link(page)["start"]
    panel = page.get_by_role("region", name="SGD", exact=True).locator(".nsewdrag").first.bounding_box()
    page.mouse.click(panel["x"] + panel["width"] * 0.75, panel["y"] + panel["height"] * 0.25)
    said(page, "link", f"!value.includes('start={before[0]}')")
    x, y = (float(v) for v in link(page)["start"][0].split(","))
    assert x == pytest.approx(1.0, abs=0.05) and y == pytest.approx(1.0, abs=0.05)


@pytest.mark.usefixtures("still")
def test_zoom_survives_a_change_and_a_drag_on_the_picture_does_not_move_the_start(page: Page, app: str):
    visit(page, app)
    rests(page)
    before = link(page)["start"]
    panel = page.get_by_role("region", name="BGD", exact=True).locator(".nsewdrag").first.bounding_box()
    page.mouse.move(panel["x"] + 30, panel["y"] + 30)
    page.mouse.down()
    page.mouse.move(panel["x"] + 100, panel["y"] + 110, steps=8)
    page.mouse.up()
    read = "document.querySelector('[aria-label=BGD] .js-plotly-plot')._fullLayout.xaxis.range.join()"
    page.wait_for_function(f"{read} !== '-2,2'")
    zoomed = page.evaluate(read)
    drag(page, "Learning rate of Mini-batch", 0.4)
    rests(page)
    assert page.evaluate(read) == zoomed
    assert link(page)["start"] == before


@pytest.mark.usefixtures("still")
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


@pytest.mark.usefixtures("still")
def test_a_bad_parameter_is_said_and_the_page_still_plays(page: Page, app: str):
    visit(page, f"{app}/?v=1&lane1.schedule.learning_rate=banana&whatever=1")
    notice = page.get_by_test_id("stAlert")
    expect(notice).to_contain_text("banana")
    expect(notice).to_contain_text("whatever")


def test_the_link_is_what_was_seen(page: Page, app: str):
    """Clock, cursor and axes travel in it."""
    page.emulate_media(reduced_motion="reduce")
    visit(page, app)
    page.get_by_role("radio", name="samples").check(force=True)
    slider(page, "Timeline").press("Home")
    for _ in range(4):
        slider(page, "Timeline").press("PageUp")
    shown = slider(page, "Timeline").get_attribute("aria-valuetext")
    page.get_by_role("checkbox", name="log time").check()
    page.evaluate("navigator.clipboard.writeText = async words => { window.copied = words; }")
    button(page, "Copy link").click()
    copied = page.evaluate("window.copied")
    other = page.context.browser.new_context(viewport={"width": 1400, "height": 900}).new_page()
    visit(other, copied)
    expect(other.get_by_role("radio", name="samples")).to_be_checked()
    expect(other.get_by_role("checkbox", name="log time")).to_be_checked()
    expect(slider(other, "Timeline")).to_have_attribute("aria-valuetext", shown)
    expect(other.get_by_test_id("stAlert")).to_have_count(0)
    other.context.close()


@pytest.mark.usefixtures("still")
def test_embedded_it_has_no_sidebar(page: Page, app: str):
    visit(page, f"{app}/?embed=true")
    expect(page.get_by_test_id("stSidebar")).to_be_hidden()
    expect(page.get_by_role("region", name="BGD", exact=True)).to_be_visible()


def test_the_clock_reorders_the_verdict_and_the_headline(page: Page, app: str):
    visit(page, app)
    table = page.get_by_role("table", name="Verdict", exact=True)
    first, lines = {}, set()
    for clock in ("epochs", "updates", "samples", "seconds", "PyTorch loop"):
        page.get_by_role("radio", name=clock).check(force=True)
        first[clock] = table.locator("tbody tr").first.inner_text().split()[0]
        lines.add(page.locator(".mb-headline").inner_text())
    assert first["epochs"] != first["updates"] and len(lines) >= 3


@pytest.mark.usefixtures("still")
def test_a_badge_says_why_and_what_to_try(page: Page, app: str):
    query = lesson("01_three_methods").replace("schedule.learning_rate=0.06", "schedule.learning_rate=0.5")
    visit(page, f"{app}/?{query}")
    rests(page)
    expect(page.locator(".mb-headline")).to_contain_text("diverge")
    badge = page.get_by_role("list", name="How each lane does").locator("details").first
    expect(badge).to_contain_text("diverged")
    badge.locator("summary").click()
    expect(badge).to_contain_text("2/L = 0.25")
    badge.get_by_role("button", name=re.compile("^Try")).click()
    said(page, "link", "/lane1.schedule.learning_rate=0.1/.test(value)")
    rests(page)
    expect(page.locator(".mb-badges details").first).not_to_contain_text("diverged")


def test_keys_play_and_step(page: Page, app: str):
    page.emulate_media(reduced_motion="reduce")
    visit(page, app)
    page.get_by_role("region", name="BGD", exact=True).click(position={"x": 8, "y": 8})
    slider(page, "Timeline").press("Home")
    expect(slider(page, "Timeline")).to_have_attribute("aria-valuetext", re.compile(r"\b0\b"))
    slider(page, "Timeline").press("End")
    expect(slider(page, "Timeline")).to_have_attribute("aria-valuetext", re.compile(r"12 of 12"))


@pytest.mark.parametrize("name", ["01_three_methods", "03_line_through_patients", "01_three_on_moons"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_phone_nothing_is_cut_off(page: Page, app: str, scheme, name):
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    page.set_viewport_size({"width": 390, "height": 844})
    visit(page, f"{app}/?{lesson(name)}")
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
    for place in (
        page.get_by_role("button", name=re.compile("^(Play|Pause)$")),
        *(page.get_by_role("region", name=lane, exact=True) for lane in LANES),
    ):
        box = place.bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= 390


def test_reduced_motion_starts_at_the_end_and_does_not_play(page: Page, app: str):
    page.emulate_media(reduced_motion="reduce")
    visit(page, app)
    rests(page)
    expect(button(page, "Play")).to_be_visible()
    expect(slider(page, "Timeline")).to_have_attribute("aria-valuetext", re.compile("12 of 12"))


def test_no_error_reaches_the_console(page: Page, app: str):
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    for name in ("01_three_methods", "03_line_through_patients", "01_three_on_moons"):
        visit(page, f"{app}/?{lesson(name)}")
        drag(page, "Momentum of Mini-batch", 0.9)
        rests(page)
    assert not errors


@pytest.mark.usefixtures("still")
def test_what_a_panel_cannot_show_is_said_below_it(page: Page, app: str):
    visit(page, f"{app}/?v=1&problem=formula&problem.formula=log(x)%2By%5E2&start=1,1")
    expect(page.locator(".mb-caption")).to_have_text("The surface is not finite on 50 % of this window.")
    visit(page, f"{app}/?v=1&problem=linear_regression&problem.dataset=diabetes&problem.test_fraction=0")
    expect(page.locator(".mb-caption")).to_contain_text("of the variance of all paths in 11 dimensions")


@pytest.mark.usefixtures("still")
def test_all_lanes_fit_into_one_panel(page: Page, app: str):
    visit(page, app)
    expect(page.locator(".mb-stage .js-plotly-plot")).to_have_count(3)
    button(page, "Overlay").click()
    expect(page.locator(".mb-stage .js-plotly-plot")).to_have_count(1)
    for name in LANES:
        expect(page.get_by_role("region", name=name, exact=True)).to_be_visible()
