"""The front door of the command line: which commands there are, and one clear line for whatever goes wrong."""

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import NoReturn

from mbsgd_core import __version__
from mbsgd_core.errors import LabError

# A command is the file of its name: `options(parser)` says what it takes, `execute(given)` does it. Its file is
# imported only if it is asked for, since some bring torch, which the others do without.
COMMANDS = {
    "run": "train all lanes; one JSON object a lane on standard output",
    "sweep": "train all lanes in every cell of a grid; one JSON object a lane",
    "link": "print the share link's query string",
    "claims": "measure the textbook claims of assets/claims anew; one JSON object a claim",
    "catalogue": "print all problems, datasets, samplers, rules and schedules as JSON",
    "schema": "print the JSON Schema of the experiment",
    "fetch": "fetch the files of a data set that does not come with the app",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        argv: the command and its arguments; None: those of the process.

    Returns:
        The exit status: 0, 1 where the reader of the output has gone, 2 for anything that was given wrong, 130 after
        Ctrl-C.
    """
    # Read when torch is loaded. Threads that wait by spinning make a busy machine ten times slower.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    words = sys.argv[1:] if argv is None else argv
    try:
        given = parser(words).parse_args(words)
        _module(given.command).execute(given)
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


def parser(words: Sequence[str]) -> argparse.ArgumentParser:
    """All commands, with the options of the one that these words begin with.

    Args:
        words: as they were typed, the command first.
    """
    program = "mbsgd" if Path(sys.argv[0]).stem == "mbsgd" else "python -m mbsgd_core"
    top = _Parser(prog=program, description="Fair experiments with BGD, SGD and mini-batch SGD.")
    top.add_argument("--version", action="version", version=f"mbsgd {__version__}")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, summary in COMMANDS.items():
        command = commands.add_parser(name, help=summary, description=summary)
        if name in words[:1]:
            _module(name).options(command)
    return top


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise LabError(f"{message}; try {self.prog} --help")


def _module(command: str) -> ModuleType:
    return import_module(f"mbsgd_core.cli.{command}")


def _complain(text: str, status: int = 2) -> int:
    print(f"mbsgd_core: {' '.join(text.split())}", file=sys.stderr)
    return status
