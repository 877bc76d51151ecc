"""What a bench is told of its page (floor 6): the experiment in hand, its lesson, how it is to be shown."""

from collections.abc import Mapping
from typing import Any

from mbsgd_core import share
from mbsgd_core.experiment import Experiment
from mbsgd_core.figures.payload import VERSION
from mbsgd_core.results.header import Box, Lesson, PageHeader
from mbsgd_core.types import Clock
from mbsgd_core.ui import channel, files, presets


def page_header(
    experiment: Experiment,
    *,
    take: int,
    view: Mapping[str, Any] | None,
    embed: bool,
    clock: Clock | None = None,
    theme: str | None = None,
    box: Box | None = None,
) -> PageHeader:
    """The header, plain values.

    Args:
        experiment: in hand.
        take: counts what was put in hand anew: a new one is shown from its beginning.
        view: how a link wants it to be shown, see mbsgd_core/view.py.
        embed: whether the page sits in another.
        clock: what the time axis counts; None: as the lesson has it.
        theme: "light" | "dark"; None: as the visitor's system has it.
        box: the one below the bench that is open, if any.
    """
    lesson = presets.like(experiment.model_dump(mode="json"))
    return {
        "version": VERSION,
        "kind": "page",
        "link": share.to_query(experiment),
        "take": take,
        "clock": clock or (lesson or {}).get("clock", presets.CLOCK),
        "view": view,
        "theme": theme,
        "embed": embed,
        "plotly": files.PLOTLY,
        "channel": channel.PATH,
        "autoplay": True,
        "lesson": None if lesson is None else _lesson(lesson),
        "summary": experiment.problem.summary,
        "box": box,
    }


def _lesson(preset: Mapping[str, Any]) -> Lesson:
    title, story, hint = (str(preset[name]) for name in ("title", "lesson", "look_for"))
    return Lesson(title=title, lesson=story, look_for=hint, question=preset.get("question"))
