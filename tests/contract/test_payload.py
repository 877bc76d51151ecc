"""The payload: bytes in, bytes out; and how lanes look and are described."""

import json

import numpy as np
import pytest

from mbsgd_core.experiment import Experiment, Lane
from mbsgd_core.figures import lane_style
from mbsgd_core.figures.payload import message, pack, unpack
from tests.contract._progress import drawn


def test_there_and_back():
    arrays = {
        "z": np.arange(6.0).reshape(2, 3) / 7,
        "turned": np.arange(6.0).reshape(2, 3).T,
        "batch": np.array([0, 5, 2**32 - 1]),
        "bytes": np.array([[0, 255, 7]], dtype=np.uint8),
        "empty": np.zeros((0, 2)),
        "wild": np.array([np.nan, np.inf, -np.inf, 1e300, 1.5]),
    }
    header, found = unpack(pack({"seq": 3, "text": "η·∇f – ∞"}, arrays))
    assert header["seq"] == 3 and header["text"] == "η·∇f – ∞"
    np.testing.assert_array_equal(found["z"], arrays["z"].astype(np.float32))
    np.testing.assert_array_equal(found["turned"], arrays["turned"])
    np.testing.assert_array_equal(found["batch"], arrays["batch"])
    np.testing.assert_array_equal(found["bytes"], arrays["bytes"])
    assert found["bytes"].dtype == np.uint8 and found["batch"].dtype == np.uint32 and found["empty"].shape == (0, 2)
    np.testing.assert_array_equal(found["wild"], np.array([np.nan, np.nan, np.nan, np.nan, 1.5], np.float32))
    assert np.isinf(arrays["wild"]).sum() == 2  # the caller's array is not touched


@pytest.mark.parametrize("text", ["", "a", "ab", "abc", "abcd"])
def test_arrays_begin_at_a_multiple_of_four(text):
    packed = pack({"text": text}, {"z": np.ones(1)})
    length = int.from_bytes(packed[:4], "little")
    assert length % 4 == 0 and len(packed) == 4 + length + 4
    assert json.loads(packed[4 : 4 + length])["arrays"] == [
        {"name": "z", "shape": [1], "dtype": "float32", "offset": 0}
    ]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_header_is_strict_json(value):
    with pytest.raises(ValueError, match="JSON"):
        pack({"loss": value}, {})


@pytest.mark.parametrize("values", [[-1], [2**32]])
def test_whole_numbers_must_fit(values):
    with pytest.raises(ValueError, match="uint32"):
        pack({}, {"batch": np.array(values)})


def lane(sampler, **more):
    return Lane.model_validate({"sampler": sampler, "schedule": {"name": "constant", "learning_rate": 0.02}, **more})


MINI = {"name": "reshuffle", "batch_size": 32}


def test_every_lane_has_a_role_and_six_lanes_differ_in_every_cue():
    lanes = [lane("full_batch"), lane({"name": "reshuffle", "batch_size": 1}), *[lane(MINI)] * 4]
    assert [lane_style.role(one) for one in lanes] == ["bgd", "sgd", "mini", "mini", "mini", "mini"]
    found = lane_style.lane_styles(lanes)
    assert [style.color for style in found[:3]] == ["#0072B2", "#D55E00", "#009E73"]
    for cue in zip(*found, strict=True):
        assert len(set(cue)) == 6
    assert len(lane_style.lane_styles(lanes * 6)) == 36  # more lanes than looks: they take turns


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (lane("full_batch"), "full batch, b = m = 442 · SGD · rate 0.02"),
        (
            lane({**MINI, "drop_last": True}, rule={"name": "sgd", "momentum": 0.9, "nesterov": True}),
            "reshuffle, b = 32 of 442, drop last · SGD + momentum 0.9 + nesterov · rate 0.02",
        ),
        (
            lane(MINI, rule="adam", schedule={"name": "step", "learning_rate": 0.1, "step_size": 3}),
            "reshuffle, b = 32 of 442 · Adam · rate 0.1, step (step size 3)",
        ),
    ],
)
def test_a_lane_in_one_line(given, text):
    assert lane_style.describe(given, 442) == text


def bowl():
    """One lane on a surface, and its report."""
    e = Experiment.model_validate(
        {"problem": {"name": "quadratic"}, "lanes": [lane("full_batch").model_dump(mode="json")]}
    )
    return e, drawn(e, size=12)


def test_the_message_carries_the_benchs_parts():
    e, shown = bowl()
    knobs = [{"key": "learning_rate", "label": "Learning rate", "min": 1e-4, "max": 10}]
    running = {"state": "running", "progress": 0.5, "message": "half", "left": 3.0, "estimate": 6.0}
    lane_knobs, pinned = [{"learning_rate": 0.02}], [["batch_size"]]
    parts = {"seq": 7, "link": "v=1"}
    header, arrays = unpack(
        message(shown, e, knobs=knobs, lane_knobs=lane_knobs, pinned=pinned, status=running, **parts)
    )
    for name, value in parts.items():
        assert header[name] == value
    assert (header["version"], header["kind"], header["status"]) == (2, "run", running)
    assert header["knobs"] == knobs and header["lanes"][0]["knobs"] == {"learning_rate": 0.02}
    assert header["lanes"][0]["pinned"] == ["batch_size"] and header["lanes"][0]["memory"] is None
    assert header["lanes"][0]["role"] == "bgd" and header["lanes"][0]["marker"] == "circle"
    assert header["key"] == shown["key"] and header["problem"]["summary"] == e.problem.summary
    assert header["panels"] == header["default_panels"] == ["path"] and header["curves"] == ["loss"]
    assert header["scene"] is None and header["data"] is None
    assert {"z", "xs", "ys", "lane0/theta"} <= set(arrays)
    header, _ = unpack(message(shown, e, key="mine"))
    assert header["key"] == "mine" and header["status"]["state"] == "done" and header["lanes"][0]["pinned"] == []


def test_memory_is_named_and_rows_are_counted():
    problem = {"name": "logistic_regression", "dataset": "breast_cancer"}
    e = Experiment.model_validate({"problem": problem, "lanes": [lane(MINI).model_dump(mode="json")]})
    shown = drawn(e, panels=("confusion",), size=12)
    shown["lanes"][0]["memory"] = [6, 5, 4, 3, 2, 1]
    header, _ = unpack(message(shown, e))
    assert header["lanes"][0]["memory"] == {
        "data": 6, "helpers": 5, "parameters": 4, "gradient": 3, "optimizer state": 2, "activations": 1
    }  # fmt: skip
    rows = header["scene"]["rows"]
    assert rows["all"] == e.problem.sample_count == 455 and rows["test"] == 114
    assert header["curves"] == ["loss", "test_loss", "test_accuracy"]


def test_what_the_bench_has_does_not_travel_again():
    e, shown = bowl()
    header, arrays = unpack(message(shown, e, kept=["z", "xs"]))
    assert header["kept"] == ["xs", "z"] and not {"z", "xs"} & set(arrays) and {"ys", "lane0/theta"} <= set(arrays)
