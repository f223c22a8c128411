"""One driver on a run: the second one is refused."""

from __future__ import annotations

import fcntl
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from filelock import BaseFileLock, FileLock, SoftFileLock, Timeout

from imgda_mpi.faults import OutputError, fault, writing
from imgda_mpi.results.run_records import time_text

LOCK, SOFT_LOCK, DRIVER = "driver.lock", "driver.lock.soft", "driver.json"
OF_DRIVERS = {LOCK, SOFT_LOCK, DRIVER}
"""What a folder has of those who drove it."""

PATIENCE = 1.0
"""Seconds: `driver` holds a lock for a moment to see whether it can be had."""


@contextmanager
def only_driver(directory: Path) -> Iterator[None]:
    """Be the one process that drives the run in a folder. Not collective.

    The lock is the system's: it ends with the process, however that ends. A file system without such locks has a file
    in its place, which stays where a process is killed.

    Raises
    ------
    OutputError
        Where another one does, naming it.
    """
    held = _acquired(directory)
    try:
        me = {"host": socket.gethostname(), "process": os.getpid(), "since": time_text(datetime.now(UTC))}
        with writing(directory):
            (directory / DRIVER).write_text(json.dumps(me) + "\n")
        yield
    finally:
        held.release(force=True)


def _acquired(directory: Path) -> BaseFileLock:
    with writing(directory):
        for kind, name in ((FileLock, LOCK), (SoftFileLock, SOFT_LOCK)):
            held = kind(directory / name)
            try:
                held.acquire(timeout=PATIENCE)
            except NotImplementedError:
                continue
            except Timeout:
                do = f"wait for it or end it; if that machine is gone, remove {directory / name}"
                found = f"a run at work: {_who(directory)}"
                raise fault(directory, found=found, expected="no other", do=do, kind=OutputError) from None
            return held
    raise NotImplementedError("no kind of lock")


def driver(directory: Path) -> str | None:
    """Who drives the run in a folder, in words; None where nobody does. Not collective."""
    if (directory / SOFT_LOCK).exists():
        return _who(directory)
    try:  # shared and for reading alone: not everybody who asks may write there
        with (directory / LOCK).open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _who(directory)
    except OSError:  # no run has been at work, or no such locks
        return None
    return None


def _who(directory: Path) -> str:
    try:
        found = json.loads((directory / DRIVER).read_text())
        return f"process {found['process']} on {found['host']} since {found['since']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "a process that has not said who it is"
