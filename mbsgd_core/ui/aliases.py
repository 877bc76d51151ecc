"""Addresses of the first version (floor 6): each still leads to what it meant, in one step of the browser's history.

The server answers them before any page is drawn, so they work as its first request, and Back does not end in them.
"""

from collections.abc import Mapping
from contextlib import suppress
from urllib.parse import urlencode

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse
from starlette.routing import Route

from mbsgd_core import share
from mbsgd_core.errors import LabError
from mbsgd_core.experiment import Experiment, problems
from mbsgd_core.registry import name_of
from mbsgd_core.ui import live, presets
from mbsgd_core.ui.problem import settings
from mbsgd_core.ui.singletons import runner

TRAIN = "train/01_three_on_moons"  # with what /Train began, and filled in what a link did not say


def routes() -> list[Route]:
    """/Train, /Problems and /Lessons, with any query."""
    answers = {"Train": _train, "Problems": _problems, "Lessons": _lessons}
    return [
        Route(f"/{name}{end}", answer, methods=["GET", "HEAD"]) for name, answer in answers.items() for end in ("", "/")
    ]


async def _train(request: Request) -> RedirectResponse:
    return _go(request, "", await run_in_threadpool(train, dict(request.query_params)))


async def _problems(request: Request) -> RedirectResponse:
    return _go(request, "", await run_in_threadpool(problem, dict(request.query_params)))


async def _lessons(request: Request) -> RedirectResponse:
    return _go(request, "Learn", dict(request.query_params))


def _go(request: Request, page: str, query: Mapping[str, str]) -> RedirectResponse:
    # Relative: the app may be hosted below another path, which it does not know.
    above = "../" if request.url.path.endswith("/") else "./"
    return RedirectResponse(f"{above}{page}" + (f"?{urlencode(query)}" if query else ""), 307)


def train(given: Mapping[str, str]) -> dict[str, str]:
    """The bench's parameters for those of /Train: what they do not say comes from its first lesson."""
    experiment, notices = share.from_query(given, page=True, fallback=presets.experiment(TRAIN))
    refused = {notice.key for notice in notices}  # the bench says again why
    own = dict(share.flat(experiment))
    return own | {key: text for key, text in given.items() if key not in own or key in refused}


def problem(given: Mapping[str, str]) -> dict[str, str]:
    """The bench's parameters for those of /Problems: the first lesson's lanes at a rate that suits the problem."""
    drawable = [name for name, cls in problems().items() if cls.planar]
    name = given.get("problem", "")
    chosen = settings(name if name in drawable else drawable[0])
    draft = presets.opening().model_dump(mode="json")
    experiment = Experiment.model_validate({"problem": chosen, "lanes": draft["lanes"]})
    with suppress(LabError):  # where the server is busy, with the rates of the lesson
        experiment = live.suggested(experiment, runner(), f"problems/{name_of(experiment.problem)}", alike=True)
    rest = {key: text for key, text in given.items() if key != "problem"}
    return dict(share.flat(experiment)) | {"view.box": "known"} | rest
