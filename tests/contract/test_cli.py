"""The command line keeps the contract: what it prints, saves and refuses."""

import io
import json
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from mbsgd_core import __version__, engine
from mbsgd_core.cli.main import COMMANDS, main
from mbsgd_core.experiment import Experiment
from mbsgd_core.share import from_query, to_query
from tests.contract._example import EXAMPLE, changed

ROOT = Path(__file__).parents[2]
KEYS = ["label", "updates", "samples", "epochs", "seconds", "seconds_uncertainty", "pytorch_seconds", "wall_seconds"]
KEYS += ["loss", "best_loss", "diverged_at", "rate_limit"]


def shell(*arguments: str, given: str | None = None) -> subprocess.CompletedProcess[str]:
    """The program as a user starts it."""
    command = [sys.executable, "-m", "mbsgd_core", *arguments]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, input=given, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120)


def lines(text: str) -> list[dict[str, Any]]:
    """One strict JSON object a line."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    return [json.loads(line, parse_constant=refuse) for line in text.splitlines()]


@pytest.fixture
def write(tmp_path):
    def write(experiment: Any, name: str = "experiment.json") -> str:
        path = tmp_path / name
        path.write_text(experiment if isinstance(experiment, str) else json.dumps(experiment))
        return str(path)

    return write


def bowl(rate: float = 0.05, runs: int = 1, updates: int = 40, **lane: Any) -> dict[str, Any]:
    """A small noisy quadratic with one mini-batch lane."""
    method = {
        "sampler": {"name": "reshuffle", "batch_size": 4},
        "schedule": {"name": "constant", "learning_rate": rate},
        **lane,
    }
    return {
        "problem": {"name": "quadratic", "samples": 16, "noise": 1},
        "budget": {"unit": "updates", "amount": updates},
        "runs": runs,
        "lanes": [method],
    }


def test_the_contracts_example_end_to_end_twice(write, tmp_path):
    first = shell("run", write(EXAMPLE), "--out", str(tmp_path / "a.npz"))
    assert first.returncode == 0, first.stderr
    found = lines(first.stdout)
    assert [list(line) for line in found] == [KEYS] * 3
    assert [(f["label"], f["updates"], f["samples"], f["epochs"], f["diverged_at"]) for f in found] == [
        ("BGD", 20, 8840, 20, None),
        ("SGD", 8840, 8840, 20, None),
        ("Mini-batch", 280, 8840, 20, None),
    ]
    assert all(f["best_loss"] <= f["loss"] for f in found)
    assert all(0 < f["seconds_uncertainty"] < f["seconds"] < f["pytorch_seconds"] for f in found)
    assert all(f["seconds"] < f["wall_seconds"] for f in found)
    assert "280/280" in first.stderr

    link = to_query(Experiment.model_validate(EXAMPLE))
    second = shell("run", link, "--out", str(tmp_path / "b.npz"), "--quiet")
    assert (second.returncode, second.stderr) == (0, "")
    with np.load(tmp_path / "a.npz") as a, np.load(tmp_path / "b.npz") as b:
        assert set(a) == set(b)
        for name in a:
            assert a[name].dtype == b[name].dtype and a[name].tobytes() == b[name].tobytes(), name
        assert Experiment.model_validate(json.loads(str(a["experiment"]))) == Experiment.model_validate(EXAMPLE)
        for i, updates in enumerate((20, 8840, 280)):
            k = updates + 1
            shapes = {"theta": (1, k, 2), "loss": (1, k), "update": (k,), "samples": (k,), "learning_rate": (k,)}
            for name, shape in shapes.items():
                assert a[f"lane{i}/{name}"].shape == shape
            assert a[f"lane{i}/update"].dtype == a[f"lane{i}/samples"].dtype == np.int64
            assert a[f"lane{i}/learning_rate"].dtype == a[f"lane{i}/theta"].dtype == np.float64
            assert a[f"lane{i}/loss"][0, -1] == found[i]["loss"]
            assert (a[f"lane{i}/theta"][:, 0] == 0).all()


def test_a_bad_experiment_from_standard_input_is_one_line_and_status_2():
    done = shell("run", "-", given=json.dumps(changed("lanes.1.sampler.batch_size", 443)))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert "lanes.1.sampler.batch_size: given 443; the problem has 442 samples" in done.stderr


def test_chunks_leave_no_trace(write, tmp_path, capsys):
    e = bowl(runs=3, updates=1000)
    assert main(["run", write(e), "--out", str(tmp_path / "x.npz"), "--quiet"]) == 0
    _, trace = engine.run(Experiment.model_validate(e), 0)
    with np.load(tmp_path / "x.npz") as saved:
        for name, values in trace._asdict().items():
            assert (f"lane0/{name}" in saved) == bool(values.size), name  # no average is none
            assert not values.size or saved[f"lane0/{name}"].tobytes() == values.tobytes(), name
    (line,) = lines(capsys.readouterr().out)
    assert line["loss"] == pytest.approx(trace.loss[:, -1].mean(), rel=1e-12)
    assert line["best_loss"] == pytest.approx(trace.loss.min(axis=1).mean(), rel=1e-12)
    assert (line["samples"], line["epochs"]) == (4000, 250)


def test_every_keeps_the_multiples_and_the_last(write, tmp_path, capsys):
    out = tmp_path / "no_suffix"
    assert main(["run", write({**bowl(updates=10), "dtype": "float32"}), "--out", str(out), "--every", "4"]) == 0
    with np.load(out) as saved:
        assert saved["lane0/update"].tolist() == [0, 4, 8, 10]
        assert saved["lane0/theta"].dtype == saved["lane0/loss"].dtype == np.float32
        assert saved["lane0/learning_rate"].dtype == np.float64
    capsys.readouterr()


def test_divergence_is_a_result(write, tmp_path, capsys):
    out = tmp_path / "x.npz"
    assert main(["run", write(bowl(rate=50.0, runs=2)), "--out", str(out), "--quiet"]) == 0
    (line,) = lines(capsys.readouterr().out)
    assert line["loss"] is None and line["best_loss"] is None and 0 < line["diverged_at"] < 10
    assert main(["run", write(bowl(runs=2)), "--quiet"]) == 0
    (sound,) = lines(capsys.readouterr().out)  # which makes all 40 updates, of the same cost
    assert line["seconds"] == pytest.approx(sound["seconds"] * line["diverged_at"] / 40)
    with np.load(out) as saved:
        assert saved["lane0/theta"].shape == (2, 41, 2) and np.isnan(saved["lane0/loss"][:, -1]).all()


def test_a_start_that_is_not_finite_diverges_at_0(write, capsys):
    e = {**bowl(), "problem": {"name": "formula", "formula": "log(x)"}, "start": [-1, 0]}
    assert main(["run", write(e), "--quiet"]) == 0
    (line,) = lines(capsys.readouterr().out)
    assert (line["loss"], line["diverged_at"], line["updates"]) == (None, 0, 40)


def test_a_budget_of_0_shows_the_start(write, tmp_path, capsys):
    assert main(["run", write(bowl(updates=0)), "--out", str(tmp_path / "x.npz"), "--quiet"]) == 0
    (line,) = lines(capsys.readouterr().out)
    assert (line["updates"], line["samples"], line["epochs"], line["loss"]) == (0, 0, 0, 1.5**2 / 2 + 5)
    with np.load(tmp_path / "x.npz") as saved:
        assert saved["lane0/theta"].tolist() == [[[1.5, 1.0]]] and saved["lane0/learning_rate"].tolist() == [0.05]


def test_a_test_split_is_reported(write, capsys):
    everything = changed("problem.features", None)
    assert main(["run", write({**everything, "lanes": everything["lanes"][:1]}), "--quiet"]) == 0
    (line,) = lines(capsys.readouterr().out)
    assert list(line) == [*KEYS, "test_loss"] and 0 < line["test_loss"] < 30_000


def test_verbose_measures_without_moving_the_run(write, tmp_path, capsys):
    path = write(bowl(updates=250, label="a\nb"))
    assert main(["run", path, "--out", str(tmp_path / "a.npz"), "--verbose"]) == 0
    seen = capsys.readouterr().err.splitlines()
    assert main(["run", path, "--out", str(tmp_path / "b.npz"), "--quiet"]) == 0
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    assert [line.split(",")[0] for line in seen] == ["a\\nb: update 100", "a\\nb: update 200", "a\\nb: update 250"]
    # The tilts are known, so each batch's loss is f + <mean tilt, theta> at the iterate it was drawn for.
    e = Experiment.model_validate(bowl(updates=250))
    theta = engine.run(e, 0)[1].theta[0, :100]
    draws = engine.finite_sum(e).draws.numpy()  # type: ignore[attr-defined]
    value = (theta[:, 0] ** 2 + 10 * theta[:, 1] ** 2) / 2
    tilts = np.array([draws[batch].mean(0) for batch in engine.batch_indices(e, 0, range(100))])
    expected = (value + (tilts * theta).sum(1)).mean()
    assert float(seen[0].rsplit(" ", 1)[1]) == pytest.approx(expected, rel=1e-5)


def test_a_link_on_the_command_line_says_what_it_had_to_change(capsys):
    link = to_query(Experiment.model_validate(bowl())).replace("learning_rate=0.05", "learning_rate=-1")
    assert main(["run", f"https://example.org/?{link}&nonsense=1", "--quiet"]) == 0
    notices = capsys.readouterr().err.splitlines()
    assert [notice.split(":")[0] for notice in notices] == ["lane1.schedule.learning_rate", "nonsense"]


def test_link_prints_a_query_that_reads_back(write, capsys):
    assert main(["link", write(EXAMPLE)]) == 0
    printed = capsys.readouterr().out.strip()
    assert printed.startswith("v=1&") and from_query(printed) == (Experiment.model_validate(EXAMPLE), [])


@pytest.mark.parametrize("command", ["catalogue", "schema"])
def test_catalogue_and_schema_print_strict_json(command, capsys):
    assert main([command]) == 0
    found = json.loads(capsys.readouterr().out)
    assert ("quadratic" in found["problems"]) if command == "catalogue" else found["$defs"]["Experiment"]


BAD = [
    ([], "COMMAND"),
    (["nonsense"], "nonsense"),
    (["run"], "EXPERIMENT"),
    (["run", "/nonsense.json"], "/nonsense.json"),
    (["run", "/"], "Is a directory"),
    (["run", "FILE", "--every", "0"], "given 0"),
    (["run", "FILE", "--every", "x"], "given x"),
    (["run", "FILE", "--out", "/nonsense/x.npz"], "/nonsense/x.npz"),
    (["run", "FILE", "--out", "/"], "--out"),
    (["run", "FILE", "--nonsense"], "--nonsense"),
    (["run", "v=1&problem=nonsense"], "nonsense"),
    (["link", "?"], "problem"),
    (["sweep", "FILE"], "--x"),
    (["sweep", "FILE", "--x", "learning_rate"], "expected NAME=FIRST:LAST:COUNT"),
    (["sweep", "FILE", "--x", "=1,2"], "expected NAME=FIRST:LAST:COUNT"),
    (["sweep", "FILE", "--x", "learning_rate="], "expected NAME=FIRST:LAST:COUNT"),
    (["sweep", "FILE", "--x", "learning_rate=1:2"], "expected NAME=FIRST:LAST:COUNT"),
    (["sweep", "FILE", "--x", "learning_rate=1:2:3:linear"], "expected NAME=FIRST:LAST:COUNT"),
    (["sweep", "FILE", "--x", "learning_rate=1:2:3:log:4"], "expected NAME=FIRST:LAST:COUNT"),
    (["sweep", "FILE", "--x", "learning_rate=1:two:3"], "learning_rate: given 'two'; it should be a number"),
    (["sweep", "FILE", "--x", "learning_rate=1,,3"], "learning_rate: given ''; it should be a number"),
    (["sweep", "FILE", "--x", "learning_rate=1:2:0"], "COUNT is a whole number from 1"),
    (["sweep", "FILE", "--x", "learning_rate=1:2:2.5"], "COUNT is a whole number from 1"),
    (["sweep", "FILE", "--x", "learning_rate=1:2:10001"], "COUNT is a whole number from 1"),
    (["sweep", "FILE", "--x", "learning_rate=0:2:3:log"], "a log axis runs between numbers above 0"),
    (["sweep", "FILE", "--x", "learning_rate=-1e308:1e308:3"], "learning_rate: given"),
    (["sweep", "FILE", "--x", "learning_rat=1,2"], "did you mean 'learning_rate'?"),
    (["sweep", "FILE", "--x", "momentum=0,0.5,1"], "lanes.0.rule.momentum: given 1.0"),
    (["sweep", "FILE", "--x", "batch_size=1,2.5"], "lanes.0.sampler.batch_size: given 2.5"),
    (["sweep", "FILE", "--x", "batch_size=1:17:3"], "the problem has 16 samples"),
    (["sweep", "FILE", "--x", "seed=1,2", "--y", "seed=3"], "--x and --y are both seed"),
    (["sweep", "FILE", "--x", "momentum=0", "--y", "rule.momentum=0.5"], "the same knob"),
    (["sweep", "FILE", "--x", "seed=1,2", "--target", "low"], "--target: given 'low'"),
    (["sweep", "FILE", "--x", "seed=1,2", "--every", "0"], "given 0"),
    (["sweep", "FILE", "--x", "seed=1,2", "--out", "/nonsense/x.npz"], "/nonsense/x.npz"),
    (["sweep", "v=1&problem=nonsense", "--x", "seed=1"], "nonsense"),
]


@pytest.mark.parametrize(("arguments", "word"), BAD, ids=lambda v: str(v))
def test_what_is_given_wrong_is_one_line_and_status_2(arguments, word, write, capsys):
    assert main([write(bowl()) if part == "FILE" else part for part in arguments]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and word in err


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"problem": }', "line 1, column 13"),
        ('{\n "seed": 1,\n}', "line 3, column 1"),
        ("", "line 1, column 1"),
        ('{"seed": NaN}', "NaN"),
        ("[1]", "JSON object"),
        ("[" * 100_000, "not JSON"),
        ('{"seed": ' + "9" * 5000 + "}", "not JSON"),
        ('{"nonsense": 1}', "nonsense: there is no such field"),
    ],
    ids=lambda v: str(v)[:20],
)
def test_what_is_not_an_experiment_is_one_line_and_status_2(text, words, write, capsys):
    assert main(["run", write(text)]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and words in err


def test_a_file_that_is_not_text(tmp_path, capsys):
    (tmp_path / "x").write_bytes(b"\xff\xfe\x00")
    assert main(["run", str(tmp_path / "x")]) == 2
    assert "not JSON" in capsys.readouterr().err


def test_a_lesson_file_runs_as_it_is(capsys):
    lesson = Path(__file__).parents[2] / "assets" / "presets" / "01_three_methods.json"
    assert main(["run", str(lesson), "--quiet"]) == 0
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    lanes = json.loads(lesson.read_text())["experiment"]["lanes"]
    assert [line["label"] for line in found] == [lane["label"] for lane in lanes]


def test_standard_input_may_begin_with_a_byte_order_mark(monkeypatch, capsys):
    data = b"\xef\xbb\xbf" + json.dumps(bowl()).encode()
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(data)))
    assert main(["run", "-", "--quiet"]) == 0
    assert len(lines(capsys.readouterr().out)) == 1


def test_ctrl_c_ends_quietly_with_130(write, monkeypatch, capsys):
    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(engine, "advance", interrupt)
    assert main(["run", write(bowl())]) == 130
    assert "Traceback" not in capsys.readouterr().err


def test_a_plateau_schedule_reports_the_rates_of_run_0(write, tmp_path, capsys):
    plateau = {"name": "reduce_on_plateau", "learning_rate": 0.2, "patience": 0}
    e = bowl(runs=3, updates=80, schedule=plateau)
    assert main(["run", write(e), "--out", str(tmp_path / "x.npz"), "--quiet"]) == 0
    alone = engine.run(Experiment.model_validate({**e, "runs": 1}), 0)[1]
    with np.load(tmp_path / "x.npz") as saved:
        assert saved["lane0/learning_rate"].tolist() == alone.learning_rate.tolist()
        assert saved["lane0/learning_rate"][-1] < 0.2
    capsys.readouterr()


SWEPT = ["label", "cells", "wall_seconds", "diverged", "final_loss", "best_loss", "steps_to_target", "warning"]


def test_a_sweep_end_to_end(write, tmp_path):
    """Gradient descent on x^2 / 2 from 1: after 40 updates (1 - rate)^80 / 2, best at a rate of 1."""
    e = bowl(runs=2, label="a", sampler={"name": "full_batch"})
    e |= {"problem": {"name": "quadratic", "eigenvalues": [1, 1]}, "start": [1, 0]}
    adam = {"label": "b", "sampler": {"name": "full_batch"}, "rule": "adam", "schedule": {"name": "constant"}}
    e["lanes"].append(adam)
    axes = ["--x", "learning_rate=0.25:1.75:7", "--y", "momentum=0:0.5:2"]
    done = shell("sweep", write(e), *axes, "--target", "1e-9", "--out", str(tmp_path / "x"))
    assert done.returncode == 0, done.stderr
    first, second = lines(done.stdout)
    assert list(first) == list(second) == SWEPT
    assert (first["label"], first["cells"], first["diverged"], first["warning"]) == ("a", 14, 0, None)
    assert first["final_loss"] == {"value": 0.0, "learning_rate": 1.0, "momentum": 0.0}
    assert first["best_loss"]["value"] == 0 and first["steps_to_target"]["value"] == 1
    assert second["cells"] == 14 and list(second["final_loss"]) == ["value", "learning_rate"]  # adam has no momentum
    assert "14/14 cells" in done.stderr and "7/7 cells" in done.stderr
    with np.load(tmp_path / "x") as saved:
        assert set(saved) == {"experiment", "x", "y", "x_name", "y_name", "target"} | {
            f"lane{i}/{name}" for i in (0, 1) for name in ("final_loss", "best_loss", "steps_to_target", "diverged_at")
        }
        assert (str(saved["x_name"]), str(saved["y_name"])) == ("learning_rate", "momentum")
        assert saved["x"].tolist() == [0.25, 0.5, 0.75, 1, 1.25, 1.5, 1.75] and saved["y"].tolist() == [0, 0.5]
        assert Experiment.model_validate(json.loads(str(saved["experiment"]))) == Experiment.model_validate(e)
        loss = saved["lane0/final_loss"]
        assert loss.shape == (2, 7, 2) and saved["lane0/diverged_at"].dtype == np.int64
        np.testing.assert_allclose(loss[0, :, 0], (1 - saved["x"]) ** 80 / 2, rtol=1e-10)
        steps = np.ceil(np.log(2e-9) / np.log((1 - saved["x"][[0, 1, 2]]) ** 2))
        assert saved["lane0/steps_to_target"][0, :3, 1].tolist() == steps.tolist()


def test_the_best_on_an_edge_is_a_warning_unless_the_knob_ends_there(write, capsys):
    path = write(bowl(rate=1e-4, sampler={"name": "full_batch"}))
    assert main(["sweep", path, "--x", "learning_rate=1e-4:1e-2:3:log", "--quiet"]) == 0
    assert main(["sweep", path, "--x", "learning_rate=1e-4:1e-2:3:log", "--y", "momentum=0,0.9", "--quiet"]) == 0
    # Momentum cannot be lower than 0, nor the one value of an axis an edge.
    assert main(["sweep", write(bowl(rate=0.19)), "--x", "momentum=0,0.99", "--quiet"]) == 0
    assert main(["sweep", path, "--x", "learning_rate=1e-4", "--y", "seed=1,2", "--quiet"]) == 0
    out, err = capsys.readouterr()
    one, two, three, four = (line["warning"] for line in lines(out))
    assert one.startswith("the lowest final loss lies at the upper end of learning_rate (0.01): ")
    assert one.endswith("a better one may lie beyond; widen the axis")
    assert "the upper end of learning_rate (0.01) and the upper end of momentum (0.9)" in two
    assert (three, four, err) == (None, None, "")


def test_a_sweep_of_which_nothing_is_left(write, tmp_path, capsys):
    out = tmp_path / "x.npz"
    assert main(["sweep", write(bowl(runs=2)), "--x", "learning_rate=50,70", "--out", str(out), "--quiet"]) == 0
    (line,) = lines(capsys.readouterr().out)
    assert (line["cells"], line["diverged"]) == (2, 2)
    assert line["final_loss"] is line["best_loss"] is line["steps_to_target"] is line["warning"] is None
    with np.load(out) as saved:
        assert saved["lane0/final_loss"].shape == (2, 2) and (saved["lane0/diverged_at"] > 0).all()
        assert "y" not in saved and "target" not in saved


def test_a_range_of_whole_numbers_is_rounded_and_a_list_is_not(write, tmp_path, capsys):
    out = tmp_path / "x.npz"
    axes = ["--x", "batch_size=1:16:9:log", "--y", " seed = 3, 9007199254740993 "]
    assert main(["sweep", write(bowl(updates=5)), *axes, "--out", str(out), "--quiet"]) == 0
    with np.load(out) as saved:
        assert saved["x"].tolist() == [1, 1, 2, 3, 4, 6, 8, 11, 16]
        assert saved["y"].tolist() == [3, 9007199254740993]
        assert saved["lane0/final_loss"].shape == (2, 9, 1)
    capsys.readouterr()


def test_ctrl_c_keeps_the_cells_that_are_there(write, tmp_path, monkeypatch, capsys):
    plain, calls = engine.sweep_advance, []

    def interrupted(state: Any) -> Any:
        calls.append(1)
        if len(calls) > 3:
            raise KeyboardInterrupt
        return plain(state)

    monkeypatch.setattr(engine, "sweep_advance", interrupted)
    out = tmp_path / "x.npz"
    axes = ["--x", "batch_size=1,2,4,8,16", "--y", "seed=1"]
    assert main(["sweep", write(bowl(updates=5)), *axes, "--out", str(out)]) == 130
    seen = capsys.readouterr()
    (line,) = lines(seen.out)
    assert line["cells"] == 3 and seen.err == "mbsgd_core: interrupted\n"
    with np.load(out) as saved:
        assert np.isfinite(saved["lane0/final_loss"][0, :, 0]).tolist() == [True] * 3 + [False] * 2


def test_a_command_is_a_file_with_options_and_a_way_to_execute_them():
    shared = {"__init__", "main", "arguments", "terminal"}
    assert {path.stem for path in (ROOT / "mbsgd_core" / "cli").glob("*.py")} - shared == set(COMMANDS)
    for name in COMMANDS:
        module = import_module(f"mbsgd_core.cli.{name}")
        assert callable(module.options) and callable(module.execute)


def test_help_names_every_command_and_every_option(capsys):
    def told(*arguments: str) -> str:
        """In this process: a new one would import torch to say a few lines."""
        with pytest.raises(SystemExit) as end:
            main(arguments)
        assert end.value.code == 0
        return capsys.readouterr().out

    done = shell("--help")
    assert done.returncode == 0 and all(name in done.stdout for name in COMMANDS)
    assert "--every" in told("run", "--help") and "--target" in told("sweep", "--help")
    assert told("--version") == f"mbsgd {__version__}\n"
