"""Numbers and points in words (floor 4)."""

import math
from collections.abc import Sequence


def number(value: float) -> str:
    """Three significant digits, thousands grouped, powers of ten only where they help.

    Example:
        >>> number(0.123456), number(14537.9), number(2.5e-7), number(8.123e9), number(3.0)
        ('0.123', '14,538', '2.5e-07', '8.12e+09', '3')
    """
    if not math.isfinite(value):
        return "not a number" if math.isnan(value) else ("infinity" if value > 0 else "-infinity")
    if 1000 <= abs(value) < 1e6:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def point(theta: Sequence[float]) -> str:
    """Coordinates in brackets; only the first four of a long vector.

    Example:
        >>> point([0.0, 1.5]), point([1, 2, 3, 4, 5, 6])
        ('(0, 1.5)', '(1, 2, 3, 4, ... 6 numbers)')
    """
    shown = ", ".join(number(float(v)) for v in theta[:4])
    return f"({shown})" if len(theta) <= 4 else f"({shown}, ... {len(theta)} numbers)"


def share(value: float) -> str:
    """A fraction as a percentage.

    Example:
        >>> share(0.5), share(0.98765)
        ('50 %', '98.8 %')
    """
    return f"{100 * value:.3g} %"
