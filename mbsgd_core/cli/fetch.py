"""The command "fetch" (floor 6): a data set's files, checked and kept for the app and the command line."""

import argparse
import sys

from mbsgd_core.cli.terminal import draw_bar
from mbsgd_core.problems.datasets.base import Dataset
from mbsgd_core.registry import pick


def options(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("dataset", metavar="DATASET", help="its name, e.g. mnist")


def execute(given: argparse.Namespace) -> None:
    """Fetch what is missing of a data set, with a bar on standard error.

    Raises:
        LabError: no such data set, or no source has its files; one sentence.
    """
    dataset = pick("mbsgd_core.problems.datasets", Dataset, given.dataset, "data set")
    if not dataset.missing:
        print(f"{dataset.title} is at hand; nothing is fetched.")
        return
    dataset.fetch(lambda done, total: draw_bar(dataset.title, done // 1000, total // 1000, "kB"))
    print(file=sys.stderr)
    print(f"{dataset.title} is at hand now.")
