"""What a lesson's sentences speak of: the numbers in them, and whether what they claim holds."""

import math
import re
from itertools import pairwise
from typing import Any

import pytest

from mbsgd_core.claims import base


def numbers_in(tree: Any) -> set[float]:
    """All numbers of a JSON tree, those inside its texts too."""
    if isinstance(tree, dict):
        return set().union(*map(numbers_in, tree.values())) if tree else set()
    if isinstance(tree, list):
        return set().union(*map(numbers_in, tree)) if tree else set()
    if isinstance(tree, str):
        return numbers_said(tree)
    return {float(tree)} if isinstance(tree, (int, float)) else set()


def numbers_said(text: str) -> set[float]:
    """The numbers in a sentence: "1,024" and "1 %" (0.01) too; not those inside a formula such as 2/L."""
    said = set()
    for digits, percent in re.findall(r"(?<![\w/^.])(\d[\d,]*(?:\.\d+)?(?:e-?\d+)?)(?![\w/])( %)?", text):
        value = float(digits.rstrip(",").replace(",", ""))
        said.add(value / 100 if percent else value)
    return said


ASIDE = ("measure", "lane", "is", "between", "order", "level", "ratio", "in")


def holds(setup: dict[str, Any], claim: dict[str, Any]) -> None:
    """Assert what a claim says of a lesson's experiment; its other fields are the measurement's."""
    options = {key: value for key, value in claim.items() if key not in ASIDE}

    def value(lane: str) -> Any:
        return base.of(setup, claim["measure"], lane, **options)

    if "order" in claim:
        values = [math.inf if each is None else each for each in map(value, claim["order"])]
        assert all(a < b for a, b in pairwise(values)), values
    elif "level" in claim:
        assert len({value(lane) for lane in claim["level"]}) == 1
    else:
        found = value(claim["ratio"][0]) / value(claim["ratio"][1]) if "ratio" in claim else value(claim["lane"])
        rows = found if isinstance(found, list) else [found]
        if "between" in claim:
            assert all(claim["between"][0] <= each <= claim["between"][1] for each in rows), found
        else:
            wanted = claim["is"] if isinstance(claim["is"], list) else [claim["is"]]
            assert len(rows) == len(wanted)
            for each, goal in zip(rows, wanted, strict=True):
                assert each == goal or each == pytest.approx(goal, rel=0.03), (found, claim["is"])
