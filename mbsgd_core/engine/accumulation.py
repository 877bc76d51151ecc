"""Gradients that accumulate: several batches make one update, at the memory of one of them (floor 3)."""

from typing import NamedTuple

from torch import Tensor

from mbsgd_core.problems.base import Batch, FiniteSum, Place


class Batches(NamedTuple):
    """The batches of one update; each is gathered when it is its turn."""

    indices: Tensor  # (R, b_1 + b_2 + ...)
    size: int  # of every batch but the last
    place: Place  # of the first


def batch_gradient(
    problem: FiniteSum, theta: Tensor, batch: Batch | Batches, heard: bool
) -> tuple[Tensor, Tensor | None]:
    """The mean gradient over an update's samples (R, P) and, if it is asked for and at hand, their mean loss (R,).

    g = sum_k b_k g_k / sum_k b_k,    b_k the size of batch k
    """
    if not isinstance(batch, Batches):
        return problem.gradient_and_loss(theta, batch) if heard else (problem.gradient(theta, batch), None)
    total: Tensor | None = None
    loss: Tensor | None = None
    for k, rows in enumerate(batch.indices.split(batch.size, dim=1)):
        place = batch.place._replace(position=batch.place.position + k)
        (part,) = problem.gather_at(rows.contiguous()[None], place)
        own, own_loss = batch_gradient(problem, theta, part, heard)
        share = rows.shape[1] / batch.indices.shape[1]
        total = own * share if total is None else total.add_(own, alpha=share)
        if own_loss is not None:
            loss = own_loss * share if loss is None else loss.add_(own_loss, alpha=share)
    assert total is not None, "an update takes at least one batch"
    return total, loss
