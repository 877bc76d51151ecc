"""Our engine against what people use. Run: python -m tests.benchmarks [--quick] [--only surface,nets] [--json FILE]

Prints a row for each goal, then how the cost of an update grows with lanes, batch size and parameters, and what share
of the machine's limits is used. Both sides run in one process, in turns; a ratio is the median over the rounds of
theirs / ours. Before the clock starts both sides must be shown to compute the same; else the exit status is 1.
"""

import argparse
import gc
import json
import sys
from pathlib import Path

import torch
from threadpoolctl import threadpool_limits

from tests.benchmarks import growth, machine, report, rows_linear, rows_nets, rows_surface, rows_sweep, shares
from tests.benchmarks.case import Line, Unequal
from tests.benchmarks.timing import measure

ROWS = {"surface": rows_surface, "linear": rows_linear, "nets": rows_nets, "sweep": rows_sweep}
ROUNDS, QUICK = 5, 2
PROTOCOL = """\
Times: CPU time of one thread; in rows C wall clock.
Ours: engine.run with theta and the full objective at every update, with more than 64 parameters at 200 records a lane
(CNN: engine.advance, no records); engine.sweep with the objective at every update, with more than 2 parameters at the
ends of epochs. Every repetition has a new seed, so every order is drawn while the clock runs.
The loop: keeps theta at every update of a surface, else every batch's loss. scikit-learn keeps nothing.
Number types: the same on both sides, float64, networks float32."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help=f"{QUICK} rounds instead of {ROUNDS}: only a look")
    parser.add_argument("--only", metavar="NAME,NAME", help=f"some of {', '.join(ROWS)}, without growth and limits")
    parser.add_argument("--json", metavar="FILE", type=Path, help="write all figures there too")
    given = parser.parse_args()
    names = given.only.split(",") if given.only else list(ROWS)
    if unknown := set(names) - set(ROWS):
        parser.error(f"--only: no {', '.join(sorted(unknown))}; there are {', '.join(ROWS)}")
    rounds = QUICK if given.quick else ROUNDS
    torch.set_num_threads(1)
    gc.collect()
    gc.freeze()  # as the app does: else each collection walks through all of torch
    with threadpool_limits(1):
        facts = machine.describe()
        print("; ".join(f"{name} {value}" for name, value in facts.items()))
        print(f"{PROTOCOL} Medians of {rounds} rounds.\n", flush=True)
        try:
            lines = _goals(names, rounds)
        except Unequal as error:
            print(f"not equal: {error}", file=sys.stderr)
            return 1
        print(report.goals(lines), flush=True)
        curves, used = [], []
        if not given.only:
            curves = growth.measure(rounds)
            print(f"\n{report.growth(curves)}", flush=True)
            used = shares.measure(rounds)
            print(f"\n{report.shares(used)}")
    if given.json:
        given.json.write_text(json.dumps(report.as_json(facts, lines, curves, used), indent=1))
    return 0


def _goals(names: list[str], rounds: int) -> list[Line]:
    lines = []
    for name in names:
        for case in ROWS[name].cases():
            found = measure(case, rounds)
            print(report.goals(found).partition("\n\n")[0], file=sys.stderr, flush=True)
            lines += found
    return lines


if __name__ == "__main__":
    sys.exit(main())
