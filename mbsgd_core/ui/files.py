"""The bench's own files, as the browser fetches them (floor 6).

Their address holds a digest of their content, so that a browser may keep them for ever and an upgrade is never mixed
with what it kept. There are many and a first visitor waits for them, so each is packed once.
"""

import gzip
import hashlib
import mimetypes
from functools import cache
from pathlib import Path

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from mbsgd_core.ui.frame import ROOT

ASSETS = ROOT / "assets"
BENCH, VENDOR = (ASSETS / name for name in ("bench", "vendor"))
_TYPES = {".js": "text/javascript", ".css": "text/css"}  # else as the machine has it: Windows may say text/plain


def _digest() -> str:
    content = hashlib.blake2b(digest_size=6)
    for name, file in served().items():
        content.update(name.encode() + file.read_bytes())
    return content.hexdigest()


@cache
def served() -> dict[str, Path]:
    """The files by their addresses below BASE."""
    found = sorted(file for folder in (BENCH, VENDOR) for file in folder.rglob("*") if file.is_file())
    return {file.relative_to(ASSETS).as_posix(): file for file in found}


BASE = f"lab/{_digest()}"
PLOTLY = "../vendor/plotly-cartesian.min.js"  # relative to the bench's files
MODULES, STYLES = (
    tuple(name.removeprefix("bench/") for name in served() if name.startswith("bench/") and name.endswith(ending))
    for ending in (".js", ".css")
)


def routes() -> list[Route]:
    """Where the server serves them."""
    return [Route(f"/{BASE}/{{name:path}}", _file, methods=["GET", "HEAD"])]


async def _file(request: Request) -> Response:
    name = request.path_params["name"]
    if name not in served():
        return PlainTextResponse("There is no such file.", 404)
    headers = {"Cache-Control": "public, max-age=31536000, immutable", "Vary": "Accept-Encoding"}
    media = _TYPES.get(Path(name).suffix) or mimetypes.guess_type(name)[0]
    if "gzip" not in request.headers.get("Accept-Encoding", ""):
        return Response(served()[name].read_bytes(), headers=headers, media_type=media)
    return Response(_packed(name), headers=headers | {"Content-Encoding": "gzip"}, media_type=media)


@cache
def _packed(name: str) -> bytes:
    return gzip.compress(served()[name].read_bytes(), mtime=0)
