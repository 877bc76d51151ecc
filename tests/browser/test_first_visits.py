"""Nobody's first page is white, though others are at work.

Many more visits: python -m tests.benchmarks.first_visits
"""

from playwright.sync_api import Browser

from mbsgd_core.ui import frame
from tests.benchmarks.first_visits import first_visit
from tests.benchmarks.others import others

VISITS, BESIDE = 3, 2


def test_a_first_visit_stands_beside_others(browser: Browser, fresh: str):
    with others(fresh, BESIDE):
        for name in list(frame.pages()) * VISITS:
            assert first_visit(browser, fresh, name)[1] == [], name
