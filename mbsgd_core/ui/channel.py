"""The channel (floor 6): the server's own addresses, by which a bench starts, follows, changes and pauses its run.

A run answers with a stream of messages, each u32 length (little endian) and then a payload (figures/payload.py); a
length of 0 says no more than that somebody is there. Streamlit's script takes no part in it: a page run costs the
browser more than the training costs the server. Whoever asks names itself by a long random number that it made, and
whoever knows that number finds the run again: after a reload, a broken connection, or a walk over other pages.
"""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from math import inf
from typing import Any, NamedTuple

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from mbsgd_core import share
from mbsgd_core.errors import ExperimentError, JobError, LabError
from mbsgd_core.experiment import Experiment
from mbsgd_core.figures.payload import VERSION, message, pack
from mbsgd_core.jobs import pace
from mbsgd_core.jobs.job import Job
from mbsgd_core.jobs.results import holds
from mbsgd_core.results.run import RunProgress, View
from mbsgd_core.types import CLOCKS, ViewBudget
from mbsgd_core.ui import live
from mbsgd_core.ui.singletons import runner

PATH = "lab"  # of all addresses, below the app's root
LARGEST = 100_000  # bytes of a question
RECORDS = 3_000  # about so many of a lane are in a moving picture: those that show; at rest all are sent
BY_ITSELF = 5.0  # seconds: what takes longer waits for a button
HEARTBEAT = 5.0  # seconds between two signs of life
PAUSE = 0.1  # seconds between two messages of one stream, at least
LONGEST = 20.0  # seconds until the first picture of a change
_HEADERS = {
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",  # a proxy must pass on what there is
    "Content-Encoding": "identity",  # or Streamlit packs it: that takes longer than it saves with such numbers
}

_open: set[Callable[[], None]] = set()  # each wakes one stream
_closing = threading.Event()  # the server stops


class Question(NamedTuple):
    """What a bench asks for."""

    owner: str
    before: Experiment  # that it shows
    experiment: Experiment  # that it wants to see
    view: View
    seq: int
    take: int
    key: str  # of the picture that it has ...
    window: Any  # ... and of its surface
    changes: bool  # whether a knob is being moved
    go: bool  # whether it may take long


class _TooLarge(ExperimentError):
    """A question that nobody reads to its end."""


def routes() -> list[Route]:
    """The addresses."""
    answers = {"run": _run, "pause": _pause, "cursor": _cursor}
    return [Route(f"/{PATH}/{name}", answer, methods=["POST"]) for name, answer in answers.items()]


def close() -> None:
    """End all streams, which a server that stops would wait for; each bench then looks for the server again."""
    _closing.set()
    for wake in list(_open):
        wake()


async def _asked(request: Request) -> dict[str, Any]:
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > LARGEST:
            raise _TooLarge(f"a question may have {LARGEST:,} bytes; this one has more")
    asked = json.loads(body)
    if not isinstance(asked, dict):
        raise ExperimentError("a question is a JSON object; see assets/bench/channel.js for what one looks like")
    return asked


def _refused(error: Exception) -> Response:
    if isinstance(error, LabError):
        return PlainTextResponse(str(error)[:300], 413 if isinstance(error, _TooLarge) else 400)
    return PlainTextResponse("That is no question of a bench; assets/bench/channel.js shows what one looks like.", 400)


_BAD = (LabError, LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError)


async def _run(request: Request) -> Response:
    """{"owner", "link", "seq", "take", "key", "window", "at", "panels", "edit", "go"} -> payloads to the run's end."""
    try:
        question = await run_in_threadpool(_read, await _asked(request))
        job = await run_in_threadpool(_job, question)
    except _BAD as error:
        return _refused(error)
    messages = _change(question, job) if question.changes else _follow(question, job)
    return StreamingResponse(messages, media_type="application/octet-stream", headers=_HEADERS)


def _read(asked: dict[str, Any]) -> Question:
    before, _ = share.from_query(str(asked["link"]), page=True)
    edit = asked.get("edit")
    after = before if edit is None else live.apply(before, edit)
    panels = tuple(str(name) for name in asked.get("panels") or ())
    view_budget = None
    if edit is not None:
        clock, time = asked.get("at") or (CLOCKS[0], inf)
        view_budget = ViewBudget(RECORDS, CLOCKS[CLOCKS.index(clock)], float(time))
    return Question(
        str(asked["owner"])[:64], before, after, View(panels, view_budget), int(asked["seq"]), int(asked["take"]),
        str(asked.get("key")), asked.get("window"), edit is not None, bool(asked.get("go")),
    )  # fmt: skip


def _job(question: Question) -> Job:
    experiment = question.experiment
    # Of a change the first picture alone is wanted: nobody would ever stop a run that goes on behind it.
    held = question.changes or (not question.go and pace.guess(experiment) > BY_ITSELF)
    job = runner().submit(question.owner, experiment.to_json(), question.view, held)
    job.expect()
    if question.go:
        runner().go_on(question.owner)
    return job


async def _change(question: Question, job: Job) -> AsyncIterator[bytes]:
    """The first picture after a change; there is no second one, since the next change is on its way."""
    yield await run_in_threadpool(_first, question, job)


def _first(question: Question, job: Job) -> bytes:
    job.listen(silent := lambda: None)  # somebody waits for it
    try:
        job.wait(LONGEST, partial_result=True)
        if job.result is None:  # overtaken by the next change, or there is nothing to show
            return _framed(_failed(question, job)) if job.state == "failed" else b""
        return _framed(_payload(question, job, job.result, _kept(question, job.result.report)))
    finally:
        job.leave(silent)
        job.cancel()


async def _follow(question: Question, job: Job) -> AsyncIterator[bytes]:
    """Every new report on a run, and its end."""
    loop, changed = asyncio.get_running_loop(), asyncio.Event()

    def told() -> None:
        with suppress(RuntimeError):  # the server stops: its loop is closed
            loop.call_soon_threadsafe(changed.set)

    job.listen(told)
    _open.add(told)
    try:
        shown: tuple[object, ...] = ()
        sent: dict[str, Any] | None = None  # the newest report that the browser has
        while not _closing.is_set():
            changed.clear()
            over, result, state = job.over, job.result, job.state
            stamp = (id(result and result.report), state, over or round(job.progress, 2))
            if stamp != shown and (result is not None or over):
                shown = stamp
                payload, sent = await run_in_threadpool(_next, question, job, sent)
                yield payload
            if over:
                return
            await asyncio.sleep(PAUSE)
            try:
                await asyncio.wait_for(changed.wait(), HEARTBEAT)
            except TimeoutError:
                yield _framed(b"")
    finally:
        _open.discard(told)
        job.leave(told)


def _next(question: Question, job: Job, sent: dict[str, Any] | None) -> tuple[bytes, dict[str, Any] | None]:
    """A message, and the report that the browser has then; what is still right of the last one does not travel."""
    result: RunProgress | None = job.result
    if result is None:
        return _framed(_failed(question, job)), None
    if job.resting and not holds(result.report, question.view):  # nobody else draws for a run that rests
        from mbsgd_core.jobs import tasks

        args = question.experiment.to_json(), result.lanes, question.view
        with suppress(JobError):  # overtaken by a newer question, or the server is busy: what is known is shown
            result = result._replace(report=runner().ask(question.owner, tasks.report, *args).answer(LONGEST))
            job.tell(result=result)
    return _framed(_payload(question, job, result, _same(sent, result.report))), result.report


def _same(sent: dict[str, Any] | None, report: dict[str, Any]) -> set[str]:
    """The arrays of a report that are those of an earlier one of the same run."""
    if sent is None:
        return set()
    fixed = _fixed(report, sent["problem"].get("view")) if sent["key"] == report["key"] else set()
    return {name for name, values in report["arrays"].items() if name in fixed or sent["arrays"].get(name) is values}


def _payload(question: Question, job: Job, result: RunProgress, kept: set[str]) -> bytes:
    experiment, samples = question.experiment, question.experiment.problem.sample_count
    state = {"cancelled": "failed"}.get(job.state, job.state)
    if question.changes and not job.over:  # it rests behind its first picture, which nobody asked for
        state = "running"
    status = {
        "state": state,
        "progress": job.progress,
        "message": job.message,
        "left": result.left if state == "running" else None,
        "estimate": _estimate(experiment, result),
    }
    return message(
        result.report,
        experiment,
        seq=question.seq,
        key=f"{result.report['key']}-{question.take}",
        status=status,
        link=share.to_query(experiment),
        knobs=live.headers(samples),
        lane_knobs=[live.values(lane, samples) for lane in experiment.lanes],
        pinned=[live.pinned(lane) for lane in experiment.lanes],
        kept=kept,
    )


def _estimate(experiment: Experiment, result: RunProgress) -> float:
    """Seconds that the whole run takes: as measured, or guessed where nothing is trained yet."""
    if any(lane.updates and not lane.pace for lane in result.lanes):
        return pace.guess(experiment)
    return sum(lane.updates * lane.pace for lane in result.lanes)


def _failed(question: Question, job: Job) -> bytes:
    """A run that ended before it had anything to show."""
    status = {"state": "failed", "progress": 0.0, "message": job.message, "left": None, "estimate": None}
    return pack({"version": VERSION, "kind": "failure", "seq": question.seq, "status": status}, {})


def _kept(question: Question, report: dict[str, Any]) -> set[str]:
    """The arrays that a change leaves as they are: surface and data of one key, and the batches of an equal sampler."""
    if question.key != f"{report['key']}-{question.take}":
        return set()
    names = _fixed(report, question.window)
    pairs = enumerate(zip(question.before.lanes, question.experiment.lanes, strict=True))
    names |= {f"lane{i}/batch" for i, (old, new) in pairs if old.sampler == new.sampler}
    return names & set(report["arrays"])


def _fixed(report: dict[str, Any], window: Any) -> set[str]:
    """The names of what a report has in common with others of its key: the data; in an equal window the surface."""
    names, problem = {"data/x", "data/y"}, report["problem"]
    if problem.get("view") == window and not problem.get("projection"):  # a projection follows the paths
        names |= {"z", "xs", "ys"}
    return names | {name for name in report["arrays"] if name.startswith("scene/")}


def _framed(payload: bytes) -> bytes:
    return len(payload).to_bytes(4, "little") + payload


async def _pause(request: Request) -> Response:
    """{"owner"} -> nothing: its run rests after the task that it is at."""
    try:
        asked = await _asked(request)
        runner().pause(str(asked["owner"])[:64])
    except _BAD as error:
        return _refused(error)
    return Response(status_code=204)


async def _cursor(request: Request) -> Response:
    """{"owner", "link", "indices"} -> {"lanes": [...]}: what other batches would say at a record of each lane."""
    try:
        return JSONResponse({"lanes": await run_in_threadpool(_at_cursor, await _asked(request))})
    except JobError:  # overtaken by a newer question, or the server is busy: the picture stands without it
        return JSONResponse({"lanes": []})
    except _BAD as error:
        return _refused(error)


def _at_cursor(asked: dict[str, Any]) -> list[dict[str, Any] | None]:
    experiment, _ = share.from_query(str(asked["link"]), page=True)
    indices = [int(k) for k in asked["indices"]]
    if len(indices) != len(experiment.lanes):
        raise ExperimentError(f"given {len(indices)} records; one of each of the {len(experiment.lanes)} lanes")
    return runner().at_cursor(str(asked["owner"])[:64], experiment.to_json(), indices)
