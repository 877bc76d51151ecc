"""Numbers as words (floor 0): one rule, here and in assets/bench/format.js; tests/format_cases.json holds both to it.

A number has three significant digits; halves are rounded away from zero; idle zeros are left out. From 1,000 its
thousands are set apart by commas. Below 0.001 and from 1,000,000, in size and once it is rounded, it is written with a
power of ten: 2.5e-7, 1.78e6. So 999.7 is "1,000" and 999,999.5 is "1e6". A negative number begins with "-", the
character that may be typed into a box; zero has no sign. What is not a number, or not known, is "–", infinity "∞".
"""

import math
from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Context, Decimal

NONE = "–"
LEAST, MOST = -3, 6  # powers of ten between which a number is written out
FIGURES, AS_SET = 3, 6  # significant digits of what is measured, and of what somebody has set
_ROUND = {figures: Context(prec=figures, rounding=ROUND_HALF_UP) for figures in (FIGURES, AS_SET)}
_LONG = Context(prec=400, rounding=ROUND_HALF_UP)  # any float64 to any digit


def number(value: float | None) -> str:
    """A measured number: three significant digits.

    Example:
        >>> number(0.123456), number(14537.9), number(999.7), number(2.5e-7), number(8.123e9), number(-0.0)
        ('0.123', '14,500', '1,000', '2.5e-7', '8.12e9', '0')
    """
    return _written(value, FIGURES, zeros=False)


def steady(value: float | None) -> str:
    """The same with its idle zeros, for columns and for numbers that run.

    Example:
        >>> steady(0.1), steady(12.0), steady(1234.5), steady(1e-5)
        ('0.100', '12.0', '1,230', '1.00e-5')
    """
    return _written(value, FIGURES, zeros=True)


def setting(value: float | None) -> str:
    """A number that somebody has set: up to six significant digits, so that it is what was set.

    Example:
        >>> setting(0.4675), setting(0.1), setting(1e-8), setting(1234.5)
        ('0.4675', '0.1', '1e-8', '1,234.5')
    """
    return _written(value, AS_SET, zeros=False)


def count(value: float | None) -> str:
    """A whole number with all its digits, below 1e21.

    Example:
        >>> count(8840), count(2.5), count(-0.4)
        ('8,840', '3', '0')
    """
    return _special(value) or _fixed(float(value or 0), 0)


def percent(value: float | None) -> str:
    """A share, 0 ... 1, for columns of percentages: two decimals.

    Example:
        >>> percent(0.98765), percent(1), percent(float("nan"))
        ('98.77 %', '100.00 %', '–')
    """
    return _special(value) or f"{_fixed(100 * float(value or 0), 2)} %"


def share(value: float | None) -> str:
    """A share, 0 ... 1, in a sentence: three significant digits, and never all of it where something is missing.

    Example:
        >>> share(0.5), share(0.98765), share(0.99999), share(1.0)
        ('50 %', '98.8 %', '> 99.9 %', '100 %')
    """
    text = number(None if value is None else 100 * value)
    if text == "100" and value is not None and value < 1:
        return "> 99.9 %"
    return text if text in (NONE, "∞", "-∞") else f"{text} %"


def seconds(value: float | None) -> str:
    """A time with the unit that fits.

    Example:
        >>> seconds(0.0123), seconds(0.9996), seconds(0), seconds(150), seconds(1e4)
        ('12.3 ms', '1 s', '0 s', '2.5 min', '2.78 h')
    """
    if _special(value):
        return _special(value)
    value = float(value or 0)
    size = _rounded(value)
    if size == 0:
        return "0 s"
    if size < 1e-3:
        return f"{number(value * 1e6)} µs"
    if size < 1:
        return f"{number(value * 1e3)} ms"
    if size < 120:
        return f"{number(value)} s"
    return f"{number(value / 60)} min" if size < 7200 else f"{number(value / 3600)} h"


def storage(value: float | None) -> str:
    """Bytes with the unit that fits, in steps of 1,000.

    Example:
        >>> storage(512), storage(268_144), storage(999_999), storage(48e9)
        ('512 B', '268 kB', '1 MB', '48 GB')
    """
    if _special(value):
        return _special(value)
    size = float(value or 0)
    units = ["B", "kB", "MB", "GB", "TB"]
    while len(units) > 1 and _rounded(size) >= 1000:
        size, units = size / 1000, units[1:]
    return f"{number(size)} {units[0]}"


def plural(value: float, word: str) -> str:
    """A count with its noun.

    Example:
        >>> plural(1, "sample"), plural(32, "sample"), plural(0, "update")
        ('1 sample', '32 samples', '0 updates')
    """
    return f"{count(value)} {word}{'' if value == 1 else 's'}"


def point(theta: Sequence[float]) -> str:
    """Coordinates in brackets; only the first four of a long vector.

    Example:
        >>> point([0.0, 1.5]), point([1, 2, 3, 4, 5, 6])
        ('(0, 1.5)', '(1, 2, 3, 4, ... 6 numbers)')
    """
    shown = ", ".join(number(float(v)) for v in theta[:4])
    return f"({shown})" if len(theta) <= 4 else f"({shown}, ... {len(theta)} numbers)"


def listed(words: Sequence[str]) -> str:
    """Words joined as in a sentence.

    Example:
        >>> listed(["BGD"]), listed(["BGD", "SGD", "Mini-batch"])
        ('BGD', 'BGD, SGD and Mini-batch')
    """
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _special(value: float | None) -> str:
    """The word for what has no digits; "" for all else."""
    if value is None or math.isnan(value):
        return NONE
    return ("-∞" if value < 0 else "∞") if math.isinf(value) else ""


def _rounded(value: float) -> float:
    """Its size, rounded as `number` rounds it: units are chosen by what will be read."""
    return float(_ROUND[FIGURES].create_decimal_from_float(abs(value)))


def _written(value: float | None, figures: int, zeros: bool) -> str:
    if _special(value):
        return _special(value)
    value = float(value or 0)
    sign = "-" if value < 0 else ""
    exact = _ROUND[figures].create_decimal_from_float(abs(value))
    power = exact.adjusted() if value else 0
    digits = "".join(map(str, exact.as_tuple().digits)).ljust(figures, "0")
    if power < LEAST or power >= MOST:
        return f"{sign}{_trim(f'{digits[0]}.{digits[1:]}', zeros)}e{power}"
    if power < 0:
        return sign + _trim(f"0.{'0' * (-power - 1)}{digits}", zeros)
    whole, rest = digits[: power + 1].ljust(power + 1, "0"), digits[power + 1 :]
    return sign + _trim(f"{_grouped(whole)}.{rest}", zeros)


def _trim(text: str, zeros: bool) -> str:
    return (text if zeros else text.rstrip("0")).removesuffix(".")


def _grouped(digits: str) -> str:
    return f"{int(digits):,}"


def _fixed(value: float, decimals: int) -> str:
    if abs(value) >= 1e21:
        return number(value)
    text = f"{_LONG.quantize(Decimal(value), Decimal(1).scaleb(-decimals)):,f}"
    return text.removeprefix("-") if not text.strip("-0.") else text
