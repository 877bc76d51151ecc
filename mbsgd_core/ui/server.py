"""What the server does beside its pages (floor 6): starts the workers, and answers drags without a page's detour.

A value that is being dragged does not go through a page run: that costs the browser more than the training costs the
server. The player posts it here and gets the same payload back; when the thumb comes to rest, the page is told.
"""

import importlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from math import inf

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from mbsgd_core import share
from mbsgd_core.errors import LabError
from mbsgd_core.experiment import Experiment
from mbsgd_core.jobs import compiling, slots
from mbsgd_core.types import CLOCKS, Glance
from mbsgd_core.ui import files, films, live, presets
from mbsgd_core.ui.picture import payload
from mbsgd_core.ui.work import runner

LARGEST = 100_000  # bytes of a question
RECORDS = 3_000  # about so many of a lane are in the answer: those that show; the page sends all when the thumb rests
PATIENCE, STARTING = 2.0, 20.0  # seconds


@asynccontextmanager
async def lifespan(_: object) -> AsyncIterator[None]:
    """The server is ready when the first visitor need not wait: workers hold torch, the page's modules are here."""
    slots.begin()
    await run_in_threadpool(_warm)
    compiling.begin(runner().slots)
    yield


def _warm() -> None:
    importlib.import_module("mbsgd_core.ui.compare")
    importlib.import_module("pandas")  # Streamlit does so while it draws its first widget
    first = Experiment.model_validate(presets.first()["experiment"])
    share.to_query(first)
    runner().submit("the server", first.to_json()).wait(STARTING)


def routes() -> list[BaseRoute]:
    """The addresses that are not pages."""
    return [Route(f"/{live.PATH}", _live, methods=["POST"]), films.route(), *files.mounts()]


async def _live(request: Request) -> Response:
    """{"owner", "link", "drag": {"lane", "key", "value"}, "seq", "take", "key", "at"} -> the payload after it.

    "link" is the experiment that the player shows and "key" its picture's: what it has of that does not travel again.
    "at" is its cursor: [clock, time], or null at the end.
    """
    body = await request.body()
    if len(body) > LARGEST:
        return PlainTextResponse(f"A question may have {LARGEST:,} bytes; this one has {len(body):,}.", 413)
    try:
        answer = await run_in_threadpool(_answer, json.loads(body))
        # An encoding of its own keeps Streamlit from packing it: that takes longer than it saves with such numbers.
        return Response(answer, media_type="application/octet-stream", headers={"Content-Encoding": "identity"})
    except LabError as error:
        return PlainTextResponse(str(error)[:300], 400)
    except (LookupError, TypeError, ValueError, RecursionError):
        return PlainTextResponse("That is no question about a drag; see the player for what one looks like.", 400)


def _answer(question: dict) -> bytes:
    before, _ = share.from_query(str(question["link"]), page=True)
    draft = before.model_dump(mode="json")
    live.apply(draft, before, question["drag"])
    after = Experiment.model_validate(draft)
    clock, time = question.get("at") or (CLOCKS[0], inf)
    glance = Glance(RECORDS, CLOCKS[CLOCKS.index(clock)], float(time))
    job = runner().submit(str(question["owner"])[:64], after.to_json(), glance)
    shown = before, str(question.get("key"))
    return payload(after, job, PATIENCE, seq=int(question["seq"]), take=int(question["take"]), shown=shown)
