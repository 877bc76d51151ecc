"""What an update costs: the slope on a clock of our own, the kept table, the loop against one written here."""

import json
from time import process_time

import pytest
import torch

from mbsgd_core import engine
from mbsgd_core.experiment import Experiment, registered
from mbsgd_core.measures import cost_slope, cost_table, cost_work, verdict
from mbsgd_core.measures.cost_slope import slopes
from mbsgd_core.measures.headline import headline
from mbsgd_core.measures.throughput import throughput
from mbsgd_core.registry import name_of
from mbsgd_core.results.cost import Cost, Costs
from mbsgd_core.results.verdict import Badge, Diagnosis, Passages, Row, Spent
from mbsgd_core.rules.base import Rule
from mbsgd_core.types import CLOCKS
from tests.contract._device_cases import settings

DIGITS = {"name": "mlp", "dataset": "digits", "hidden": [64], "activation": "relu"}


def experiment(problem="booth", *lanes, **more) -> Experiment:
    """Lanes from (batch size or None, rule)."""
    made = [
        {"label": str(i), "sampler": {"name": "reshuffle", "batch_size": size} if size else "full_batch", "rule": rule,
         "schedule": {"name": "constant", "learning_rate": 0.01}}
        for i, (size, rule) in enumerate(lanes or [(4, "sgd")])
    ]  # fmt: skip
    return Experiment.model_validate({"problem": problem, "lanes": made, **more})


@pytest.fixture
def table(tmp_path, monkeypatch):
    """A table of its own, and how many works are timed."""
    monkeypatch.setenv(cost_table.FOLDER, str(tmp_path / "new"))
    timed = []

    def fake(works, now):
        timed.append(len(works))
        return [Cost(1e-6 * (len(timed) + i), 1e-7) for i in range(len(works))]

    monkeypatch.setattr(cost_table, "slopes", fake)
    return timed


# --- the slope


@pytest.mark.usefixtures("patient_costs")
@pytest.mark.parametrize(("call", "each"), [(3e-4, 75e-9), (3e-4, 4e-4), (0.0, 0.06), (0.1, 2.5)])
def test_what_a_call_costs_is_not_charged_to_its_updates(call, each):
    """Every fifth call is disturbed, and takes twice as long."""
    time, calls, lengths = [0.0], [0], []

    def work(n):
        calls[0] += 1
        lengths.append(n)
        time[0] += (call + each * n) * (1 + (calls[0] % 5 == 0))

    (cost,) = slopes([work], lambda: time[0])
    assert cost.seconds == pytest.approx(each, rel=1e-6) and cost.uncertainty >= cost_slope.SURE * cost.seconds
    assert max(lengths) * each >= 5e-3 and max(lengths) > min(lengths)
    assert time[0] < 1 + 60 * (call + each)


def test_works_are_timed_in_turns_and_noise_that_swamps_them_is_met_with_more():
    time, order = [0.0], []

    def work(name, each):
        def of(n):
            order.append(name)
            time[0] += 0.5 - 0.1 * len(order) % 0.3 + each * n

        return of

    found = slopes([work("a", 1e-3), work("b", 1e-2)], lambda: time[0])
    assert all(cost.seconds > 0 for cost in found) and "abab" in "".join(order[::2])


# --- the table


def test_a_cost_is_measured_once_and_read_by_every_process(table):
    e = experiment("booth", (4, "sgd"), (None, "sgd"), (4, "sgd"), budget={"unit": "updates", "amount": 7})
    assert cost_table.known(e, 0) is None
    first = cost_table.calibrate(e)
    assert table == [4] and first[0] == first[2] != first[1]  # two lanes are alike
    cost_table._memory.clear()  # another process
    assert [cost_table.known(e, i) for i in range(3)] == cost_table.calibrate(e) == first and table == [4]
    rate = experiment("booth", (4, {"name": "sgd", "momentum": 0.5}), seed=5, start=[0.3, 0.4])
    other = experiment("booth", (4, {"name": "sgd", "momentum": 0.7}), budget={"unit": "epochs", "amount": 3})
    assert cost_table.known(rate, 0) is None
    assert cost_table.calibrate(rate) == [cost_table.known(other, 0)] and table == [4, 2]
    for different in (experiment("booth", (4, "adam")), experiment("booth", (4, "sgd"), dtype="float32"),
                      experiment("booth", (4, "sgd"), runs=2), experiment("matyas", (4, "sgd")),
                      _with(e, clip="norm"), _with(e, average={"name": "ema"}), _with(e, accumulate=2)):  # fmt: skip
        assert cost_table.known(different, 0) is None


def _with(e: Experiment, accumulate=1, **parts) -> Experiment:
    """The first lane, with something that an update costs more for."""
    draft = e.model_dump(mode="json")
    draft["lanes"][0] |= parts
    draft["lanes"][0]["sampler"]["accumulate"] = accumulate
    return Experiment.model_validate(draft)


def test_batch_sizes_between_two_powers_of_two_are_interpolated(table):
    cost_table.calibrate(experiment({"name": "booth", "samples": 64}, (16, "sgd"), (32, "sgd")))
    (before,) = table
    for size in range(17, 32):
        e = experiment({"name": "booth", "samples": 64}, (size, "sgd"))
        low, high = (cost_table.known(experiment({"name": "booth", "samples": 64}, (b, "sgd")), 0) for b in (16, 32))
        found, mean = cost_table.known(e, 0), 64 / e.updates_per_epoch(0)
        for own, a, b in zip(found, low, high, strict=True):
            assert own.seconds == pytest.approx(a.seconds + (mean - 16) / 16 * (b.seconds - a.seconds))
    assert table == [before]


def test_what_takes_too_long_follows_from_smaller_batches_and_says_so(table, monkeypatch):
    e = experiment(DIGITS, (None, "sgd"))
    monkeypatch.setattr(cost_table, "DEAR", 64.5 * 3 * e.problem.flops / cost_table.SPEED)
    (costs,) = cost_table.calibrate(e)
    assert table == [4] and {p.alone.lanes[0].sampler.batch_size for p in cost_table._points(e, 0)} == {32, 64}
    assert costs.engine.uncertainty == pytest.approx(cost_table.UNSURE * costs.engine.seconds)


@pytest.mark.parametrize("broken", ["", "[1]", '{"a": 3}', '{"a": [["x", 1, 2]]}', "{" * 5000, '{"a": [[-1, 0, 0]]}'])
def test_a_broken_file_costs_a_measurement_and_nothing_else(table, broken):
    e = experiment()
    cost_table.path().parent.mkdir(parents=True)
    cost_table.path().write_text(broken)
    found = cost_table.calibrate(e)
    cost_table._memory.clear()
    assert table == [2] and [cost_table.known(e, 0)] == found
    assert all(len(look) == 3 for looks in json.loads(cost_table.path().read_text()).values() for look in looks)
    assert len(list(cost_table.path().parent.iterdir())) == 1  # nothing is left beside it


def test_where_nothing_can_be_written_the_process_remembers(table, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv(cost_table.FOLDER, str(tmp_path / "file"))
    e = experiment()
    assert cost_table.calibrate(e) == cost_table.calibrate(e) == [cost_table.known(e, 0)] and table == [2]


def test_one_slow_while_is_outvoted_and_numbers_rest(table, monkeypatch):
    now = [1e9]
    monkeypatch.setattr(cost_table.time, "time", lambda: now[0])
    e, said = experiment(), []
    for seconds in (1.6e-6, 1.0e-6, 1.02e-6, 1.7e-6, 1.01e-6, 9e-6):
        monkeypatch.setattr(cost_table, "slopes", lambda works, _, s=seconds: [Cost(s, s / 10)] * len(works))
        now[0] += cost_table.AGAIN + 1
        said.append(cost_table.calibrate(e)[0].engine.seconds)
        now[0] += 1
        assert cost_table.calibrate(e)[0].engine.seconds == said[-1]  # no further look so soon
    assert said == [1.6e-6, 1.0e-6, 1.02e-6, 1.02e-6, 1.02e-6, 1.02e-6]  # five looks, no sixth


def test_another_machine_or_version_has_a_table_of_its_own(monkeypatch):
    here = cost_table.path()
    cost_table.machine.cache_clear()
    monkeypatch.setattr(cost_table, "version", lambda name: "0.0")
    assert cost_table.path() != here
    cost_table.machine.cache_clear()
    monkeypatch.undo()
    assert cost_table.path() == here


# --- the loop


@pytest.mark.parametrize("problem", settings())
def test_the_plain_module_is_the_problem(problem):
    """Its loss and its gradient, moved to where the engine stands, are the definition's."""
    total = experiment(problem, (1, "sgd")).problem.realize(0, torch.float64, "cpu")
    module, loss = total.plain()
    module.eval()
    theta = total.start()
    with torch.no_grad():
        torch.nn.utils.vector_to_parameters(theta, module.parameters())
    for chosen in (None, torch.tensor([0, 2, 5])):
        rows = torch.arange(total.samples) if chosen is None else chosen
        value = loss(chosen)
        assert value.item() == pytest.approx(total.losses(theta[None], rows[None]).mean().item(), rel=1e-9)
        own = torch.cat([part.flatten() for part in torch.autograd.grad(value, list(module.parameters()))])
        torch.testing.assert_close(own, total.gradient(theta[None], total.gather(rows[None, None])[0])[0])


@pytest.mark.parametrize("name", [*registered(Rule)])
def test_every_rule_has_both_works_or_torch_has_no_such_rule(name):
    alone = cost_work.probe(experiment("booth", (4, name)), 0)
    start, loop = engine.init(alone, 0), cost_work.loop_work(alone)
    cost_work.engine_work(alone)(3)
    assert (loop is None) == (alone.lanes[0].rule.torch_class is None)
    if loop is not None:
        loop(33)  # more than two epochs
    more = cost_work.probe(_with(alone, 5, clip="value"), 0)  # accumulated to ragged updates, clipped
    if (loop := cost_work.loop_work(more)) is not None:
        loop(7)
    assert torch.equal(engine.init(alone, 0).theta, start.theta) and name_of(alone.lanes[0].rule) == name


@pytest.mark.usefixtures("patient_costs", "compiled_lanes")
def test_costs_lie_on_a_straight_line():
    """Generously, since others use this machine: within a factor of two of lines drawn here."""
    e = experiment({"name": "quadratic", "samples": 32, "noise": 2.0}, (4, "sgd"), budget={"amount": 10**6})
    (costs,) = cost_table.calibrate(e)

    def ours(n):
        return lambda: engine.advance(engine.init(e, 0), n, every=10**9, evaluate=False)

    def theirs(n):
        def run():
            theta = torch.zeros(2, dtype=torch.float64, requires_grad=True)
            draws, step = engine.finite_sum(e).draws, torch.optim.SGD([theta], lr=1e-9)
            for _ in range(n // 8):
                for batch in torch.randperm(32).split(4):
                    x, y = theta
                    f = 0.5 * (x * x + 10 * y * y) + draws[batch].mean(0) @ theta
                    f.backward()
                    step.step()
                    step.zero_grad()

        return run

    for cost, work, short, long in ((costs.engine, ours, 2_000, 20_000), (costs.loop, theirs, 8, 48)):
        line = (min(map(_took, [work(long)] * 9)) - min(map(_took, [work(short)] * 9))) / (long - short)
        assert 0.5 < cost.seconds / line < 2


def _took(run):
    begun = process_time()
    run()
    return process_time() - begun


@pytest.mark.usefixtures("patient_costs")
def test_a_sample_alone_costs_a_pytorch_loop_much_more_than_one_in_a_batch():
    """Rows 13, 14, 15, 17, 20 of the claims: an MLP 64-64-10 on digits. b = m is at least as good as b = 64."""
    e = experiment(DIGITS, (1, "sgd"), dtype="float32")
    rows = e.problem.sample_count
    one, small, batch, whole = throughput(e, (1, 16, 64, rows))
    clock = "pytorch_seconds"
    assert one.sample(clock).seconds > 10 * batch.sample(clock).seconds
    assert whole.sample(clock).seconds < 1.25 * batch.sample(clock).seconds
    assert one.update(clock).seconds < whole.update(clock).seconds and (
        one.epoch(clock).seconds > batch.epoch(clock).seconds > 0.8 * whole.epoch(clock).seconds
    )
    assert batch.update(clock).seconds < 4 * one.update(clock).seconds  # 64 times the samples
    assert small.samples_per_second(clock) == pytest.approx(1 / small.sample(clock).seconds)


# --- what is said of costs


def row(label, updates, costs, final=0.05) -> Row:
    spent = Spent.of(updates, updates, 1.0, costs)
    judged = Diagnosis(Badge("settled", "."), None, 0.1, None)
    return Row(label, 1, spent, Passages(spent, spent, 1, 1), 10.0, final, final, final, judged)


def test_seconds_are_updates_times_the_cost_and_overlaps_are_ties():
    costs = Costs(Cost(1e-6, 1e-7), Cost(3e-4, 1e-6))
    rows = [row("a", 100, costs), row("b", 110, costs, 0.01), row("c", 200, costs)]
    assert rows[2].spent.time("seconds") == pytest.approx((2e-4, 2e-5))
    said = verdict.verdict(rows, None)
    assert [cells["pytorch_seconds"] for cells in said.cells] == ["30 ms ± 100 µs", "33 ms ± 110 µs", "60 ms ± 200 µs"]
    order = verdict.ranking("seconds", rows)
    assert order == [1, 0, 2]  # too close to call: then the lower loss
    line = headline("seconds", rows, order)
    assert "a and b are too close to call: 100 µs ± 10 µs and 110 µs ± 11 µs to the target, c after" in line.text
    assert line.winner is None
    sure = headline("pytorch_seconds", rows, verdict.ranking("pytorch_seconds", rows))
    assert sure.winner == 0 and "By seconds in PyTorch a is first to the target (30 ms ± 100 µs; b" in sure.text


def test_nothing_is_invented_while_costs_are_not_known():
    rows = [row("a", 100, None), row("b", 200, None)]
    assert headline("seconds", rows, [0, 1]).text.startswith("What an update takes is being measured")
    assert headline("updates", rows, [0, 1]).winner == 0
    here = [row("a", 100, Costs(Cost(1e-6, 0.0), None)), row("b", 200, Costs(Cost(1e-6, 0.0), None))]
    assert "torch.optim has no such rule" in headline("pytorch_seconds", here, [0, 1]).text
    keys = {column.key for column in verdict.verdict(rows, None).columns}
    assert not keys & {"seconds", "pytorch_seconds"} and set(CLOCKS) - keys == {"seconds", "pytorch_seconds"}
