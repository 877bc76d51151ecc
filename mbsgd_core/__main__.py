"""The command line (floor 6): run, sweep, link, catalogue, schema, fetch."""

import argparse
import json
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from mbsgd_core import share
from mbsgd_core.catalogue import catalogue
from mbsgd_core.errors import LabError
from mbsgd_core.experiment import Experiment, schema


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise LabError(f"{message}; try python -m mbsgd_core --help")


def parser() -> argparse.ArgumentParser:
    """The commands and their options."""
    top = _Parser(prog="python -m mbsgd_core", description="Fair experiments with BGD, SGD and mini-batch SGD.")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    run = commands.add_parser("run", help="train all lanes; one JSON object a lane on standard output")
    sweep = commands.add_parser("sweep", help="train all lanes in every cell of a grid; one JSON object a lane")
    link = commands.add_parser("link", help="print the share link's query string")
    for command in (run, sweep, link):
        command.add_argument(
            "experiment",
            metavar="EXPERIMENT",
            help="a JSON file (an experiment or a lesson), - for standard input, or a share link in quotes",
        )
    axis = "NAME=FIRST:LAST:COUNT, NAME=FIRST:LAST:COUNT:log or NAME=V1,V2,V3"
    sweep.add_argument("--x", metavar="AXIS", required=True, help=f"a knob and its values: {axis}")
    sweep.add_argument("--y", metavar="AXIS", help="the same for a second knob")
    sweep.add_argument("--target", metavar="LOSS", help="count the updates until the loss is this low")
    run.add_argument("--out", metavar="FILE.npz", type=Path, help="save the trajectories")
    sweep.add_argument("--out", metavar="FILE.npz", type=Path, help="save losses, steps and divergence of every cell")
    run.add_argument("--every", metavar="N", type=_step, help="keep updates 0, N, 2N ... and the last")
    sweep.add_argument("--every", metavar="N", type=_step, help="look at updates 0, N, 2N ... and the last")
    for command in (run, sweep):
        command.add_argument("--quiet", action="store_true", help="no progress bar")
    run.add_argument("--verbose", action="store_true", help="show the running batch loss every 100 updates")
    commands.add_parser("catalogue", help="print all problems, datasets, samplers, rules and schedules as JSON")
    commands.add_parser("schema", help="print the JSON Schema of the experiment")
    fetch = commands.add_parser("fetch", help="fetch the files of a data set that does not come with the app")
    fetch.add_argument("dataset", metavar="DATASET", help="its name, e.g. mnist")
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; the exit status: 0, 2 for anything that was given wrong, 130 after Ctrl-C."""
    # Read when torch is loaded. Threads that wait by spinning make a busy machine ten times slower.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        given = parser().parse_args(argv)
        if given.command == "run":
            from mbsgd_core import training  # brings torch, which the other commands do without

            training.run(read_experiment(given.experiment), given.out, given.every, given.quiet, given.verbose)
        elif given.command == "sweep":
            from mbsgd_core import sweeping

            experiment = read_experiment(given.experiment)
            sweeping.run(experiment, given.x, given.y, given.target, given.out, given.every, given.quiet)
        elif given.command == "fetch":
            from mbsgd_core import fetching

            fetching.run(given.dataset)
        elif given.command == "link":
            print(share.to_query(read_experiment(given.experiment)))
        else:
            print(json.dumps(catalogue() if given.command == "catalogue" else schema(), indent=2, allow_nan=False))
        sys.stdout.flush()
    except LabError as error:
        return _complain(str(error))
    except BrokenPipeError:  # the reader has gone, as in "... | head"
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        return _complain(f"{error.filename or 'file'}: {error.strerror or error}")
    except MemoryError:
        return _complain("the run does not fit into memory; lower runs or the budget, or keep less with --every")
    except KeyboardInterrupt:
        return _complain("interrupted", 130)
    return 0


def read_experiment(given: str) -> Experiment:
    """The experiment in a JSON file, on standard input ("-") or in a link, whose notices go to standard error.

    A file of assets/presets is an experiment with words around it, and will do as well.
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


def _json(data: bytes, source: str) -> Any:
    try:
        return json.loads(data.decode("utf-8-sig"), parse_constant=_refuse)
    except json.JSONDecodeError as error:
        raise LabError(f"{source} is not JSON: line {error.lineno}, column {error.colno}: {error.msg}") from None
    except (ValueError, RecursionError) as error:  # not UTF-8, NaN, a number of 5,000 digits, lists 10,000 deep
        raise LabError(f"{source} is not JSON: {error}") from None


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no number of JSON")


def _step(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text[:18]) > 0):
        raise argparse.ArgumentTypeError(f"given {text[:20]}; it should be a whole number from 1")
    return int(text[:18])


def _complain(text: str, status: int = 2) -> int:
    print(f"mbsgd_core: {' '.join(text.split())}", file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())
