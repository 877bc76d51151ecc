"""What the contract tests know of items: what stands on them, and nothing by name."""

from typing import Any

from mbsgd_core.experiment import registered
from mbsgd_core.knobs import NamedItem
from mbsgd_core.problems.datasets.base import Dataset
from mbsgd_core.problems.models.base import DataProblem
from mbsgd_core.registry import pick
from mbsgd_core.samplers.base import Sampler
from mbsgd_core.schedules.base import Schedule

Described = dict[str, Any]
SMALL_DATA = {"regression": {"name": "line", "samples": 12}, "classification": {"name": "blobs", "samples": 12}}


def cases(kind: type[NamedItem]) -> list[tuple[str, Described]]:
    """(name, settings) of every item of a kind, with each of its examples."""
    return [(name, case) for name, cls in registered(kind).items() for case in cls.cases()]


def plain(kind: type[NamedItem]) -> list[Described]:
    """Every item of a kind as it is written down with nothing but what it must be given."""
    return [{"name": name, **cls.suggested()} for name, cls in registered(kind).items()]


def name_of(item: Described) -> str:
    """What a test of this item is called."""
    return str(item["name"])


def sampler(name: str, batch_size: int) -> Described:
    """A sampler as it is written down, with this batch size if it has one."""
    cls = registered(Sampler)[name]
    return {"name": name, **cls.cases()[0]} | ({"batch_size": batch_size} if "batch_size" in cls.model_fields else {})


def schedule(name: str, learning_rate: float, **knobs: Any) -> Described:
    """A schedule as it is written down: its first example around this rate."""
    cls = registered(Schedule)[name]
    top = {"max_lr": 1.2 * learning_rate} if "max_lr" in cls.model_fields else {}
    return {"name": name, **cls.cases()[0], "learning_rate": learning_rate, **top, **knobs}


def dataset(name: str, example: int = 0, **knobs: Any) -> Dataset:
    """A data set by name: one of its examples, with other knobs."""
    given = {"name": name, **registered(Dataset)[name].cases()[example], **knobs}
    found: Dataset = pick("mbsgd_core.problems.datasets", Dataset, given, "data set")
    return found


def tasks_of(cls: type[DataProblem]) -> list[str]:
    """What a model can learn."""
    return list(SMALL_DATA) if cls.task == "any" else [cls.task]


def takes_columns(cls: type[DataProblem]) -> bool:
    """Whether it learns from any columns, so that its examples leave the choice of data to others."""
    return all("dataset" not in example for example in cls.examples)


def on_small_data(cls: type[DataProblem]) -> list[Described]:
    """A model's examples, on a few rows of what it can learn unless they bring their own data."""
    return [{"dataset": SMALL_DATA[task]} | case for case in cls.cases() for task in tasks_of(cls)]
