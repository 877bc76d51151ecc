"""The command "link" (floor 6): an experiment as the query string of its share link."""

import argparse

from mbsgd_core import share
from mbsgd_core.cli.arguments import add_experiment, read_experiment


def options(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    add_experiment(parser)


def execute(given: argparse.Namespace) -> None:
    """Print the query string."""
    print(share.to_query(read_experiment(given.experiment)))
