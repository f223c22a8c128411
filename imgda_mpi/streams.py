"""The standard streams: what was asked for goes to standard output, whatever that is."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from imgda_mpi.faults import writing


@contextmanager
def open_streams() -> Iterator[None]:
    """Have all three standard streams in the block, and end without a word where nobody reads any more.

    A closed one becomes that of nothing: a file that is opened later would get its number, and what libraries say.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode))  # noqa: SIM115
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # as standard error: names may be beyond a terminal's letters
    try:
        yield
    finally:
        with _read_by_somebody():
            sys.stdout.flush()


def tell(text: str) -> None:
    """Write lines to standard output; a reader who has had enough, as ``head``, is no fault.

    Raises
    ------
    OutputError
    """
    with writing(Path("standard output")), _read_by_somebody():
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()


@contextmanager
def _read_by_somebody() -> Iterator[None]:
    try:
        yield
    except OSError as err:
        # Python writes what is left when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(err, BrokenPipeError):
            raise
