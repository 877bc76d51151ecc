"""The claims as one table (floor 6): plain HTML, since a widget a row would cost the page more than all else on it.

On a narrow screen a row is a card: its cells wrap, one below the other, each with its column's name.
"""

from functools import cache
from html import escape
from urllib.parse import urlencode

import streamlit as st

from mbsgd_core import share
from mbsgd_core.experiment import Experiment
from mbsgd_core.format import number
from mbsgd_core.results.claim import SIGNS, WORDS, Claim, Measured, Value, Verdict, lesson, read
from mbsgd_core.ui import presets
from mbsgd_core.ui.frame import HOME

SOURCES = {
    "S0": "the article “Mini-Batch SGD Explained for Large-Scale Model Training”",
    "S1": "the tutorial “Mini-Batch Gradient Descent”",
}
COLUMNS = ("No.", "Claim", "Said by", "Measured", "Verdict", "Nuance", "Bench")
_STYLE = """<style>
.claims {border-collapse: collapse; font-size: .85rem; width: 100%; table-layout: fixed}
.claims th {font-weight: 500; text-align: left; opacity: .7}
.claims th, .claims td {padding: .45rem .8rem .45rem 0; vertical-align: top; overflow-wrap: anywhere}
.claims tr + tr, .claims tbody tr {border-top: 1px solid color-mix(in srgb, currentColor 15%, transparent)}
.claims th:nth-child(1) {width: 5rem} .claims th:nth-child(2) {width: 17%} .claims th:nth-child(3) {width: 9%}
.claims th:nth-child(4) {width: 27%} .claims th:nth-child(5) {width: 11%} .claims th:nth-child(7) {width: 11%}
.claims ul {margin: .3rem 0 0; padding-left: 1rem} .claims li {margin: 0 0 .2rem; font-size: .85rem !important}
.claims summary {cursor: pointer} .claims p {margin: .3rem 0 0; font-size: inherit}
.claims a {color: inherit; display: inline-block; padding: .15rem 0}
@media (max-width: 900px) {
  .claims, .claims tbody, .claims tr, .claims td, .claims th {display: block; width: auto !important}
  .claims thead {position: absolute; clip-path: inset(50%); height: 1px; overflow: hidden}
  .claims tbody tr {padding: .6rem 0}
  .claims td, .claims tbody th {padding: .15rem 0; opacity: 1}
  .claims td::before {content: attr(data-column) ": "; opacity: .7}
}
</style>"""


def table() -> None:
    """Draw all claims, in order, each with its measured values and the link to its bench."""
    st.html(_html())


@cache
def _html() -> str:
    head = "".join(f'<th scope="col" role="columnheader">{column}</th>' for column in COLUMNS)
    body = "".join(_row(claim) for claim in read().values())
    sources = "; ".join(f"{key} is {text}" for key, text in SOURCES.items())
    return (
        f"{_STYLE}<p>{escape(sources)}. s1 to s8 are the eight things most likely to be got wrong.</p>"
        f'<table class="claims" role="table" aria-label="Claims"><thead role="rowgroup"><tr role="row">{head}</tr>'
        f'</thead><tbody role="rowgroup">{body}</tbody></table>'
    )


def of_lesson(name: str) -> list[Claim]:
    """The claims that a lesson is about: those whose bench it is, and those that name it."""
    return [claim for claim in read().values() if name in (claim.bench, *claim.lessons)]


@cache
def about(name: str) -> str:
    """The claims of a lesson, folded, as HTML."""
    found = of_lesson(name)
    brief = ", ".join(f"{claim.number} {SIGNS[claim.verdict]}" for claim in found)
    each = "".join(f"<p>Claim {claim.number}: “{escape(claim.claim)}” {SIGNS[claim.verdict]}</p>" for claim in found)
    return f"<details><summary>Claim{'s' if len(found) > 1 else ''} {brief}</summary>{each}</details>" if found else ""


def tally() -> str:
    """How many claims hold, hold with a condition, are wrong."""
    found: list[Verdict] = [claim.verdict for claim in read().values()]
    return ", ".join(f"{found.count(key)} {sign} {WORDS[key]}" for key, sign in SIGNS.items())


def written(each: Measured) -> str:
    """A measured value with its name, its unit and what was expected.

    Example:
        >>> written(Measured(what="BGD", how={"measure": "epochs_to"}, unit="epochs", expected=7, value=7))
        'BGD: 7 epochs (expected 7)'
    """
    if each.range is not None:
        goal = "" if each.value is None else f" (expected {number(each.range[0])} to {number(each.range[1])})"
    else:
        goal = f" (expected {_numbers(each.expected)})"
    return f"{each.what}: {_numbers(each.value)}{' ' + each.unit if each.unit else ''}{goal}"


def _row(claim: Claim) -> str:
    values = "".join(f"<li>{escape(written(each))}</li>" for each in claim.measured)
    first = claim.measured[0]
    brief = f"{first.what}: {_numbers(first.value)}{' ' + first.unit if first.unit else ''}"
    measured = (
        f"<details><summary>{escape(brief)}</summary><p>{escape(claim.experiment)}</p><ul>{values}</ul>"
        f"<p>Papers: {escape(claim.papers)}.</p></details>"
    )
    verdict = f"{SIGNS[claim.verdict]}: {WORDS[claim.verdict]}"
    cells = (escape(claim.claim), escape(claim.said_by), measured, escape(verdict), escape(claim.nuance), _links(claim))
    rest = "".join(
        f'<td role="cell" data-column="{column}">{cell}</td>' for column, cell in zip(COLUMNS[1:], cells, strict=True)
    )
    head = f'<th scope="row" role="rowheader">Claim {claim.number}</th>'
    return f'<tr role="row" id="claim-{claim.number}">{head}{rest}</tr>'


def _links(claim: Claim) -> str:
    known = presets.all_presets()
    places = [(known[claim.bench]["title"] if isinstance(claim.bench, str) else "Its own experiment", claim.setup)]
    places += [(known[name]["title"], lesson(name)) for name in claim.lessons]
    links = []
    for title, setup in places:
        query = urlencode(share.flat(Experiment.model_validate(setup)))
        said = f"{title}: open claim {claim.number} in {HOME}"
        links.append(f'<a href="./?{escape(query)}" target="_self" aria-label="{escape(said)}">{escape(title)}</a>')
    return "<br>".join(links)


def _numbers(value: Value) -> str:
    each = value if isinstance(value, list) else [value]
    return ", ".join("none" if one is None else number(one) for one in each)
