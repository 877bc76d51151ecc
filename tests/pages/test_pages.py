"""Every page as Streamlit's own test runner sees it: it draws, says what it should, and never shows a traceback."""

import json
import re
from urllib.parse import parse_qsl

import pytest
from streamlit.testing.v1 import AppTest

from mbsgd_core import share
from mbsgd_core.experiment import Experiment
from mbsgd_core.figures.payload import unpack
from mbsgd_core.ui import frame, presets

ROOT = frame.ROOT
PATIENCE = 60
LINE = "03_line_through_patients"


def open_page(name: str, query: str = "") -> AppTest:
    page = AppTest.from_file(str(ROOT / "app.py"), default_timeout=PATIENCE)
    for key, value in parse_qsl(query):
        page.query_params[key] = value
    page.run()
    if name != frame.HOME:
        page.switch_page(frame.pages()[name]).run()
    assert not page.exception, page.exception
    return page


def unfold(page: AppTest, box: str) -> AppTest:
    """Open a box of the page; what is closed is not drawn."""
    page.session_state[box] = True
    return page.run()


def payload(page: AppTest) -> dict:
    """What the player was handed."""
    components = [c.proto for c in page.get("bidi_component")]
    binary = next(proto.bytes for proto in components if proto.bytes)
    return unpack(binary)[0]


@pytest.mark.parametrize("name", frame.pages())
def test_a_page_draws_and_its_h1_is_its_name(name):
    page = open_page(name)
    assert [title.value for title in page.title] == [name]


@pytest.mark.parametrize("file", sorted((ROOT / "pages").glob("*.py")), ids=lambda file: file.stem)
def test_a_page_is_thin(file):
    assert len(file.read_text("utf-8").splitlines()) <= 80


def test_compare_shows_three_fair_lanes():
    header = payload(open_page("Compare"))
    assert [lane["label"] for lane in header["lanes"]] == ["BGD", "SGD", "Mini-batch"]
    assert [knob["label"] for knob in header["knobs"]] == ["Learning rate", "Momentum", "Batch size"]
    assert header["status"]["state"] == "done" and header["link"].startswith("v=1&")
    assert len({lane["color"] for lane in header["lanes"]}) == len({lane["dash"] for lane in header["lanes"]}) == 3


@pytest.mark.parametrize("name", presets.all_presets())
def test_a_link_to_a_lesson_opens_that_lesson(name):
    wanted = Experiment.model_validate(presets.all_presets()[name]["experiment"])
    page = open_page("Compare", share.to_query(wanted))
    assert not page.warning
    shown, notices = share.from_query(payload(page)["link"])
    assert shown == wanted and not notices


def test_a_bad_link_is_drawn_and_said():
    page = open_page("Compare", "v=1&problem=ravine&lane1.schedule.learning_rate=-3&nonsense=7&problem.samples=two")
    said = page.warning[0].value.replace("\\", "")
    for key in ("lane1.schedule.learning_rate", "nonsense", "problem.samples"):
        assert key in said
    assert payload(page)["problem"]["title"]


def test_a_script_in_a_link_is_shown_as_text():
    page = open_page("Compare", "v=1&lane1=[x](javascript:alert(1))&%3Cscript%3E=1")
    assert not re.search(r"(?<!\\)\]\(", page.warning[0].value)


def test_choosing_a_problem_keeps_the_lanes_and_finds_a_rate():
    page = open_page("Compare")
    page.selectbox("problem").set_value("rosenbrock").run()
    assert not page.exception
    header = payload(page)
    assert header["problem"]["title"] == "Rosenbrock's banana" or "osenbrock" in header["problem"]["title"]
    assert [lane["label"] for lane in header["lanes"]] == ["BGD", "SGD", "Mini-batch"]
    assert all(lane["diverged_at"] is None for lane in header["lanes"])


def test_a_net_is_not_offered_but_its_link_is_drawn_as_a_projection():
    offered = open_page("Compare").selectbox("problem").options
    assert "Logistic regression" in offered and "Multilayer perceptron" not in offered
    given = {"name": "mlp", "dataset": "blobs", "hidden": [4]}
    lanes = [{"sampler": "full_batch", "schedule": {"name": "constant", "learning_rate": 0.5}}]
    page = open_page("Compare", share.to_query(Experiment.model_validate({"problem": given, "lanes": lanes})))
    assert payload(page)["problem"]["projection"] and page.selectbox("problem").value == "mlp"
    for box in ("problem", "start", "reading"):
        unfold(page, f"box/{box}")
    page.selectbox("problem/dataset").set_value("moons").run()
    assert not page.exception and not page.error
    assert payload(page)["problem"]["title"] == "Multilayer perceptron on Moons"


def test_a_bad_formula_is_refused_with_a_sentence_and_stays_typed():
    page = open_page("Compare", "v=1&problem=formula&problem.formula=x^2%2By^2")
    page.text_input("problem/formula").set_value("__import__('os')").run()
    assert not page.exception
    assert page.error and "formula" in page.error[0].value.lower()
    assert page.text_input("problem/formula").value == "__import__('os')"
    page.text_input("problem/formula").set_value("x^2 + 5*y^2").run()
    assert not page.error
    assert dict(parse_qsl(payload(page)["link"]))["problem.formula"] == "x^2 + 5*y^2"


def test_lanes_can_be_added_up_to_six_and_removed():
    page = open_page("Compare")
    for _ in range(3):
        next(b for b in page.button if b.label == "Add a lane").click().run()
    assert len(payload(page)["lanes"]) == 6
    assert not any(b.label == "Add a lane" for b in page.button)
    unfold(page, "box/lane5").button("remove5").click().run()
    assert len(payload(page)["lanes"]) == 5 and not page.exception


def test_an_edit_whose_lane_is_gone_ends_in_nothing(caplog):
    page = unfold(open_page("Compare"), "box/lane2")
    page.selectbox("lanes/2/schedule").set_value("step").run()
    page.number_input("lanes/2/schedule/step_size").set_value(7)
    page.text_input("lanes/2/label").set_value("gone")
    page.session_state["experiment"] = json.loads(json.dumps(page.session_state["experiment"]))
    page.session_state["experiment"]["lanes"].pop()
    page.run()
    assert not page.exception and "IndexError" not in caplog.text and len(payload(page)["lanes"]) == 2
    assert "gone" not in json.dumps(page.session_state["experiment"])


def test_what_was_refused_of_a_lane_is_forgotten_with_it():
    page = unfold(open_page("Compare"), "box/lane2")
    page.selectbox("lanes/2/schedule").set_value("step").run()
    page.number_input("lanes/2/schedule/step_size").set_value(-1).run()
    assert page.error
    page.button("remove2").click().run()
    next(b for b in page.button if b.label == "Add a lane").click().run()
    assert not page.error and not page.exception


@pytest.mark.parametrize("part, names", [("rule", ["adam", "adagrad"]), ("schedule", ["step", "cosine", "constant"])])
def test_every_rule_and_schedule_can_be_chosen(part, names):
    page = unfold(open_page("Compare"), "box/lane2")
    for name in names:
        page.selectbox(f"lanes/2/{part}").set_value(name).run()
        assert not page.exception and not page.error
        assert dict(parse_qsl(payload(page)["link"]))[f"lane3.{part}"] == name


def test_every_box_can_be_opened():
    page = open_page("Compare", share.to_query(Experiment.model_validate(presets.all_presets()[LINE]["experiment"])))
    for box in ("start", "lane0", "differences", "units", "reading"):
        unfold(page, f"box/{box}")
        assert not page.exception, box
    shown = " ".join(html.proto.body for html in page.get("html"))
    assert "bmi, per kg/m²" in shown and "optimum" in shown
    assert any("How" in text.value or "lanes" in text.value for text in page.markdown)
