"""Paths of input: whether they can be said, and lead to a file."""

from __future__ import annotations

import difflib
import os
import stat
from contextlib import suppress
from pathlib import Path

from imgda_mpi.faults import fault, reading

OF_ZARR = (".zgroup", ".zarray", ".zmetadata", "zarr.json")
"""Files by which the folder of a Zarr store is known."""

UTF_8 = "LC_ALL=C.UTF-8"
"""A locale with all letters."""


def check_file(path: Path, expected: str, do: str = "correct the path, or ask for a time that has one") -> None:
    """Refuse what is no regular file, before it is opened: a pipe that nobody writes to would be waited for.

    Parameters
    ----------
    expected, do : of the error where there is nothing of the name

    Raises
    ------
    InputError
    """
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError) as err:
        raise fault(path, found=_nothing_there(path), expected=expected, do=do) from err
    except ValueError as err:  # a NUL, which is shown as it is written
        raise fault(ascii(str(path)), found=f"no path ({err})", expected=expected, do="correct the path") from err
    except OSError:
        found, do = "a path that leads nowhere", "correct the path, or mend its links"
        with reading(path, found=found, expected=expected, do=do):
            raise
    if stat.S_ISDIR(mode):
        store = None
        with suppress(OSError):  # where nobody may look into it
            store = next((name for name in OF_ZARR if (path / name).exists()), None)
        found = "a folder" if store is None else f"a folder with {store}, a Zarr store"
        do = "name a file" if store is None else "write it as one NetCDF file, for example with xarray"
        raise fault(path, found=found, expected=expected, do=do)
    if not stat.S_ISREG(mode):
        kinds = {stat.S_IFIFO: "a pipe (FIFO)", stat.S_IFSOCK: "a socket"}
        raise fault(path, found=kinds.get(stat.S_IFMT(mode), "a device"), expected=expected, do="name a file")


def check_working_folder() -> None:
    """Refuse to work where the working folder has been removed, in which relative paths begin. Not collective.

    Raises
    ------
    InputError
    """
    try:
        Path.cwd()
    except FileNotFoundError as err:
        do = 'go to one that is there: `cd "$PWD"` where it has been made again'
        raise fault("working folder", found="one that has been removed", expected="a folder", do=do) from err


def is_sayable(path: Path) -> bool:
    """Whether a path has a name in the locale and in UTF-8, in which results name files. Not collective."""
    try:
        os.fsencode(path)
        str(path.absolute()).encode()
    except UnicodeError:
        return False
    return True


def check_sayable(path: Path) -> None:
    """Refuse a path for which `is_sayable` is false. Not collective.

    Raises
    ------
    InputError
    """
    if not is_sayable(path):
        found, do = "letters that the locale does not have", f"set one of UTF-8 ({UTF_8}), or rename it"
        raise fault(path.absolute(), found=found, expected="a name in UTF-8", do=do)


def _nothing_there(path: Path) -> str:
    if path.is_symlink():
        target = str(path.readlink())
        how = " (`git annex get` it)" if "annex/objects" in target else ""
        return f"a link to {target}, which is not there{how}"
    try:
        names = sorted(sibling.name for sibling in path.parent.iterdir() if sibling.is_file())
    except (FileNotFoundError, NotADirectoryError):
        return f"no such file, nor a directory {path.parent}"
    except OSError:
        return "no such file"  # the folder does not say what is in it
    close = difflib.get_close_matches(path.name, names, n=3)
    return f"no such file (nearest in its directory: {', '.join(close)})" if close else "no such file"
