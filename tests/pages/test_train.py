"""The Train page as Streamlit's own test runner sees it: lanes stream in, buttons act, settings reach the run."""

import time
from urllib.parse import parse_qsl

import pytest
from streamlit.testing.v1 import AppTest

from mbsgd_core import share
from mbsgd_core.experiment import Experiment
from mbsgd_core.figures.payload import unpack
from mbsgd_core.ui import frame, presets, train, train_run
from mbsgd_core.ui.work import fetches
from tests.pages.test_pages import open_page

PATIENCE = 60  # seconds
LONG = {"unit": "epochs", "amount": 1000}


def wanted(problem, epochs=2, **more) -> Experiment:
    rates = {"schedule": {"name": "constant", "learning_rate": 0.05}}
    lanes = [{"sampler": s, **rates} for s in ("full_batch", {"name": "reshuffle", "batch_size": 16})]
    draft = {"problem": problem, "budget": {"unit": "epochs", "amount": epochs}, "lanes": lanes}
    return Experiment.model_validate(draft | more)


def visit(query: str = "") -> AppTest:
    page = open_page("Train")
    if not query:
        return page
    page.query_params.clear()
    for key, value in parse_qsl(query):
        page.query_params[key] = value
    page.run()
    assert not page.exception, page.exception
    return page


def settled(page: AppTest) -> AppTest:
    """Wait for the run's end."""
    assert page.session_state["run"].wait(PATIENCE)
    page.run()
    assert not page.exception, page.exception
    return page


def shown(page: AppTest) -> tuple[dict, dict]:
    """What the stage was handed."""
    found = [c.proto.bytes for c in page.get("bidi_component") if c.proto.bytes]
    return unpack(found[-1])


def names(page: AppTest) -> set[str]:
    return {button.label for button in page.button}


def press(page: AppTest, name: str) -> AppTest:
    next(button for button in page.button if button.label == name).click().run()
    assert not page.exception, page.exception
    return page


def test_it_starts_by_itself_and_all_lanes_finish():
    page = settled(visit())
    header, arrays = shown(page)
    assert header["status"]["state"] == "done" and header["kind"] == "boundary"
    assert [lane["label"] for lane in header["lanes"]] == ["BGD", "SGD", "Mini-batch"]
    assert len({lane["color"] for lane in header["lanes"]}) == len({lane["dash"] for lane in header["lanes"]}) == 3
    for i, lane in enumerate(header["lanes"]):
        assert lane["update"] == lane["updates"] == arrays[f"lane{i}/update"][-1]
        assert lane["memory"]["data"] > 0 and "test rows right" in lane["summary"]
    assert names(page) >= {"Train"} and not names(page) & {"Pause", "Resume", "Stop"}


def test_pause_resume_stop():
    page = visit(share.to_query(wanted({"name": "mlp", "dataset": "moons"}, budget=LONG)))
    run = page.session_state["run"]
    assert run.wait(PATIENCE, partial_result=True) and names(page) >= {"Pause", "Stop"}
    press(page, "Pause")
    assert run.state == "cancelled" and shown(page)[0]["status"]["state"] == "paused"
    reached = shown(page)[0]["lanes"][1]["update"]
    press(page, "Resume")
    again = page.session_state["run"]
    assert again is not run and again.result.lanes[1].update >= reached
    press(page, "Stop")
    assert again.state == "cancelled" and shown(page)[0]["status"]["state"] == "stopped"
    assert names(page) >= {"Train", "Resume"} and not names(page) & {"Pause", "Stop"}


def test_a_run_goes_on_behind_another_page_and_each_page_keeps_its_experiment():
    page = visit(share.to_query(wanted({"name": "mlp", "dataset": "circles"}, epochs=150)))
    run = page.session_state["run"]
    page.query_params.clear()  # as a link of the navigation does
    page.switch_page("app.py").run()
    assert page.title[0].value == frame.HOME and not run.over
    assert page.session_state["experiment"]["problem"]["name"] == "quadratic"
    assert run.wait(PATIENCE) and run.state == "done"
    page.query_params.clear()
    page.switch_page(frame.pages()["Train"]).run()
    assert not page.exception and page.session_state["run"] is run
    assert page.session_state["experiment"]["problem"]["dataset"]["name"] == "circles"
    assert shown(page)[0]["status"]["state"] == "done"


def test_a_changed_setting_keeps_the_old_picture_until_train_is_pressed():
    page = settled(visit())
    page.number_input("lanes/2/schedule/learning_rate").set_value(0.01).run()
    assert any("settings have changed" in caption.value for caption in page.caption)
    assert "rate 0.2" in shown(page)[0]["lanes"][2]["text"]
    settled(press(page, "Train"))
    assert "rate 0.01" in shown(page)[0]["lanes"][2]["text"]


@pytest.mark.parametrize(
    "problem, kind",
    [
        ({"name": "softmax_regression", "dataset": "digits"}, "images"),
        ({"name": "mlp", "dataset": "wine"}, "classes"),
        ({"name": "linear_regression", "dataset": "diabetes"}, "numbers"),
    ],
)
def test_a_link_opens_its_experiment(problem, kind):
    given = wanted(problem)
    page = settled(visit(share.to_query(given)))
    header, _ = shown(page)
    assert header["kind"] == kind and share.from_query(header["link"])[0] == given


def test_data_and_model_can_be_chosen():
    page = settled(visit())
    page.selectbox("problem/dataset").set_value("diabetes").run()
    assert not page.exception and page.session_state["experiment"]["problem"]["name"] in ("mlp", "linear_regression")
    page.selectbox("problem").set_value("linear_regression").run()
    page.selectbox("problem/dataset").set_value("mnist").run()
    assert not page.exception
    problem = page.session_state["experiment"]["problem"]
    assert problem["name"] == "cnn" and problem["dataset"]["rows"] == "subset"


def test_every_box_opens_and_surveys_run(monkeypatch):
    monkeypatch.setattr("mbsgd_core.jobs.surveys.STOPS", 3)
    page = settled(visit())
    for box in ("landscape", "instruments", "data", "reading", "problem", "start", "lane0"):
        page.session_state[f"box/{box}"] = True
    page.run()
    assert not page.exception
    press(page, "Compute the landscape")
    assert page.session_state["landscape"].answer(PATIENCE).progress == 1
    press(page, "Measure")
    readings = page.session_state["instruments"].answer(PATIENCE)
    assert {reading.lane for reading in readings} == {0, 1, 2} and readings[0].gradient > 0
    page.run()
    assert not page.exception
    captions = " ".join(caption.value for caption in page.caption)
    assert "of the paths' variance" in captions and "Gradient norm" in captions


def test_what_is_standardised_is_shown_and_undone():
    given = wanted({"name": "linear_regression", "dataset": "diabetes"}, epochs=30)
    page = settled(visit(share.to_query(given)))
    for box in ("units", "data"):
        page.session_state[f"box/{box}"] = True
    page.run()
    assert not page.exception
    tables = " ".join(part.proto.body for part in page.get("html"))
    data = given.problem.prepare(given.seed)
    optimum = given.problem.original_units(given.problem.solution(given.seed).minimizers[0], given.seed)
    bmi = data.table.features.index("bmi")
    for number in (data.mean[bmi], data.deviation[bmi], optimum[bmi]):
        assert f"<td>{number:.5g}</td>" in tables


@pytest.mark.parametrize("problem", [None, {"name": "softmax_regression", "dataset": "digits"}])
def test_what_was_measured_of_a_run_is_not_shown_with_the_next(problem):
    page = settled(visit("" if problem is None else share.to_query(wanted(problem))))
    page.session_state["box/landscape"] = True
    page.run()
    press(page, "Compute the landscape")
    page.session_state["landscape"].answer(PATIENCE)
    page.run()
    assert any("variance" in caption.value for caption in page.caption)
    settled(press(page, "Train"))
    assert not any("variance" in caption.value for caption in page.caption)


def test_another_lesson_puts_the_run_before_away():
    page = settled(visit())
    lesson = presets.all_presets("Train")["train/07_cnn_on_mnist"]["experiment"]
    page.query_params.clear()
    for key, value in parse_qsl(share.to_query(Experiment.model_validate(lesson))):
        page.query_params[key] = value
    page.run()
    assert not page.exception and "run" not in page.session_state
    assert any("Press Train" in words.value for words in page.markdown)


def test_missing_data_are_fetched_on_request(monkeypatch, tmp_path):
    monkeypatch.delenv("MBSGD_DATA", raising=False)
    monkeypatch.setenv("MBSGD_CACHE", str(tmp_path))
    monkeypatch.setenv("MBSGD_MNIST_SOURCES", "http://127.0.0.1:9/")
    given = wanted({"name": "softmax_regression", "dataset": "mnist"})
    page = visit(share.to_query(given))
    assert "11.6 MB to fetch" in page.info[0].value and next(b for b in page.button if b.label == "Train").disabled
    assert "run" not in page.session_state
    press(page, "Fetch the data")
    assert fetches().of(given.problem.dataset).wait(PATIENCE)
    page.run()
    assert "could not be fetched" in page.error[0].value and not page.exception
    press(page, "Take the part that comes with the app")
    assert page.session_state["experiment"]["problem"]["dataset"]["rows"] == "subset" and not page.info


def test_a_surface_in_a_link_is_refused_with_a_sentence():
    surface = presets.first()["experiment"]
    page = visit(share.to_query(Experiment.model_validate(surface)))
    assert "no data to train on" in page.warning[0].value and not page.error


def test_what_takes_long_waits_for_the_button():
    page = visit(share.to_query(wanted({"name": "cnn", "dataset": {"name": "mnist", "rows": "subset"}}, epochs=50)))
    updates = 50 * (1 + 625)  # of all 10,000 images at once, and of 16 at a time
    assert any(f"Press Train: {updates:,} updates in all" in caption.value for caption in page.caption)


def test_the_time_of_a_run_is_guessed_from_its_work():
    small, large = wanted({"name": "mlp", "dataset": "moons"}), wanted({"name": "cnn", "dataset": "digits"})
    assert train_run.seconds(small) < train_run.seconds(large) and train.REFRESH < 0.5


def test_the_lease_ends_when_the_tab_is_gone(monkeypatch):
    class Runtime:
        there = True

        def is_active_session(self, session):
            return self.there

    class Context:
        session_id = "a"

    now, runtime = [time.monotonic()], Runtime()
    monkeypatch.setattr(train_run.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(train_run, "get_script_run_ctx", lambda: Context())
    monkeypatch.setattr(train_run.st.runtime, "exists", lambda: True)
    monkeypatch.setattr(train_run.st.runtime, "get_instance", lambda: runtime)
    alive = train_run._lease()
    now[0] += 100
    assert alive()
    runtime.there = False
    now[0] += train_run.LEASE / 2
    assert alive()
    now[0] += train_run.LEASE
    assert not alive()


TABLE = b"height,weight,kind\n" + b"".join(b"%d,%d,%s\n" % (i, i * i % 17, b"ab"[i % 2 : i % 2 + 1]) for i in range(40))


def test_an_upload_is_trained_on_and_its_columns_get_roles():
    page = settled(visit())
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
    header, _ = shown(settled(press(page, "Train")))
    assert header["kind"] == "numbers" and header["axes"] == ["weight"]


def test_a_bad_upload_is_refused_with_a_sentence_and_leaves_the_table():
    page = settled(visit())
    page.selectbox("problem/dataset").set_value("csv").run()
    before = page.session_state["experiment"]["problem"]["dataset"]
    page.file_uploader("upload").upload("bad.csv", b"\x00\x01\x02", "text/csv").run()
    assert not page.exception and page.error and len(page.error[0].value) > 20
    assert page.session_state["experiment"]["problem"]["dataset"] == before
