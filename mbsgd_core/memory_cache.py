"""Results that are kept (floor 0): as functools.lru_cache keeps them, but only up to so many bytes.

To a cache that counts results a data set of a million rows is like one of ten, so it keeps many large ones. Here all
functions share one allowance: beyond it, the results that were asked for longest ago go first. The newest of each
function stays, however large it is, so that a run never has to make its own data anew.

What is quickly made from such results, and refers to them, belongs into a `derived_cache`: it goes when one of them
goes.
"""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from functools import lru_cache, update_wrapper
from itertools import count
from typing import Any, Generic, ParamSpec, TypeVar

import numpy as np

from mbsgd_core.knobs import Item

MOST_BYTES = 500_000_000  # of arrays and tensors behind all results that are kept in this process
SMALL = 16_384  # bytes: smaller pieces are not worth the time it takes to count them

Given = ParamSpec("Given")
Result = TypeVar("Result")
Piece = tuple[int, int]  # of memory: where it begins, and its bytes

_now = count(1).__next__  # a clock that ticks whenever it is looked at


class _Answer:
    """A result, what for, when it was last asked for, and the memory that it, or the arguments, hold."""

    __slots__ = ("arguments", "asked", "pieces", "result")

    def __init__(self, arguments: tuple[Any, ...], result: Any, pieces: frozenset[Piece]):
        self.arguments, self.result, self.pieces, self.asked = arguments, result, pieces, _now()


class _Shelf:
    """All answers that this process keeps, and the memory behind them.

    They lie at the hashes of their arguments, which are found once: that of an experiment walks through all of it.
    """

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.answers: dict[AnyKept, dict[int, _Answer]] = {}
        self.holders = Counter[Piece]()  # answers that hold a piece
        self.bytes = 0  # of all pieces, once each

    def put(self, function: "AnyKept", place: int, answer: _Answer, most: int) -> None:
        with self.lock:
            self.drop(function, place)
            own = self.answers[function]
            own[place] = answer
            for piece in answer.pieces:
                self.bytes += 0 if self.holders[piece] else piece[1]
                self.holders[piece] += 1
            if len(own) > most:
                self.drop(function, min(own, key=lambda known: own[known].asked))
            while self.bytes > MOST_BYTES and (spare := min(self.spare(), default=None, key=lambda one: one[0])):
                self.drop(*spare[1:])

    def spare(self) -> Iterator[tuple[int, "AnyKept", int]]:
        """(when it was asked for, its function, its place) of all answers but the newest of each function."""
        for function, own in self.answers.items():
            newest = max((answer.asked for answer in own.values()), default=0)
            yield from ((one.asked, function, known) for known, one in own.items() if one.asked < newest)

    def drop(self, function: "AnyKept", place: int) -> None:
        answer = self.answers.setdefault(function, {}).pop(place, None)
        if answer is None:
            return
        for piece in answer.pieces:
            self.holders[piece] -= 1
            if not self.holders[piece]:
                del self.holders[piece]
                self.bytes -= piece[1]
        if answer.pieces:  # what was made from it must not hold on to it
            for clear in _BESIDE:
                clear()


_SHELF = _Shelf()
_BESIDE: list[Callable[[], None]] = []


class Kept(Generic[Given, Result]):
    """A function whose newest results are kept; see `byte_lru`."""

    def __init__(self, make: Callable[Given, Result], most: int):
        self._make, self._most = make, most
        update_wrapper(self, make)

    def __call__(self, *args: Given.args, **kwargs: Given.kwargs) -> Result:
        arguments = (*args, *sorted(kwargs.items())) if kwargs else args
        place = hash(arguments)
        answer = _SHELF.answers.get(self, _NOTHING).get(place)
        if answer is None or answer.arguments != arguments:
            # Made unlocked: nobody waits meanwhile, though two threads may make the same.
            result = self._make(*args, **kwargs)
            given = [part for part in args if not isinstance(part, tuple)]  # such are of numbers or names, if of many
            answer = _Answer(arguments, result, _pieces(result, *given))
            _SHELF.put(self, place, answer, self._most)
        else:
            answer.asked = _now()
        found: Result = answer.result
        return found

    def cache_clear(self) -> None:
        """Forget all results of this function."""
        with _SHELF.lock:
            for place in list(_SHELF.answers.get(self, _NOTHING)):
                _SHELF.drop(self, place)


AnyKept = Kept[..., Any]
_NOTHING: dict[int, _Answer] = {}


def byte_lru(most: int) -> Callable[[Callable[Given, Result]], Kept[Given, Result]]:
    """Keep a function's newest results: at most so many, and of all functions together at most MOST_BYTES.

    Args:
        most: results. Arguments must be hashable, and equal ones give equal results.

    Example:
        >>> @byte_lru(most=2)
        ... def zeros(size):
        ...     return np.zeros(size)
        >>> zeros(3) is zeros(3), zeros(3) is zeros(4)
        (True, False)
    """
    return lambda make: Kept(make, most)


def derived_cache(most: int) -> Callable[[Callable[Given, Result]], Callable[Given, Result]]:
    """Keep a function's newest results as lru_cache does, until something is dropped that they may be made from.

    Args:
        most: results. For functions of kept results that are quick, and return little of their own.
    """

    def kept(make: Callable[Given, Result]) -> Callable[Given, Result]:
        cached = lru_cache(maxsize=most)(make)
        _BESIDE.append(cached.cache_clear)
        return cached  # type: ignore[return-value]

    return kept


def forget() -> None:
    """Drop all results of this process."""
    with _SHELF.lock:
        for function in list(_SHELF.answers):
            function.cache_clear()
        for clear in _BESIDE:
            clear()


def held() -> int:
    """Bytes of memory behind all results that are kept in this process, but for small pieces."""
    return _SHELF.bytes


# What a value of a type is to `_pieces`; types are few and values many.
_PLAIN, _TUPLE, _ARRAY, _TENSOR, _OBJECT = range(5)
_kinds: dict[type, int] = {}


def _kind(kind: type) -> int:
    if issubclass(kind, tuple):
        found = _TUPLE
    elif issubclass(kind, np.ndarray):
        found = _ARRAY
    elif hasattr(kind, "untyped_storage"):  # a tensor; torch itself is not imported here
        found = _TENSOR
    elif issubclass(kind, (Item, type)) or not hasattr(kind, "__dict__") or kind.__dictoffset__ == 0:
        found = _PLAIN  # settings hold no memory, and lists are of names and counts
    else:
        found = _OBJECT
    _kinds[kind] = found
    return found


def _pieces(*values: Any) -> frozenset[Piece]:
    """The memory of all arrays and tensors in some values, but for small ones."""
    found, waiting = set[Piece](), list(values)
    while waiting:
        part = waiting.pop()
        kind = _kinds.get(type(part))
        if kind is None:
            kind = _kind(type(part))
        if kind == _TUPLE:
            waiting += part
        elif kind == _OBJECT:
            waiting += vars(part).values()
        elif kind == _ARRAY:
            while isinstance(part.base, np.ndarray):
                part = part.base
            if part.nbytes >= SMALL:
                found.add((part.__array_interface__["data"][0], part.nbytes))
        elif kind == _TENSOR and part.nbytes >= SMALL:
            storage = part.untyped_storage()
            found.add((storage.data_ptr(), storage.nbytes()))
    return frozenset(found)
