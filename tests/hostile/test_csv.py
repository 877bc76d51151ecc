"""Every table that people, or attackers, upload: tests/hostile/csv_uploads.json, the bodies and the file names."""

import hashlib
import json
import os
import random
import re
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from mbsgd_core.errors import DataError, ExperimentError, LabError
from mbsgd_core.experiment import Experiment
from mbsgd_core.problems.datasets import _file_store, csv
from mbsgd_core.problems.datasets._csv_text import LARGEST, harmless, shown_name
from mbsgd_core.problems.datasets.csv import Csv
from mbsgd_core.share import from_query, to_query

CASES = json.loads(Path(__file__).with_name("csv_uploads.json").read_text())
# What each expectation allows: (refused with a sentence, taken in silence, taken with a note).
OUTCOMES = {
    "accept": {"taken", "noted"},
    "accept_with_warning": {"noted"},
    "accept_escaped": {"taken", "noted"},
    "accept_or_reject_named": {"noted", "refused"},
    "reject": {"refused"},
    "reject_row_named": {"refused"},
    "reject_or_warning": {"refused", "noted"},
}
# Words that the sentence or note must hold, where the list asks for more than an outcome.
WORDS = {
    "C012": "no text",
    "C011": "NUL",
    "C018": "0x80",
    "C016": "web page",
    "C010": "one column",
    "C009": "fewer than 2 rows",
    "C019": "UTF-16",
    "C020": "line 2 .*0xe9",
    "C034": "line 2",
    "C027": "stands twice",
    "C029": "comment",
    "C028": "without a name",
    "C032": "1,000,001 columns",
    "C025": "line 2 .*never closed",
    "C052": "line 2, column x1: '2024-01-01'",
    "C037": "1 of 41 rows.* line 42",
    "C046": "YES, Yes, yes",
    "C038": "1 of 41 rows.* line 42",
    "C055": "19,960 of 20,000 rows",
    "C050": "line 2, column x1.*with a point",
    "C042": "x2 is the same",
    "C040": "fewer than 2 rows",
    "C053": "line 2, column x1: '0x0'",
    "C049": "x1 hardly varies",
    "C060": "line 2",
}
MARKUP = set("<>[]`\\")


@pytest.fixture(autouse=True)
def _own_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("MBSGD_UPLOADS", str(tmp_path / "uploads"))


def body(case) -> bytes:
    # The bodies are written as expressions of our own making.
    return eval(case["python_bytes"], {"__builtins__": {"bytes": bytes, "range": range}})


def upload(content: bytes, **roles) -> tuple[str, str, Csv | None]:
    """(outcome, sentences, data set)."""
    try:
        data, notes = Csv.of(content, **roles)
    except DataError as error:
        return "refused", str(error), None
    return "noted" if notes else "taken", " ".join(notes), data


@pytest.mark.parametrize("case", CASES["bodies"], ids=lambda case: case["id"])
def test_a_hostile_table_is_taken_or_refused_with_a_sentence(case):
    outcome, said, data = upload(body(case))
    assert outcome in OUTCOMES[case["expect"]], said
    assert re.search(WORDS.get(case["id"], ""), said)
    assert said.isprintable() and len(said) < 400 and not MARKUP & set(said)
    assert "Error" not in said and "Traceback" not in said
    if case["expect"] == "reject_row_named":
        assert re.match(r"line \d+, column ", said)
    if data is not None:
        table = data.table(0)
        assert np.isfinite(table.x).all() and np.isfinite(table.y).all()
        for name in (*table.features, table.target, *table.classes):
            assert name and name.isprintable() and not MARKUP & set(name) and not name.startswith("\ufeff")


@pytest.mark.parametrize("case", CASES["bodies"], ids=lambda case: case["id"])
def test_a_table_that_is_taken_trains_and_travels(case):
    _, _, data = upload(body(case))
    if data is None:
        with pytest.raises(LabError):
            Csv.of(body(case))
        return
    model = "mlp" if data.table(0).classes else "linear_regression"
    experiment = Experiment.model_validate(
        {
            "problem": {"name": model, "dataset": data.model_dump(mode="json")},
            "lanes": [{"sampler": "full_batch", "schedule": {"name": "constant", "learning_rate": 0.1}}],
        }
    )
    again, notices = from_query(to_query(experiment), page=True)
    assert notices == []
    assert again == experiment
    for one, other in zip(again.problem.dataset.table(0), data.table(0), strict=True):  # type: ignore[attr-defined]
        assert np.array_equal(one, other)


def test_every_expectation_is_known():
    assert {case["expect"] for case in CASES["bodies"]} == set(OUTCOMES)


def test_a_table_costs_little_memory():
    for identifier in ("C032", "C034", "C055", "C060"):
        content = body(next(case for case in CASES["bodies"] if case["id"] == identifier))
        tracemalloc.start()
        upload(content)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 50 * 2**20


@pytest.mark.parametrize("case", CASES["file_names"], ids=lambda case: case["id"])
def test_a_file_name_is_shown_harmlessly_or_refused(case):
    name = case["file_name"]
    try:
        shown = shown_name(name)
    except DataError as error:
        shown = str(error)
        assert ".csv" in shown and not name.lower().endswith(".csv")
    assert shown.isprintable() and not (MARKUP | {"/"}) & set(shown)
    assert len(shown) < 200 and ".streamlit" not in shown


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("data.csv", "data.csv"),
        ("DATA.TSV", "DATA.TSV"),
        ("C:\\files\\my table.txt", "my table.txt"),
        ("=cmd().csv", "'=cmd().csv"),
        ("x" * 100 + ".csv", "x" * 57 + "..."),
    ],
)
def test_a_decent_file_name_is_kept(name, shown):
    assert shown_name(name) == shown


@pytest.mark.parametrize("name", ["data.csv.gz", "data.xlsx", "data", "", "a.csv\0.exe", ".csv.pkl"])
def test_other_kinds_of_file_are_refused(name):
    with pytest.raises(DataError, match=r"should end in \.csv, \.tsv, \.txt"):
        shown_name(name)


GOOD = b"a,b,c\n1,2,3\n4,5,6\n7,8,10\n"


@pytest.mark.parametrize(
    ("content", "columns"),
    [
        (GOOD.replace(b",", b";"), ("a", "b")),
        (GOOD.replace(b",", b"\t"), ("a", "b")),
        (GOOD.replace(b",", b"|"), ("a", "b")),
        (GOOD.replace(b"\n", b"\r\n"), ("a", "b")),
        (GOOD.replace(b"\n", b"\r"), ("a", "b")),
        (GOOD.rstrip(), ("a", "b")),
        (GOOD.replace(b",", b" , "), ("a", "b")),
        (b"#" + GOOD, ("a", "b")),
        (b"# two,words\n# of comment\n\n" + GOOD, ("a", "b")),
        (b'"a","b, with a comma","c ""quoted"""\n1,2,3\n4,5,6\n7,8,10\n', ("a", "b, with a comma")),
        (GOOD[6:], ("column 1", "column 2")),
        (b'"a;b;c;d","e|f",c\n1,2,3\n4,5,6\n7,8,10\n', ("a;b;c;d", "e|f")),
        ("größe,漢字,c\n1,2,3\n4,5,6\n7,8,10\n".encode(), ("größe", "漢字")),
    ],
    ids=lambda value: "" if isinstance(value, bytes) else value[0],
)
def test_usual_dialects_are_read_alike(content, columns):
    table = Csv.of(content)[0].table(0)
    assert table.x.tolist() == [[1, 2], [4, 5], [7, 8]] and table.y.tolist() == [3, 6, 10]
    assert table.features == columns and table.classes == ()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"\n\n  \n", "empty"),
        (b"# only\n# comments", "empty"),
        (b"a,b\n", "fewer than 2 rows"),
        (b"a,b\n1,2\n3\n", "line 3 has 1 cells where line 1 has 2"),
        (b"a,b\n1,2\n3,4,5\n", "line 3 has 3 cells"),
        (b"a,b\ninf,2\n3,4\n", "line 2, column a: 'inf' is no number"),
        (b"a,b\n1e999,2\n3,4\n", "line 2, column a: '1e999' is too large"),
        (b"a,b\n1_000,2\n3,4\n", "'1_000' is no number"),
        ("a,b\n\u0661,2\n3,4\n".encode(), "is no number"),
        (b'a,b\n1,2\n"3" x,4\n', "line 3 cannot be read"),
        (b"a,b\n1,2\n" + b"3" * 1001 + b",4\n", "line 3 has a cell of 1,001 characters"),
        (b"a," * 200 + b"b\n", "201 columns; at most 200"),
        (b"a,b\n" + b"1,2\n" * 50_001, "more than 50,000 rows"),
        (b"a," * 199 + b"b\n" + b"1," * 199 + b"2\n" + (b"1," * 199 + b"2\n") * 2000, "400,000 cells"),
        (b"x" * (LARGEST + 1), "bytes; at most 2,097,152"),
        (b"PK\x03\x04\x14\x00", "no text"),
        (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "not UTF-8"),
        (b"\x1f\x8b\x08", "not UTF-8"),
        ("a,b\n1,2\n3,4\n".encode("utf-16-le"), "no text"),
        ("a,b\n1,2\n3,4\n".encode("utf-32"), "UTF-32"),
        (b'<?xml version="1.0"?><x/>', "XML"),
        (b'{"a": [1, 2], "b": 3}\n', "line 1 cannot be read"),
        (b"a,kind\n1,x\n2,x\n", "one value only"),
        (b"a,kind\n" + b"".join(b"%d,k%d\n" % (i, i) for i in range(60)), "60 different values.* line 2 holds 'k0'"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_used_is_refused(content, words):
    outcome, said, _ = upload(content)
    assert outcome == "refused" and re.search(words, said), said
    assert said.isprintable() and len(said) < 400


FORMULA = b'a,b,=cmd|\'/C calc\'!A0\n1,2,"=HYPERLINK(""http://x"")"\n4,5,@SUM(1)\n7,8,+1+1\n9,9,-1\n'


def test_formulas_of_spreadsheets_are_only_texts_and_shown_as_such():
    table = Csv.of(FORMULA)[0].table(0)
    assert table.target == "'=cmd|'/C calc'!A0"
    assert set(table.classes) == {'\'=HYPERLINK("http://x")', "'@SUM(1)", "'+1+1", "-1"}


@pytest.mark.parametrize("text", ["<b>", "a" * 99, "=1+1", "\u202eabc\x00\n", "x`y`", "[a](b)", " ", "'=x", "-1", "-x"])
def test_what_is_harmless_stays_as_it_is(text):
    assert harmless(harmless(text)) == harmless(text)


def test_the_roles_of_the_columns():
    content = b"id,size,kind,weight\nr1,1,cat,4\nr2,2,dog,9\nr3,3,cat,5\nr4,,dog,8\n"
    with pytest.raises(DataError, match="line 2, column id: 'r1' is no number"):
        Csv.of(content)
    number, notes = Csv.of(content, target="weight", inputs=["size"])
    assert number.table(0).y.tolist() == [4, 9, 5] and number.table(0).task == "any"
    assert notes == ("Left out for want of a value: 1 of 4 rows, the first in line 5.",)
    label, notes = Csv.of(content, target="kind", inputs=["weight"])
    assert label.table(0).classes == ("cat", "dog") and label.table(0).y.tolist() == [0, 1, 0, 1]
    assert label.table(0).task == "classification" and notes == ()
    for roles, words in (
        ({"target": "wieght"}, "did you mean 'weight'"),
        ({"inputs": ["colour"]}, "known: id, size"),
        ({"target": "size", "inputs": ["size"]}, "cannot be an input too"),
    ):
        with pytest.raises(ExperimentError, match=words):
            Csv.of(content, **roles)


def test_numbers_become_classes_on_request():
    content = b"a,b\n1,3\n2,-1\n3,3.0\n4,10\n5,?\n"
    assert Csv.of(content)[0].table(0).y.tolist() == [3, -1, 3, 10]
    labels = Csv.of(content, labels=True)[0].table(0)
    assert labels.classes == ("-1", "3", "10") and labels.y.tolist() == [1, 0, 1, 2]


def test_one_text_among_the_targets_makes_classes_and_is_said():
    data, notes = Csv.of(b"a,b\n1,2\n3,inf\n4,2\n")
    assert data.table(0).classes == ("2", "inf")
    assert notes[0] == "b holds numbers and texts, such as 'inf': each value is a class of its own."


def test_a_class_whose_rows_all_lack_a_value_is_gone():
    table = Csv.of(b"a,b\n1,x\n2,y\n,z\n3,x\n")[0].table(0)
    assert table.classes == ("x", "y") and table.y.tolist() == [0, 1, 0]


def test_two_classes_never_become_one_on_the_way():
    """Texts that would look alike once they are harmless stay in the file, whose digest travels."""
    data, _ = Csv.of("a,b\n1,<x>\n2,‹x›\n3,<x>\n".encode())
    assert data.lines == () and data.table(0).y.tolist() == [0, 1, 0]


def test_a_small_table_travels_in_the_link_and_a_large_one_by_its_digest(tmp_path, monkeypatch):
    rows = random.Random(0)
    large = b"a,b\n" + b"".join(b"%.9f,%.9f\n" % (rows.random(), rows.random()) for _ in range(3000))
    small, named = Csv.of(GOOD)[0], Csv.of(large)[0]
    assert small.lines[0] == "a,b,c" and small.sha256 == ""
    assert named.lines == () and len(named.sha256) == 64 and len(named.table(0).y) == 3000
    assert [path.name for path in (tmp_path / "uploads").iterdir()] == [named.sha256]
    assert (tmp_path / "uploads").stat().st_mode & 0o777 == 0o700
    (tmp_path / "uploads" / named.sha256).unlink()
    given = {"lines": [], "sha256": named.sha256, "labels": True}  # other settings: nothing is remembered
    csv._sheet.cache_clear()
    with pytest.raises(ValueError, match="is not here; upload it again"):
        Csv.model_validate(given)
    (tmp_path / "table.csv").write_bytes(large)
    monkeypatch.setenv("MBSGD_DATA", str(tmp_path))
    assert Csv.model_validate({"sha256": named.sha256}) == named


@pytest.mark.parametrize("digest", ["", "0" * 64, "../../etc/passwd", "A" * 64, "table"])
def test_only_a_digest_finds_a_file(digest, monkeypatch, tmp_path):
    (tmp_path / "table.csv").write_bytes(GOOD)
    monkeypatch.setenv("MBSGD_DATA", str(tmp_path))
    assert _file_store.find(digest, LARGEST) is None
    assert _file_store.find(hashlib.sha256(GOOD).hexdigest(), LARGEST) == GOOD
    assert _file_store.find(hashlib.sha256(GOOD).hexdigest(), 3) is None  # larger files are not read


def test_old_uploads_give_way(tmp_path, monkeypatch):
    monkeypatch.setattr(_file_store, "MOST_FILES", 3)
    digests = []
    for i in range(5):
        digests.append(_file_store.keep(b"%d" % i))
        os.utime(tmp_path / "uploads" / digests[-1], (i, i))
        _file_store.find(digests[0], LARGEST)  # what is used is kept
    assert {path.name for path in (tmp_path / "uploads").iterdir()} == {digests[0], *digests[3:]}


def test_a_folder_that_others_can_read_keeps_nothing(tmp_path, monkeypatch):
    (tmp_path / "open").mkdir(mode=0o755)
    (tmp_path / "link").symlink_to(tmp_path / "open")
    for name in ("open", "link"):
        monkeypatch.setenv("MBSGD_UPLOADS", str(tmp_path / name))
        with pytest.raises(DataError, match="not private; set MBSGD_UPLOADS"):
            _file_store.keep(b"1")
    (tmp_path / "file").touch()
    monkeypatch.setenv("MBSGD_UPLOADS", str(tmp_path / "file"))
    with pytest.raises(DataError, match="cannot be kept"):
        _file_store.keep(b"1")


def test_lines_and_digest_exclude_each_other():
    for given, words in (
        ({"lines": ["a,b", "1,2", "3,4"], "sha256": "0" * 64}, "not both"),
        ({"lines": ["a,b", *["1234567890,1234567890"] * 1999]}, "at most 40,000 are carried"),
        ({"lines": []}, "the file is empty"),
    ):
        with pytest.raises(ValueError, match=words):
            Csv.model_validate(given)
