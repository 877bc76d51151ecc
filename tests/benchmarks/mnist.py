"""The text's whole program, ours against the plain loop. Run: python -m tests.benchmarks.mnist [--seeds 0,1,2]

Two processes a seed, in turns: `python -m mbsgd_core run` on the CNN with all of MNIST (5 epochs, Adam, b = 64), and
the loop as everyone writes it (nn.Sequential, DataLoader, Adam). Wall seconds of the whole process: imports,
reading the files and the test of 10,000 images included; its largest memory; the test accuracy. Needs the four files
of MNIST: MBSGD_DATA names their folder.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time

import torch
from torch.utils.data import DataLoader, TensorDataset

from mbsgd_core import engine
from mbsgd_core.experiment import Experiment
from mbsgd_core.ui import presets
from tests.benchmarks import loops, machine

LESSON = "train/07_cnn_on_mnist"


def program(seed: int) -> Experiment:
    """The lesson of the text's CNN with all 60,000 images."""
    draft = presets.all_presets()[LESSON]["experiment"]
    problem = draft["problem"] | {"dataset": "mnist"}
    return Experiment.model_validate(draft | {"problem": problem, "seed": seed})


def plain(seed: int) -> None:
    """The loop, its test, and one line of JSON."""
    torch.manual_seed(seed)
    experiment = program(seed)
    made = loops.loop(experiment, 0)
    loader = DataLoader(TensorDataset(*made.data), batch_size=made.batch_size, shuffle=True)
    for _ in range(experiment.budget.amount):
        made.train(loader)
    test = engine.finite_sum(experiment)
    made.model.eval()
    with torch.no_grad():
        parts = zip(test.x_test.reshape(-1, 1, 28, 28).split(1000), test.y_test.split(1000), strict=True)
        right = sum(int((made.model(x).argmax(1) == y).sum()) for x, y in parts)
    print(json.dumps({"test_accuracy": right / len(test.y_test)}))


def timed(command: list[str], text: str | None = None) -> tuple[float, float, float]:
    """(wall seconds, GB of memory at most, test accuracy) of a whole process."""
    begun = time.perf_counter()
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write(text or "")
    process.stdin.close()
    answer = process.stdout.read()
    _, _, used = os.wait4(process.pid, 0)  # this child's own use; getrusage knows the largest of all children
    return time.perf_counter() - begun, used.ru_maxrss / 1e6, json.loads(answer)["test_accuracy"]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.mnist", description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", default="0,1,2", help="one run of each side for each of them")
    parser.add_argument("--plain", type=int, metavar="SEED", help="the loop alone, as the benchmark starts it")
    given = parser.parse_args()
    if given.plain is not None:
        plain(given.plain)
        return
    print("; ".join(f"{name} {value}" for name, value in machine.describe().items()))
    ratios = []
    for seed in map(int, given.seeds.split(",")):
        ours = timed([sys.executable, "-m", "mbsgd_core", "run", "-", "--quiet"], program(seed).to_json())
        theirs = timed([sys.executable, "-m", "tests.benchmarks.mnist", "--plain", str(seed)])
        ratios.append(theirs[0] / ours[0])
        print(
            f"seed {seed}: ours {ours[0]:.0f} s, {ours[2]:.2%}, {ours[1]:.2f} GB; "
            f"plain loop {theirs[0]:.0f} s, {theirs[2]:.2%}; ratio {ratios[-1]:.2f}; load {os.getloadavg()[0]:.1f}",
            flush=True,
        )
    print(f"median ratio {statistics.median(ratios):.2f}")


if __name__ == "__main__":
    main()
