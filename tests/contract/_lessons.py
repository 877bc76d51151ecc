"""The numbers that a lesson's sentences speak of."""

import re
from typing import Any


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
