"""Files as the disk has them: their checksums, which there are, and whether a result can be put where it is to go."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import shutil
import socket
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path

from imgda_mpi.faults import OutputError, fault, reading, writing

REMOVED = ".removed-"
"""How the names of folders begin that are being removed; what a killed job left of one can be removed by anybody."""

STAGING = ".imgda_mpi.partial-"
"""How the names of folders begin that are being made beside their final place."""

ABANDONED = 86400.0
"""Seconds for which nothing was written into the folder of a job of which nothing else is known that it has ended."""

FIELD = re.compile("%.")
"""Of strftime, in the names of files."""

NOT_ON_DISK = (errno.EIO, errno.ENOSPC, errno.EDQUOT)
"""What a system says that could not write."""


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
    order, as some do for folders, are taken as they are, and so is a folder that may be written and not read.

    Raises
    ------
    OSError
        Where it could not be written.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # a pipe that nobody writes to must not stop this
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as err:
        if err.errno in NOT_ON_DISK:
            raise


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


def named(pattern: Path) -> Iterator[Path]:
    """Paths that a pattern with ``*`` and ``?`` allows, in which a bracket is a bracket. Not collective."""
    start = Path(pattern.anchor or ".")
    return start.glob(str(pattern).removeprefix(pattern.anchor).replace("[", "[[]"))


def listing(patterns: Iterable[Path]) -> dict[str, str]:
    """For each of some patterns, absolute, what tells the files it stands for from any others: a digest of `identity`.

    Strftime fields stand for any characters, as ``*`` and ``?`` do, a folder for all files in it. Not collective.

    Raises
    ------
    InputError
    """
    found = {}
    for pattern in patterns:
        with reading(pattern):
            at_any_time = FIELD.sub(lambda field: "%" if field[0] == "%%" else "*", str(pattern.absolute()))
            places = pattern.rglob("*") if pattern.is_dir() else named(Path(re.sub(r"\*+", "*", at_any_time)))
            files = sorted(path for path in places if path.is_file())
        found[str(pattern.absolute())] = hashlib.sha256(repr(identity(files)).encode()).hexdigest()
    return found


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


def staging_beside(final: Path) -> Path:
    """A new name beside a folder that is to be made whole, which says who makes it. Not collective."""
    return final.with_name(f"{STAGING}{_machine()}-{os.getpid()}-{os.urandom(4).hex()}")


def left_over(folder: Path) -> dict[Path, bool]:
    """What jobs have in a folder under names of `staging_beside`, without those at work on this machine.

    Whether the job has ended: on this machine, or it has not written for a day. Not collective.

    Raises
    ------
    OSError
    """
    found = {}
    for path in folder.glob(f"{STAGING}*"):
        machine, _, process = path.name.removeprefix(STAGING).rpartition("-")[0].rpartition("-")
        if machine == _machine() and process.isdecimal():
            if not _is_at_work(int(process)):
                found[path] = True
        else:
            found[path] = time.time() - max(one.lstat().st_mtime for one in tree(path)) > ABANDONED
    return found


@cache
def _machine() -> str:
    """The name of this machine since its start, or of this container: of one process alone there is a number."""
    start = container = ""
    with suppress(OSError):
        start = Path("/proc/sys/kernel/random/boot_id").read_text()[:8]
        container = Path("/proc/self/ns/pid").readlink().name.strip("pid:[]")
    return f"{socket.gethostname()}-{start}{container}"


def _is_at_work(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # another user's
        pass
    return True


def give_name(staging: Path, final: Path) -> None:
    """Give a whole folder its final name. Not collective.

    Raises
    ------
    OutputError
        Where it cannot have it: it is kept beside it then, with another name if it can have one, and the message says
        where.
    """
    try:
        staging.rename(final)
    except OSError as err:
        kept = final.with_name(f"{final.name}.kept-{os.urandom(4).hex()}")
        try:
            staging.rename(kept)
        except OSError:  # no folder can be renamed there
            kept = staging
        taken = err.errno in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR)
        raise fault(
            final,
            found="what another job has put there meanwhile" if taken else f"that it cannot be replaced ({err})",
            expected="an empty folder or none",
            do=f"the whole result is in {kept}: move it to where it is to be"
            + (", before another run there removes it" if kept == staging else ""),
            kind=OutputError,
        ) from err
    sync(final.parent)


def check_replaceable(final: Path) -> None:
    """Refuse a folder whose place no other one can take: where a file system begins. Not collective.

    Raises
    ------
    OutputError
    """
    # Of a folder that is mounted elsewhere in its own file system, as in containers, `Path.is_mount` does not know.
    mounts = Path("/proc/self/mountinfo")
    places = [line.split()[4] for line in mounts.read_bytes().splitlines()] if mounts.exists() else []
    if final.is_mount() or os.fsencode(final).replace(b" ", b"\\040") in places:
        raise fault(
            final,
            found="a mount point, which nothing can be renamed to",
            expected="a folder in a file system",
            do=f"give one in it, as {final / 'result'}",
            kind=OutputError,
        )


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
            do="give another",
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
