"""A stranger's CSV file as columns of cells (floor 1): bounded before anything is read, refused with a sentence.

Only the standard library's `csv` sees the text. Names are made harmless here, once, for every page and export.
"""

import codecs
import csv
import io
import re
from collections.abc import Sequence
from typing import NamedTuple

from mbsgd_core.errors import DataError

LARGEST = 2 * 2**20  # bytes
MOST_ROWS, MOST_COLUMNS, MOST_CELLS = 50_000, 200, 400_000
LONGEST_LINE, LONGEST_CELL = 100_000, 1_000  # characters
LONGEST_NAME = 60
ENDINGS = (".csv", ".tsv", ".txt")
DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
MISSING = {"", "na", "n/a", "nan", "null", "?"}
# float() would also take "1_000", "infinity" and other scripts' digits.
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)
_HARMLESS = str.maketrans("<>[]`\\", "‹›()'/")
_ENCODINGS = {
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}


class Sheet(NamedTuple):
    """Rows of text cells."""

    names: tuple[str, ...]  # of the columns: harmless, distinct, not empty
    columns: tuple[tuple[str, ...], ...]  # cells without blanks around them
    lines: tuple[int, ...]  # of the file, counted from 1: where each row ends
    notes: tuple[str, ...]  # sentences about what had to be changed


def read_csv(content: bytes) -> Sheet:
    r"""The cells of a file in UTF-8, separated by commas, semicolons, tabs or bars.

    A first row that holds a text is the header. Blank lines are passed over, and comment lines (#) above the header.

    Raises:
        DataError: no text, no table, too large or not in order; says where, and what to do.

    Example:
        >>> read_csv(b"x;y\n1;2\n3;4\n").columns
        (('1', '3'), ('2', '4'))
    """
    if len(content) > LARGEST:
        raise DataError(f"the file has {len(content):,} bytes; at most {LARGEST:,} are read: keep fewer rows")
    text = _decode(content)
    _check_lines(text)
    rows, lines = _rows(text, _delimiter(text))
    notes = []
    while rows and rows[0][0].startswith("#") and len(rows[0]) != len(rows[-1]):  # "# x, y" may be a header
        notes = ["The comment lines above the header are passed over."]
        del rows[0], lines[0]
    if not rows or len(rows[0]) < 2:
        raise DataError(
            "the file has one column; it needs two at least, one to predict and one to predict it from, separated by "
            f"{', '.join(DELIMITERS.values())}"
        )
    for cells, line in zip(rows, lines, strict=True):
        if len(cells) != len(rows[0]):
            raise DataError(
                f"line {line} has {len(cells)} cells where line {lines[0]} has {len(rows[0])}; make them as many, "
                "and put quotes around a cell that holds the separator"
            )
    header = [f"column {i + 1}" for i in range(len(rows[0]))]
    if all(NUMBER.fullmatch(cell) for cell in rows[0]):
        notes.append("There is no header: the columns are numbered.")
    else:
        rows[0][0] = rows[0][0].lstrip("# ")
        header, renamed = _distinct(rows.pop(0))
        del lines[0]
        notes += renamed
    if len(rows) < 2:
        raise DataError("the file has fewer than 2 rows of data; add rows, one a line")
    return Sheet(tuple(header), tuple(zip(*rows, strict=True)), tuple(lines), tuple(notes))


def harmless(text: str) -> str:
    """A name from a stranger, short and without a meaning to browsers, Markdown or spreadsheets.

    Example:
        >>> harmless("<img src=x>"), harmless("=cmd()"), harmless("-1")
        ('‹img src=x›', "'=cmd()", '-1')
    """
    plain = "".join(sign if sign.isprintable() else " " for sign in text[:1000]).strip().translate(_HARMLESS)
    short = plain if len(plain) <= LONGEST_NAME else f"{plain[: LONGEST_NAME - 3]}..."
    return f"'{short}" if short[:1] in tuple("=+-@") and not NUMBER.fullmatch(short) else short


def shown_name(file_name: str) -> str:
    """A file's name as a page may show it; DataError if it does not end as text does. It is never used as a path.

    Example:
        >>> shown_name("../../secrets.csv")
        'secrets.csv'
    """
    name = harmless(re.split(r"[/\\]", file_name)[-1])
    if not file_name.lower().endswith(ENDINGS):
        packed = " Unpack it first." if file_name.lower().endswith((".gz", ".zip", ".bz2", ".xz")) else ""
        raise DataError(f"{name} is not taken: its name should end in {', '.join(ENDINGS)}.{packed}")
    return name


def _decode(content: bytes) -> str:
    for mark, encoding in _ENCODINGS.items():
        if content.startswith(mark):
            raise DataError(f"the file is written in {encoding}; save it as UTF-8")
    if b"\x00" in content:
        line = content.count(b"\n", 0, content.index(b"\x00")) + 1
        raise DataError(f"line {line} holds a NUL byte, so this is no text; save the table as CSV in UTF-8")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        byte = content[error.start]
        raise DataError(f"line {line} is not UTF-8: it holds the byte {byte:#04x}; save the file as UTF-8") from None
    if re.match(r"\s*<(!doctype|html|\?xml|svg|script)", text, re.IGNORECASE):
        raise DataError("this is a web page or XML, not a table; export the table as CSV")
    return text


def _check_lines(text: str) -> None:
    """Refuse a line that would cost much to take apart."""
    for number, line in enumerate(io.StringIO(text, newline=None), 1):
        if len(line) > LONGEST_LINE:
            columns = max(map(line.count, DELIMITERS)) + 1
            raise DataError(
                f"line {number} has {len(line):,} characters and {columns:,} columns; at most {LONGEST_LINE:,} and "
                f"{MOST_COLUMNS} are read: shorten its cells, or keep fewer columns"
            )


def _delimiter(text: str) -> str:
    """What separates the cells: what stands most often in the first line that is neither blank nor a comment."""
    for line in io.StringIO(text, newline=None):
        if line.strip() and not line.startswith("#"):
            unquoted = re.sub(r'"[^"]*"', "", line)
            return max(DELIMITERS, key=unquoted.count)
    raise DataError("the file is empty; it needs a header and rows of numbers")


def _rows(text: str, delimiter: str) -> tuple[list[list[str]], list[int]]:
    """The rows with a cell, and the line that each ends in."""
    rows: list[list[str]] = []
    lines: list[int] = []
    begun, count = 0, 0
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True, skipinitialspace=True)
    try:
        for cells in reader:
            first, begun = begun + 1, reader.line_num
            if not cells or (len(cells) == 1 and not cells[0].strip()):
                continue
            if len(cells) > MOST_COLUMNS:
                raise DataError(f"line {first} has {len(cells):,} columns; at most {MOST_COLUMNS} are read: keep fewer")
            longest = max(map(len, cells))
            if longest > LONGEST_CELL:
                raise DataError(
                    f"line {first} has a cell of {longest:,} characters; at most {LONGEST_CELL:,} are read: shorten "
                    "it, or look for a quote that is never closed"
                )
            count += len(cells)
            if len(rows) > MOST_ROWS or count > MOST_CELLS:
                raise DataError(
                    f"the file has more than {MOST_ROWS:,} rows or {MOST_CELLS:,} cells; keep fewer rows or columns"
                )
            rows.append([cell.strip() for cell in cells])
            lines.append(begun)
    except csv.Error as error:
        why = "a quote is opened and never closed" if "unexpected end" in str(error) else str(error)
        raise DataError(f"line {begun + 1} cannot be read: {why}; mend the quotes, or take them out") from None
    return rows, lines


def _distinct(cells: Sequence[str]) -> tuple[list[str], list[str]]:
    """A header's names, none empty or twice; and what had to be done for it, in sentences."""
    names: list[str] = []
    notes: dict[str, None] = {}
    for i, cell in enumerate(cells):
        name = plain = harmless(cell)
        if not name:
            name = plain = f"column {i + 1}"
            notes["Columns without a name are numbered."] = None
        again = 2
        while name in names:
            name = f"{plain} ({again})"
            again += 1
        if name != plain:
            notes[f"The name {plain} stands twice: the second is called {name}."] = None
        names.append(name)
    return names, list(notes)
