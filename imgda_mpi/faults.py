"""What can go wrong in a way that the user can mend, and how it is said."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from imgda_mpi.file_kinds import explained, outside, refusal

BUGS = (NotImplementedError, RecursionError)
"""Kinds of RuntimeError that say nothing of a file."""

SYSTEM = (OSError, KeyError, RuntimeError, UnicodeError)
"""What is raised of a file that cannot be read: by the system, where it is damaged the first three by h5py and the last
by netCDF4 for its names, and for paths beyond UTF-8."""

LIBRARY = (*SYSTEM, AttributeError, IndexError, MemoryError, OverflowError, TypeError, ValueError)
"""What h5py and netCDF4 raise besides, where parts of a file do not fit each other or have types unknown to them."""

MEND, NOT_YET, LOST, NO_OBSERVATION, INTERRUPTED = 2, 3, 4, 5, 130
"""Exit statuses, see `ImgdaError`: what the user can mend; out of time; a lost process; an observed image that is
missing or cannot be used; Ctrl-C."""


class ImgdaError(Exception):
    """Base of every error whose message is meant for the user; the command ends with its ``status``.

    ``everywhere`` is true where every rank of the job has raised the same error, so that the job can end in order.
    """

    everywhere = False
    status = MEND


class ConfigError(ImgdaError):
    """A setting is unknown, has the wrong type, or is out of range."""


class InputError(ImgdaError):
    """An input file is missing, damaged, or not what the settings say it is."""


class OutputError(ImgdaError):
    """The result cannot be written."""


def fault(
    path: Path | str,
    variable: str | None = None,
    *,
    found: str,
    expected: str,
    do: str,
    kind: type[ImgdaError] = InputError,
) -> ImgdaError:
    """The error of a kind, with one message in the form that all of files have.

    >>> fault("a.nc", "porsl", found="75 patches", expected="76", do="use the const files of this restart")
    InputError('a.nc: porsl: found 75 patches, expected 76; use the const files of this restart')
    """
    where = f"{path}: {variable}" if variable else f"{path}"
    return kind(f"{where}: found {found}, expected {expected}; {do}")


def not_finite(path: Path, variable: str, n_bad: int, n: int) -> ImgdaError:
    """The error where ``n_bad`` of the ``n`` numbers of a variable of a restart are NaN, infinite, or beyond any."""
    return fault(
        path,
        variable,
        found=f"{n_bad} of {n} numbers that are not finite, or too large",
        expected="finite numbers, -1e36 where there is no value",
        do="the file is damaged: copy it again from the model run",
    )


class OutOfTime(BaseException):
    """All is well, and there is no time left: the same command goes on.

    As a signal it comes into any line, also of code that goes on after whatever may be an error: it is none. Its
    attributes are those of an `ImgdaError`.
    """

    everywhere = False
    status = NOT_YET


SAID = (ImgdaError, OutOfTime)
"""What is said to the user in one message, without a traceback."""


class LostError(ImgdaError):
    """A process was lost that may be well another time."""

    status = LOST


_settling: list[tuple[str, int]] = []
"""Keys and status of every `settled_by` that the process is in, the outermost first."""


@contextmanager
def settled_by(keys: str, status: int = MEND) -> Iterator[None]:
    """Add to the message of an `ImgdaError` which settings the user would change, and give it a status.

    No settings change that a process was lost.

    >>> try:
    ...     with settled_by("[model]"):
    ...         raise ConfigError("a.nc: found ice, expected water")
    ... except ConfigError as err:
    ...     print(err)
    a.nc: found ice, expected water (see [model])
    """
    _settling.append((keys, status))
    try:
        yield
    except LostError:
        raise
    except ImgdaError as err:
        _settle(err, keys, status)
        raise
    finally:
        _settling.pop()


def settled(error: ImgdaError) -> ImgdaError:
    """An error as it comes out of every `settled_by` around, where the process is ended and nothing can be raised."""
    for keys, status in reversed(_settling):
        _settle(error, keys, status)
    return error


def _settle(error: ImgdaError, keys: str, status: int) -> None:
    error.args = (f"{error} (see {keys})",)
    error.status = status


@contextmanager
def reading(
    path: Path,
    variable: str | None = None,
    *,
    found: str = "what cannot be read",
    expected: str = "a whole file",
    do: str = "check permissions, or copy it again from the model run: it may be damaged",
    kinds: tuple[type[Exception], ...] = SYSTEM,
) -> Iterator[None]:
    """Turn what the system or a file library reports of a file it cannot read into an `InputError`.

    It goes around one call into the system or the library and nothing else: from other code the same types are bugs.
    Where the file is something else than expected, or there is nothing wrong with it but its lock or its permissions,
    the error says so (see `imgda_mpi.file_kinds`) and not what is ``found`` and what to ``do`` otherwise.
    """
    try:
        yield
    except BUGS:
        raise
    except kinds as err:
        kind = explained(path, err)
        if kind is None:
            raise fault(path, variable, found=f"{found} ({err})", expected=expected, do=do) from err
        raise fault(path, variable, found=kind.found, expected=kind.expected or expected, do=kind.do) from err


@contextmanager
def understanding(path: Path, expected: str, do: str) -> Iterator[None]:
    """Turn what code raises that makes sense of a file, of this program's own kind and damaged, into an `InputError`.

    It goes around that code and nothing else: from other code the same types are bugs.
    """
    try:
        yield
    except (LookupError, TypeError, ValueError, OverflowError, AttributeError) as err:
        found = f"what cannot be understood ({type(err).__name__}: {err})"
        raise fault(path, found=found, expected=expected, do=do) from err


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn a refusal to write (full disk, quota, permission, no locks) into an `OutputError`."""
    try:
        yield
    except BUGS:
        raise
    except (OSError, RuntimeError) as err:  # netCDF4 raises RuntimeError where HDF5 cannot write
        said = (refusal(path) or err) if isinstance(err, PermissionError) else err
        kind = outside(said)
        found, do = (_short(said), "check space, quota and permissions") if kind is None else (kind.found, kind.do)
        raise fault(path, found=found, expected="to write the result", do=do, kind=OutputError) from err


def _short(error: Exception) -> str:
    """What the system says, without where HDF5 was in its own code and memory."""
    said, number = str(error), getattr(error, "errno", None)
    return os.strerror(number) if number and "errno = " in said else said


@contextmanager
def as_permitted() -> Iterator[None]:
    """Turn what else the system does not permit, as to look into a folder, into an `InputError` of what it names.

    So of memory that there is not. It goes around all work: no code of ours opens what nobody has named.
    """
    try:
        yield
    except PermissionError as err:
        if err.filename is None:
            raise
        do = "check the permissions of it and of the folders that it is in"
        raise fault(err.filename, found=f"{err.strerror}", expected="to be allowed to use it", do=do) from err
    except (MemoryError, ImportError, OSError) as err:
        if not _lacks_memory(err):
            raise
        expected, do = "room for what each process does", "give the job more memory, or less in `ulimit -v`"
        raise fault("memory", found=f"no more of it ({err or type(err).__name__})", expected=expected, do=do) from err


def _lacks_memory(error: BaseException | None) -> bool:
    """Whether an error comes from memory that there is not, of which the loader of libraries tells in words."""
    while error is not None:
        if isinstance(error, MemoryError) or re.search(r"failed to map segment|Cannot allocate memory", str(error)):
            return True
        error = error.__cause__ or error.__context__
    return False
