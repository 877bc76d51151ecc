"""What a bench is told of its page (floor 6): the experiment in hand, its lesson, how it is to be shown."""

from typing import Any

from mbsgd_core import share
from mbsgd_core.experiment import Experiment
from mbsgd_core.figures.payload import VERSION
from mbsgd_core.ui import channel, files, presets


def page_header(
    experiment: Experiment,
    *,
    take: int,
    view: dict[str, Any] | None,
    embed: bool,
    clock: str | None = None,
    theme: str | None = None,
) -> dict[str, Any]:
    """The header, plain values.

    Args:
        experiment: in hand.
        take: counts what was put in hand anew: a new one is shown from its beginning.
        view: how a link wants it to be shown, see mbsgd_core/view.py.
        embed: whether the page sits in another.
        clock: what the time axis counts; None: as the lesson has it.
        theme: "light" | "dark"; None: as the visitor's system has it.
    """
    lesson = presets.like(experiment.model_dump(mode="json"))
    told = ("title", "lesson", "look_for", "question")
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
        "lesson": None if lesson is None else {name: lesson.get(name) for name in told},
        "summary": experiment.problem.summary,
    }
