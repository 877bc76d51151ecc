"""The server's own addresses beside the channel's: the bench's files, and those of the first version's pages."""

import urllib.error
import urllib.request
from urllib.parse import parse_qsl, urljoin, urlsplit

import pytest

from mbsgd_core import share
from mbsgd_core.experiment import Experiment
from mbsgd_core.ui import files, presets
from tests.contract.test_frozen_links import LINKS


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        return None


def moved(address: str) -> str:
    """Where an address leads to."""
    with pytest.raises(urllib.error.HTTPError) as answer:
        urllib.request.build_opener(_Stay).open(address, timeout=60)
    assert answer.value.code == 307
    return urljoin(address, answer.value.headers["Location"])


@pytest.mark.parametrize("link", [link for link in LINKS if urlsplit(link["address"]).path != "/"][::3])
def test_a_page_of_the_first_version_has_moved(app: str, link: dict):
    where = urlsplit(moved(app + link["address"]))
    if link["experiment"] is None:
        assert where.path == "/Learn"
        return
    shown, _ = share.from_query(dict(parse_qsl(where.query, keep_blank_values=True)), True, presets.opening())
    assert where.path == "/" and shown == Experiment.model_validate(link["experiment"])


def test_embedding_and_a_slash_at_the_end_are_kept(app: str):
    query = "embed=true&embed_options=dark_theme"
    assert moved(f"{app}/Lessons/?{query}") == f"{app}/Learn?{query}"
    assert moved(f"{app}/Train/?embed=true").startswith(f"{app}/?v=1&")
    assert moved(f"{app}/Train/?embed=true").endswith("&embed=true")


@pytest.mark.parametrize("file, kind", [("bench/main.js", "javascript"), ("bench/bench.css", "css")])
def test_the_benchs_files_may_be_kept_for_ever(app: str, file: str, kind: str):
    with urllib.request.urlopen(f"{app}/{files.BASE}/{file}", timeout=10) as answer:
        assert kind in answer.headers["Content-Type"] and "immutable" in answer.headers["Cache-Control"]


def test_plotly_in_the_browser_is_the_version_that_python_knows():
    from plotly.offline import get_plotlyjs_version

    text = (files.VENDOR / "plotly-cartesian.min.js").read_text("utf-8")[:300]
    assert f"v{get_plotlyjs_version()}" in text
