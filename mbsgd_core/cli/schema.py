"""The command "schema" (floor 6): the JSON Schema of an experiment."""

import argparse
import json

from mbsgd_core.experiment import schema


def options(parser: argparse.ArgumentParser) -> None:
    """The command takes nothing."""


def execute(given: argparse.Namespace) -> None:
    """Print the schema as JSON."""
    print(json.dumps(schema(), indent=2, allow_nan=False))
