"""Every page as Streamlit's own test runner sees it: it draws, says what it should, and never shows a traceback."""

import json
import re
from urllib.parse import parse_qs, parse_qsl

import pytest
from streamlit.testing.v1 import AppTest

from mbsgd_core import share
from mbsgd_core.averages.base import Average
from mbsgd_core.clips.base import Clip
from mbsgd_core.experiment import Experiment, problems
from mbsgd_core.figures.payload import unpack
from mbsgd_core.registry import discover, name_of
from mbsgd_core.results.claim import read
from mbsgd_core.rules.base import Rule
from mbsgd_core.schedules.base import Schedule
from mbsgd_core.ui import frame, presets
from mbsgd_core.ui.singletons import runner

ROOT = frame.ROOT
PATIENCE = 60
LINE = "03_line_through_patients"
NET = "train/01_three_on_moons"


def open_page(name: str, query: str = "") -> AppTest:
    page = AppTest.from_file(str(ROOT / "app.py"), default_timeout=PATIENCE)
    for key, value in parse_qsl(query):
        page.query_params[key] = value
    page.run()
    if name != frame.HOME:
        page.switch_page(frame.pages()[name]).run()
    assert not page.exception, page.exception
    return page


def bench(query: str = "") -> AppTest:
    return open_page(frame.HOME, query)


def lesson(name: str) -> AppTest:
    return bench(share.to_query(presets.experiment(name)))


def unfold(page: AppTest, box: str) -> AppTest:
    """Open a box of the page; what is closed is not drawn."""
    page.session_state[box] = True
    return page.run()


def header(page: AppTest) -> dict:
    """What the bench was handed."""
    components = [c.proto for c in page.get("bidi_component")]
    return unpack(next(proto.bytes for proto in components if proto.bytes))[0]


def in_hand(page: AppTest) -> Experiment:
    """The experiment that the bench was asked to show."""
    shown, notices = share.from_query(header(page)["link"], page=True)
    assert not notices
    return shown


@pytest.mark.parametrize("name", frame.pages())
def test_a_page_draws_and_its_h1_is_its_name(name):
    page = open_page(name)
    assert [title.value for title in page.title] == [name]


@pytest.mark.parametrize("file", sorted((ROOT / "pages").glob("*.py")), ids=lambda file: file.stem)
def test_a_page_is_thin(file):
    assert len(file.read_text("utf-8").splitlines()) <= 80


def test_the_bench_opens_with_the_first_lesson():
    page = bench()
    told = header(page)
    assert in_hand(page) == presets.opening() and told["kind"] == "page" and told["link"].startswith("v=1&")
    assert told["lesson"]["title"] == presets.first()["title"] and told["clock"] == presets.first()["clock"]
    assert told["view"] is None and told["autoplay"]


@pytest.mark.parametrize("name", presets.all_presets())
def test_a_link_to_a_lesson_opens_that_lesson(name):
    page = lesson(name)
    assert not page.warning and in_hand(page) == presets.experiment(name)
    assert header(page)["lesson"]["title"] == presets.all_presets()[name]["title"]


def test_learn_shows_every_lesson_once_in_chapters():
    page = open_page("Learn")
    links = [link.proto.query_string for link in page.get("page_link") if link.proto.label.startswith("Open in")]
    wanted = [share.flat(presets.experiment(name)) for name in presets.all_presets()]
    assert [dict(parse_qsl(link, keep_blank_values=True)) for link in links] == [dict(each) for each in wanted]
    assert [head.value for head in page.header] == [*presets.chapters(), "Claims"]
    shown = " ".join(html.proto.body for html in page.get("html"))
    assert all(f'id="claim-{claim.number}"' in shown for claim in read().values())


def test_a_link_says_how_to_look_at_it():
    query = share.to_query(presets.opening())
    page = bench(f"{query}&view.clock=seconds&view.at=0.4&view.box=known&view.zoom=2")
    assert header(page)["view"] == {"clock": "seconds", "at": 0.4, "box": "known"}
    assert in_hand(page) == presets.opening()
    assert "view.zoom" in page.warning[0].value
    assert "What is known" in " ".join(html.proto.body for html in page.get("html"))
    page.number_input("budget/amount").set_value(3).run()
    assert header(page)["view"] is None


def test_a_bad_link_is_drawn_and_said():
    page = bench("v=1&problem=ravine&lane1.schedule.learning_rate=-3&nonsense=7&problem.samples=two")
    said = page.warning[0].value.replace("\\", "")
    for key in ("lane1.schedule.learning_rate", "nonsense", "problem.samples"):
        assert key in said
    assert in_hand(page).problem.title == problems()["ravine"].title


def test_a_script_in_a_link_is_shown_as_text():
    page = bench("v=1&lane1=[x](javascript:alert(1))&%3Cscript%3E=1")
    assert not re.search(r"(?<!\\)\]\(", page.warning[0].value)


def test_every_problem_can_be_chosen_and_keeps_the_lanes():
    page = bench()
    for name in problems():
        page.selectbox("problem").set_value(name).run()
        assert not page.exception and not page.error, name
        shown = in_hand(page)
        assert parse_qs(header(page)["link"])["problem"] == [name]
        assert [lane.label for lane in shown.lanes] == ["BGD", "SGD", "Mini-batch"]


def test_a_surface_begins_at_a_rate_that_suits_it():
    page = bench()
    page.selectbox("problem").set_value("rosenbrock").run()
    assert in_hand(page).lanes[0].schedule.learning_rate < presets.opening().lanes[0].schedule.learning_rate


def test_data_and_model_can_be_chosen():
    page = lesson(NET)
    page.selectbox("problem/dataset").set_value("diabetes").run()
    assert not page.exception and page.session_state["experiment"]["problem"]["name"] in ("mlp", "linear_regression")
    page.selectbox("problem").set_value("linear_regression").run()
    assert in_hand(page).problem.parameter_count == 2  # its surface can be drawn
    page.multiselect("problem/features").set_value(["bmi", "age", "bp"]).run()
    assert in_hand(page).problem.parameter_count == 4 and not page.error
    page.selectbox("problem/dataset").set_value("mnist").run()
    assert not page.exception
    problem = page.session_state["experiment"]["problem"]
    assert problem["name"] == "cnn" and problem["dataset"]["rows"] == "subset"


def test_a_bad_formula_is_refused_with_a_sentence_and_stays_typed():
    page = bench("v=1&problem=formula&problem.formula=x^2%2By^2")
    page.text_input("problem/formula").set_value("__import__('os')").run()
    assert not page.exception
    assert page.error and "formula" in page.error[0].value.lower()
    assert page.text_input("problem/formula").value == "__import__('os')"
    page.text_input("problem/formula").set_value("x^2 + 5*y^2").run()
    assert not page.error
    assert dict(parse_qsl(header(page)["link"]))["problem.formula"] == "x^2 + 5*y^2"


def test_lanes_can_be_added_up_to_six_and_removed():
    page = bench()
    for _ in range(3):
        next(b for b in page.button if b.label == "Add a lane").click().run()
    assert len(in_hand(page).lanes) == 6
    assert not any(b.label == "Add a lane" for b in page.button)
    unfold(page, "box/lane5").button("remove5").click().run()
    assert len(in_hand(page).lanes) == 5 and not page.exception


def test_an_edit_whose_lane_is_gone_ends_in_nothing(caplog):
    page = unfold(bench(), "box/lane2")
    page.selectbox("lanes/2/schedule").set_value("step").run()
    page.number_input("lanes/2/schedule/step_size").set_value(7)
    page.text_input("lanes/2/label").set_value("gone")
    page.session_state["experiment"] = json.loads(json.dumps(page.session_state["experiment"]))
    page.session_state["experiment"]["lanes"].pop()
    page.run()
    assert not page.exception and "IndexError" not in caplog.text and len(in_hand(page).lanes) == 2
    assert "gone" not in json.dumps(page.session_state["experiment"])


def test_what_was_refused_of_a_lane_is_forgotten_with_it():
    page = unfold(bench(), "box/lane2")
    page.selectbox("lanes/2/schedule").set_value("step").run()
    page.number_input("lanes/2/schedule/step_size").set_value(-1).run()
    assert page.error
    page.button("remove2").click().run()
    next(b for b in page.button if b.label == "Add a lane").click().run()
    assert not page.error and not page.exception


@pytest.mark.parametrize("part, base", [("rule", Rule), ("schedule", Schedule)])
def test_every_rule_and_schedule_can_be_chosen(part, base):
    page = unfold(bench(), "box/lane2")
    for name in discover(f"mbsgd_core.{part}s", base):
        page.selectbox(f"lanes/2/{part}").set_value(name).run()
        assert not page.exception and not page.error, name
        assert dict(parse_qsl(header(page)["link"]))[f"lane3.{part}"] == name


def test_a_clip_and_an_average_can_be_chosen_set_and_switched_off():
    page = unfold(bench(), "box/lane2")
    for part, kind in (("clip", Clip), ("average", Average)):
        assert page.selectbox(f"lanes/2/{part}").value == "off"
        for name in discover(f"mbsgd_core.{part}s", kind):
            page.selectbox(f"lanes/2/{part}").set_value(name).run()
            assert name_of(getattr(in_hand(page).lanes[2], part)) == name
    page.number_input("lanes/2/clip/max").set_value(0.25).run()
    assert in_hand(page).lanes[2].clip.max == 0.25
    page.number_input("lanes/2/sampler/accumulate").set_value(2).run()
    page = unfold(page, "box/start")
    page.number_input("budget/patience").set_value(3).run()
    assert in_hand(page).lanes[2].sampler.accumulate == 2 and in_hand(page).budget.patience == 3
    page.selectbox("lanes/2/clip").set_value("off").run()
    assert in_hand(page).lanes[2].clip is None and in_hand(page).lanes[2].average is not None
    assert not page.exception


def test_the_parts_of_a_sequence_can_be_chosen_timed_added_and_removed():
    page = unfold(bench(), "box/lane2")
    page.selectbox("lanes/2/schedule").set_value("sequence").run()
    first = "lanes/2/schedule/parts/0"
    page.number_input(f"{first}/intervals").set_value(7).run()
    page.selectbox(f"{first}").set_value("exponential").run()
    page.slider(f"{first}/gamma").set_value(0.9).run()
    page.button("lanes/2/schedule/add").click().run()
    page.selectbox("lanes/2/schedule/parts/2").set_value("cosine").run()
    assert not page.exception and not page.error
    sequence = in_hand(page).lanes[2].schedule
    assert [name_of(part) for part in sequence.parts] == ["exponential", "constant", "cosine"]
    assert sequence.intervals == (7, 5) and sequence.parts[0].gamma == 0.9
    page.number_input(f"{first}/intervals").set_value(0).run()
    assert page.error
    page.button("lanes/2/schedule/parts/2/remove").click().run()
    link = dict(parse_qsl(header(page)["link"]))
    assert not page.exception and (link["lane3.schedule.part2"], link["lane3.schedule.intervals"]) == ("constant", "7")


@pytest.mark.parametrize("name", [LINE, NET, "21_saddle"])
def test_every_box_can_be_opened(name):
    page = lesson(name)
    assert runner().submit(page.session_state["owner"], in_hand(page).to_json()).wait(PATIENCE)
    for box in ("pictures", "problem", "start", "lane0", "differences", "known", "landscape", "instruments", "data",
                "units", "reading"):  # fmt: skip
        unfold(page, f"box/{box}")
        assert not page.exception, box
    shown = " ".join(html.proto.body for html in page.get("html"))
    assert "What is known" in shown and "Least value" in shown
    if name == LINE:
        assert "bmi, per kg/m²" in shown


def test_reset_brings_back_the_first_lesson():
    page = lesson(LINE)
    next(b for b in page.button if b.label == "Reset").click().run()
    assert in_hand(page) == presets.opening()


def test_missing_data_are_fetched_on_request(monkeypatch, tmp_path):
    monkeypatch.delenv("MBSGD_DATA", raising=False)
    monkeypatch.setenv("MBSGD_CACHE", str(tmp_path))
    monkeypatch.setenv("MBSGD_MNIST_SOURCES", "http://127.0.0.1:9/")
    draft = presets.all_presets()[NET]["experiment"]
    given = draft | {"problem": {"name": "softmax_regression", "dataset": "mnist"}}
    page = bench(share.to_query(Experiment.model_validate(given)))
    assert "11.6 MB to fetch" in page.info[0].value
    next(b for b in page.button if b.label == "Fetch the data").click().run()
    assert "could not be fetched" in page.error[0].value and not page.exception
    next(b for b in page.button if b.label == "Take the part that comes with the app").click().run()
    assert page.session_state["experiment"]["problem"]["dataset"]["rows"] == "subset" and not page.info


TABLE = b"height,weight,kind\n" + b"".join(b"%d,%d,%s\n" % (i, i * i % 17, b"ab"[i % 2 : i % 2 + 1]) for i in range(40))


def test_an_upload_is_taken_and_its_columns_get_roles():
    page = lesson(NET)
    page.selectbox("problem/dataset").set_value("csv").run()
    page.file_uploader("upload").upload("mine.csv", TABLE, "text/csv").run()
    assert not page.exception and not page.error
    table = page.session_state["experiment"]["problem"]["dataset"]
    assert table["lines"][0] == "height,weight,kind" and page.selectbox("problem/dataset/target").value == "kind"
    page.selectbox("problem/dataset/target").set_value("weight").run()
    assert "kind" in page.error[0].value  # it holds texts, and would be an input
    page.multiselect("problem/dataset/inputs").set_value(["height"]).run()
    page.selectbox("problem/dataset/target").set_value("weight").run()
    assert not page.exception and not page.error, page.error[0].value
    assert page.session_state["experiment"]["problem"]["dataset"]["target"] == "weight"


def test_a_bad_upload_is_refused_with_a_sentence_and_leaves_the_table():
    page = lesson(NET)
    page.selectbox("problem/dataset").set_value("csv").run()
    before = page.session_state["experiment"]["problem"]["dataset"]
    page.file_uploader("upload").upload("bad.csv", b"\x00\x01\x02", "text/csv").run()
    assert not page.exception and page.error and len(page.error[0].value) > 20
    assert page.session_state["experiment"]["problem"]["dataset"] == before
