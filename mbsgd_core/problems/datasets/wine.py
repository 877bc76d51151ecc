"""Three growers of wine: 178 bottles."""

from functools import cache
from typing import ClassVar

from mbsgd_core.problems.datasets.base import Dataset, Table, Task, stored


class Wine(Dataset):
    """Thirteen chemical measurements of wines from three growers of one region (59, 71 and 48 bottles).

    Proline is in the hundreds, hue about 1: without standardised columns, one rate cannot serve both.

    Reference: Forina et al. 1988, PARVUS; Aeberhard, Coomans, de Vel 1992 (UCI).
    """

    title: ClassVar[str] = "Wine"
    summary: ClassVar[str] = "Real, with columns of very different size: what standardising is good for."
    reference: ClassVar[str] = "Forina et al. 1988; Aeberhard, Coomans, de Vel 1992"
    telling: ClassVar[tuple[str, ...]] = ("flavanoids", "color intensity")
    task: ClassVar[Task] = "classification"

    def table(self, seed: int) -> Table:
        return _table()


@cache
def _table() -> Table:
    data = stored("wine")
    names, classes = (tuple(data[key].tolist()) for key in ("features", "classes"))
    return Table(data["x"], data["y"], names, "grower", "classification", classes=classes)
