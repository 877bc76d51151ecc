"""The share link (floor 5): an experiment as a flat, readable query, and back.

    v=1&problem=quadratic&problem.eigenvalues=1,10&...&seed=0&...&lane1=BGD&lane1.sampler=full_batch&...

A parameter's name is the path to the value in the experiment's JSON, with two shortenings: an item's name (a lane's
label, the experiment's version) stands at the item's own path, and lanes.0 is lane1. All values are written, so that
a later change of a default changes no link; `texts` says how.

Of a repeated parameter the last counts. What cannot be used is said in a notice, never passed over: an unknown
parameter is ignored, a bad value gives way to the default, a number out of range to the nearest allowed one. An item
that the link names starts from its own defaults; what the link does not name comes from the fallback.
"""

import difflib
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, get_args, get_origin
from urllib.parse import parse_qsl, quote, urlencode

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from mbsgd_core.errors import ExperimentError, Notice
from mbsgd_core.experiment import Experiment, registered
from mbsgd_core.knobs import Item, NamedItem, allowed, bare, limits_of, page_of
from mbsgd_core.registry import first_error, name_of
from mbsgd_core.texts import fit, parse, plain_type, shown, write
from mbsgd_core.view import VIEW

PAGE_CHARACTERS, PAGE_PARAMETERS = 64_000, 2_000  # a longer link is none that this page made
OFF = ("off", "null")  # in place of the name of an item that a lane may lack
NOTICES = 12  # more are counted, not listed


def to_query(experiment: Experiment) -> str:
    """The query string that holds the whole experiment.

    Example:
        >>> e = Experiment.model_validate({"problem": {"name": "quadratic"}, "lanes": [
        ...     {"sampler": {"name": "full_batch"}, "schedule": {"name": "constant"}}]})
        >>> to_query(e)[:40], from_query(to_query(e))[0] == e
        ('v=1&problem=quadratic&problem.samples=64', True)
    """
    return urlencode(flat(experiment), quote_via=quote, safe="[],:")


def flat(experiment: Experiment) -> list[tuple[str, str]]:
    """The parameters of the link, as (name, text)."""
    return list(_flat(experiment, "v", ""))


def from_query(
    query: str | Mapping[str, str | Sequence[str]],
    page: bool = False,
    fallback: Experiment | None = None,
    ignore: Collection[str] = (),
) -> tuple[Experiment, list[Notice]]:
    """The experiment that a link describes, and what had to be ignored or changed.

    Args:
        query: a whole address, a query string, or its parameters.
        page: keep to the page's tighter limits; refuse links of absurd size, and texts that could mislead.
        fallback: stands in for what the link does not say or what cannot be read; without it that is an error.
        ignore: parameters that somebody else reads. Streamlit's embed and embed_options and the view's always are.

    Returns:
        (experiment, notices): each a sentence.

    Raises:
        ExperimentError: without a fallback, where the problem or a lane cannot be read.
    """
    values, notices = _parameters(query)
    size = sum(len(key) + len(value) + 2 for key, value in values.items())
    if page and (size > PAGE_CHARACTERS or len(values) > PAGE_PARAMETERS):
        text = f"The link is too long: {len(values):,} parameters and {size:,} characters; allowed are "
        text += f"{PAGE_PARAMETERS:,} and {PAGE_CHARACTERS:,}."
        if fallback is None:
            raise ExperimentError(text)
        return fallback, [Notice("", f"{text} All of it is ignored.")]
    reader = _Reader(values, page, notices)
    experiment = reader.item(Experiment, "v", "", fallback)
    if page and (fitting := experiment.within_page()) != experiment:
        text = f"given {experiment.budget.amount}; {fitting.budget.amount} is used, the most that the page runs."
        notices.append(Notice("budget.amount", text))
        experiment = fitting
    known = [key for key, _ in flat(experiment)]
    for key in values:
        if key in reader.read or key in ignore or key == "embed" or key.startswith(("embed_", VIEW)):
            continue
        near = difflib.get_close_matches(key[:80], known, 1) if len(notices) < NOTICES else []
        hint = f" Did you mean {near[0]}?" if near else ""
        notices.append(Notice(shown(key), f"there is no such parameter here; it is ignored.{hint}"))
    if len(notices) > NOTICES:
        notices = [*notices[:NOTICES], Notice("", f"And {len(notices) - NOTICES:,} more like these.")]
    return experiment, notices


def _flat(item: Item, key: str, prefix: str, leave_out: Collection[str] = ()) -> Iterator[tuple[str, str]]:
    """(parameter, text) of everything in an item: its head at `key`, its fields, but for some, at `prefix`."""
    head = _head(type(item))
    if isinstance(item, NamedItem):
        yield key, name_of(item)
    elif head:
        yield key, write(getattr(item, head))
    for name in type(item).model_fields:
        value, path = getattr(item, name), f"{prefix}{name}"
        if name in leave_out:
            continue
        if isinstance(value, Item):
            yield from _flat(value, path, f"{path}.")
        elif _holds_items(value):
            for i, child in enumerate(value):
                yield from _flat(child, _nth(path, i), f"{_nth(path, i)}.", _handed_down(type(item)))
        elif name != head:
            off = value is None and _kind_of(type(item).model_fields[name])
            yield path, OFF[0] if off else write(value)


def _head(cls: type[Item]) -> str | None:
    """The field that stands for an item without a registered name at the item's own path."""
    return next((name for name in ("version", "label") if name in cls.model_fields), None)


def _handed_down(cls: type[Item]) -> tuple[str, ...]:
    """The fields that the items in such an item take from it."""
    return cls.handed_down if issubclass(cls, NamedItem) else ()


def _kind_of(field: FieldInfo) -> type[Item] | None:
    """The class of a field that holds an item, or may hold one; None where it holds something else."""
    kind, _ = plain_type(field.annotation)
    return kind if isinstance(kind, type) and issubclass(kind, Item) else None


def _nth(path: str, i: int) -> str:
    return f"{path.removesuffix('s')}{i + 1}"  # lanes.0 is lane1


def _holds_items(value: Any) -> bool:
    return isinstance(value, tuple) and bool(value) and isinstance(value[0], Item)


def _parameters(query: str | Mapping[str, str | Sequence[str]]) -> tuple[dict[str, str], list[Notice]]:
    """The parameters of an address, a query or a mapping; of repeated ones the last."""
    if not isinstance(query, str):
        return {key: value if isinstance(value, str) else value[-1] for key, value in query.items() if value != []}, []
    text, _, fragment = query.partition("#")
    text = text.partition("?")[2] if re.match(r"https?://", text) else text.removeprefix("?")
    notice = Notice(f"#{shown(fragment)}", "what follows a # is no part of a link's parameters; it is ignored.")
    return dict(parse_qsl(text, keep_blank_values=True)), [notice] if fragment else []


class _Unreadable(ExperimentError):
    """An item that the link does not describe well enough, and that has no fallback."""

    def __init__(self, key: str, text: str):
        super().__init__(f"{key}: {text}")
        self.key, self.text = key, text


class _Reader:
    """Turns parameters into items, keeping account of what was read and of what had to be said."""

    def __init__(self, values: Mapping[str, str], page: bool, notices: list[Notice]):
        self.values, self.page, self.notices = values, page, notices
        self.read: set[str] = set()

    def say(self, key: str, text: str, instead: Any = PydanticUndefined) -> None:
        """Note a sentence, and what is used instead."""
        used = name_of(instead) if isinstance(instead, NamedItem) else instead
        plain = used is not PydanticUndefined and used != "" and not isinstance(used, Item) and not _holds_items(used)
        self.notices.append(Notice(key, f"{text}. {shown(used) if plain else 'The default'} is used."))

    def item(self, cls: type[Any], key: str, prefix: str, base: Any, leave_out: Collection[str] = ()) -> Any:
        """An item of this class (or kind): its head is read at `key`, its fields at `prefix`.

        Args:
            base: the item that is meant where the link does not say, None if there is none.
            leave_out: fields that are not its own to say.
        """
        try:
            return self.own_item(cls, key, prefix, base, leave_out)
        except _Unreadable as error:
            if base is None:
                raise
            self.read |= {parameter for parameter in self.values if parameter.startswith(prefix)}
            self.say(error.key, error.text, base)
            return base

    def own_item(self, cls: type[Any], key: str, prefix: str, base: Any, leave_out: Collection[str]) -> Any:
        """The item; _Unreadable if there is neither enough in the link nor in the base."""
        head, named = _head(cls), key in self.values
        if issubclass(cls, NamedItem):
            cls, named = self.chosen(cls, key, base)
        stock, own = {}, {}  # the fields' values where the link does not say, and where it does
        for name, field in cls.model_fields.items():
            default = field.get_default(call_default_factory=True)
            if default is PydanticUndefined or not named:
                default = getattr(base, name, default)
            if default is not PydanticUndefined:
                stock[name] = default
            if name in leave_out:
                continue
            value = self.field(field, key if name == head else f"{prefix}{name}", default, _handed_down(cls))
            if value is not PydanticUndefined:
                own[name] = value
        return self.build(cls, key, prefix, stock, own)

    def chosen(self, kind: type[NamedItem], key: str, base: Any) -> tuple[type[NamedItem], bool]:
        """The class that the link names, and True; else the base's, and False."""
        self.read.add(key)
        known, name = registered(kind), self.values.get(key)
        if name in known:
            return known[name], True
        text = f"given {shown(name or 'nothing')}; known are {', '.join(known)}"
        if base is None:
            raise _Unreadable(key, text)
        if name is not None:
            self.say(key, text, base)
        return type(base), False

    def field(self, field: FieldInfo, key: str, default: Any, handed_down: Collection[str] = ()) -> Any:
        """A field's value, PydanticUndefined where the link gives none that can be used."""
        kind: Any = field.annotation
        first, page = bare((get_args(kind) or (None,))[0])[0], page_of(field)
        item = _kind_of(field)
        if item is not None and field.default is None:
            return self.optional(item, key, default)
        if item is not None:
            return self.item(item, key, f"{key}.", None if default is PydanticUndefined else default)
        if get_origin(kind) is tuple and isinstance(first, type) and issubclass(first, Item):
            most = page[1] if page and self.page else limits_of(field.metadata)["max_length"]
            like = () if default is PydanticUndefined else default
            return self.items(first, key, like, int(most), handed_down)
        self.read.add(key)
        if (text := self.values.get(key)) is None:
            return PydanticUndefined
        try:
            given = parse(text, kind)
            value = fit(given, kind, limits_of(field.metadata), page, self.page)
        except (ValueError, OverflowError, RecursionError) as error:
            wanted = str(error) if type(error) is ValueError else "a list of values"
            self.say(key, f"given {shown(text) or 'nothing'}; it should be {wanted}", default)
            return PydanticUndefined
        if value != given:
            limits = allowed(limits_of(field.metadata), page, self.page)
            wanted = f"a whole number {limits}" if isinstance(value, int) else limits
            self.say(key, f"given {shown(text)}; it should be {wanted}".rstrip(), value)
        return value

    def optional(self, kind: type[Item], key: str, base: Item | None) -> Item | None:
        """An item that may be off: None."""
        if self.values.get(key) in OFF or (key not in self.values and base is None):
            self.read.add(key)
            return None
        try:
            found: Item = self.item(kind, key, f"{key}.", base)
        except _Unreadable as error:
            self.read |= {parameter for parameter in self.values if parameter.startswith(f"{key}.")}
            self.say(error.key, f"{error.text}, or {OFF[0]}")
            return None
        return found

    def items(
        self, kind: type[Item], key: str, base: Sequence[Item], most: int, leave_out: Collection[str] = ()
    ) -> Any:
        """Those that the link names, lane1, lane2 ...; else the base's, with what the link says about them."""
        stem = key.removesuffix("s")
        matches = (re.match(rf"{stem}([1-9][0-9]{{0,3}})(\.|$)", parameter) for parameter in self.values)
        found = {match.string: int(match[1]) for match in matches if match}
        numbers = sorted(set(found.values()))
        if not any(f"{stem}{n}" in self.values for n in numbers):
            numbers = list(range(1, len(base) + 1))
        if numbers[most:]:
            self.read |= {parameter for parameter, n in found.items() if n >= numbers[most]}
            self.notices.append(Notice(key, f"given {len(numbers)}; only the first {most} are used, the most allowed."))
        likes = [base[min(n, len(base)) - 1] if base else None for n in numbers[:most]]
        made = [
            self.item(kind, f"{stem}{n}", f"{stem}{n}.", like, leave_out)
            for n, like in zip(numbers, likes, strict=False)
        ]
        return tuple(made) or PydanticUndefined

    def build(self, cls: type[Item], key: str, prefix: str, stock: dict[str, Any], own: dict[str, Any]) -> Any:
        """The item. While its values do not go together, the one in the way gives way to the stock's."""
        mended = set()
        while True:
            try:
                return cls(**{**stock, **own})
            except ValidationError as error:
                complaint = first_error(error)
            path: tuple[Any, ...] = complaint.path
            if path[1:] and _holds_items(own.get(path[0])) and path not in mended:
                # A part that is sound by itself does not fit the rest, e.g. a batch larger than the data.
                mended.add(path)
                new = complaint.nearest if complaint.nearest is not None else _reach(stock.get(path[0]), path[1:])
                if new is not None:
                    own[path[0]] = _with(own[path[0]], path[1:], new)
                    self.say(".".join([_nth(path[0], path[1]), *map(str, path[2:])]), str(complaint), new)
                    continue
            culprit = path[0] if path and path[0] in own else _in_the_way(cls, stock, own)
            if culprit is None:
                raise _Unreadable(f"{prefix}{path[0]}" if path else key, str(complaint))
            del own[culprit]
            where = key if culprit == _head(cls) else f"{prefix}{culprit}"
            self.say(where, str(complaint), stock.get(culprit, PydanticUndefined))


def _in_the_way(cls: type[Item], stock: dict[str, Any], own: dict[str, Any]) -> str | None:
    """The first of the link's values without which the item is sound."""
    for name in own:
        try:
            cls(**{**stock, **{key: value for key, value in own.items() if key != name}})
            return name
        except ValidationError:
            continue
    return None


def _reach(value: Any, path: tuple[str | int, ...]) -> Any:
    """What lies at a path, None if nothing does; the last of a tuple stands for those beyond it."""
    for part in path:
        if value is not None:
            value = value[min(part, len(value) - 1)] if isinstance(part, int) else getattr(value, part, None)
    return value


def _with(value: Any, path: tuple[str | int, ...], new: Any) -> Any:
    """The value with something else at a path."""
    if not path:
        return new
    if isinstance(value, tuple):
        return tuple(_with(part, path[1:], new) if i == path[0] else part for i, part in enumerate(value))
    name = str(path[0])
    return value.model_copy(update={name: _with(getattr(value, name), path[1:], new)})
