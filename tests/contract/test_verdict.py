"""Who is ahead: one ranking, one headline, cells in words; by loops over real runs, and by rows made up for this."""

import numpy as np
import pytest

from mbsgd_core import engine
from mbsgd_core.experiment import Experiment
from mbsgd_core.measures import verdict
from mbsgd_core.measures.diagnosis import diagnose
from mbsgd_core.measures.lane_report import start_noise
from mbsgd_core.measures.truth import truth
from mbsgd_core.results.cost import Cost, Costs
from mbsgd_core.results.verdict import Badge, Diagnosis, Passages, Remedy, Row, Spent, Target
from mbsgd_core.types import CLOCKS, Trace

LABELS = ("BGD", "SGD", "Mini-batch")
GOAL = Target(0.1, "to 1 % of the start's excess over the optimum")
SETTLED = Diagnosis(Badge("settled", "It ends."), None, 0.1, 0.25)


def lost(at=3, rate=0.5, limit=0.25, attempt=0.12):
    return Diagnosis(Badge("diverged", "It grew.", Remedy.of("learning_rate", attempt)), at, rate, limit)


def lane(label, cost=None, final=0.05, each=1, badge=SETTLED, **more):
    """A row whose cost by every clock is `cost`, or (updates, samples, epochs, seconds)."""
    costs = cost if isinstance(cost, tuple) else (cost,) * 4
    costs = cost and (*costs, 0.0, 30 * costs[0])
    spent = Spent(100, 3200, 12.0, 1e-3, 0.0, 3.0)
    known = {"start_loss": 10.0, "best_loss": final, "excess": final} | more
    if badge.badge.name in ("diverged", "escaping"):
        final, known = None, known | {"best_loss": None, "excess": None}
    passages = Passages() if cost is None else Passages(Spent(*costs), Spent(*costs), 1, 1)
    return Row(label, each, spent, passages, final_loss=final, diagnosis=badge, **known)


def said(clock, rows, aimed=True):
    return verdict.verdict(rows, GOAL if aimed else None).headline[clock]


# --- the headline by a target


BOWL = [
    lane("BGD", (11, 352, 11, 1e-4), 0.1, 1),
    lane("SGD", (14, 14, 0.4375, 2e-6), 0.206, 32, Diagnosis(Badge("bouncing", "It swings."), None, 0.06, 0.25)),
    lane("Mini-batch", (12, 48, 1.5, 5e-6), 0.0812, 8),
]


def test_who_by_which_clock_at_what_price_and_why():
    assert said("epochs", BOWL) == (
        "By epochs SGD is first to the target (0.438 epochs; Mini-batch 1.5), but it never settles: it ends at 0.206, "
        "Mini-batch at 0.0812. By updates all three are nearly level: an epoch is 32 updates for SGD, 1 for BGD.",
        1)  # fmt: skip
    assert said("updates", BOWL) == (
        "By updates all three are nearly level: 11 to 14 updates to the target. By epochs SGD is first (0.438 epochs): "
        "an epoch is 32 updates for SGD, 1 for BGD.", None)  # fmt: skip
    text, winner = said("seconds", BOWL)
    assert (
        text.startswith("By seconds SGD is first to the target (2 µs; Mini-batch 5 µs), but it never") and winner == 1
    )


@pytest.mark.parametrize(
    ("costs", "text", "winner"),
    [
        ((9, 1, None), "By epochs SGD is first to the target (1 epoch; BGD 9); Mini-batch does not reach it.", 1),
        ((9, 1, 3), "By epochs SGD is first to the target (1 epoch; Mini-batch 3).", 1),
        ((1, 1, 4), "By epochs BGD and SGD tie: 1 epoch to the target, Mini-batch after 4 epochs.", None),
        ((2, 2, 2), "By epochs BGD, SGD and Mini-batch tie: 2 epochs to the target.", None),
        ((None, 2, None), "Only SGD reaches the target (2 epochs).", 1),
        ((None, 2, 2), "By epochs SGD and Mini-batch tie: 2 epochs to the target; BGD does not reach it.", None),
        ((None, None, None), "Nobody reaches the target; the lowest loss is 0.05, by BGD, SGD and Mini-batch.", None),
    ],
)
def test_ties_are_called_ties_and_who_misses_it_is_named(costs, text, winner):
    rows = [lane(label, cost) for label, cost in zip(LABELS, costs, strict=True)]
    assert said("epochs", rows) == (text, winner)


def test_a_run_on_its_way_says_yet():
    running = Diagnosis(Badge("unfinished", "It runs."), None, 0.1, None)
    rows = [
        lane("BGD", None, 0.7, badge=running),
        lane("SGD", 2.0, badge=running),
        lane("Mini-batch", 3.0, badge=running),
    ]
    assert said("epochs", rows).text.endswith("BGD does not reach it yet.")
    assert said("epochs", rows[:1]).text == "BGD has not reached the target yet: it is at a loss of 0.7."
    assert said("epochs", rows[:2]).text == "Only SGD has reached the target so far (2 epochs)."
    start = [row._replace(spent=Spent(0, 0, 0.0, 0.0)) for row in rows]
    assert said("epochs", start) == ("All lanes stand at the start.", None)


def test_what_all_lanes_suffer_from_is_said_with_what_helps():
    slow = Diagnosis(Badge("too slow", "It falls.", Remedy.of("learning_rate", 0.12)), None, 1e-4, 0.25)
    rows = [lane(label, None, 9.0 + i, badge=slow) for i, label in enumerate(LABELS)]
    assert said("epochs", rows).text == (
        "Nobody reaches the target: all three are too slow; the lowest loss is 9, by BGD. Try rate 0.12."
    )
    alone = [rows[0], lane("SGD", badge=lost())]
    assert said("epochs", alone).text == (
        "BGD does not reach the target: it is too slow, at a loss of 9. Try rate 0.12. "
        "SGD diverges: the limit is 0.25; try 0.12."
    )


def test_diverged_lanes_change_the_headline():
    three = [lane(label, badge=lost()) for label in LABELS]
    for clock in CLOCKS:
        assert said(clock, three) == ("At this rate all three diverge: the limit is 0.25; try 0.12.", None)
    assert said("epochs", three[:1]).text == "At this rate BGD diverges: the limit is 0.25; try 0.12."
    mixed = [lane("BGD", badge=lost(limit=0.25)), lane("SGD", badge=lost(rate=0.7, limit=0.1, attempt=0.05))]
    assert said("epochs", mixed).text == "At these rates both diverge: the limits are 0.25 and 0.1; try 0.05."
    unknown = [lane("Adam", badge=lost(limit=None, attempt=0.05)), lane("SGD", 2.0)]
    assert said("epochs", unknown) == ("Only SGD reaches the target (2 epochs). Adam diverges; try 0.05.", 1)
    below = lane("BGD", badge=lost(rate=0.01))  # its limit is not why
    assert said("epochs", [below]).text == "At this rate BGD diverges; try 0.12."
    nowhere = lane(
        "BGD", badge=Diagnosis(Badge("diverged", "f is not defined at the start point (-1, 2)."), 0, 0.1, None)
    )
    assert said("epochs", [nowhere] * 2).text == "f is not defined at the start point (-1, 2)."


def test_lanes_that_fall_for_ever_do_not_win():
    bottomless = Diagnosis(Badge("escaping", "It falls."), None, 0.1, None)
    rows = [lane("BGD", final=3.0), lane("SGD", badge=bottomless), lane("Mini-batch", badge=bottomless)]
    text, winner = said("updates", rows, aimed=False)
    assert text.endswith("SGD and Mini-batch fall without end: the surface has no lowest point on the way.")
    assert winner is None and verdict.ranking("updates", rows) == [0, 1, 2]


# --- without a target


def net(label, updates, train, test=None, right=None, badge=SETTLED):
    row = lane(label, None, train, test_loss=test, test_accuracy=right, badge=badge)
    return row._replace(spent=Spent(updates, 32 * updates, 1.0, 1.0), excess=None)


def test_accuracy_counts_first_and_updates_are_told_where_they_differ():
    rows = [
        net("BGD", 20, 0.3, 0.31, 0.925),
        net("SGD", 3200, 0.02, 0.01, 1.0),
        net("Mini-batch", 200, 0.01, 0.02, 0.975),
    ]
    for clock in CLOCKS:
        assert said(clock, rows, False) == (
            "SGD is ahead by test accuracy: 100 %, Mini-batch 97.5 %, BGD 92.5 %. BGD made 20 updates, SGD 3,200.",
            1)  # fmt: skip
        assert verdict.ranking(clock, rows, False) == [1, 2, 0]
    running = Diagnosis(Badge("unfinished", "It runs."), None, 0.1, None)
    assert " so far: " in said("epochs", [row._replace(diagnosis=running) for row in rows], False).text


def test_without_classes_or_test_rows_a_loss_decides():
    assert said("epochs", [net("a", 5, 3.0, 2.0), net("b", 9, 4.0, 1.5)], False) == (
        "b is ahead by test loss: 1.5, a 2.",
        1,
    )
    assert said("epochs", [net("a", 5, 3.0), net("b", 9, 4.25)], False) == ("a is ahead by loss: 3, b 4.25.", 0)
    assert said("epochs", [net("a", 5, 3.0), net("b", 9, 3.0)], False) == ("Both are level by loss: 3.", None)
    assert said("epochs", [net("a", 5, 3.0)], False) == ("a has a loss of 3.", None)


def test_flat_models_are_named_and_do_not_win():
    flat = Diagnosis(Badge("flat", "It takes every row for 0.", Remedy.of("learning_rate", 0.01)), None, 0.1, None)
    rows = [net("a", 5, 0.7, 0.7, 0.5, flat), net("b", 5, 0.69, 0.7, 0.5, flat)]
    assert said("epochs", rows, False) == (
        "Both are level by test accuracy: 50 %. a and b are flat: the same answer for every row.", None)  # fmt: skip


# --- ranking and table


def test_the_order_is_by_cost_then_by_loss_then_by_who_lasted_longest():
    rows = [lane("late", badge=lost(90)), lane("misses", None, 0.3), lane("slow", 9.0, 0.01),
            lane("early", badge=lost(2)), lane("fast", 2.0, 5.0), lane("misses less", None, 0.2),
            lane("as slow", 9.0, 0.005)]  # fmt: skip
    assert [rows[i].label for i in verdict.ranking("updates", rows)] == [
        "fast", "as slow", "slow", "misses less", "misses", "late", "early"]  # fmt: skip


def test_the_clock_decides():
    assert {clock: verdict.ranking(clock, BOWL)[0] for clock in CLOCKS} == {
        "updates": 0, "samples": 1, "epochs": 1, "seconds": 1, "pytorch_seconds": 0}  # fmt: skip


def test_cells_are_words_and_the_best_is_one_lane():
    found = verdict.verdict([*BOWL, lane("lost", badge=lost(3))], GOAL)
    keys = [column.key for column in found.columns]
    assert keys[: 1 + len(CLOCKS)] == ["badge", *CLOCKS] and "test_loss" not in keys and "noise" not in keys
    assert [cells["epochs_to_target"] for cells in found.cells] == ["11", "0.438", "1.5", "–"]
    assert [cells["final_loss"] for cells in found.cells] == ["0.100", "0.206", "0.0812", "–"]
    assert [cells["badge"] for cells in found.cells] == ["settled", "bouncing", "settled", "diverged"]
    best = found.best
    assert (best["updates_to_target"], best["epochs_to_target"], best["final_loss"]) == (0, 1, 2)
    assert best["updates"] is None and best["why"] is None
    alike = verdict.verdict([lane("a", 2.0), lane("b", 2.0)], GOAL)
    assert set(alike.best.values()) == {None} and alike.cells[0]["updates_to_target"] == "2"
    assert verdict.verdict([lane("a", None), lane("b", 2.0)], GOAL).cells[0]["updates_to_target"] == "not reached"


# --- rows, by loops over real runs


def three(problem, rates, size, epochs, runs=1):
    samplers = ("full_batch", {"name": "reshuffle", "batch_size": 1}, {"name": "reshuffle", "batch_size": size})
    lanes = [{"label": label, "sampler": sampler, "schedule": {"name": "constant", "learning_rate": rate}}
             for label, sampler, rate in zip(LABELS, samplers, rates, strict=True)]  # fmt: skip
    return Experiment.model_validate({"problem": problem, "lanes": lanes, "budget": {"amount": epochs}, "runs": runs})


def test_the_rows_by_a_loop():
    e = three(
        {"name": "linear_regression", "dataset": "diabetes", "features": ["bmi"]}, (0.5, 0.01, 0.05), 32, 10, runs=3
    )
    traces, known = [engine.run(e, i)[1] for i in range(3)], truth(e).value
    goal = verdict.target(traces, known)
    assert goal.loss == pytest.approx(known + 0.01 * (traces[0].loss[0, 0] - known), rel=1e-12)
    noise = []
    for i, trace in enumerate(traces):
        found = diagnose(e, i, trace, known)
        row = verdict.row(
            e, i, trace, Costs(Cost(1e-5, 1e-6), None), found, goal=goal.loss, lowest=known, noise=start_noise(e, i)
        )
        firsts, stays = [], []  # of each run
        for losses in trace.loss:
            below = [k for k, loss in enumerate(losses) if loss <= goal.loss]
            above = [k for k, loss in enumerate(losses) if loss > goal.loss]
            firsts += below[:1]
            stays += [above[-1] + 1] if above[-1] + 1 < len(losses) else []
        passages = row.passages
        assert (passages.reached, passages.stayed, passages.runs) == (len(firsts), len(stays), 3)
        for found_at, made in ((passages.first, firsts), (passages.stays, stays)):
            assert (found_at is None) is (len(made) < 2)
            if found_at is not None:
                record = sorted(made)[1]  # when half of three runs, so two, had come
                assert (found_at.updates, found_at.samples) == (trace.update[record], trace.samples[record])
        half = [k for k, update in enumerate(trace.update) if update >= trace.update[-1] / 2]
        assert row.floor == pytest.approx(trace.loss[:, half].mean() - known, rel=1e-9)
        assert row.final_loss == pytest.approx(trace.loss[:, -1].mean(), rel=1e-12)
        assert row.best_loss == pytest.approx(np.mean([run.min() for run in trace.loss]), rel=1e-12)
        assert row.excess == pytest.approx(row.final_loss - known, rel=1e-9, abs=1e-9)
        assert row.spent.seconds == pytest.approx(row.spent.updates * 1e-5) and row.spent.epochs == 10
        noise.append(row.noise)
    assert noise[0] == 0 and noise[1] > noise[2] > 0


def test_a_first_passage_is_not_an_arrival():
    """It touches the target at record 2, leaves it, and stays from record 4 on; another never stays."""
    counts, e = np.arange(6), three({"name": "quadratic"}, (0.1, 0.1, 0.1), 4, 5)
    rows = []
    for losses in ([9, 5, 1, 4, 1, 0.5], [9, 5, 1, 4, 1, 4], [9, 5, 4, 4, 3, 2]):
        trace = Trace(counts, counts, np.ones(6), np.zeros((1, 6, 2)), np.array([losses], dtype=float))
        rows.append(verdict.row(e, 0, trace, None, SETTLED, goal=1.5, lowest=0.0))
    cells = [verdict.verdict([row], Target(1.5, "")).cells[0] for row in rows]
    found = [(cell["updates_to_target"], cell["updates_stays"]) for cell in cells]
    assert found == [("2", "4"), ("2", "never"), ("not reached", "never")]
    assert rows[0].floor == pytest.approx((4 + 1 + 0.5) / 3)  # updates 3, 4, 5 of 5


def test_diverged_runs_are_left_out_of_the_means():
    loss = np.array([[4.0, 2.0, 1.0], [4.0, 9.0, np.nan]])
    counts = np.arange(3)
    trace = Trace(counts, counts, np.ones(3), np.zeros((2, 3, 2)), loss)
    e = three({"name": "quadratic"}, (0.1, 0.1, 0.1), 4, 1, runs=2)
    found = diagnose(e, 0, trace)
    row = verdict.row(e, 0, trace, None, found, goal=1.5, lowest=0.0)
    assert (row.final_loss, row.best_loss, row.to_target.updates, found.diverged_at) == (1, 1, 2, 2)
    assert (row.passages.reached, row.passages.runs) == (1, 2)  # half of the runs: the lost one never came
    cells = verdict.verdict([row], Target(1.5, "")).cells[0]
    assert cells["updates_to_target"] == "2 (1 of 2 runs)"
    assert row.lost is False  # one of its runs has an end


def test_a_lane_that_diverged_has_spent_what_it_took():
    e = three({"name": "quadratic"}, (0.1, 3.0, 0.1), 4, 1)
    trace = engine.run(e, 1)[1]
    found = diagnose(e, 1, trace)
    row = verdict.row(e, 1, trace, None, found, goal=0.0)
    assert row.final_loss is None and row.lost and 0 < row.spent.updates == found.diverged_at < trace.update[-1]


def test_the_target_without_a_known_optimum():
    e = three({"name": "formula", "formula": "x^2 + y^2 - 3"}, (0.1, 0.1, 0.1), 4, 2)
    traces = [engine.run(e, i)[1] for i in range(3)]
    found = verdict.target(traces, None)
    low = min(t.loss.min() for t in traces)
    assert found.loss == pytest.approx(low + 0.01 * (traces[0].loss[0, 0] - low))
    assert "lowest loss seen" in found.text
    nowhere = [t._replace(loss=np.full_like(t.loss, np.nan)) for t in traces]
    assert verdict.target(nowhere, 0.0).loss is None


def test_the_words_need_no_torch():
    import subprocess
    import sys

    code = "import sys, mbsgd_core.measures.verdict, mbsgd_core.measures.ending; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0
