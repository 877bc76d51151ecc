"""The command "claims" (floor 6): measure the textbook claims anew, and write what came out into their files."""

import argparse
import json
from time import perf_counter

import torch

from mbsgd_core.claims import base
from mbsgd_core.errors import LabError
from mbsgd_core.results import claim as claims
from mbsgd_core.results.claim import Claim

CHEAP, STALE = "cheap", "stale"


def options(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    which = f'claims such as 24 or s2; "{CHEAP}": all that take seconds; "{STALE}": those that have changed; none: all'
    parser.add_argument("numbers", metavar="NUMBER", nargs="*", help=which)
    parser.add_argument("--write", action="store_true", help="write the measured values into the claims' files")


def execute(given: argparse.Namespace) -> None:
    """Measure each claim; one JSON object a claim on standard output.

    Raises:
        LabError: there is no such claim; or some value is not what is expected, once all are measured.
    """
    torch.set_num_threads(1)  # as the tests and the workers
    every, wrong = claims.read(), []
    known = {claim.number for claim in every.values()} | {CHEAP, STALE}
    if unknown := [number for number in given.numbers if number not in known]:
        raise LabError(f"there is no claim {unknown[0]}; there are 1 to 56 and s1 to s8")
    for path, claim in every.items():
        if not _is_meant(claim, given.numbers):
            continue
        began = perf_counter()
        found = list(zip(claim.measured, base.measure(claim), strict=True))
        seconds = round(perf_counter() - began, 2)
        rows = [
            {"what": each.what, "value": value, "right": each.is_right(value), "kept": base.is_kept(each.value, value)}
            for each, value in found
        ]
        line = {"number": claim.number, "verdict": claim.verdict, "seconds": seconds, "measured": rows}
        print(json.dumps(line, ensure_ascii=False, allow_nan=False), flush=True)
        wrong += [f"claim {claim.number}, {row['what']}" for row in rows if not row["right"]]
        if given.write:
            measured = tuple(each.model_copy(update={"value": value}) for each, value in found)
            now = claim.model_copy(update={"measured": measured, "digest": base.digest(claim)})
            path.write_text(now.text(), "utf-8")
    if wrong:
        raise LabError(f"not as expected: {'; '.join(wrong)}")


def _is_meant(claim: Claim, words: list[str]) -> bool:
    if not words or claim.number in words:
        return True
    return (CHEAP in words and not claim.dear) or (STALE in words and claim.digest != base.digest(claim))
