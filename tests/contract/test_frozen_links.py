"""Links of the first version: each still gives the experiment that it gave then, whatever page it names.

frozen_links.json holds what the first version made of them, and is never written again.
"""

import json
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest

from mbsgd_core import share
from mbsgd_core.experiment import Experiment
from mbsgd_core.ui import aliases, presets

LINKS = json.loads((Path(__file__).parent / "frozen_links.json").read_text("utf-8"))
MEANING = {"/": lambda given: given, "/Train": aliases.train, "/Problems": aliases.problem}
TOLD = [link for link in LINKS if link["experiment"] is not None]


@pytest.mark.parametrize("link", TOLD, ids=[f"{i}{urlsplit(link['address']).path}" for i, link in enumerate(TOLD)])
def test_it_keeps_its_meaning(link):
    address = urlsplit(link["address"])
    given = MEANING[address.path](dict(parse_qsl(address.query, keep_blank_values=True)))
    shown, _ = share.from_query(given, page=True, fallback=presets.opening())
    assert shown == Experiment.model_validate(link["experiment"])


def test_there_are_enough_of_every_page():
    paths = [urlsplit(link["address"]).path for link in LINKS]
    assert len(paths) >= 30 and {path: paths.count(path) >= 2 for path in paths} == dict.fromkeys(
        ("/", "/Train", "/Problems", "/Lessons"), True
    )


def test_what_cannot_be_used_is_said_on_the_bench_too():
    given = aliases.train({"lane2.schedule.learning_rate": "fast", "nonsense": "1", "embed": "true"})
    _, notices = share.from_query(given, page=True, fallback=presets.opening())
    assert {notice.key for notice in notices} == {"lane2.schedule.learning_rate", "nonsense"}
    assert given["embed"] == "true"
