"""The bench's own files, as the browser fetches them (floor 6).

Their address holds a digest of their content, so that a browser may keep them for ever and an upgrade is never mixed
with what it kept.
"""

import hashlib

from starlette.responses import Response
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from mbsgd_core.ui.frame import ROOT

BENCH, VENDOR = (ROOT / "assets" / name for name in ("bench", "vendor"))


def _digest() -> str:
    content = hashlib.blake2b(digest_size=6)
    for file in sorted(file for folder in (BENCH, VENDOR) for file in folder.rglob("*") if file.is_file()):
        content.update(file.name.encode() + file.read_bytes())
    return content.hexdigest()


BASE = f"lab/{_digest()}"
PLOTLY = "../vendor/plotly-cartesian.min.js"  # relative to the bench's files


class _Kept(StaticFiles):
    """Files that never change at their address."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return response


def mounts() -> list[Mount]:
    """Where the server serves them."""
    return [Mount(f"/{BASE}/{folder.name}", _Kept(directory=folder)) for folder in (BENCH, VENDOR)]
