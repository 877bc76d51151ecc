"""The command "claims" (floor 6): measure the textbook claims anew, and write what came out into their files."""

import argparse
import json
import os
from time import perf_counter

import torch

from mbsgd_core.claims import base
from mbsgd_core.errors import LabError
from mbsgd_core.results import claim as claims


def options(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument(
        "numbers", metavar="NUMBER", nargs="*", help='claims such as 24 or s2; "cheap": all that are; none: all'
    )
    parser.add_argument("--write", action="store_true", help="write the measured values into the claims' files")


def execute(given: argparse.Namespace) -> None:
    """Measure each claim; one JSON object a claim on standard output.

    Raises:
        LabError: there is no such claim; or some value is not what is expected, once all are measured.
    """
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    torch.set_num_threads(1)  # as the tests and the workers
    every = claims.read()
    known = {claim.number for claim in every.values()}
    if unknown := [number for number in given.numbers if number not in known | {"cheap"}]:
        raise LabError(f"there is no claim {unknown[0]}; there are 1 to 56 and s1 to s8")
    wrong = []
    for path, claim in every.items():
        if given.numbers and claim.number not in given.numbers and not ("cheap" in given.numbers and not claim.dear):
            continue
        began = perf_counter()
        values = base.measure(claim)
        right = [each.is_right(value) for each, value in zip(claim.measured, values, strict=True)]
        kept = [base.is_kept(each.value, value) for each, value in zip(claim.measured, values, strict=True)]
        rows = zip((each.what for each in claim.measured), values, right, kept, strict=True)
        print(
            json.dumps(
                {
                    "number": claim.number,
                    "verdict": claim.verdict,
                    "seconds": round(perf_counter() - began, 2),
                    "measured": [dict(zip(("what", "value", "right", "kept"), row, strict=True)) for row in rows],
                }
            ),
            flush=True,
        )
        wrong += [
            f"claim {claim.number}, {each.what}" for each, fine in zip(claim.measured, right, strict=True) if not fine
        ]
        if given.write:
            measured = [
                each.model_copy(update={"value": value}) for each, value in zip(claim.measured, values, strict=True)
            ]
            now = claim.model_copy(update={"measured": tuple(measured), "digest": base.digest(claim)})
            path.write_text(now.text(), "utf-8")
    if wrong:
        raise LabError(f"not as expected: {'; '.join(wrong)}")
