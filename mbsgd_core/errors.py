"""The errors of the core, each a sentence: what, what was given, what is allowed, how to mend it.

LabError (ValueError)
├── ExperimentError     a field of the experiment is wrong; names the field
├── FormulaError        a typed formula cannot be read; says where and what is allowed
├── DataError           a data set cannot be loaded or does not fit
├── RegistryError       a file in a registry folder breaks its rules (a developer's error)
└── JobError            a background run failed
    └── JobCancelled    ... because somebody stopped it

Divergence is not here: it is a result, not an error. A Notice is what was done instead, where there is no error.
"""

from typing import NamedTuple


class LabError(ValueError):
    """Anything the lab refuses, as one clear line."""


class ExperimentError(LabError):
    """A field of the experiment is wrong.

    Args:
        text: the sentence.
        path: leads to the field from where the error was raised.
        nearest: the allowed value nearest to the given one, if there is one; a link is mended with it.
    """

    def __init__(self, text: str, path: tuple[str | int, ...] = (), nearest: float | None = None):
        super().__init__(text)
        self.path = path
        self.nearest = nearest


class FormulaError(LabError):
    """A formula cannot be read."""


class DataError(LabError):
    """A data set cannot be loaded or does not fit the problem."""


class RegistryError(LabError):
    """A file of a registry breaks the rule 'one final class a file'."""


class JobError(LabError):
    """A background run failed."""


class JobCancelled(JobError):
    """A background run was stopped on request."""


class Notice(NamedTuple):
    """What was done with a parameter that could not be used as given."""

    key: str
    text: str

    def __str__(self) -> str:
        return f"{self.key}: {self.text}" if self.key else self.text
