"""Problems: every loss surface and model, with the truth about it that the tests check."""

from urllib.parse import parse_qsl

import streamlit as st

from mbsgd_core import share
from mbsgd_core.experiment import Experiment
from mbsgd_core.figures import surface
from mbsgd_core.ui import frame, live, presets
from mbsgd_core.ui.sidebar import planar_titles, plane_settings
from mbsgd_core.ui.tables import table
from mbsgd_core.ui.work import runner

QUIET = {"displayModeBar": False, "plotlyServerURL": ""}  # a bar would lie over a touch screen's picture for good


def experiment_of(name: str) -> Experiment:
    """The first lesson's lanes on another problem, at a rate that suits it."""
    lanes = presets.first()["experiment"]["lanes"]
    problem = {"name": name, **plane_settings(name)}
    draft = Experiment.model_validate({"problem": problem, "lanes": lanes})
    return live.suggested(draft, runner(), "problems")


def truths(problem: dict, suggested: Experiment) -> None:
    """A table of what is known exactly."""
    points = {"Minimizers": problem["minimizers"], "Saddles": problem["saddles"]}
    rows = {what: "; ".join(f"({x:.6g}, {y:.6g})" for x, y in at) or "none known" for what, at in points.items()}
    least = problem["optimal_value"]
    rows["Least value"] = "unbounded or unknown" if least is None else f"{least:.8g}"
    rows["Samples"] = f"{problem['samples']:,}"
    rows["Parameters"] = ", ".join(suggested.problem.parameter_names)
    rows["Source"] = suggested.problem.reference or "see the data set"
    table("What is known", ["", "truth"], list(rows.items()))


def main() -> None:
    """Draw the page."""
    frame.begin("Problems")
    st.title("Problems", anchor=False)
    titles = planar_titles()
    name = st.selectbox("Problem", list(titles), format_func=titles.get, bind="query-params", key="problem")
    experiment = experiment_of(name)
    st.write(experiment.problem.summary)
    still = experiment.model_copy(update={"budget": experiment.budget.model_copy(update={"amount": 0})})
    picture = runner().submit("problems", still.to_json()).answer(20)["picture"]
    left, right = st.columns(2)
    alt = f"{titles[name]}: the loss over {' and '.join(picture['problem']['axes'])}."
    left.plotly_chart(
        surface.contour(picture["problem"], picture["arrays"]), alt=f"Contours of {alt}", key="contour", config=QUIET
    )
    right.plotly_chart(
        surface.relief(picture["problem"], picture["arrays"]), alt=f"Relief of {alt}", key="relief", config=QUIET
    )
    truths(picture["problem"], experiment)
    link = parse_qsl(share.to_query(experiment))
    st.page_link("app.py", label="Run it in Compare", icon=":material/play_arrow:", query_params=link)
    frame.end()


main()
