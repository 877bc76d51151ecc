"""Discovery (floor 0): one final class a file; whatever lies in the folder is found, nothing is listed by hand."""

import difflib
import importlib
import inspect
import pkgutil
from collections.abc import Mapping
from functools import cache
from types import ModuleType
from typing import Any

from pydantic import ValidationError

from mbsgd_core.errors import ExperimentError, RegistryError


@cache
def discover(package: str, base: type) -> dict[str, Any]:
    """All final classes of a package, by the name of their file.

    Args:
        package: dotted name, e.g. "mbsgd_core.rules"; files named base.py or with a leading "_" are skipped.
        base: the abstract class that each file's one public class must derive from.

    Returns:
        {file name: class}, sorted by name.

    Raises:
        RegistryError: a file that fails to import, or that holds none or several such classes; names the file.

    Example:
        >>> from mbsgd_core.samplers.base import Sampler
        >>> "reshuffle" in discover("mbsgd_core.samplers", Sampler)
        True
    """
    root: ModuleType = importlib.import_module(package)
    found: dict[str, Any] = {}
    for info in sorted(pkgutil.iter_modules(root.__path__), key=lambda i: i.name):
        if info.ispkg or info.name == "base" or info.name.startswith("_"):
            continue
        path = f"{package}.{info.name}"
        try:
            module = importlib.import_module(path)
        except Exception as error:
            raise RegistryError(f"{path} cannot be imported: {error}. Mend the file or move it away.") from error
        classes = [
            c
            for _, c in inspect.getmembers(module, inspect.isclass)
            if issubclass(c, base) and c.__module__ == path and not c.__name__.startswith("_")
        ]
        if len(classes) != 1:
            names = ", ".join(c.__name__ for c in classes) or "none"
            raise RegistryError(f"{path} must hold exactly one class derived from {base.__name__}; found {names}.")
        found[info.name] = classes[0]
    return found


def name_of(item: object) -> str:
    """The registered name of an item or class: the name of its file.

    Example:
        >>> from mbsgd_core.samplers.reshuffle import Reshuffle
        >>> name_of(Reshuffle)
        'reshuffle'
    """
    cls = item if isinstance(item, type) else type(item)
    return cls.__module__.rsplit(".", 1)[-1]


def pick(package: str, base: type, given: Any, kind: str) -> Any:
    """Turn {"name": ..., knobs} or a bare name into an item of a registry.

    Args:
        package: where the registry's files are.
        base: their abstract class.
        given: a name, a mapping with "name", or an item that is ready.
        kind: what to call it in an error, e.g. "sampler".

    Raises:
        ExperimentError: not a name or mapping, or a name that is not known; lists the known ones.
    """
    if isinstance(given, base):
        return given
    options = {"name": given} if isinstance(given, str) else given
    if not isinstance(options, Mapping) or not isinstance(options.get("name"), str):
        shown = repr(given)[:60]
        article = "an" if kind[0] in "aeiou" else "a"
        raise ExperimentError(f'{article} {kind} is an object with a "name"; given {shown}')
    known = discover(package, base)
    name = options["name"]
    if name not in known:
        near = difflib.get_close_matches(name[:60], known, 1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ExperimentError(f"no {kind} is called {name[:60]!r}{hint}. Known: {', '.join(known)}")
    try:
        return known[name].model_validate({key: value for key, value in options.items() if key != "name"})
    except ValidationError as error:
        raise first_error(error) from None


def first_error(error: ValidationError) -> ExperimentError:
    """The first complaint of pydantic as one sentence, with the path to the field.

    Example:
        >>> from mbsgd_core.rules.sgd import SGD
        >>> try:
        ...     SGD(momentum=2)
        ... except ValidationError as error:
        ...     print(first_error(error), first_error(error).path)
        given 2; it should be less than 1 ('momentum',)
    """
    first = error.errors(include_url=False)[0]
    path = tuple(first["loc"])
    cause = first.get("ctx", {}).get("error")
    if isinstance(cause, ExperimentError):
        return ExperimentError(str(cause), path + cause.path, cause.nearest)
    if first["type"] == "missing":
        text = "it has too few values" if path and isinstance(path[-1], int) else "it is required and was not given"
        return ExperimentError(text, path)
    text = str(cause) if cause is not None else first["msg"].replace("Input should", "it should")
    text = text[0].lower() + text[1:]
    given = repr(first["input"])
    if cause is not None or len(given) > 60:
        return ExperimentError(text, path)
    return ExperimentError(f"given {given}; {text}", path)
