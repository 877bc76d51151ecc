"""What a link says about the view: all of it optional, nothing of it unchecked, none of it the experiment's."""

import re
from pathlib import Path

import pytest

from mbsgd_core import share, view
from mbsgd_core.measures.panels import panels
from mbsgd_core.types import CLOCKS
from mbsgd_core.ui import presets

LINK = share.to_query(presets.opening())
BENCH = Path(__file__).resolve().parents[2] / "assets" / "bench" / "view.js"


def test_a_link_without_it_says_nothing():
    assert view.from_query(dict(share.flat(presets.opening()))) == (None, [])


def test_it_does_not_touch_the_experiment():
    told = f"{LINK}&view.clock=seconds&view.at=0.4&view.nonsense=1"
    assert share.from_query(told, page=True) == (presets.opening(), [])


@pytest.mark.parametrize(
    "text, said",
    [
        ("view.clock=samples", {"clock": "samples"}),
        ("view.at=.25", {"at": 0.25}),
        ("view.at=2", {"at": 1.0}),
        ("view.panels=path,fit", {"panels": ("path", "fit")}),
        ("view.log_y=false", {"log_y": False}),
        ("view.layout=overlay", {"layout": "overlay"}),
        ("view.speed=1e9", {"speed": 16.0}),
        ("view.curve=null", None),
        ("view.clock=fortnights", None),
        ("view.panels=path,cellar", None),
        ("view.tab=<script>", None),
        ("view.at=" + "9" * 5000, None),
        ("view.=1", None),
    ],
)
def test_it_is_read_with_care(text, said):
    key, _, value = text.partition("=")
    found, notices = view.from_query({key: value})
    assert found == said
    right = "view.at=2" not in text and "1e9" not in text and (said is not None or value == "null")
    assert bool(notices) != right and all(str(notice)[-1] in ".?" for notice in notices)


def test_it_knows_the_clocks_the_panels_and_what_the_bench_writes():
    fields = view.ViewSettings.model_fields
    assert set(view.Clock.__args__) == set(CLOCKS)
    for name in presets.all_presets():
        assert set(panels(presets.experiment(name))) <= set(view.Panel.__args__)
    fresh = re.search(r"FRESH = Object.freeze\(\{(.*?)\}\)", BENCH.read_text("utf-8"), re.DOTALL)[1]
    assert {"clock", "at", *re.findall(r"^  (\w+):", fresh, re.MULTILINE)} <= set(fields)
