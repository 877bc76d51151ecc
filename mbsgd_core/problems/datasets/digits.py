"""Handwritten digits, 8 x 8 pixels."""

from functools import cache
from typing import ClassVar

from mbsgd_core.problems.datasets._images import DIGITS, pixel_names
from mbsgd_core.problems.datasets.base import Dataset, Table, Task, stored


class Digits(Dataset):
    """1,797 digits by 13 writers; a pixel counts, 0 to 16, how many points of a 4 x 4 block the pen has met.

    Reference: Alpaydin, Kaynak 1998 (Optical Recognition of Handwritten Digits; its test set, as scikit-learn has it).
    Where others differ: often the pixels are divided by 16; mean and deviation are then .3053 and .3760.

    Example:
        >>> Digits().table(0).x.shape
        (1797, 64)
    """

    title: ClassVar[str] = "Digits 8 x 8"
    summary: ClassVar[str] = "Real images, small enough for a network to learn them in seconds."
    reference: ClassVar[str] = "Alpaydin, Kaynak 1998"
    telling: ClassVar[tuple[str, ...]] = ("pixel_2_5", "pixel_5_2")
    task: ClassVar[Task] = "classification"
    shape: ClassVar[tuple[int, ...]] = (1, 8, 8)
    white: ClassVar[float] = 16.0

    def table(self, seed: int) -> Table:
        return _table()


@cache
def _table() -> Table:
    data = stored("digits")
    x, y = data["x"].astype(float), data["y"].astype(float)
    return Table(x, y, pixel_names(8, 8), "digit", "classification", classes=DIGITS)
