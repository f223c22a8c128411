"""What can go wrong in a way that the user can mend, and how it is said."""

from __future__ import annotations

from pathlib import Path


class ImgdaError(Exception):
    """Base of every error whose message is meant for the user; the command ends with status 2.

    ``everywhere`` is true where every rank of the job has raised the same error, so that the job can end in order.
    """

    everywhere = False


class ConfigError(ImgdaError):
    """A setting is unknown, has the wrong type, or is out of range."""


class InputError(ImgdaError):
    """An input file is missing, damaged, or not what the settings say it is."""


class OutputError(ImgdaError):
    """The result cannot be written."""


def fault(path: Path | str, variable: str | None = None, *, found: str, expected: str, do: str) -> str:
    """One message in the form that every input error has.

    >>> fault("a.nc", "porsl", found="75 patches", expected="76", do="use the const files of this restart")
    'a.nc: porsl: found 75 patches, expected 76; use the const files of this restart'
    """
    where = f"{path}: {variable}" if variable else f"{path}"
    return f"{where}: found {found}, expected {expected}; {do}"
