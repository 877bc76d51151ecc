"""What a sampler is (floor 1): the order in which an epoch visits the samples, cut into batches."""

from abc import abstractmethod
from typing import ClassVar

import numpy as np

from mbsgd_core.knobs import Flag, NamedItem, Whole, knob


class Sampler(NamedItem):
    """An order of visits for every epoch; batches are consecutive slices of it."""

    draws: ClassVar[bool] = True  # False: every batch is all samples, and `orders` is None
    draws_with_replacement: ClassVar[bool] = False  # True: an epoch, and a batch, may hold a sample twice
    random: ClassVar[bool] = True  # False: the order is fixed, whatever the seed and the run
    changes: ClassVar[bool] = True  # False: the order of the first epoch is that of every epoch
    # True: orders(seed, runs, epoch, m)[run] is stream(seed, "order", run, epoch).permutation(m), nothing else; such
    # orders may be drawn many epochs at once.
    permutes_anew: ClassVar[bool] = False

    @abstractmethod
    def size(self, samples: int) -> int:
        """Samples that a full update's gradient is a mean over, 1 ... samples."""

    @abstractmethod
    def orders(self, seed: int, runs: int, epoch: int, samples: int) -> np.ndarray | None:
        """The visits of one epoch, (R, samples) int64; None means every sample at once, without drawing."""

    def sizes(self, samples: int) -> list[int]:
        """The batch sizes of one epoch, the ragged last one included unless it is dropped.

        Example:
            >>> from mbsgd_core.samplers.reshuffle import Reshuffle
            >>> Reshuffle(batch_size=4).sizes(10), Reshuffle(batch_size=4, drop_last=True).sizes(10)
            ([4, 4, 2], [4, 4])
        """
        size = self.size(samples)
        ragged = samples % size
        keep = ragged and not getattr(self, "drop_last", False)
        return [size] * (samples // size) + ([ragged] if keep else [])

    def at_once(self, samples: int) -> int:
        """Samples whose gradients are computed at once: what memory grows with. Fewer than `size` accumulate."""
        return self.size(samples)


class MiniBatchSampler(Sampler):
    """A sampler with a batch size of its own.

    Accumulated batches are one batch of them all, to rounding, at the memory of one of them: their gradients are
    weighted by their own sizes. An update, its samples and its noise are those of the batches together.
    """

    batch_size: Whole = knob(
        32,
        label="Batch size",
        help="Samples averaged into each gradient; 1 is SGD, all of them is BGD.",
        unit="samples",
        ge=1,
        scale="log",
        live=True,
    )
    drop_last: Flag = knob(
        False,
        label="Drop the last batch",
        help="Skip the short batch at the end of an epoch, as DataLoader's drop_last does.",
    )

    accumulate: Whole = knob(
        1,
        label="Accumulate",
        help="Consecutive batches whose gradients are averaged for one update: a larger batch at this one's memory.",
        unit="batches",
        ge=1,
        le=10**9,
        page=(1, 1024),
    )

    def size(self, samples: int) -> int:
        return self.batch_size if self.accumulate == 1 else min(self.accumulate * self.batch_size, samples)

    def sizes(self, samples: int) -> list[int]:
        """As above; of accumulated batches the last update holds those that are left.

        Example:
            >>> from mbsgd_core.samplers.reshuffle import Reshuffle
            >>> Reshuffle(batch_size=2, accumulate=2).sizes(7)
            [4, 3]
            >>> Reshuffle(batch_size=2, accumulate=2, drop_last=True).sizes(7)
            [4, 2]
        """
        if self.accumulate == 1:
            return super().sizes(samples)
        whole, ragged = divmod(samples, self.batch_size)
        batches = [self.batch_size] * whole + ([ragged] if ragged and not self.drop_last else [])
        return [sum(batches[i : i + self.accumulate]) for i in range(0, len(batches), self.accumulate)]

    def at_once(self, samples: int) -> int:
        return self.batch_size
