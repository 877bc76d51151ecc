"""A textbook claim and what was measured about it (floor 0): a file of assets/claims each, read by page and tests."""

import json
from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, JsonValue

from mbsgd_core.errors import DataError

FOLDER = Path(__file__).resolve().parents[2] / "assets" / "claims"
LESSONS = FOLDER.parent / "presets"

Verdict = Literal["OK", "~", "X"]
SIGNS: dict[Verdict, str] = {"OK": "✓ OK", "~": "~", "X": "✗ X"}
WORDS: dict[Verdict, str] = {"OK": "holds", "~": "holds with a condition", "X": "wrong or misleading"}
Value = float | list[float | None] | None  # None: never, or without bound


class Measured(BaseModel):
    """One number of a claim, or a row of them: what it is, how it is measured, and what should come out."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    what: str
    how: dict[str, JsonValue]  # "measure" names a function of claims/, the rest are its arguments
    expected: Value = None  # of an independent computation
    tolerance: float = 0.03  # of it
    range: tuple[float, float] | None = None  # in place of it
    unit: str = ""
    value: Value = None

    def is_right(self, value: Value) -> bool:
        """Whether a measured value is what is expected.

        Example:
            >>> one = Measured(what="steps", how={"measure": "updates_to"}, expected=[20, None], tolerance=0.1)
            >>> one.is_right([21, None]), one.is_right([23, None]), one.is_right([20, 20])
            (True, False, False)
        """
        found = value if isinstance(value, list) else [value]
        if self.range is not None:
            least, most = self.range
            return all(each is not None and least <= each <= most for each in found)
        wanted = self.expected if isinstance(self.expected, list) else [self.expected]
        return len(found) == len(wanted) and all(
            near(each, goal, self.tolerance) for each, goal in zip(found, wanted, strict=True)
        )


class Claim(BaseModel):
    """What a text says, who says it, what was run, what came out, and what to think of it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    number: str  # "1" ... "56" of the table; "s1" ... "s8": most likely to be got wrong
    claim: str
    said_by: str
    papers: str
    verdict: Verdict
    nuance: str
    bench: str | dict[str, JsonValue]  # a lesson's name, or an experiment
    lessons: tuple[str, ...] = ()  # others that are about it
    experiment: str  # what is run, in words
    measured: tuple[Measured, ...]
    dear: bool = False  # takes more than some seconds: the tests trust the digest
    digest: str = ""  # of all that the values depend on, when they were written

    @property
    def setup(self) -> dict[str, JsonValue]:
        """The experiment of its bench, as plain values."""
        if isinstance(self.bench, str):
            found: dict[str, JsonValue] = lesson(self.bench)
            return found
        return self.bench

    def text(self) -> str:
        """Its file: a field a line, a measured value a line."""
        kept = json.loads(self.model_dump_json(exclude_defaults=True))
        lines = [f"  {json.dumps(key)}: {_laid_out(key, value)}" for key, value in kept.items()]
        return "{\n" + ",\n".join(lines) + "\n}\n"


def near(value: float | None, goal: float | None, tolerance: float) -> bool:
    """Whether two numbers are equal within a share of the goal; None is equal to None alone."""
    if value is None or goal is None:
        return value is goal
    return abs(value - goal) <= tolerance * abs(goal)


@cache
def read() -> dict[Path, Claim]:
    """All claims by their files, in order: the eight most likely to be got wrong come last.

    Raises:
        DataError: there are none: an installed core comes without them.
    """
    found = {path: Claim.model_validate_json(path.read_bytes()) for path in sorted(FOLDER.glob("*.json"))}
    if not found:
        raise DataError("the claims are not here: they come with a checkout of the app")
    return found


@cache
def lesson(name: str) -> dict[str, JsonValue]:
    """The experiment of a lesson, by the name of its file."""
    experiment: dict[str, JsonValue] = json.loads((LESSONS / f"{name}.json").read_bytes())["experiment"]
    return experiment


def _laid_out(key: str, value: JsonValue) -> str:
    if key == "measured" and isinstance(value, list):
        return "[\n" + ",\n".join(f"    {json.dumps(each, ensure_ascii=False)}" for each in value) + "\n  ]"
    return json.dumps(value, ensure_ascii=False)
