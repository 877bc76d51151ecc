"""The user's own table."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, ClassVar

from pydantic import model_validator

from mbsgd_core.errors import DataError, ExperimentError
from mbsgd_core.knobs import Examples, Flag, Text, knob
from mbsgd_core.memory_cache import byte_lru
from mbsgd_core.problems.datasets import _file_store
from mbsgd_core.problems.datasets._csv_table import Reading, reading
from mbsgd_core.problems.datasets._csv_text import DELIMITERS, LARGEST, Sheet, harmless, read_csv
from mbsgd_core.problems.datasets.base import Dataset, Table, Task

MOST_CHARACTERS = 40_000  # of all lines that an experiment carries; a link holds 64,000
MOST_LINES = LONGEST_LINE = 2_000
_EXAMPLE = ("slept,studied,passed", "7,1,0", "5,2,0", "8,2,0", "6,3,0", "4,4,0", "7,4,1", "5,5,0", "8,5,1", "6,6,1")


class Csv(Dataset):
    """Your own table: one column is predicted from others.

    A small file is carried line by line in the experiment, so that its link works everywhere. A larger one is named by
    its SHA-256: it is looked for among the server's uploads and the .csv files of the folder MBSGD_DATA, and nowhere
    else; so the same link never means other data.

    Rows that lack a value in a used column are left out; a target with texts, or with `labels`, is classes in sorted
    order; a text in an input column is an error that names its line. `reading.notes` says what was done.

    Example:
        >>> Csv(lines=("x,y,kind", "1,2,a", "3,4,b", "5,,b")).reading.notes
        ('Left out for want of a value: 1 of 3 rows, the first in line 4.',)
    """

    title: ClassVar[str] = "Your own table"
    summary: ClassVar[str] = "A CSV file of yours: numbers to predict from, and a number or a class to predict."
    task: ClassVar[Task] = "any"
    examples: ClassVar[Examples] = ({}, {"labels": True}, {"target": "studied", "inputs": ("slept",)})

    lines: tuple[Text, ...] = knob(
        _EXAMPLE,
        label="Lines",
        help="The lines of the file, the header first; none where the file is named by its SHA-256.",
        max_length=MOST_LINES,
        page=(0, LONGEST_LINE),
    )
    sha256: Text = knob(
        "",
        label="SHA-256",
        help="Of a larger file, in hexadecimal: an upload of this server, or a .csv in the folder MBSGD_DATA.",
        max_length=64,
        page=(0, 64),
    )
    target: Text | None = knob(
        None, label="Target", help="The column that is predicted; null: the last.", page=(0, 100)
    )
    inputs: tuple[Text, ...] | None = knob(
        None, label="Inputs", help="The columns it is predicted from; null: all others.", min_length=1
    )
    labels: Flag = knob(
        False, label="Target is a class", help="Each distinct value of the target is a class; texts always are."
    )

    @model_validator(mode="before")
    @classmethod
    def _one_source(cls, given: Any) -> Any:
        if isinstance(given, dict) and given.get("sha256"):
            if given.get("lines"):
                raise ExperimentError("give the lines or the sha256 of a file, not both", ("sha256",))
            return {**given, "lines": ()}
        return given

    @model_validator(mode="after")
    def _can_be_read(self) -> "Csv":
        size = sum(map(len, self.lines))
        if size > MOST_CHARACTERS:
            raise ExperimentError(
                f"the lines hold {size:,} characters; at most {MOST_CHARACTERS:,} are carried: put the file into the "
                "folder MBSGD_DATA and give its sha256",
                ("lines",),
            )
        _ = self.reading
        return self

    @classmethod
    def of(
        cls, content: bytes, target: str | None = None, inputs: Sequence[str] | None = None, labels: bool = False
    ) -> tuple["Csv", tuple[str, ...]]:
        """The data set of a file, carried if it is small, else kept by this server; and notes on what was done.

        Args:
            content: the bytes of an upload.
            target, inputs, labels: the knobs.

        Raises:
            LabError: it cannot be read or used so; says where, in lines of this file, and why.

        Example:
            >>> data, notes = Csv.of(b"# mine\\nx,y\\n1,2\\n3,4\\n")
            >>> data.lines, notes
            (('x,y', '1,2', '3,4'), ('The comment lines above the header are passed over.',))
        """
        sheet = read_csv(content)
        notes = reading(sheet, target, inputs, labels).notes
        roles = {"target": target, "inputs": inputs if inputs is None else tuple(inputs), "labels": labels}
        lines = _plain_lines(sheet)
        if lines is not None:
            return cls(lines=lines, **roles), notes
        return cls(sha256=_file_store.keep(content), **roles), notes

    @property
    def sheet(self) -> Sheet:
        """The cells."""
        return _sheet(self.lines, self.sha256)

    @property
    def reading(self) -> Reading:
        """The table, and what had to be done for it, in sentences."""
        return _reading(self)

    def table(self, seed: int) -> Table:
        return self.reading.table


def _plain_lines(sheet: Sheet) -> tuple[str, ...] | None:
    """The sheet as lines that a link may hold, and that are read as the same numbers and classes; None if too large."""
    columns = []
    for cells in sheet.columns:
        plain = {cell: harmless(cell) for cell in set(cells)}
        if len(set(plain.values())) < len(plain):
            return None  # two classes would become one
        columns.append([plain[cell] for cell in cells])
    lines = [",".join(map(_quoted, cells)) for cells in (sheet.names, *zip(*columns, strict=True))]
    lengths = list(map(len, lines))
    small = len(lines) <= MOST_LINES and max(lengths) <= LONGEST_LINE and sum(lengths) <= MOST_CHARACTERS
    return tuple(lines) if small else None


def _quoted(cell: str) -> str:
    return '"' + cell.replace('"', '""') + '"' if any(sign in cell for sign in (*DELIMITERS, '"')) else cell


@lru_cache(maxsize=2)  # cells are texts, which weigh more than the numbers in them
def _sheet(lines: tuple[str, ...], digest: str) -> Sheet:
    if lines or not digest:
        return read_csv("\n".join(lines).encode("utf-8", "surrogatepass"))
    content = _file_store.find(digest, LARGEST)
    if content is None:
        raise DataError(
            f"the file with the SHA-256 {digest[:12]!r}... is not here; upload it again, or put it as a .csv file into "
            "the folder that MBSGD_DATA names"
        )
    return read_csv(content)


@byte_lru(most=8)
def _reading(data: Csv) -> Reading:
    return reading(data.sheet, data.target, data.inputs, data.labels)
