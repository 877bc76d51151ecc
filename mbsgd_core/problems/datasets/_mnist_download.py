"""Fetches MNIST's files when somebody asks for it (floor 1)."""

import os
import urllib.request
from collections.abc import Callable
from functools import partial
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError

from mbsgd_core.errors import DataError
from mbsgd_core.problems.datasets import _mnist_files
from mbsgd_core.problems.datasets._file_store import FOLDER, write_whole
from mbsgd_core.problems.datasets._mnist_files import LARGEST, IdxFile, cache_folder, unpack
from mbsgd_core.problems.datasets.base import Progress

SOURCES = "MBSGD_MNIST_SOURCES"  # addresses of folders with the files, separated by blanks
DEFAULT_SOURCES = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)
PIECE = 65_536  # bytes between two reports


def fetch(progress: Progress | None = None, timeout: float = 20.0) -> None:
    """Download what is not at hand into the cache folder. Only ever called because somebody asked for it.

    Each source is tried in turn; a file is checked before it appears under its name, and appears there at once.

    Args:
        progress: called with (bytes so far, bytes in all); what it raises ends the download, and nothing is left over.
        timeout: seconds that a source may be silent.

    Raises:
        DataError: no source gave a file that is MNIST's, or it cannot be kept; one sentence with the reasons.
    """
    missing = _mnist_files.missing()
    total, done = sum(file.packed for file in missing), 0
    for file in missing:
        packed = _download(file, partial(_advance, progress, done, total), timeout)
        done += file.packed
        write_whole(packed, cache_folder() / file.name)
    if progress:
        progress(total, total)


def _advance(progress: Progress | None, before: int, total: int, received: int) -> None:
    if progress:
        progress(min(before + received, total), total)


class _Unavailable(Exception):
    """A source did not give the file; the text says why."""


def _download(file: IdxFile, progress: Callable[[int], None], timeout: float) -> bytes:
    """The checked bytes of a file from the first source that has it."""
    complaints = []
    for source in os.environ.get(SOURCES, "").split() or DEFAULT_SOURCES:
        try:
            packed = _request(f"{source.rstrip('/')}/{file.name}", progress, timeout)
        except _Unavailable as error:
            complaints.append(f"{_host(source)} {error}")
            continue
        try:
            unpack(packed, file)
            return packed
        except DataError as error:
            complaints.append(str(error))
    raise DataError(
        f"{file.name} could not be fetched: {'; '.join(complaints)}. Try again when online, set {FOLDER} to a folder "
        'with the files, or choose "rows": "subset", the 10,000 images that come with the app'
    )


def _host(source: str) -> str:
    return source.partition("://")[2].partition("/")[0] or source


def _request(address: str, progress: Callable[[int], None], timeout: float) -> bytes:
    """What an address holds. Errors of the network become _Unavailable; those of `progress` go through."""
    if not address.startswith(("https://", "http://")):
        raise _Unavailable("cannot be reached (its address should begin with https://)")
    received = bytearray()
    with _told(lambda: urllib.request.urlopen(address, timeout=timeout)) as answer:
        while piece := _told(lambda: answer.read(PIECE)):
            received += piece
            if len(received) > LARGEST:
                raise _Unavailable("sends more than the file can have")
            progress(len(received))
    return bytes(received)


def _told(ask: Callable[[], Any]) -> Any:
    try:
        return ask()
    except HTTPError as error:
        raise _Unavailable(f"answers {error.code}") from None
    except (OSError, HTTPException, ValueError) as error:  # offline, refused, silent, no such name, no address
        reason = getattr(error, "reason", None) or error
        raise _Unavailable(f"cannot be reached ({getattr(reason, 'strerror', None) or reason})") from None
