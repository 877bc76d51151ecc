"""Everything that people, or attackers, type as a formula: tests/hostile/formulas.json, all cases, and the limits."""

import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from mbsgd_core import engine
from mbsgd_core.errors import FormulaError, LabError
from mbsgd_core.experiment import Experiment
from mbsgd_core.problems.surfaces._formula import parse

CASES = json.loads(Path(__file__).with_name("formulas.json").read_text())
# What a run may never do while it reads a formula; ast.parse raises "compile" with this file name, and runs nothing.
FORBIDDEN = ("open", "exec", "import", "os.", "subprocess.", "socket.", "ctypes.", "builtins.", "code.", "shutil.")
PARSER_ONLY = "<unknown>"
watched: list[str] | None = None


def _audit(event, args):
    if watched is not None and (
        event.startswith(FORBIDDEN) or (event == "compile" and (len(args) < 2 or args[1] != PARSER_ONLY))
    ):
        watched.append(f"{event} {args!r}"[:200])


sys.addaudithook(_audit)


def text_of(case):
    # The long inputs are written as expressions of our own making.
    return case["input"] if "input" in case else eval(case["python_input"], {"__builtins__": {}})


def experiment(text, **settings):
    lanes = [
        {"sampler": sampler, "schedule": {"name": "constant", "learning_rate": 0.01}}
        for sampler in ({"name": "full_batch"}, {"name": "reshuffle", "batch_size": 2})
    ]
    problem = {"name": "formula", "formula": text, "samples": 8, "noise": 0.1}
    return Experiment.model_validate(
        {"problem": problem, "budget": {"unit": "updates", "amount": 5}, "lanes": lanes, **settings}
    )


def complaint(text):
    """The refusal as text; None if the formula is accepted."""
    try:
        experiment(text)
    except LabError as error:
        return str(error)
    return None


def by_expectation(*expected):
    chosen = [case for case in CASES if case["expect"] in expected]
    assert chosen
    return pytest.mark.parametrize("case", chosen, ids=[case["id"] for case in chosen])


def check_training(text):
    """Five updates a lane; the result says itself where it stopped being finite. True if all of it is finite."""
    sound = True
    for dtype in ("float64", "float32"):
        value = experiment(text, dtype=dtype, runs=2)
        for lane in (0, 1):
            state, trace = engine.run(value, lane)
            assert trace.theta.shape == (2, 6, 2)
            for run, first_bad in enumerate(state.diverged_at):
                finite = np.isfinite(trace.theta[run]).all(-1) & np.isfinite(trace.loss[run])
                expected = 6 if first_bad < 0 else first_bad
                assert finite[:expected].all()
                assert not finite[expected:].any()
                sound &= first_bad < 0
    return sound


def test_every_expectation_is_known():
    known = {"reject", "accept_finite", "accept_flag_nonfinite", "reject_or_nonfinite", "accept_or_reject_fast"}
    assert {case["expect"] for case in CASES} == known


@by_expectation("reject")
def test_rejected_with_one_clear_line(case):
    message = complaint(text_of(case))
    assert message is not None
    assert message.startswith("problem.formula: ")
    assert message.isprintable(), "one line without control characters"
    assert len(message) < 400
    assert "Traceback" not in message
    assert "Error" not in message
    if len(text_of(case)) > 25:
        assert text_of(case) not in message, "never echoed whole"


@by_expectation("accept_finite")
def test_accepted_and_sound(case):
    assert complaint(text_of(case)) is None
    assert check_training(text_of(case))


@by_expectation("accept_flag_nonfinite")
def test_accepted_and_divergence_is_reported(case):
    assert complaint(text_of(case)) is None
    check_training(text_of(case))


@by_expectation("reject_or_nonfinite", "accept_or_reject_fast")
def test_refused_or_trained(case):
    if complaint(text_of(case)) is None:
        sound = check_training(text_of(case))
        assert not (sound and case["expect"] == "reject_or_nonfinite")


@pytest.mark.parametrize("text", ["1/0", "1/(x-x)", "log(-1)", "(-2)**0.5", "log(0*x)"])
def test_not_finite_at_the_start_is_a_divergence_at_update_0(text):
    state, trace = engine.run(experiment(text), 1)
    assert state.diverged_at.tolist() == [0]
    assert not np.isfinite(trace.loss).any()


def test_overflow_on_the_way_is_a_divergence():
    state, _ = engine.run(experiment("1e300*x"), 0)
    assert state.diverged_at.tolist() == [1]


def test_nothing_runs_and_nothing_hangs():
    """The whole list under an audit hook; the bound is far above need, to catch a hang alone."""
    global watched
    texts = [text_of(case) for case in CASES]
    complaint("x"), complaint("x+"), complaint("foo(x)")  # lazy imports happen here
    parse.cache_clear()
    start, watched = time.perf_counter(), []
    try:
        for text in texts:
            complaint(text)
        seen = list(watched)
    finally:
        watched = None
    assert seen == []
    assert time.perf_counter() - start < 20


def test_the_audit_hook_sees_what_it_should():
    global watched
    watched = []
    try:
        eval("1 + 1")
        seen = list(watched)
    finally:
        watched = None
    assert seen


def test_reading_a_formula_needs_no_torch():
    code = (
        "import sys; from mbsgd_core.experiment import Experiment; Experiment.model_validate({'problem': {'name': "
        "'formula', 'formula': 'sin(x)*y'}, 'lanes': [{'sampler': 'full_batch', 'schedule': {'name': 'constant', "
        "'learning_rate': 0.1}}]}); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2], timeout=60).returncode == 0


@pytest.mark.parametrize(
    ("inside", "outside", "match"),
    [
        ("x" + "+0" * 20 + " " * 259, "x" + " " * 300, "at most 300 characters"),
        ("-" * 39 + "x", "-" * 40 + "x", "40 levels"),
        ("+".join("x" * 40), "+".join("x" * 41), "40 levels"),
        ("-(" + "+".join("x" * 30) + ")+(" + "+".join("x" * 30) + ")", "--(" + "+".join("x" * 30) + ")+("
         + "+".join("x" * 30) + ")", "more than 120"),
        ("1.7e308*x", "1.8e308*x", "too large"),
    ],
    ids=["characters", "signs", "terms", "nodes", "numbers"],
)  # fmt: skip
def test_limits(inside, outside, match):
    assert complaint(inside) is None
    assert match in complaint(outside)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("2x", "missing before 'x' at character 2; for a product type *"),
        ("2(x)", "missing before the parenthesis at character 2"),
        ("x(y)", "missing before the parenthesis at character 2"),
        ("3^x + 2y", "'y' at character 8"),
        ("sin", "sin at character 1 is a function"),
        ("sin x", "at character 5"),
        ("x²y", "at character 3"),
        ("x²²", "two exponents meet at character 2"),
        ("x²^3", "two exponents meet"),
        ("sin(x, y)", "takes exactly one value; given 2"),
        ("min(x)", "takes exactly two values; given 1"),
        ("max(x, y, 1)", "takes exactly two values; given 3"),
        ("sinus(x)", "'sinus' at character 1 is not known (did you mean sin?)"),
        ("x + z", "'z' at character 5 is not known"),
        ("x^2 % 3", "the character '%' at character 5"),
        ("x +", "cannot be read at character 3"),
        ("   ", "the formula is empty"),
        ("x // y", "neither a number"),
        ("True", "neither a number"),
        ("x.real", "neither a number"),
        ("sin(*x)", "neither a number"),
        ("1_0", "the character '_'"),
        ("0x10", "missing before 'x'"),
        ("2j", "missing before 'j'"),
        ("x \ud800", "U+D800"),
    ],
)
def test_mistakes_are_explained(text, match):
    with pytest.raises(FormulaError) as caught:
        parse(text)
    assert match in str(caught.value)


@pytest.mark.parametrize("given", [None, 3, True, ["x"], {"x": 1}, b"x"])
def test_a_formula_is_text(given):
    assert complaint(given).startswith("problem.formula: ")


@pytest.mark.parametrize(
    "domain", [(1, 1, 0, 1), (0, 1, 2, -2), (0, 1, 0), (0, float("nan"), 0, 1), (0, float("inf"), 0, 1), "wide", None]
)
def test_a_window_must_have_an_inside(domain):
    with pytest.raises(LabError, match=r"^problem\.domain"):
        experiment("x", problem={"name": "formula", "formula": "x", "domain": domain})


def test_the_start_lies_in_the_window():
    for domain in [(-2, 2, -2, 2), (5, 6, -1e9, -3), (0.1, 0.1000001, 7, 8)]:
        x0, x1, y0, y1 = domain
        x, y = experiment("x", problem={"name": "formula", "domain": domain}).problem.default_start
        assert x0 < x < x1
        assert y0 < y < y1


def test_the_text_is_kept_as_typed():
    text = " x² + π·y "
    assert experiment(text).model_dump(mode="json")["problem"]["formula"] == text
