"""What is timed of a lane (floor 4): its updates in this engine, and in the loop that everyone writes in PyTorch."""

import torch

from mbsgd_core import engine
from mbsgd_core.experiment import Budget, Experiment
from mbsgd_core.measures.cost_slope import Work
from mbsgd_core.schedules.constant import Constant

STILL = 1e-12  # a learning rate that leads nowhere: the work is the same, and nothing diverges
ENDLESS = 10**9  # updates: a budget that no measurement comes to the end of


def probe(experiment: Experiment, lane: int) -> Experiment:
    """The lane alone, with a rate that leads nowhere and no end.

    A schedule stays that is asked at every update, or that decides who makes the updates.
    """
    method = experiment.lanes[lane]
    schedule = method.schedule
    asked = (
        schedule.watches_objective or schedule.moves_momentum or (schedule.changes and schedule.interval == "update")
    )
    still = schedule.endless().model_copy(update={"learning_rate": STILL}) if asked else Constant(learning_rate=STILL)
    alone = method.model_copy(update={"label": "", "schedule": still})
    budget = Budget(unit="updates", amount=ENDLESS)
    return experiment.model_copy(update={"lanes": (alone,), "budget": budget})


def engine_work(alone: Experiment) -> Work | None:
    """n updates of the implementation that makes them here, compiled or torch, without records and objective.

    None where the start is lost already, or there is no batch.
    """
    if not alone.updates_per_epoch(0):
        return None
    start = engine.init(alone, 0)
    if (start.diverged_at >= 0).all():
        return None

    def work(n: int) -> object:
        state, _ = engine.advance(start, n, every=ENDLESS, evaluate=False)
        return _finished(state.theta)

    return work


def loop_work(alone: Experiment) -> Work | None:
    """n updates of the plain loop: batches by index from a randperm an epoch, loss, backward, step, zero_grad.

    On one thread, with the optimizer and the clip of the same name; of several runs one alone is made. A full batch is
    not drawn; accumulated ones go backward one by one. None where torch has no such rule, or there is no batch.
    """
    method, rows = alone.lanes[0], alone.problem.sample_count
    if method.rule.torch_class is None or not alone.updates_per_epoch(0):
        return None
    module, loss = engine.finite_sum(alone).plain()
    step = getattr(torch.optim, method.rule.torch_class)(module.parameters(), lr=STILL, **dict(method.rule))
    size, draws, sizes = method.sampler.at_once(rows), method.sampler.draws, method.sampler.sizes(rows)
    parameters, bound = list(module.parameters()), method.clip
    clip = None if bound is None or bound.torch_call is None else getattr(torch.nn.utils, bound.torch_call)

    def work(n: int) -> object:
        threads, left = torch.get_num_threads(), n
        torch.set_num_threads(1)
        try:
            while left:
                order = torch.randperm(rows, device=parameters[0].device)[: sum(sizes)] if draws else None
                for batch in [None] if order is None else order.split(sizes)[:left]:
                    if batch is None or len(batch) <= size:
                        loss(batch).backward()
                    else:
                        for part in batch.split(size):
                            (loss(part) * (len(part) / len(batch))).backward()
                    if clip is not None and bound is not None:
                        clip(parameters, bound.max)
                    step.step()
                    step.zero_grad()
                    left -= 1
        finally:
            torch.set_num_threads(threads)
        return _finished(parameters[0])

    return work


def timing(experiment: Experiment) -> dict[str, str]:
    """In words, by clock: where each kind of seconds is spent."""
    device, threads = engine.device_of(experiment), torch.get_num_threads()
    if device == "cuda":
        name = torch.cuda.get_device_name()
        return {"seconds": name, "pytorch_seconds": name}
    return {"seconds": f"CPU, {threads} thread{'s' * (threads > 1)}", "pytorch_seconds": "CPU, 1 thread"}


def _finished(theta: torch.Tensor) -> torch.Tensor:
    """The same, when a GPU has made what it was told."""
    if theta.is_cuda:
        torch.cuda.synchronize()
    return theta
