"""What several commands are given: an experiment in any of its forms, a file to write, a number of updates."""

import argparse
import json
import os
import re
import sys
from pathlib import Path
from typing import Any, NoReturn

from mbsgd_core import share
from mbsgd_core.errors import LabError
from mbsgd_core.experiment import Experiment


def add_experiment(parser: argparse.ArgumentParser) -> None:
    """The argument EXPERIMENT, a text for `read_experiment`."""
    what = "a JSON file (an experiment or a lesson), - for standard input, or a share link in quotes"
    parser.add_argument("experiment", metavar="EXPERIMENT", help=what)


def read_experiment(given: str) -> Experiment:
    """The experiment in a JSON file, on standard input ("-") or in a link, whose notices go to standard error.

    A file of assets/presets is an experiment with words around it, and will do as well.

    Raises:
        LabError: it is no JSON, or no experiment.
        OSError: the file cannot be read.
    """
    if re.match(r"https?://|\?|v=", given):
        experiment, notices = share.from_query(given)
        for notice in notices:
            print(notice, file=sys.stderr)
        return experiment
    data = sys.stdin.buffer.read() if given == "-" else Path(given).read_bytes()
    found = _json(data, "standard input" if given == "-" else given)
    is_lesson = isinstance(found, dict) and "experiment" in found and "lesson" in found
    return Experiment.model_validate(found["experiment"] if is_lesson else found)


def must_be_writable(path: Path) -> None:
    """LabError, before any work is done, where a file for --out cannot be written."""
    place = path if path.exists() else path.parent
    if path.is_dir() or not place.exists() or not os.access(place, os.W_OK):
        raise LabError(f"--out: {path} cannot be written; give a file in a folder that exists and is yours")


def whole_number(text: str) -> int:
    """A whole number from 1, as argparse asks for it.

    Example:
        >>> whole_number("25")
        25
    """
    if not (text.isascii() and text.isdigit() and int(text[:18]) > 0):
        raise argparse.ArgumentTypeError(f"given {text[:20]}; it should be a whole number from 1")
    return int(text[:18])


def _json(data: bytes, source: str) -> Any:
    try:
        return json.loads(data.decode("utf-8-sig"), parse_constant=_refuse)
    except json.JSONDecodeError as error:
        raise LabError(f"{source} is not JSON: line {error.lineno}, column {error.colno}: {error.msg}") from None
    except (ValueError, RecursionError) as error:  # not UTF-8, NaN, a number of 5,000 digits, lists 10,000 deep
        raise LabError(f"{source} is not JSON: {error}") from None


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no number of JSON")
