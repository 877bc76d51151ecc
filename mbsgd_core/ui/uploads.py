"""Uploads are few (floor 6): the server keeps the newest of each visitor, whatever is sent.

Streamlit bounds the size of a file and asks for its token, but takes any number of files into memory, also for a page
that has no place to drop one.
"""

import re

from starlette.middleware import Middleware
from starlette.types import ASGIApp, Receive, Scope, Send
from streamlit import runtime
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager

MOST_FILES = 4  # of one visitor, at server.maxUploadSize each
_ADDRESS = re.compile(r".*/_stcore/upload_file/([^/]+)/[^/]+")


class _FewUploads:
    """Lets every request pass, and forgets a visitor's oldest files after an upload."""

    def __init__(self, app: ASGIApp):
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)
        if scope["type"] == "http" and scope["method"] == "PUT" and (found := _ADDRESS.fullmatch(scope["path"])):
            _forget(found[1])


def _forget(session: str) -> None:
    """Remove all but the newest files of a session."""
    manager = runtime.get_instance().uploaded_file_mgr
    assert isinstance(manager, MemoryUploadedFileManager)
    for file in list(manager.file_storage.get(session, ()))[:-MOST_FILES]:
        manager.remove_file(session, file)


def middleware() -> list[Middleware]:
    """What the app puts around its server."""
    return [Middleware(_FewUploads)]
