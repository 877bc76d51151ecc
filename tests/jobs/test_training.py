"""Training in the background: the engine's numbers, whatever happens on the way; nobody trains for nobody."""

import os
import pickle
import signal
import time
from functools import partial

import numpy as np
import pytest
from mbsgd_core.jobs.looks import BATCH, LEAST, MOST, NOBODY, POINTS, SAMPLES, SIDE, grid
from mbsgd_core.jobs.training import Training, training

from mbsgd_core import engine
from mbsgd_core.errors import JobError
from mbsgd_core.experiment import Experiment
from mbsgd_core.figures import train as figure
from mbsgd_core.figures.payload import unpack
from mbsgd_core.jobs import looks
from mbsgd_core.jobs import training as chain
from mbsgd_core.jobs.job import Job
from mbsgd_core.jobs.runner import Runner
from mbsgd_core.measures.part import part, point
from tests.jobs.test_runner import WAIT, follow

DIGITS = {"name": "softmax_regression", "dataset": "digits"}
LONG = {"budget": {"unit": "epochs", "amount": 1_000_000}}


def experiment(problem=None, **more) -> Experiment:
    schedule = {"name": "constant", "learning_rate": 0.1}
    samplers = ["full_batch", {"name": "reshuffle", "batch_size": 8}]
    draft = {
        "problem": problem or {"name": "mlp", "dataset": {"name": "moons", "samples": 60}, "hidden": [4]},
        "budget": {"unit": "epochs", "amount": 4},
        "lanes": [{"sampler": s, "rule": {"name": "sgd", "momentum": 0.5}, "schedule": schedule} for s in samplers],
    }
    return Experiment.model_validate(draft | more)


def train(wanted: Experiment, known: Training | None = None, between=lambda: None) -> Training:
    job = Job("a", "b", lambda job: None)
    return follow(training(wanted.to_json(), known, lambda: True, job), between)[0]


def assert_same(one: Training, two: Training):
    """Equal but for the time that it took."""
    for a, b in zip(one.lanes, two.lanes, strict=True):
        assert (a.update, a.samples, a.diverged_at, a.over) == (b.update, b.samples, b.diverged_at, b.over)
        np.testing.assert_array_equal(np.delete(a.looks, 2, 1), np.delete(b.looks, 2, 1))
        np.testing.assert_array_equal(a.path, b.path)
        np.testing.assert_array_equal(a.at, b.at)
        assert a.film_at == b.film_at
        for seen, other in zip([a.learned, *a.film], [b.learned, *b.film], strict=True):
            for name, values in seen.items():
                np.testing.assert_array_equal(values, other[name])


@pytest.fixture(scope="module")
def one():
    made = Runner(slots=1)
    yield made
    made.shutdown()


@pytest.fixture
def two():
    made = Runner(slots=2)
    yield made
    made.shutdown()


def submit(runner, wanted, owner="a", known=None, alive=lambda: True):
    return runner.run(owner, object(), lambda job: training(wanted.to_json(), known, alive, job))


def test_it_is_the_engines_run():
    wanted = experiment()
    found, total = train(wanted), engine.finite_sum(wanted)
    assert found.done and found.progress == 1
    for i, lane in enumerate(found.lanes):
        state, trace = engine.run(wanted, i, every=1)
        np.testing.assert_array_equal(lane.path, trace.theta[0][lane.looks[lane.at, 0].astype(int)])
        np.testing.assert_allclose(lane.looks[:, 3], trace.loss[0][lane.looks[:, 0].astype(int)], rtol=1e-12)
        tests = total.test_metrics(state.theta[0])
        assert lane.looks[-1, 4] == pytest.approx(tests["test_loss"], rel=1e-9)
        assert lane.looks[-1, 5] == pytest.approx(tests["test_accuracy"])
        assert (lane.update, lane.samples) == (trace.update[-1], trace.samples[-1])
        assert (np.diff(lane.looks[:, 2]) > 0).all() and lane.seconds >= lane.looks[-1, 2]


def test_chunks_change_nothing(monkeypatch):
    whole = train(experiment())
    monkeypatch.setattr(chain, "CHUNK", 1e-9)
    assert_same(train(experiment()), whole)


def test_a_lane_shows_what_it_knows_so_far(monkeypatch):
    monkeypatch.setattr(chain, "CHUNK", 1e-9)
    job = Job("a", "b", lambda job: None)
    seen = []
    follow(training(experiment().to_json(), None, lambda: True, job), lambda: seen.append(job.progress))
    assert len(seen) > 30 and 0 < seen[len(seen) // 2] < 1
    assert isinstance(job.result, Training) and len(job.result.lanes[0].looks) > 1


def test_a_killed_worker_changes_nothing(one, monkeypatch):
    monkeypatch.setattr(chain, "CHUNK", 0.02)
    wanted = experiment(budget={"unit": "epochs", "amount": 60})
    pid = one.ask("pid", os.getpid).answer(WAIT)
    job = submit(one, wanted)
    job.wait(WAIT, partial_result=True)
    os.kill(pid, signal.SIGKILL)
    assert_same(job.answer(WAIT), train(wanted))
    assert one.ask("pid", os.getpid).answer(WAIT) != pid


def test_stop_keeps_what_there_is_and_it_can_go_on(one):
    long = experiment(**LONG)
    job = submit(one, long)
    while not (job.result and job.result.lanes[1].update):
        assert not job.over, job.message
        job.wait(0.05)
    job.cancel()
    known = job.result
    assert job.state == "cancelled" and known.lanes[1].state is not None and not known.done
    again = submit(one, long, known=pickle.loads(pickle.dumps(known)))
    while again.result.lanes[1].update <= known.lanes[1].update:
        again.wait(0.05)
    again.cancel()
    np.testing.assert_array_equal(again.result.lanes[1].path[: len(known.lanes[1].path)], known.lanes[1].path)


def test_going_on_is_the_same_run(monkeypatch):
    whole = train(experiment())
    monkeypatch.setattr(chain, "CHUNK", 1e-9)
    job, steps = Job("a", "b", lambda job: None), []

    def stop():
        steps.append(1)
        if len(steps) == 12:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        follow(training(experiment().to_json(), None, lambda: True, job), stop)
    assert 0 < job.progress < 1
    assert_same(train(experiment(), job.result), whole)


def test_nobody_trains_for_nobody(one):
    asked = []

    def alive():
        asked.append(1)
        return len(asked) < 5

    job = submit(one, experiment(**LONG), alive=alive)
    with pytest.raises(JobError, match="page was closed"):
        job.answer(WAIT)
    assert job.result.lanes


def test_divergence_ends_a_lane_and_leaves_the_others():
    lanes = [
        {"sampler": "full_batch", "schedule": {"name": "constant", "learning_rate": rate}, "label": label}
        for label, rate in (("wild", 1e3), ("tame", 0.01))
    ]
    wanted = experiment({"name": "linear_regression", "dataset": "diabetes"}, lanes=lanes)
    wild, tame = train(wanted).lanes
    assert wild.over and 0 < wild.diverged_at < wild.updates
    assert tame.update == tame.updates and tame.diverged_at == -1 and tame.why is None
    assert wild.why.startswith(f"Diverged at update {wild.diverged_at}: the train loss grew") and "Try" in wild.why
    assert figure.summary(wild, "wild", None) == f"wild: {wild.why}"


@pytest.mark.parametrize(
    "problem, kind, names",
    [
        (None, "boundary", {"label", "chance", "xs", "ys", "confusion", "batch", "batch_rows"}),
        (
            {"name": "softmax_regression", "dataset": "digits"},
            "images",
            {"prediction", "confusion", "filters", "batch_images", "batch_labels", "batch_rows"},
        ),
        ({"name": "softmax_regression", "dataset": "wine"}, "classes", {"confusion"}),
        ({"name": "linear_regression", "dataset": "diabetes"}, "numbers", {"truth", "prediction"}),
    ],
)
def test_what_is_shown_depends_on_the_data(problem, kind, names):
    wanted = experiment(problem, budget={"unit": "epochs", "amount": 1})
    found = train(wanted)
    assert found.scene.kind == kind and set(found.lanes[0].learned) == names
    assert "CPU" in found.scene.device
    if kind == "images":
        shown = found.lanes[1].learned
        right = (shown["prediction"] == found.scene.arrays["truth"]).mean()
        assert shown["confusion"].sum() == found.scene.test_rows and right > 0.5


@pytest.mark.parametrize("problem", [None, {"name": "softmax_regression", "dataset": "digits", "label_noise": 0.2}])
def test_the_last_batch_is_the_one_that_was_used(problem):
    wanted = experiment(problem, budget={"unit": "updates", "amount": 7})
    data = wanted.problem.prepare(wanted.seed)
    for i, lane in enumerate(train(wanted).lanes):
        (used,) = engine.batch_indices(wanted, i, range(6, 7))
        used = np.arange(len(data.y)) if used is None else used
        shown = lane.learned
        assert shown["batch_rows"].tolist() == [len(used)]
        if problem is None:
            assert np.flatnonzero(shown["batch"]).tolist() == sorted(set(used.tolist()) & set(range(POINTS)))
            continue
        some = used[:BATCH]
        assert shown["batch_labels"][: len(some)].tolist() == data.y[some].tolist()
        assert (shown["batch_labels"][len(some) :] == NOBODY).all()
        images = shown["batch_images"][: len(some)].reshape(-1, 64)
        np.testing.assert_allclose(images / 255, data.table.x[data.rows[some]] / 16, atol=0.5 / 255 + 1e-6)


@pytest.mark.parametrize("most", [chain.FILM_BYTES, 60_000])
def test_the_film_holds_what_was_seen(most, monkeypatch):
    monkeypatch.setattr(chain, "FILM_BYTES", most)
    lanes = train(experiment()).lanes
    for lane in lanes:
        assert len(lane.film) == len(lane.film_at) and sorted(set(lane.film_at)) == list(lane.film_at)
        assert lane.film_at[0] == 0 and lane.film_at[-1] == len(lane.looks) - 1
        assert sum(values.nbytes for frame in lane.film for values in frame.values()) <= most + 10_000
        for name, values in lane.film[-1].items():
            np.testing.assert_array_equal(values, lane.learned[name])
        right = [np.trace(frame["confusion"]) / frame["confusion"].sum() for frame in lane.film]
        np.testing.assert_allclose(right, lane.looks[list(lane.film_at), 5])
    header, arrays = unpack(figure.film(lanes))
    assert arrays["lane1/at"].tolist() == list(lanes[1].film_at)
    assert arrays["lane1/label"].shape == (len(lanes[1].film), SIDE, SIDE) and arrays["lane1/label"].dtype == np.uint8
    np.testing.assert_array_equal(arrays["lane1/confusion"][3], lanes[1].film[3]["confusion"])


def test_memory_is_measured_once_every_lane_moves():
    big, small = (lane.memory for lane in train(experiment()).lanes)
    assert len(big) == 5 and big[4] > small[4]  # activations grow with the batch


def test_looks_are_thinned_by_the_work_they_take():
    cheap, dear = experiment(), experiment({"name": "cnn", "dataset": {"name": "mnist", "rows": "subset"}})
    assert grid(cheap, 0).tolist() == [0, 1, 2, 3, 4]
    assert LEAST // 2 <= len(grid(dear, 1)) <= MOST // 2
    for wanted in (cheap, dear):
        for i in range(2):
            when = grid(wanted, i)
            assert when[0] == 0 and when[-1] == wanted.updates(i) and (np.diff(when) > 0).all()


def test_the_train_loss_of_many_rows_is_that_of_a_part(monkeypatch):
    monkeypatch.setattr(looks, "MANY", SAMPLES)
    wanted = experiment(DIGITS, budget={"unit": "updates", "amount": 2})
    lane = train(wanted).lanes[1]
    total = engine.finite_sum(wanted)
    some = part(total, SAMPLES, wanted.seed)
    assert some.samples == SAMPLES < total.samples
    expected = [float(some.objective(point(total, theta)[None])[0]) for theta in lane.path]
    np.testing.assert_allclose(lane.looks[lane.at, 3], expected, rtol=1e-12)


def test_who_has_just_come_goes_before_those_who_train(one):
    order, gate = [], one.ask("gate", time.sleep, 0.5)

    def chain(job, patient):
        job.tell(patient=patient)
        for _ in range(3):
            order.append(job.owner)
            yield time.sleep, (0.01,)

    jobs = [one.run(owner, "turns", partial(chain, patient=owner != "visitor")) for owner in ("a", "b", "visitor")]
    order.clear()  # a chain's first task is made when it is asked for
    assert all(job.wait(WAIT) for job in [gate, *jobs])
    assert order == ["visitor", "a", "b", "visitor", "a", "b"]


def test_those_who_train_leave_a_worker_to_the_others(two, monkeypatch):
    """Of two slots one is never theirs, however many train: a question is answered in the middle of a long task."""
    monkeypatch.setattr(chain, "CHUNK", 30.0)

    def training_turns():
        return [turn for turn in list(two._turns.values()) if turn.job.patient]

    jobs = [submit(two, experiment(**LONG), owner) for owner in "ab"]
    before = None
    while not before or training_turns() != before:  # until a task is long, and who could take a slot has taken it
        before = training_turns()
        time.sleep(0.3)
    assert len(before) == 1
    for i in range(5):
        assert two.ask(i, sum, [1, 2]).answer(WAIT) == 3
    assert training_turns() == before
    for job in jobs:
        job.cancel()
