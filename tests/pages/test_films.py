"""Films of runs: one for each run at rest, at an address of its own, and not too many."""

from mbsgd_core.figures.payload import unpack
from mbsgd_core.ui.films import PATH, Films, films
from tests.pages.test_train import press, settled, shown, visit


def test_a_run_at_rest_has_a_film():
    page = settled(visit())
    header, _ = shown(page)
    path, name = header["film"].rsplit("/", 1)
    _, arrays = unpack(films().get(name))
    lane = page.session_state["run"].result.lanes[1]
    assert path == PATH and arrays["lane1/at"].tolist() == list(lane.film_at)
    page.run()
    assert shown(page)[0]["film"] == header["film"]  # made once
    assert shown(settled(press(page, "Train")))[0]["film"] != header["film"]


def test_films_are_bounded(monkeypatch):
    monkeypatch.setattr("mbsgd_core.ui.films.CAPACITY", 10)
    kept = Films()
    names = [kept.put(bytes(4)).rsplit("/", 1)[1] for _ in range(4)]
    assert [kept.get(name) is not None for name in names] == [False, False, True, True]
    assert kept.get("../secret") is None
