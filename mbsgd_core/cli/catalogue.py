"""The command "catalogue" (floor 6): everything that can be named in an experiment, with every knob."""

import argparse
import json

from mbsgd_core.catalogue import catalogue


def options(parser: argparse.ArgumentParser) -> None:
    """The command takes nothing."""


def execute(given: argparse.Namespace) -> None:
    """Print the catalogue as JSON."""
    print(json.dumps(catalogue(), indent=2, allow_nan=False))
