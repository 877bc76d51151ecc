"""The four files of MNIST (floor 1): found in a folder or among those fetched, and refused unless they are real."""

import gzip
import hashlib
import io
import os
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mbsgd_core.errors import DataError
from mbsgd_core.problems.datasets._file_store import FOLDER

CACHE = "MBSGD_CACHE"  # where fetched files are kept; else the user's cache folder
LARGEST = 16_000_000  # bytes of a packed file that are read at all


class IdxFile(NamedTuple):
    """A file in LeCun's idx format, packed by gzip."""

    name: str
    shape: tuple[int, ...]
    packed: int  # bytes as first published, for progress; others pack the same content otherwise
    sha256: str  # of the unpacked content


TRAIN = (
    IdxFile(
        "train-images-idx3-ubyte.gz",
        (60_000, 28, 28),
        9_912_422,
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    ),
    IdxFile(
        "train-labels-idx1-ubyte.gz",
        (60_000,),
        28_881,
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    ),
)
TEST = (
    IdxFile(
        "t10k-images-idx3-ubyte.gz",
        (10_000, 28, 28),
        1_648_877,
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    ),
    IdxFile(
        "t10k-labels-idx1-ubyte.gz",
        (10_000,),
        4_542,
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    ),
)
FILES = TRAIN + TEST


def find(name: str) -> Path | None:
    """Where a file is: in the folder that MBSGD_DATA names, or among those fetched before; None if in neither."""
    named = os.environ.get(FOLDER)
    places = ([Path(named)] if named else []) + [cache_folder()]
    return next((folder / name for folder in places if (folder / name).is_file()), None)


def missing() -> tuple[IdxFile, ...]:
    """Those of the four files that are not at hand, without reading the others."""
    return tuple(file for file in FILES if not find(file.name))


def cache_folder() -> Path:
    """Where fetched files are kept."""
    base = os.environ.get(CACHE) or os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "mbsgd" / "mnist"


def load(file: IdxFile) -> np.ndarray:
    """The numbers of a file that is at hand.

    Returns:
        uint8, of the file's shape.

    Raises:
        DataError: the file is not at hand, or is not MNIST's.
    """
    path = find(file.name)
    if path is None:
        raise DataError(
            f"the MNIST file {file.name} is not at hand: set {FOLDER} to a folder with the four *-ubyte.gz files, have "
            'them fetched, or choose "rows": "subset", the 10,000 images that come with the app'
        )
    if path.stat().st_size > LARGEST:
        raise DataError(f"{file.name} has {path.stat().st_size:,} bytes and cannot be MNIST's; put the real one there")
    return unpack(path.read_bytes(), file)


def unpack(packed: bytes, file: IdxFile) -> np.ndarray:
    """The numbers in a packed idx file; it is never unpacked beyond the size that it must have.

    The format: two zero bytes, the type (8 for unsigned bytes), the number of dimensions d, d sizes of four bytes,
    most significant first, then the numbers.

    Args:
        packed: the bytes of the .gz file.
        file: what it must be.

    Returns:
        uint8, of the file's shape.

    Raises:
        DataError: not gzip, cut off, another format, other sizes or other numbers than MNIST's; names the file.

    Example:
        >>> unpack(gzip.compress(bytes(8)), TRAIN[1])  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        ...
        mbsgd_core.errors.DataError: train-labels-idx1-ubyte.gz is not MNIST's: it begins with 00000000 where ...
    """
    expected = bytes([0, 0, 8, len(file.shape)]) + b"".join(size.to_bytes(4, "big") for size in file.shape)
    numbers = np.empty(file.shape, np.uint8)
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(packed)) as stream:
            header = stream.read(len(expected))
            _same(file, header[:4], expected[:4], "begins with")
            _same(file, header[4:], expected[4:], "says that its sizes are")
            filled, view = 0, numbers.data.cast("B")
            while filled < numbers.size and (got := stream.readinto(view[filled:])):
                filled += got
            longer = filled == numbers.size and stream.read(1)
    except (OSError, EOFError, zlib.error):
        raise DataError(f"{file.name} is no whole gzip file: it is damaged or cut off; fetch it anew") from None
    if filled < numbers.size or longer:
        what = "more" if longer else f"{filled:,}"
        raise DataError(f"{file.name} should hold {numbers.size:,} numbers and holds {what}; fetch it anew")
    digest = hashlib.sha256(header)
    digest.update(view)
    if digest.hexdigest() != file.sha256:
        raise DataError(
            f"{file.name} is not MNIST's: the sha256 of its content is {digest.hexdigest()[:12]}..., it should be "
            f"{file.sha256[:12]}...; put the real file there"
        )
    return numbers


def _same(file: IdxFile, given: bytes, expected: bytes, what: str) -> None:
    if given != expected:
        raise DataError(
            f"{file.name} is not MNIST's: it {what} {given.hex() or 'nothing'} where {expected.hex()} is due "
            "(hexadecimal); put the real file there"
        )
