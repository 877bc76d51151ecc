"""What runs came to, compiled (floor 3): one pass over the losses of many lanes side by side."""

import math

from mbsgd_core.kernels.machine import exact


@exact
def judge(loss, updates, lost, first, limit, target, final, best, steps):
    """Final and best loss and the steps to a target, of L lanes that begin with the loss `first`.

    Args:
        loss: (K, L) objectives at the records.
        updates: (K,) their numbers.
        lost: (L,) when theta ceased to be finite, -1: never; becomes when the run diverged, by its loss too.
        first: the loss of record 0, the start.
        limit: a finite number; a loss beyond it, in size, is a divergence.
        target: not a number: there is none.
        final, best, steps: (L,) results; final is not a number where the run diverged.
    """
    lanes = lost.shape[0]
    for lane in range(lanes):
        final[lane], best[lane], steps[lane] = first, first, 0 if first <= target else -1
        if not abs(first) <= limit:  # nothing comes of such a start
            best[lane], steps[lane], lost[lane] = math.nan, -1, 0
    for k in range(updates.shape[0]):
        for lane in range(lanes):
            if lost[lane] >= 0 and updates[k] >= lost[lane]:
                continue
            value = loss[k, lane]
            if not abs(value) <= limit:
                lost[lane] = updates[k]
                continue
            final[lane], best[lane] = value, min(best[lane], value)
            if steps[lane] < 0 and value <= target:
                steps[lane] = updates[k]
    for lane in range(lanes):
        if lost[lane] >= 0:
            final[lane] = math.nan
