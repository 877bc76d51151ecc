"""torch's recursion for half a cosine, shared by cosine and warmup_cosine."""

import math


def next_rate(t: int, rate: float, peak: float, eta_min: float, length: int) -> float:
    """The rate of interval t from that of t - 1: down to eta_min at `length`, up to the peak at 2 `length`, ..."""
    if (t - 1 - length) % (2 * length) == 0:  # leaves the bottom, where the recursion would divide 0 by 0
        return rate + (peak - eta_min) * (1 - math.cos(math.pi / length)) / 2
    ratio = (1 + math.cos(math.pi * t / length)) / (1 + math.cos(math.pi * (t - 1) / length))
    return ratio * (rate - eta_min) + eta_min
