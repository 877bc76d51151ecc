"""The one cost table (floor 4): c(shape of the problem, rule, b, number type, device, threads, runs), kept.

Whatever says seconds says updates times what stands here: page, command line, exports. So a number must not depend on
which process is asked: it is measured once a machine, and kept in a small file that all processes read. The file's name
is a digest of the machine and of all versions, so another machine, or another version, measures anew. A file that is
broken or cannot be written costs a measurement and nothing else.

A machine runs now faster, now slower (its clock rate, who else is on the core): two measurements of one cost may differ
by half. Nobody's numbers are scaled by how fast it happens to be now: that would make equal updates cost different
seconds. What stands is the lower median of up to LOOKS measurements that lie AGAIN apart, each of them a slope
(`cost_slope`): one slow while is outvoted, and twenty runs in a row say the same.

Costs are measured at batch sizes that are powers of two, and at all m; between them c is interpolated, since a batch
takes a + k b: a drag of the batch size measures little.
"""

import hashlib
import json
import math
import os
import platform
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from functools import cache, lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NamedTuple

import torch

from mbsgd_core import __version__, engine
from mbsgd_core.engine.plan import plan_of
from mbsgd_core.experiment import Experiment
from mbsgd_core.kernels import ready
from mbsgd_core.measures import cost_work
from mbsgd_core.measures.cost_slope import Work, slopes
from mbsgd_core.registry import name_of
from mbsgd_core.results.cost import NO_COSTS, Cost, Costs
from mbsgd_core.samplers.base import MiniBatchSampler, Sampler
from mbsgd_core.samplers.reshuffle import Reshuffle

FOLDER = "MBSGD_COSTS"  # where the table is kept; else the user's cache folder
LOOKS, AGAIN = 5, 600.0  # measurements of one cost at most, and the seconds between two of them
DEAR, SPEED = 0.1, 2e10  # seconds that an update may take to be measured itself; operations a second, to foretell them
UNSURE = 0.25  # of a cost that follows from those of smaller batches
UTF8 = "utf-8"

Look = tuple[float, float, float]  # seconds, half width, when (seconds since 1970)
Table = dict[str, list[Look]]


class _Point(NamedTuple):
    """A batch size at which costs are measured."""

    alone: Experiment
    size: float  # samples an update, the ragged last batch counted in
    keys: tuple[str, str | None]  # in the table: of the engine's cost, of the loop's; None: torch has no such rule


def known(experiment: Experiment, lane: int) -> Costs | None:
    """What an update of the lane costs; None while that is not measured."""
    points, table = _points(experiment, lane), _read()
    if not points:
        return NO_COSTS
    needed = [key for point in points for key in point.keys if key is not None]
    return _costs(experiment, lane, points, table) if all(key in table for key in needed) else None


def calibrate(experiment: Experiment, lanes: Sequence[int] | None = None) -> list[Costs]:
    """What an update of each lane costs, measured where it is not known, or where a further look is due.

    About a tenth of a second for each cost of a small problem, up to a few seconds for a large network.

    Args:
        experiment: what is to be timed; its learning rates do not matter.
        lanes: those asked for; None: all.
    """
    lanes = range(len(experiment.lanes)) if lanes is None else lanes
    asked = {i: _points(experiment, i) for i in lanes}
    table, begun, works = _read(), time.time(), dict[str, Work]()
    for point in (point for points in asked.values() for point in points):
        for key, make in zip(point.keys, (cost_work.engine_work, cost_work.loop_work), strict=True):
            if key is None or key in works or not _is_due(table.get(key), begun):
                continue
            if (work := make(point.alone)) is not None:
                works[key] = work
    alone = torch.get_num_threads() == 1 and engine.device_of(experiment) == "cpu"
    now = time.process_time if alone else time.perf_counter
    fresh = dict(zip(works, slopes(list(works.values()), now), strict=True)) if works else {}
    if fresh:
        table = _keep({key: cost for key, cost in fresh.items() if cost is not None}, begun)
    return [_costs(experiment, i, points, table) for i, points in asked.items()]


def _costs(experiment: Experiment, lane: int, points: Sequence[_Point], table: Table) -> Costs:
    """The table's costs at the lane's own batch size."""
    if not points:
        return NO_COSTS
    sizes = experiment.lanes[lane].sampler.sizes(experiment.problem.sample_count)
    mean = sum(sizes) / len(sizes)
    here, loop = (_between(points, mean, [table.get(point.keys[i] or "") for point in points]) for i in (0, 1))
    return Costs(here, None if loop is None else loop.times(experiment.runs))


def _between(points: Sequence[_Point], size: float, looks: Sequence[list[Look] | None]) -> Cost | None:
    """On the line through the costs at one or two points."""
    costs = [_said(own) for own in looks if own]
    if len(costs) < len(points):
        return None
    (first, cost), (last, other) = (points[0].size, costs[0]), (points[-1].size, costs[-1])
    if last == first:
        return cost
    along = (size - first) / (last - first)
    seconds, off = (a + along * (b - a) for a, b in zip(cost, other, strict=True))
    return Cost(max(seconds, other.seconds), UNSURE * seconds) if size > 1.01 * last else Cost(seconds, off)


def _said(looks: Sequence[Look]) -> Cost:
    """The lower median of some measurements, and how far the least is from it, if that is more than its half width."""
    ordered = sorted(looks)
    seconds, off, _ = ordered[(len(ordered) - 1) // 2]
    return Cost(seconds, max(off, seconds - ordered[0][0]))


def _is_due(looks: Sequence[Look] | None, now: float) -> bool:
    return not looks or (len(looks) < LOOKS and now - looks[-1][2] > AGAIN)


def _points(experiment: Experiment, lane: int) -> list[_Point]:
    """One or two batch sizes from which the lane's cost follows; none where it has no batch."""
    if not experiment.lanes[lane].sampler.sizes(experiment.problem.sample_count):
        return []
    compiled = plan_of(experiment, lane).compiled is not None
    return _points_of(cost_work.probe(experiment, lane), compiled, torch.get_num_threads())


@lru_cache(maxsize=512)
def _points_of(experiment: Experiment, compiled: bool, threads: int) -> list[_Point]:
    samples, sampler = experiment.problem.sample_count, experiment.lanes[0].sampler
    size, each = sampler.size(samples), 3 * experiment.problem.flops or 6 * experiment.problem.parameter_count
    most = max(2, int(DEAR * SPEED / (each * experiment.runs)))
    if size > most:
        upper = 1 << (most.bit_length() - 1)
        return [_point(experiment, _with_batches(sampler, each), compiled, threads) for each in (upper // 2, upper)]
    size = sampler.at_once(samples)
    lower = 1 << (size.bit_length() - 1)
    if not isinstance(sampler, MiniBatchSampler) or size in (lower, samples):
        return [_point(experiment, sampler, compiled, threads)]
    ends = [sampler.model_copy(update={"batch_size": each}) for each in (lower, min(2 * lower, samples))]
    return [_point(experiment, each, compiled, threads) for each in ends]


def _with_batches(sampler: Sampler, size: int) -> MiniBatchSampler:
    """The sampler with batches of this size, each an update; a full batch becomes reshuffled ones."""
    mini = sampler if isinstance(sampler, MiniBatchSampler) else Reshuffle()
    return mini.model_copy(update={"batch_size": size, "accumulate": 1})


def _point(alone: Experiment, sampler: Sampler, compiled: bool, threads: int) -> _Point:
    method, samples = alone.lanes[0], alone.problem.sample_count
    lane = method.model_copy(update={"sampler": sampler})
    alone = alone.model_copy(update={"lanes": (lane,)})
    rule, sizes = method.rule, sampler.sizes(samples)
    problem = [name_of(alone.problem), _worn(alone.problem.model_dump(mode="json")), samples]
    both = [problem, alone.problem.parameter_count, name_of(rule), _worn(rule.model_dump(mode="json"))]
    both += [name_of(sampler), sampler.model_dump(mode="json"), alone.dtype, cost_work.timing(alone)["pytorch_seconds"]]
    both += [method.clip and [name_of(method.clip), _worn(method.clip.model_dump(mode="json"))]]
    average = method.average and [name_of(method.average), _worn(method.average.model_dump(mode="json"))]
    schedule = _worn(lane.schedule.model_dump(mode="json"))
    own = ["engine", schedule, average, alone.runs, threads, compiled]
    loop = None if rule.torch_class is None else _digest(["loop", both])
    return _Point(alone, sum(sizes) / len(sizes), (_digest([own, both]), loop))


def _worn(value: Any) -> Any:
    """Settings that take the same work are written alike: of a number with a fraction only whether it is 0 counts."""
    if isinstance(value, float):
        return float(value != 0)
    if isinstance(value, dict):
        return {name: _worn(part) for name, part in value.items() if name != "learning_rate"}
    return [_worn(part) for part in value] if isinstance(value, list) else value


def _digest(value: Any) -> str:
    return hashlib.blake2b(json.dumps(value).encode(), digest_size=12).hexdigest()


# --- the file

_memory: dict[Path, tuple[int, Table]] = {}  # what this process knows, and of which state of the file


def path() -> Path:
    """The file of this machine and these versions."""
    base = os.environ.get("MBSGD_CACHE") or os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    own = os.environ.get(FOLDER)
    folder = Path(own) if own else Path(base) / "mbsgd"
    return folder.expanduser() / f"costs-{machine()}.json"


@cache
def machine() -> str:
    """A digest of the machine and of all versions that a cost depends on; a GPU is not touched before a fork."""
    model = platform.processor() or platform.machine()
    with suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text(UTF8).splitlines()
        model = next((line for line in lines if line.startswith("model name")), model)
    versions = []
    for name in ("torch", "numpy", "numba"):
        with suppress(PackageNotFoundError):
            versions.append(version(name))
    lanes = ready.digest() if ready.is_possible() else ""
    return _digest([model, os.cpu_count(), platform.python_version(), __version__, versions, lanes])


def _read() -> Table:
    """All that is known; what is broken is not known."""
    place = path()
    try:
        stamp = place.stat().st_mtime_ns
    except OSError:
        stamp = 0
    before, table = _memory.get(place, (-1, {}))
    if stamp != before:
        _memory[place] = stamp, table | _loaded(place)
    return _memory[place][1]


def _loaded(place: Path) -> Table:
    with suppress(OSError, ValueError, TypeError, AttributeError, RecursionError):
        given = json.loads(place.read_text(UTF8))
        return {key: [_look(*look) for look in looks] for key, looks in given.items() if looks}
    return {}


def _look(seconds: Any, off: Any, when: Any) -> Look:
    look = float(seconds), float(off), float(when)
    if not (look[0] > 0 and look[1] >= 0 and all(map(math.isfinite, look))):
        raise ValueError("a cost is a number above 0")
    return look


def _keep(fresh: dict[str, Cost], begun: float) -> Table:
    """The table with what was measured; what another process has measured in the meantime stands instead."""
    place, table = path(), dict(_read())
    for key, cost in fresh.items():
        looks = table.get(key, [])
        if not looks or looks[-1][2] < begun:
            table[key] = [*looks, (*cost, time.time())]
    stamp = 0
    with suppress(OSError):
        place.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=place.parent, prefix="costs-", delete=False, encoding=UTF8) as file:
            json.dump(table, file)
        Path(file.name).replace(place)
        stamp = place.stat().st_mtime_ns
    _memory[place] = stamp, table
    return table
