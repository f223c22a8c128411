"""Running again what failed, and keeping what it said."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TypeVar

from imgda_mpi.faults import NO_OBSERVATION, ImgdaError, writing
from imgda_mpi.parallel.team import Team
from imgda_mpi.results.run_folder import LOG
from imgda_mpi.results.run_records import time_text

log = logging.getLogger(__name__)

FAILURES = "failures.txt"
MOST_LOGS = 3
"""Logs of failed attempts that are kept for one model or analysis of a cycle."""

Result = TypeVar("Result")


def attempt(
    work: Callable[[Path], Result],
    what: str,
    folder: Path,
    another: Callable[[], Path],
    retries: int,
    team: Team,
) -> tuple[Path, Result]:
    """The folder of a cycle and what ``work`` makes in it, where it fails so often again. Collective.

    Each attempt has a folder of its own, the next one that of ``another``: what a process of a failed one still does,
    as one that its launcher has lost, is then done elsewhere.

    Raises
    ------
    ImgdaError
        That of the last attempt; at once where it is no failure, as no observation is none, or that of one rank.
    """
    while True:
        try:
            return folder, work(folder)
        except ImgdaError as err:
            if not team.share(err):
                raise
            text = str(err)
            team.lead(partial(note_failure, folder, what, text))
            if err.status == NO_OBSERVATION or not retries:
                raise
            team.lead(partial(log.warning, "%s\nrunning it again", text))
            folder, retries = another(), retries - 1


def log_file(folder: Path, what: str) -> Path:
    """Where what a model or an analysis of a cycle says goes. Not collective."""
    return folder / LOG / f"{what}.txt"


def note_failure(folder: Path, what: str, text: str) -> None:
    """Keep the log of a failed attempt, and a line on it, in the folder of its cycle. Not collective.

    Raises
    ------
    OutputError
    """
    path = log_file(folder, what)
    with writing(path):
        path.parent.mkdir(exist_ok=True)
        with (path.parent / FAILURES).open("a") as notes:
            notes.write(f"{time_text(datetime.now(UTC))} {what}: {text.splitlines()[0].partition('; what ')[0]}\n")
        if path.exists():
            names = [path.with_name(f"{what}.failed-{number}.txt") for number in range(1, MOST_LOGS + 1)]
            for newer, older in zip(names[-2::-1], names[:0:-1], strict=True):
                if newer.exists():
                    newer.replace(older)
            path.replace(names[0])


def failures(folder: Path) -> list[str]:
    """Lines on the failed attempts at a cycle, the last one last. Not collective."""
    try:
        return (folder / LOG / FAILURES).read_text().splitlines()
    except OSError:  # none yet, or the folder has just been given another name
        return []
