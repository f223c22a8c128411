"""Files as the disk has them: their checksums, and whether a result can be put where it is to go."""

from __future__ import annotations

import difflib
import errno
import hashlib
import os
import shutil
import stat
from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path

from imgda_mpi.faults import OutputError, fault, reading, writing

OF_ZARR = (".zgroup", ".zarray", ".zmetadata", "zarr.json")
"""Files by which the folder of a Zarr store is known."""

REMOVED = ".removed-"
"""How the names of folders begin that are being removed; what a killed job left of one can be removed by anybody."""


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
        with reading(
            path, found="a path that leads nowhere", expected=expected, do="correct the path, or mend its links"
        ):
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


def checksum(file: Path) -> str:
    """SHA-256 of a file, hexadecimal. Not collective.

    Raises
    ------
    InputError
    """
    with reading(file), file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def sync(path: Path) -> None:
    """Have a file or folder on the disk. Not collective.

    Without this a crash of the machine could leave a final name with unwritten content. File systems that know no such
    order, as some do for folders, are taken as they are.

    Raises
    ------
    OSError
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # a pipe that nobody writes to must not stop this
    try:
        os.fsync(descriptor)
    except OSError as err:
        if err.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)


def identity(files: Collection[Path]) -> tuple[tuple[str, int, int, int], ...]:
    """What tells a set of files from any other that has been or will be there, whatever its folders are called.

    Name, number, size and time of the last change of each. Not collective.

    Raises
    ------
    InputError
    """
    found = []
    for file in sorted(files, key=lambda path: path.name):
        with reading(file):
            status = file.stat()
        found.append((file.name, status.st_ino, status.st_size, status.st_mtime_ns))
    return tuple(found)


def tree(folder: Path) -> list[Path]:
    """A folder and all files and folders in it, none of which is reached through a link. Not collective."""
    return [folder, *(path for path in folder.rglob("*") if not path.is_symlink())]


def remove(path: Path) -> None:
    """Remove a file, link or folder, also one that somebody still writes into: it loses its name first. Not collective.

    Raises
    ------
    OSError
        Where it has not lost its name.
    """
    if path.is_symlink() or path.is_file():
        path.unlink()
    elif path.exists():
        nameless = path.with_name(f"{REMOVED}{path.name.lstrip('.')}-{os.urandom(4).hex()}")
        path.rename(nameless)
        shutil.rmtree(nameless, ignore_errors=True)


def make_whole(final: Path, make: Callable[[Path], object]) -> None:
    """Make a file or a folder that is there whole, or not at all; a file takes the place of one. Not collective.

    ``make`` is given another name, where nothing is.

    Raises
    ------
    OutputError
    """
    staging = final.with_name(f".{final.name}.partial")
    with writing(final):
        remove(staging)
        make(staging)
        for path in tree(staging):
            sync(path)
        staging.replace(final)
        sync(final.parent)


def link(place: Path, target: Path, within: Path) -> None:
    """A link to what is within a folder by a relative path, to what is elsewhere by an absolute one: it can be moved.

    Not collective.

    Raises
    ------
    OutputError
    """
    folder, target = place.parent.resolve(), target.resolve()
    with writing(place):
        place.symlink_to(os.path.relpath(target, folder) if target.is_relative_to(within.resolve()) else target)


def check_free(final: Path, bytes_needed: int = 0) -> None:
    """Refuse a folder that holds something, cannot be made, or has no room for so many bytes. Not collective.

    Raises
    ------
    OutputError
    """
    if final.exists() and (not final.is_dir() or any(final.iterdir())):
        raise fault(
            final,
            found="a folder that is not empty" if final.is_dir() else "a file",
            expected="a new folder",
            do="remove it or give another",
            kind=OutputError,
        )
    check_room(final.absolute().parent, bytes_needed)


def check_room(folder: Path, bytes_needed: int, files_needed: int = 0) -> None:
    """Refuse a folder, which need not be there yet, that cannot be written or has no room for so much more.

    Not collective.

    Raises
    ------
    OutputError
    """
    absolute = folder.absolute()
    parent = next(path for path in (absolute, *absolute.parents) if path.exists())
    if not parent.is_dir():
        raise fault(parent, found="a file", expected="a folder", do="give another folder", kind=OutputError)
    if not os.access(parent, os.W_OK | os.X_OK):
        raise fault(
            parent,
            found="no write permission",
            expected="a writable folder",
            do="give another folder",
            kind=OutputError,
        )
    free, system = shutil.disk_usage(parent).free, os.statvfs(parent)
    found = expected = ""
    if free < bytes_needed:
        found, expected = f"{free / 1e6:.1f} MB free", f"{bytes_needed / 1e6:.1f} MB"
    elif system.f_files and system.f_favail < files_needed:  # some file systems do not count files
        found, expected = f"room for {system.f_favail} files", f"for {files_needed}"
    if found:
        do = "free space or give a folder on another file system"
        raise fault(parent, found=found, expected=expected, do=do, kind=OutputError)
