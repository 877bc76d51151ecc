"""The benchmarks compare equals: their checks pass on tiny budgets, and they notice what is not equal. No timing."""

import doctest

import numpy as np
import pytest
import torch

from tests.benchmarks import case, loops, peers, report, rows_linear, rows_nets, rows_surface, rows_sweep, timing


@pytest.fixture(autouse=True)
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def tiny_cases() -> list[case.Case]:
    return [*rows_surface.cases(updates=30), *rows_linear.cases(epochs=2), *rows_nets.cases(epochs=1, updates=2)]


TINY = tiny_cases()


@pytest.mark.parametrize("number", range(len(TINY)), ids=[f"{one.row}-{i}" for i, one in enumerate(TINY)])
def test_both_sides_compute_the_same(number):
    for rival in TINY[number].rivals:
        assert "equal" in rival.check()


def test_cells_of_a_sweep_are_the_loop_s():
    axes = {"learning_rate": np.array([0.001, 0.01]), "momentum": np.array([0.0, 0.9, 0.99])}
    assert "equal" in rows_sweep.same_loss(rows_sweep.surface(updates=20), axes, [(0, 0), (2, 1)])
    axes = {"learning_rate": np.array([0.01, 0.1]), "batch_size": np.array([64, 250])}
    assert "equal" in rows_sweep.same_loss(rows_sweep.network(epochs=1, runs=2), axes, [(1, 1)])


def test_another_rate_is_noticed(monkeypatch):
    build, loss, factor = loops.MODELS["linear_regression"]
    monkeypatch.setitem(loops.MODELS, "linear_regression", (build, loss, 2 * factor))
    with pytest.raises(case.Unequal, match="same batches"):
        loops.same_theta(rows_linear.methods(epochs=1), [2])


def test_another_rule_is_noticed():
    experiment = rows_linear.single(rows_linear.LINE, epochs=1)
    rule = experiment.lanes[0].rule.model_copy(update={"momentum": 0.9})
    faster = experiment.model_copy(update={"lanes": (experiment.lanes[0].model_copy(update={"rule": rule}),)})
    with pytest.raises(case.Unequal, match="without shuffling"):
        peers.same_linear(faster)


def test_a_part_of_the_sweep_that_is_off_is_noticed():
    experiment, axes = rows_sweep.surface(updates=20), {"learning_rate": np.array([0.001, 0.01])}
    other = rows_sweep.cell(experiment, axes, (0,))
    with pytest.raises(case.Unequal):
        loops.apart(other, 1.0, 1.0 + 1e-8, "a cell")
    with pytest.raises(case.Unequal):
        loops.apart(other, 1.0, float("nan"), "a cell")


def test_sides_take_turns_and_no_turn_comes_twice():
    heard = []

    def side(name):
        return lambda turn: lambda: heard.append((name, turn))

    seconds = timing.alternate([side("ours"), side("theirs")], rounds=3)
    assert [len(each) for each in seconds] == [3, 3]
    names = [name for name, _ in heard]
    warm, rounds = names[:4], names[4:]
    assert warm == ["ours", "ours", "theirs", "theirs"]
    assert rounds == (["ours"] * timing.MOST + ["theirs"] * timing.MOST) * 3
    assert len({turn for _, turn in heard}) == len(heard)


def test_the_ratio_is_theirs_over_ours(monkeypatch):
    rival = case.Rival("loop", lambda turn: lambda: None, lambda: "equal", goal=100, whole=10)
    monkeypatch.setattr(timing, "alternate", lambda *_: [[1.0, 2.0, 4.0], [10.0, 80.0, 20.0]])
    (line,) = timing.measure(case.Case("A", "job", lambda turn: lambda: None, (rival,)), rounds=3)
    assert (line.ours, line.theirs, line.ratio, line.met) == (2.0, 200.0, (100.0, 50.0, 400.0), True)
    assert "missed" not in report.goals([line]) and "1/10 of the loop" in report.goals([line])


def test_examples_of_the_report():
    assert not doctest.testmod(report).failed
