"""What a learning-rate schedule is (floor 1): the rate of interval t = 0, 1, 2 ..."""

from abc import abstractmethod
from typing import Any, ClassVar, Literal, Self

from mbsgd_core.knobs import NamedItem, Real, knob

# (t, rate, *memory): the interval, its learning rate, and whatever else the schedule must remember.
ScheduleState = tuple[Any, ...]
Start = Literal["current", "base", "own"]


class Schedule(NamedItem):
    """A rate for each interval (an epoch, or one update), stepped as torch.optim.lr_scheduler's are.

    State is a tuple that begins (t, rate, ...). Plain Python floats, in the same order of operations as torch, so
    that the rates are torch's to the last bit.
    """

    # The name in torch.optim.lr_scheduler, where knobs, defaults and rates are that class's; None: there is none.
    torch_class: ClassVar[str | None] = None
    watches_objective: ClassVar[bool] = False
    changes: ClassVar[bool] = True  # False: the rate of the start is that of every interval
    # What its first rate is made of in a `sequence`, where schedules share an optimizer: the rate that this has then
    # ("current"), its base rate ("base"), or one that the schedule is given ("own").
    starts_from: ClassVar[Start] = "current"

    learning_rate: Real = knob(
        0.1,
        label="Learning rate",
        help="Length of a step along the gradient.",
        gt=0,
        page=(1e-4, 10.0),
        scale="log",
        live=True,
    )
    interval: Literal["epoch", "update"] = knob(
        "epoch", label="Counts in", help="What one step of the schedule is: an epoch or an update."
    )

    @abstractmethod
    def init(self, intervals: int) -> ScheduleState:
        """The state of interval 0; `intervals` is how many the budget holds (for schedules that need an end)."""

    def begin(self, intervals: int) -> ScheduleState:
        """`init` as a later part of a sequence, by the closed form that torch uses there."""
        return self.init(intervals)

    def leaves_base(self, rate: float, own: float) -> float:
        """The optimizer's base rate once this is set up, at the rate `own`, on one whose base rate was `rate`."""
        return rate

    def endless(self) -> Self:
        """Itself for a budget of any length: one that ends at an interval of its own ends with the budget."""
        return self

    @property
    def moves_momentum(self) -> bool:
        """Whether it moves the rule's momentum, or beta1, as well."""
        return False

    def momentum(self, state: ScheduleState) -> float:
        """The momentum of this interval, of a schedule that moves it."""
        raise NotImplementedError("only a schedule that moves the momentum says what it is")

    @abstractmethod
    def step(self, state: ScheduleState, objective: float | None = None) -> ScheduleState:
        """The state of the next interval; `objective` is the full objective, given if watches_objective."""
