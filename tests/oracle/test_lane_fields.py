"""Clip, average, accumulate and patience against torch itself, and against loops written down here."""

import math

import numpy as np
import pytest
import torch
from torch.nn.utils import clip_grad_norm_, clip_grad_value_
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from mbsgd_core import engine
from mbsgd_core.experiment import Experiment
from tests.contract._chunks import assert_chunk_invariant, bits, in_chunks

BOWL = {"name": "quadratic", "noise": 1.0, "angle": 30.0}
LINE = {"name": "linear_regression", "dataset": "diabetes", "l2": 0.1}
NET = {"name": "mlp", "dataset": {"name": "moons", "samples": 60}, "hidden": [4]}
MOMENTUM = {"name": "sgd", "momentum": 0.9, "weight_decay": 0.01}


def experiment(problem, lane, **fields) -> Experiment:
    method = {"sampler": {"name": "reshuffle", "batch_size": 7}, "rule": MOMENTUM, "schedule": constant(0.02)}
    budget = {"unit": "updates", "amount": 40}
    return Experiment.model_validate({"problem": problem, "budget": budget, "lanes": [method | lane], **fields})


def constant(rate: float) -> dict[str, object]:
    return {"name": "constant", "learning_rate": rate}


def by_torch(e: Experiment, run: int, clip) -> np.ndarray:
    """theta after every update: torch's optimizer, autograd on the losses as they are defined, torch's clip."""
    total, updates = engine.finite_sum(e), range(e.updates(0))
    theta = torch.nn.Parameter(total.start().clone())
    rule = torch.optim.SGD([theta], lr=e.learning_rate(0, 0), momentum=0.9, weight_decay=0.01)
    rows = [theta.detach().clone()]
    for chosen in engine.batch_indices(e, 0, updates, run):
        rule.zero_grad()
        total.losses(theta[None], torch.tensor(chosen)[None]).mean().backward()
        clip(theta)
        rule.step()
        rows.append(theta.detach().clone())
    return torch.stack(rows).numpy()


@pytest.mark.parametrize("problem", [BOWL, LINE, NET], ids=lambda p: p["name"])
@pytest.mark.parametrize(("name", "torchs"), [("norm", clip_grad_norm_), ("value", clip_grad_value_)])
def test_a_clip_is_torchs(problem, name, torchs):
    largest = 50.0 if problem is LINE else 0.3
    e = experiment(problem, {"clip": {"name": name, "max": largest}}, runs=2)
    found = engine.run(e, 0)[1].theta
    for run in range(2):
        expected = by_torch(e, run, lambda theta: torchs([theta], largest))
        np.testing.assert_allclose(found[run], expected, rtol=1e-11, atol=1e-12)
    unclipped = by_torch(e, 0, lambda theta: None)
    assert np.abs(unclipped - found[0]).max() > 1e-2, "nothing was clipped"


AVERAGES = [
    ({"name": "ema", "decay": 0.9}, get_ema_multi_avg_fn(0.9), 0),
    ({"name": "ema", "decay": 0.3}, get_ema_multi_avg_fn(0.3), 0),
    ({"name": "polyak"}, None, 0),
    ({"name": "polyak", "begin": 13}, None, 13),
]


@pytest.mark.parametrize(("average", "torchs", "begin"), AVERAGES, ids=lambda a: str(a)[:40])
@pytest.mark.parametrize("problem", [BOWL, LINE, NET], ids=lambda p: p["name"])
def test_an_average_is_torchs_to_the_last_bit_and_moves_nothing(problem, average, torchs, begin):
    e = experiment(problem, {"average": average}, runs=2)
    state, trace = engine.run(e, 0)
    plain = engine.run(experiment(problem, {"clip": {"name": "norm", "max": 1e9}}, runs=2), 0)[1]  # on torch too
    assert np.array_equal(trace.theta, plain.theta) and np.array_equal(trace.loss, plain.loss)
    total = engine.finite_sum(e)
    for run in range(2):
        model = torch.nn.ParameterList([torch.tensor(trace.theta[run, 0])])
        averaged = AveragedModel(model, multi_avg_fn=torchs)
        for update in range(e.updates(0) + 1):
            if update:
                model[0].data.copy_(torch.tensor(trace.theta[run, update]))
                if update >= begin:
                    averaged.update_parameters(model)
            assert np.array_equal(trace.average[run, update], averaged.module[0].detach().numpy()), update
        assert torch.equal(state.averaged.value[run], averaged.module[0].detach())
    expected = total.objective(torch.tensor(trace.average)).detach().numpy()
    np.testing.assert_allclose(trace.average_loss, expected, rtol=1e-12)


@pytest.mark.parametrize("problem", [BOWL, LINE, NET], ids=lambda p: p["name"])
@pytest.mark.parametrize("name", ["reshuffle", "with_replacement", "in_order"])
def test_accumulated_batches_are_one_large_batch(problem, name):
    small = experiment(problem, {"sampler": {"name": name, "batch_size": 5, "accumulate": 4}}, runs=2)
    large = experiment(problem, {"sampler": {"name": name, "batch_size": 20}}, runs=2)
    one, other = engine.run(small, 0)[1], engine.run(large, 0)[1]
    np.testing.assert_allclose(one.theta, other.theta, rtol=1e-11, atol=1e-12)
    assert np.array_equal(one.samples, other.samples)
    for count in ("updates_per_epoch", "updates", "intervals"):
        assert getattr(small, count)(0) == getattr(large, count)(0)


def test_of_accumulated_batches_what_is_left_of_an_epoch_is_an_update():
    ragged = {"name": "in_order", "batch_size": 3, "accumulate": 4}
    budget = {"unit": "epochs", "amount": 2}
    first = experiment(BOWL | {"samples": 17}, {"sampler": ragged}, budget=budget)
    assert first.lanes[0].sampler.sizes(17) == [12, 5]  # 3 3 3 3 | 3 2
    e = experiment(BOWL | {"samples": 17}, {"sampler": ragged | {"drop_last": True}}, budget=budget)
    assert e.lanes[0].sampler.sizes(17) == [12, 3] and e.updates(0) == 4
    assert [len(b) for b in engine.batch_indices(e, 0, range(4))] == [12, 3, 12, 3]
    trace = engine.run(e, 0)[1]
    assert trace.samples.tolist() == [0, 12, 15, 27, 30]
    np.testing.assert_allclose(trace.theta[0], by_torch(e, 0, lambda theta: None), rtol=1e-12)


def stopping(losses: list[float], patience: int, least: float) -> tuple[int | None, int]:
    """(the epoch that is the last, or None, and the best), both counted from 1."""
    best, at, waited = math.inf, 0, 0
    for epoch, loss in enumerate(losses, 1):
        if loss < best - least:
            best, at, waited = loss, epoch, 0
        else:
            waited += 1
            if waited == patience:
                return epoch, at
    return None, at


@pytest.mark.parametrize("least", [0.0, 1e-3])
@pytest.mark.parametrize("problem", [BOWL, NET, LINE], ids=lambda p: p["name"])
def test_patience_is_a_loop_over_the_epochs(problem, least):
    noisy = {"schedule": constant(0.2 if problem is NET else 0.05), "rule": "sgd"}
    budget = {"unit": "epochs", "amount": 60}
    whole = experiment(problem, noisy, budget=budget, runs=3)
    _, trace = engine.run(whole, 0, every=whole.updates_per_epoch(0))
    total = engine.finite_sum(whole)
    if total.test_metrics(total.start()):
        rows = [[total.test_metrics(torch.tensor(t))["test_loss"] for t in run] for run in trace.theta[:, 1:]]
        losses = np.mean(rows, axis=0)
    else:
        losses = trace.loss[:, 1:].mean(0)
    last, best = stopping(losses.tolist(), 4, least)
    e = experiment(problem, noisy, budget={**budget, "patience": 4, "min_delta": least}, runs=3)
    each = e.updates_per_epoch(0)
    for every in (None, 1, 100):
        state, found = engine.run(e, 0, every)
        assert state.watch.best_at == best * each and state.watch.stopped_at == (-1 if last is None else last * each)
        assert found.update[-1] == (e.updates(0) if last is None else last * each) and state.over
        if every == 1:
            assert np.array_equal(found.theta[:, ::each], trace.theta[:, : len(found.update[::each])])
    assert least == 0 or last is not None, "choose a case that stops"


FIELDS = {
    "clip": {"clip": {"name": "norm", "max": 0.5}},
    "average": {"average": {"name": "polyak", "begin": 60}, "rule": "adam"},
    "accumulate": {"sampler": {"name": "reshuffle", "batch_size": 3, "accumulate": 5}},
    "all": {"clip": {"name": "value", "max": 0.5}, "average": {"name": "ema"}}
    | {"sampler": {"name": "with_replacement", "batch_size": 9, "accumulate": 2}},
}


@pytest.mark.parametrize("fields", FIELDS.values(), ids=FIELDS)
def test_chunks(fields):
    assert_chunk_invariant(experiment(BOWL, fields, budget={"unit": "updates", "amount": 400}, runs=2))


def test_chunks_of_a_network_with_dropout():
    e = experiment(NET | {"dropout": 0.2}, FIELDS["all"])
    assert bits(in_chunks(e, [40])) == bits(in_chunks(e, [3, 1, 16, 20]))


@pytest.mark.parametrize("every", [None, 7])
@pytest.mark.parametrize("lane", [{}, FIELDS["all"] | {"clip": {"name": "norm", "max": 1e3}}], ids=["fast", "torch"])
def test_chunks_of_a_lane_that_stops(compiled_lanes, lane, every):
    budget = {"unit": "updates", "amount": 400, "patience": 2}
    e = experiment(LINE, {"schedule": constant(0.05), **lane}, budget=budget, runs=2)
    whole = in_chunks(e, [400], every)
    assert 0 < whole[0].watch.stopped_at < 400 and whole[1].update[-1] == whole[0].watch.stopped_at
    assert whole[0].compiled == (not lane)
    for chunks in ([50] * 8, [1, 2, 0, 61, 3, 130, 1, 999]):
        assert bits(in_chunks(e, chunks, every)) == bits(whole)


def test_a_run_that_is_lost_loses_its_average_too_and_the_others_go_on():
    lane = {"sampler": {"name": "reshuffle", "batch_size": 1}, "rule": "sgd", "schedule": constant(0.22)}
    noisy = {"name": "quadratic", "noise": 1.0, "noise_kind": "scale"}
    e = experiment(noisy, lane | {"average": "ema"}, runs=8, budget={"unit": "updates", "amount": 30})
    _, trace = engine.run(e, 0)
    lost = np.isnan(trace.loss)
    assert 0 < lost[:, -1].sum() < 8
    assert np.array_equal(np.isnan(trace.average_loss), lost) and np.array_equal(np.isnan(trace.average).any(2), lost)
