"""Uploads as attackers send them: the protocol's cases of tests/hostile/csv_uploads.json, on a real server."""

import http.client
import json
import re
import socket
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.sync.client import connect
from websockets.typing import Origin

from mbsgd_core.ui.uploads import MOST_FILES
from tests.browser.conftest import serve

CASES = json.loads(Path(__file__).with_name("csv_uploads.json").read_text())["uploads"]
HERE = {"CU1", "CU2", "CU3", "CU4", "CU5", "CU6", "CU7"}
SMALL = b"a,b\n1,2\n3,4\n"
MEBIBYTE = 2**20


class Visit(NamedTuple):
    """A visitor's open page."""

    host: str
    session: str
    token: str

    def put(self, file: str, body: bytes, headers: dict[str, str] | None = None, **changes: str) -> int:
        """Send a body as a file; the status of the answer."""
        session, token = changes.get("session", self.session), changes.get("token", self.token)
        own = {"Content-Type": "multipart/form-data; boundary=cut", "Cookie": f"_streamlit_xsrf={token}"}
        if token:
            own["X-Xsrftoken"] = token
        connection = http.client.HTTPConnection(self.host, timeout=20)
        try:
            chunked = (headers or {}).get("Transfer-Encoding") == "chunked"
            path = f"/_stcore/upload_file/{session}/{file}"
            content = iter([body]) if chunked else body
            connection.request("PUT", path, content, own | (headers or {}), encode_chunked=chunked)
            return connection.getresponse().status
        except (BrokenPipeError, ConnectionResetError):
            return 413  # the server hangs up on a body that is too long, before it is through
        finally:
            connection.close()


def form(*files: bytes) -> bytes:
    """Files as the parts of a form."""
    head = b'--cut\r\nContent-Disposition: form-data; name="part %d"; filename="a.csv"\r\n\r\n'
    return b"".join(head % i + file + b"\r\n" for i, file in enumerate(files)) + b"--cut--\r\n"


@pytest.fixture(scope="module")
def visit() -> Iterator[Visit]:
    """A server of its own, and a page that stays open."""
    with serve() as address:
        cookie = urllib.request.urlopen(f"{address}/_stcore/health").headers["Set-Cookie"]
        host = address.removeprefix("http://")
        origin = Origin(address)
        with connect(f"ws://{host}/_stcore/stream", origin=origin, max_size=None, close_timeout=0.2) as page:
            hello = BackMsg()
            hello.rerun_script.query_string = ""
            page.send(hello.SerializeToString())
            message = ForwardMsg()
            while message.WhichOneof("type") != "new_session":
                message.ParseFromString(page.recv(timeout=20))
            token = cookie.partition("=")[2].partition(";")[0]
            yield Visit(host, message.new_session.initialize.session_id, token)


def bytes_kept(visit: Visit) -> int:
    """How much the server holds of uploads, by its own account."""
    text = urllib.request.urlopen(f"http://{visit.host}/_stcore/metrics").read().decode()
    found = re.search(r'cache_memory_bytes\{cache_type="UploadedFileManager".*\} (\d+)', text)
    assert found is not None
    return int(found[1])


def test_every_case_has_its_test():
    assert {case["id"] for case in CASES} == HERE


def test_a_decent_upload_is_taken(visit):
    assert visit.put("good", form(SMALL)) == 204


def test_cu1_without_the_token_it_is_forbidden(visit):
    assert visit.put("x", form(SMALL), token="") == 403
    assert visit.put("x", form(SMALL), headers={"X-Xsrftoken": "wrong"}) == 403


def test_cu2_an_unknown_session_is_refused(visit):
    assert visit.put("x", form(SMALL), session="0e1d2c3b-0000-0000-0000-000000000000") == 400


@pytest.mark.parametrize("headers", [{}, {"Transfer-Encoding": "chunked"}], ids=["with a length", "without"])
def test_cu3_a_body_that_is_too_long_is_refused(visit, headers):
    assert visit.put("x", form(b"x" * 3 * MEBIBYTE), headers=headers) == 413


def test_cu4_of_forty_files_the_newest_few_are_kept(visit):
    assert {visit.put(f"many-{i}", form(b"x" * MEBIBYTE)) for i in range(40)} == {204}
    assert visit.put("last", form(SMALL)) == 204
    assert bytes_kept(visit) == (MOST_FILES - 1) * MEBIBYTE + len(SMALL)


def test_cu5_a_slow_upload_holds_nobody_up(visit):
    name, port = visit.host.split(":")
    head = f"PUT /_stcore/upload_file/{visit.session}/slow HTTP/1.1\r\nHost: {visit.host}\r\nContent-Length: 999\r\n"
    head += f"Content-Type: multipart/form-data; boundary=cut\r\nCookie: _streamlit_xsrf={visit.token}\r\n"
    sockets = [socket.create_connection((name, int(port))) for _ in range(20)]
    try:
        for connection in sockets:
            connection.sendall(f"{head}X-Xsrftoken: {visit.token}\r\n\r\n-".encode())
        for i in range(5):
            assert urllib.request.urlopen(f"http://{visit.host}/_stcore/health", timeout=5).read() == b"ok"
            assert visit.put(f"beside-{i}", form(SMALL)) == 204
    finally:
        for connection in sockets:
            connection.close()


def test_cu6_what_is_no_form_is_refused(visit):
    assert visit.put("x", SMALL, headers={"Content-Type": "text/csv"}) == 400
    assert visit.put("x", b"not a form") == 400


def test_cu7_two_files_at_once_are_refused(visit):
    assert visit.put("x", form(SMALL, SMALL)) == 400
