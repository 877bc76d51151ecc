"""Results that are kept (floor 0): as functools.lru_cache keeps them, but only up to so many bytes.

To a cache that counts results a data set of a million rows is like one of ten, so it keeps many large ones. Here all
functions share one allowance: beyond it, the results that were asked for longest ago go first. The newest of each
function stays, however large it is, so that a run never has to make its own data anew.
"""

import threading
from collections import Counter, defaultdict
from collections.abc import Callable
from functools import update_wrapper
from itertools import count
from typing import Any, Generic, TypeVar, TypeVarTuple

import numpy as np

from mbsgd_core.knobs import Item

MOST_BYTES = 500_000_000  # of arrays and tensors behind all results that are kept in this process

Given = TypeVarTuple("Given")
Result = TypeVar("Result")
Piece = tuple[int, int]  # of memory: where it begins, and its bytes


class _Question:
    """Arguments, hashed once: the hash of an experiment walks through all of it."""

    __slots__ = ("arguments", "hash")

    def __init__(self, arguments: tuple):
        self.arguments, self.hash = arguments, hash(arguments)

    def __hash__(self) -> int:
        return self.hash

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Question) and self.arguments == other.arguments


class _Answer:
    """A result, the memory that it or the arguments hold, and when it was asked for last."""

    __slots__ = ("asked", "pieces", "result")

    def __init__(self, result: Any, pieces: set[Piece]):
        self.result, self.pieces, self.asked = result, pieces, 0


class _Shelf:
    """All answers that this process keeps."""

    def __init__(self) -> None:
        self.lock, self.clock = threading.RLock(), count()  # a clock that counts questions
        self.answers: dict[Kept, dict[_Question, _Answer]] = defaultdict(dict)  # asked for longest ago: first
        self.holders = Counter[Piece]()  # answers that hold a piece
        self.bytes = 0  # of all pieces, once each

    def find(self, function: "Kept", question: _Question) -> _Answer | None:
        with self.lock:
            own = self.answers[function]
            answer = own.pop(question, None)
            if answer is not None:
                own[question], answer.asked = answer, next(self.clock)
            return answer

    def put(self, function: "Kept", question: _Question, answer: _Answer) -> None:
        with self.lock:
            self.drop(function, question)
            own = self.answers[function]
            own[question], answer.asked = answer, next(self.clock)
            for piece in answer.pieces:
                self.bytes += 0 if self.holders[piece] else piece[1]
                self.holders[piece] += 1
            if len(own) > function.most:
                self.drop(function, next(iter(own)))
            while self.bytes > MOST_BYTES and (spare := self.spare()):
                self.drop(*spare)

    def spare(self) -> "tuple[Kept, _Question] | None":
        """What was asked for longest ago, but for the newest of each function."""
        oldest = [(function, *next(iter(own.items()))) for function, own in self.answers.items() if len(own) > 1]
        return min(oldest, key=lambda one: one[2].asked)[:2] if oldest else None

    def drop(self, function: "Kept", question: _Question) -> None:
        answer = self.answers[function].pop(question, None)
        for piece in answer.pieces if answer else ():
            self.holders[piece] -= 1
            if not self.holders[piece]:
                del self.holders[piece]
                self.bytes -= piece[1]


_SHELF = _Shelf()


class Kept(Generic[*Given, Result]):
    """A function whose newest results are kept; see `keep`."""

    def __init__(self, make: Callable[[*Given], Result], most: int):
        self.make, self.most = make, most
        update_wrapper(self, make)

    def __call__(self, *args: *Given) -> Result:
        question = _Question(args)
        answer = _SHELF.find(self, question)
        if answer is None:  # made unlocked: nobody waits meanwhile, though two threads may make the same
            result = self.make(*args)
            given = (part for part in args if not isinstance(part, tuple))  # such are of numbers or names, if of many
            answer = _Answer(result, _pieces((result, *given)))
            _SHELF.put(self, question, answer)
        return answer.result

    def cache_clear(self) -> None:
        """Forget all results of this function."""
        with _SHELF.lock:
            for question in list(_SHELF.answers[self]):
                _SHELF.drop(self, question)


def keep(most: int) -> Callable[[Callable[[*Given], Result]], Kept[*Given, Result]]:
    """Keep a function's newest results: at most so many, and of all functions together at most MOST_BYTES.

    Args:
        most: results. Arguments must be hashable, and equal ones give equal results.

    Example:
        >>> @keep(most=2)
        ... def zeros(size):
        ...     return np.zeros(size)
        >>> zeros(3) is zeros(3), zeros(3) is zeros(4)
        (True, False)
    """
    return lambda make: Kept(make, most)


def held() -> int:
    """Bytes of memory behind all results that are kept in this process."""
    return _SHELF.bytes


def _pieces(value: Any) -> set[Piece]:
    """The memory of all arrays and tensors in a value. Settings hold none, and lists are of names and counts."""
    found, waiting = set[Piece](), [value]
    while waiting:
        part = waiting.pop()
        if isinstance(part, tuple):
            waiting += part
        elif isinstance(part, np.ndarray):
            while isinstance(part.base, np.ndarray):
                part = part.base
            found.add((part.__array_interface__["data"][0], part.nbytes))
        elif isinstance(part, (int, float, str, list, type, Item)):
            continue
        elif hasattr(part, "untyped_storage"):  # a tensor; torch itself is not imported here
            storage = part.untyped_storage()
            found.add((storage.data_ptr(), storage.nbytes()))
        elif hasattr(part, "__dict__"):
            waiting += vars(part).values()
    return found
