"""Files that the app keeps (floor 1): written whole or not at all; uploads are found by what they hold.

An upload is named by its SHA-256: its file name is never a path, and whoever can name it has had it.
"""

import hashlib
import os
import re
import stat
import tempfile
from functools import lru_cache
from pathlib import Path

from mbsgd_core.errors import DataError

FOLDER = "MBSGD_DATA"  # a folder with data files of the server's owner, or of whoever runs the command line
UPLOADS = "MBSGD_UPLOADS"  # where uploads are kept; else a private folder among the temporary files
MOST_FILES = 50  # uploads that are kept; the ones longest unused give way
MOST_SEARCHED = 200  # files of MBSGD_DATA that are compared
DIGEST = re.compile("[0-9a-f]{64}")


def write_whole(content: bytes, path: Path) -> None:
    """Write a file that is never seen half-written, and its folder if need be; DataError where that cannot be done."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, partial = tempfile.mkstemp(dir=path.parent, prefix=".partial-")
        try:
            with os.fdopen(handle, "wb") as out:
                out.write(content)
            Path(partial).replace(path)
        except BaseException:
            Path(partial).unlink()
            raise
    except OSError as error:
        raise DataError(
            f"a file cannot be kept here ({error.strerror}); free some space, or set MBSGD_CACHE and {UPLOADS} to "
            "folders that can be written"
        ) from None


def keep(content: bytes) -> str:
    """Keep an upload for the processes that train on it; returns its SHA-256 in hexadecimal."""
    digest, folder = hashlib.sha256(content).hexdigest(), _uploads()
    write_whole(content, folder / digest)
    kept = sorted((path for path in folder.iterdir() if DIGEST.fullmatch(path.name)), key=_last_use)
    for path in kept[:-MOST_FILES]:
        path.unlink(missing_ok=True)
    return digest


def find(digest: str, largest: int) -> bytes | None:
    """The content with this SHA-256: an upload, or a .csv file in the folder MBSGD_DATA; None if there is none.

    Args:
        digest: 64 hexadecimal digits; anything else is not found.
        largest: bytes; larger files are not read.
    """
    if not DIGEST.fullmatch(digest):
        return None
    upload = _uploads() / digest
    if upload.is_file():
        upload.touch()
        return upload.read_bytes()
    named = os.environ.get(FOLDER)
    for path in sorted(Path(named).glob("*.csv"))[:MOST_SEARCHED] if named else []:
        facts = path.stat()
        if facts.st_size <= largest and _digest(path, facts.st_size, facts.st_mtime_ns) == digest:
            return path.read_bytes()
    return None


@lru_cache(maxsize=2 * MOST_SEARCHED)
def _digest(path: Path, size: int, changed: int) -> str:
    """The SHA-256 of a file, read anew only when its size or time has changed."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _last_use(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:  # another process has cleared it away
        return 0.0


def _uploads() -> Path:
    """The folder of the uploads, which is this user's alone."""
    owner = os.getuid() if hasattr(os, "getuid") else None  # None where each user has temporary files of their own
    folder = Path(os.environ.get(UPLOADS) or Path(tempfile.gettempdir()) / f"mbsgd-{owner}")
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.lstat()
    except OSError as error:
        raise DataError(f"uploads cannot be kept ({error.strerror}); set {UPLOADS} to a folder that can be") from None
    if owner is not None and not (stat.S_ISDIR(found.st_mode) and found.st_uid == owner and not found.st_mode & 0o077):
        raise DataError(f"uploads cannot be kept: their folder is not private; set {UPLOADS} to one that is")
    return folder
