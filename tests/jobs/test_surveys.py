"""Surveys of a finished run, piece by piece: the same numbers as the measures give in one go."""

import numpy as np
import pytest

from mbsgd_core import engine
from mbsgd_core.jobs import surveys
from mbsgd_core.measures import landscape, path_gradients, sharpness
from mbsgd_core.measures.meter import meter
from tests.jobs._runs import DIGITS, follow, model, train, unowned


@pytest.fixture(scope="module")
def run():
    wanted = model()
    return wanted, train(wanted)


@pytest.mark.parametrize("kind", ["pca", "random"])
def test_a_landscape_in_pieces_is_the_landscape(run, kind, monkeypatch):
    wanted, known = run
    monkeypatch.setattr(surveys, "FINE", 9)
    monkeypatch.setattr(path_gradients, "BLOCK", 2_000)  # a few points at once
    monkeypatch.setattr(surveys, "CHUNK", 1e-9)
    told, progress = unowned(), []
    chain = surveys.landscape(wanted.to_json(), known.lanes, kind, told)
    found, _ = follow(chain, lambda: progress.append(told.progress))
    total = engine.finite_sum(wanted)
    expected = landscape.begin(total, surveys.paths(known.lanes), kind, 9, wanted.seed)
    expected = landscape.advance(total, expected, len(expected.values))
    np.testing.assert_array_equal(found.values, expected.values)
    assert found.progress == 1 and progress == sorted(progress) and len(progress) > 3
    for path, losses in zip(surveys.paths(known.lanes), found.path_losses, strict=True):
        np.testing.assert_allclose(losses, path.loss[0], rtol=1e-12)


def test_a_dear_landscape_is_rough():
    assert surveys.size(model()) == surveys.FINE
    big = model({"name": "cnn", "dataset": {"name": "mnist", "rows": "subset"}})
    assert surveys.size(big) == surveys.ROUGH


def test_instruments_read_what_the_measures_say(run, monkeypatch):
    wanted, known = run
    monkeypatch.setattr(surveys, "STOPS", 3)
    monkeypatch.setattr(surveys, "CHUNK", 1e-9)
    readings, _ = follow(surveys.instruments(wanted.to_json(), known.lanes, True, True, unowned()))
    assert sorted({(r.lane, r.update) for r in readings}) == [(0, 0), (0, 2), (0, 4), (1, 0), (1, 12), (1, 24)]
    total = engine.finite_sum(wanted)
    for reading in readings:
        path, method = known.lanes[reading.lane].path, wanted.lanes[reading.lane]
        theta = path.theta[0, list(path.update).index(reading.update)]
        gauge = meter(total, theta)
        assert (reading.gradient, reading.scale) == (gauge.gradient, gauge.scale)
        assert reading.sharpness == sharpness.sharpness(total, theta, wanted.seed).value
        assert reading.edge == sharpness.edge(method.rule, 0.1).sharpness == pytest.approx(2 * 1.5 / 0.1)


def test_only_what_is_asked_for_is_measured(run):
    wanted, known = run
    readings, _ = follow(surveys.instruments(wanted.to_json(), known.lanes, True, False, unowned()))
    assert np.isnan([r.sharpness for r in readings]).all() and np.isfinite([r.gradient for r in readings]).all()


def test_the_rate_is_that_of_the_schedule():
    schedule = {"name": "step", "learning_rate": 0.4, "step_size": 1, "gamma": 0.5}
    wanted = model(DIGITS, lanes=[{"sampler": "full_batch", "schedule": schedule}])
    assert [wanted.learning_rate(0, update) for update in range(4)] == [0.4, 0.2, 0.1, 0.05]


def test_a_lane_that_diverged_is_read_while_it_was_sound():
    lanes = [{"sampler": "full_batch", "schedule": {"name": "constant", "learning_rate": 1e200}}]
    wanted = model({"name": "linear_regression", "dataset": "diabetes"}, lanes=lanes)
    (lane,) = train(wanted).lanes
    (path,) = surveys.paths([lane])
    assert lane.diverged_at > 0 and 0 in surveys.stops(path)
    assert all(np.isfinite(path.theta[0, k]).all() for k in surveys.stops(path))
