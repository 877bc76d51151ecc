"""Files that claim to be MNIST's, and servers that claim to have them."""

import gzip
import hashlib
import os
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from mbsgd_core.cli.main import main
from mbsgd_core.errors import DataError, JobCancelled
from mbsgd_core.problems.datasets import _mnist_files
from mbsgd_core.problems.datasets._mnist_download import fetch
from mbsgd_core.problems.datasets._mnist_files import IdxFile, cache_folder, find, load, missing, unpack

IMAGES = np.random.default_rng(0).integers(0, 256, (7, 4, 3), dtype=np.uint8)
LABELS = np.arange(7, dtype=np.uint8)


def idx(array: np.ndarray) -> bytes:
    return bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes() + array.tobytes()


def made(name: str, array: np.ndarray) -> IdxFile:
    content = idx(array)
    return IdxFile(name, array.shape, len(gzip.compress(content)), hashlib.sha256(content).hexdigest())


IMAGE_FILE, LABEL_FILE = made("images.gz", IMAGES), made("labels.gz", LABELS)
PACKED = {"images.gz": gzip.compress(idx(IMAGES)), "labels.gz": gzip.compress(idx(LABELS))}


@pytest.fixture(autouse=True)
def small(monkeypatch, tmp_path):
    """Two small files in the place of the four; an empty cache; no folder."""
    monkeypatch.setattr(_mnist_files, "FILES", (IMAGE_FILE, LABEL_FILE))
    monkeypatch.setenv("MBSGD_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("MBSGD_DATA", raising=False)


def words_alone(value: object) -> str:
    """A test's name is the sentence that it expects, not the bytes that it gives."""
    return value if isinstance(value, str) else ""


def put(folder, content=PACKED):
    folder.mkdir(parents=True, exist_ok=True)
    for name, packed in content.items():
        (folder / name).write_bytes(packed)


def test_what_is_packed_is_unpacked():
    assert np.array_equal(unpack(PACKED["images.gz"], IMAGE_FILE), IMAGES)
    assert np.array_equal(unpack(PACKED["labels.gz"], LABEL_FILE), LABELS)
    two_members = gzip.compress(idx(LABELS)[:9]) + gzip.compress(idx(LABELS)[9:], 1)
    assert np.array_equal(unpack(two_members, LABEL_FILE), LABELS)  # packed otherwise, the same content


@pytest.mark.parametrize(
    ("packed", "words"),
    [
        (b"", "begins with nothing|no whole gzip"),
        (b"not gzip at all", "no whole gzip file"),
        (PACKED["labels.gz"][:-9], "no whole gzip file"),
        (PACKED["labels.gz"][:-8] + b"\0\0\0\0" + PACKED["labels.gz"][-4:], "no whole gzip file"),
        (gzip.compress(b""), "begins with nothing"),
        (gzip.compress(b"\x00\x00\x0d\x01" + idx(LABELS)[4:]), "begins with 00000d01 where 00000801 is due"),
        (PACKED["images.gz"], "begins with 00000803"),
        (gzip.compress(idx(LABELS[:6])), "says that its sizes are 00000006 where 00000007"),
        (gzip.compress(idx(LABELS)[:-1]), "should hold 7 numbers and holds 6"),
        (gzip.compress(idx(LABELS) + b"\0"), "holds more"),
        (gzip.compress(idx(LABELS)[:8] + bytes(7)), "the sha256 of its content is"),
    ],
    ids=words_alone,
)
def test_anything_else_is_refused_with_a_sentence(packed, words):
    with pytest.raises(DataError, match=words) as caught:
        unpack(packed, LABEL_FILE)
    assert str(caught.value).startswith("labels.gz ") and len(str(caught.value)) < 250


def test_a_bomb_is_never_unpacked():
    bomb = gzip.compress(idx(LABELS) + bytes(50_000_000))
    assert len(bomb) < 100_000
    with pytest.raises(DataError, match="holds more"):
        unpack(bomb, LABEL_FILE)


def test_a_file_far_too_large_is_not_even_read(tmp_path, monkeypatch):
    monkeypatch.setenv("MBSGD_DATA", str(tmp_path))
    with (tmp_path / "labels.gz").open("wb") as file:
        file.truncate(_mnist_files.LARGEST + 1)
    with pytest.raises(DataError, match="16,000,001 bytes"):
        load(LABEL_FILE)


def test_the_named_folder_comes_before_the_cache(tmp_path, monkeypatch):
    with pytest.raises(DataError, match=r"not at hand: set MBSGD_DATA .*\"subset\""):
        load(IMAGE_FILE)
    put(cache_folder())
    assert not missing() and np.array_equal(load(IMAGE_FILE), IMAGES)
    monkeypatch.setenv("MBSGD_DATA", str(tmp_path / "named"))
    assert find("images.gz") == cache_folder() / "images.gz"  # the folder is empty
    put(tmp_path / "named", {"images.gz": b"wrong"})
    with pytest.raises(DataError, match="no whole gzip"):  # and not passed over in silence
        load(IMAGE_FILE)


class _Source(BaseHTTPRequestHandler):
    answers: dict[str, bytes | int] = {}

    def do_GET(self):
        answer = self.answers.get(self.path, 404)
        if answer == "silence":
            time.sleep(1)
        elif isinstance(answer, int):
            self.send_error(answer)
        else:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(answer)

    def log_message(self, *_):
        pass


@pytest.fixture
def source(monkeypatch):
    """A server on this machine; its answers by path."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Source)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    monkeypatch.setenv("MBSGD_MNIST_SOURCES", f"http://127.0.0.1:{server.server_port}/mnist/")
    monkeypatch.setattr(_Source, "answers", {f"/mnist/{name}": packed for name, packed in PACKED.items()})
    yield _Source.answers
    server.shutdown()
    server.server_close()


def test_what_is_missing_is_fetched_with_progress(source, tmp_path):
    put(cache_folder(), {"labels.gz": PACKED["labels.gz"]})
    del source["/mnist/labels.gz"]
    seen = []
    fetch(lambda done, total: seen.append((done, total)))
    assert not missing() and np.array_equal(load(IMAGE_FILE), IMAGES)
    assert seen == sorted(seen) and seen[-1] == (IMAGE_FILE.packed, IMAGE_FILE.packed)
    fetch()  # nothing is missing: no source is asked
    assert sorted(path.name for path in cache_folder().iterdir()) == ["images.gz", "labels.gz"]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (404, "127.0.0.1:[0-9]+ answers 404"),
        (500, "answers 500"),
        (b"<html>Sign in to this network</html>", "no whole gzip file"),
        (gzip.compress(idx(IMAGES + 1)), "sha256"),
        (b"x" * (_mnist_files.LARGEST + 1), "more than the file can have"),
        ("silence", "timed out"),
    ],
    ids=words_alone,
)
def test_a_bad_answer_leaves_nothing_behind(source, answer, words):
    source["/mnist/images.gz"] = answer
    with pytest.raises(DataError, match=words) as caught:
        fetch(timeout=0.2)
    assert str(caught.value).count("\n") == 0 and "MBSGD_DATA" in str(caught.value)
    assert not cache_folder().exists() or not list(cache_folder().iterdir())


def test_the_next_source_is_tried(source, monkeypatch):
    address = os.environ["MBSGD_MNIST_SOURCES"].removesuffix("/mnist/")
    monkeypatch.setenv("MBSGD_MNIST_SOURCES", f"http://127.0.0.1:9/ {address}/wrong/ {address}/mnist")
    fetch()
    assert not missing()


@pytest.mark.parametrize("address", ["http://127.0.0.1:9/", "file:///etc/", "ftp://127.0.0.1/", "nonsense"])
def test_offline_is_one_clear_sentence(monkeypatch, address):
    monkeypatch.setenv("MBSGD_MNIST_SOURCES", address)
    with pytest.raises(DataError, match="could not be fetched: .* cannot be reached") as caught:
        fetch(timeout=1)
    assert '"subset"' in str(caught.value) and "Errno" not in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("cause", [KeyboardInterrupt, JobCancelled, OSError])
def test_a_download_can_be_stopped(source, monkeypatch, cause):
    address = os.environ["MBSGD_MNIST_SOURCES"]
    monkeypatch.setenv("MBSGD_MNIST_SOURCES", f"{address} {address}")
    asked = []

    def stop(done, total):
        asked.append(done)
        raise cause

    with pytest.raises(cause):
        fetch(stop)
    assert len(asked) == 1
    assert missing() and not list(cache_folder().parent.glob("**/.partial*"))


def test_a_cache_that_cannot_be_written_is_said(source, monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("MBSGD_CACHE", str(tmp_path / "file"))
    with pytest.raises(DataError, match="cannot be kept here .*set MBSGD_CACHE"):
        fetch()


def test_the_command_line_fetches_what_is_missing(source, capsys):
    assert main(["fetch", "mnist"]) == 0 and not missing()
    done = capsys.readouterr()
    assert done.out == "MNIST is at hand now.\n" and done.err.startswith("\rMNIST ") and done.err.count("\n") == 1
    assert main(["fetch", "mnist"]) == 0 and "nothing is fetched" in capsys.readouterr().out


@pytest.mark.parametrize("name, words", [("mnist", "could not be fetched"), ("mnits", "did you mean 'mnist'")])
def test_the_command_line_says_why_it_cannot(monkeypatch, capsys, name, words):
    monkeypatch.setenv("MBSGD_MNIST_SOURCES", "http://127.0.0.1:9/")
    assert main(["fetch", name]) == 2
    said = capsys.readouterr()
    assert said.out == "" and said.err.count("\n") == 1 and words in said.err


def test_nothing_is_fetched_unless_asked_for(source):
    with pytest.raises(DataError):
        load(IMAGE_FILE)
    assert not cache_folder().exists()
