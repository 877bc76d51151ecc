"""The server's own addresses: where drags are answered, and the player's files."""

import json
import urllib.error
import urllib.request
from urllib.parse import parse_qs

import pytest

from mbsgd_core import share
from mbsgd_core.experiment import Experiment
from mbsgd_core.figures.payload import unpack
from mbsgd_core.ui import files, live, presets

FIRST = Experiment.model_validate(presets.first()["experiment"])
DRAG = {"lane": None, "key": "momentum", "value": 0.5}
QUESTION = {"owner": "somebody", "link": share.to_query(FIRST), "drag": DRAG, "seq": 3, "take": 1}


def post(app: str, body: bytes) -> tuple[int, bytes]:
    try:
        with urllib.request.urlopen(f"{app}/{live.PATH}", data=body, timeout=30) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def test_a_dragged_value_comes_back_as_the_picture_of_the_changed_experiment(app: str):
    status, answer = post(app, json.dumps(QUESTION).encode())
    header, arrays = unpack(answer)
    assert status == 200 and header["seq"] == 3 and header["status"]["state"] == "done"
    query = parse_qs(header["link"])
    assert all(query[f"lane{i}.rule.momentum"] == ["0.5"] for i in (1, 2, 3))
    assert len(arrays["lane1/loss"]) == FIRST.updates(1) + 1


def test_an_answer_brings_only_what_the_player_lacks(app: str):
    key = unpack(post(app, json.dumps(QUESTION).encode())[1])[0]["key"]
    header, arrays = unpack(post(app, json.dumps(QUESTION | {"key": key}).encode())[1])
    assert header["kept"] == ["lane1/batch", "lane2/batch", "xs", "ys", "z"] and not set(header["kept"]) & set(arrays)
    smaller = QUESTION | {"key": key, "drag": {"lane": 2, "key": "batch_size", "value": 2}}
    assert unpack(post(app, json.dumps(smaller).encode())[1])[0]["kept"] == ["lane1/batch", "xs", "ys", "z"]
    assert unpack(post(app, json.dumps(QUESTION | {"key": "of another picture"}).encode())[1])[0]["kept"] == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\x00",
        b"[]",
        b"{}",
        json.dumps(QUESTION | {"link": "nonsense"}).encode(),
        json.dumps(QUESTION | {"drag": {"lane": 99, "key": "momentum", "value": 0.5}}).encode(),
        json.dumps(QUESTION | {"drag": {"lane": 0, "key": "__class__", "value": 1}}).encode(),
        json.dumps(QUESTION | {"drag": DRAG | {"value": "fast"}}).encode(),
        json.dumps(QUESTION | {"drag": DRAG | {"value": 7}}).encode(),
        json.dumps(QUESTION | {"seq": "x"}).encode(),
        json.dumps(QUESTION | {"at": ["fortnights", 1]}).encode(),
        json.dumps(QUESTION | {"at": ["epochs", "noon"]}).encode(),
        b"[" * 50_000,
    ],
)
def test_nonsense_is_refused_in_one_line(app: str, body: bytes):
    status, answer = post(app, body)
    assert status == 400
    assert b"Traceback" not in answer and b"\n" not in answer.strip() and len(answer) < 400


def test_a_question_too_large_is_refused(app: str):
    status, answer = post(app, b" " * 200_000)
    assert status == 413 and b"100,000" in answer


@pytest.mark.parametrize("file, kind", [("bench/main.js", "javascript"), ("bench/bench.css", "css")])
def test_the_players_files_may_be_kept_for_ever(app: str, file: str, kind: str):
    with urllib.request.urlopen(f"{app}/{files.BASE}/{file}", timeout=10) as answer:
        assert kind in answer.headers["Content-Type"] and "immutable" in answer.headers["Cache-Control"]


def test_plotly_in_the_browser_is_the_version_that_python_knows():
    from plotly.offline import get_plotlyjs_version

    text = (files.VENDOR / "plotly-cartesian.min.js").read_text("utf-8")[:300]
    assert f"v{get_plotlyjs_version()}" in text
