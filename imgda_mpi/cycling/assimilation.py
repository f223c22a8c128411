"""The analysis of a cycle: made, or passed over where there is no observation."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Literal, Protocol

from imgda_mpi.cycling.schedule import Window
from imgda_mpi.disk import sync
from imgda_mpi.faults import NO_OBSERVATION, ImgdaError, writing
from imgda_mpi.parallel.team import Team
from imgda_mpi.results.run_folder import PASSED, Cycle

log = logging.getLogger(__name__)

BETWEEN_LOOKS = 10.0
"""Seconds between two looks for an observation that is waited for."""


class Analyst(Protocol):
    """What corrects a set. Collective over those who do it."""

    def image(self, window: Window) -> Path:
        """The file of the observed image."""

    def analyse(self, folder: Path, background: Sequence[Path], window: Window) -> None:
        """Make the analysis of a set in ``folder/analysis``, unless it is there.

        Raises
        ------
        ImgdaError
            With status `NO_OBSERVATION` where the observed image is missing or cannot be used.
        """


@dataclass(frozen=True)
class WithoutObservation:
    """What is done where the observed image is missing or cannot be used; see the settings."""

    do: Literal["pass", "wait", "stop"]
    wait_at_most: timedelta


def assimilate(
    analyst: Analyst,
    folder: Path,
    background: Sequence[Path],
    window: Window,
    without: WithoutObservation,
    done: Sequence[Cycle],
    team: Team,
) -> None:
    """Make the analysis of a cycle, or note in its folder why there is none. Collective.

    An image that is there and cannot be used is passed over only where the run has used another one before, and not the
    next one too: otherwise it is more likely that the settings do not fit the files.

    ``done`` are the complete cycles of the run, with the one that leads the team.

    Raises
    ------
    ImgdaError
        Where the analysis fails, and as the settings have it where there is no observation.
    """
    has_waited = team.lead(lambda: _forget(folder / PASSED))
    patience = without.wait_at_most.total_seconds() if without.do == "wait" and not has_waited else 0.0
    last_look = time.monotonic() + patience
    while True:
        before = team.lead(lambda: _state(analyst.image(window)))
        try:
            return analyst.analyse(folder, background, window)
        except ImgdaError as err:
            if err.status != NO_OBSERVATION or without.do == "stop" or not team.share(err):
                raise
            is_new = team.lead(partial(_wait_for_change, analyst.image(window), before, last_look))
            if is_new:
                continue
            if before is not None and not team.lead(lambda: _is_exception(done, analyst)):
                why = "no image was used before, or the one before could not be used either"
                err.args = (f"{err}; it is not passed over: {why}",)
                raise
            team.lead(partial(_pass_over, folder, str(err)))
            return None


def _forget(passed: Path) -> bool:
    """Remove the note of an attempt before that there was no image: there may be one now; whether there was a note."""
    with writing(passed):
        is_there = passed.exists()
        passed.unlink(missing_ok=True)
    return is_there


def _state(image: Path) -> tuple[int, int] | None:
    """What tells whether a file has changed; None where it is not there."""
    try:
        found = image.stat()
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns


def _wait_for_change(image: Path, before: tuple[int, int] | None, last_look: float) -> bool:
    said = False
    while (left := last_look - time.monotonic()) > 0:
        if not said:
            log.info("waiting up to %.0f s for %s", left, image)
            said = True
        time.sleep(min(left, BETWEEN_LOOKS))
        if _state(image) not in (None, before):
            return True
    return False


def _is_exception(done: Sequence[Cycle], analyst: Analyst) -> bool:
    """Whether the images before could be used, but for those that were missing."""
    due = [cycle.record for cycle in done if cycle.record.analysis is not None or cycle.record.reasons]
    if not any(record.analysis is not None for record in due):
        return False
    last = due[-1]
    return last.analysis is not None or _state(analyst.image(Window(last.time, last.end, True))) is None


def _pass_over(folder: Path, text: str) -> None:
    log.warning("no analysis: %s", text)
    path = folder / PASSED
    with writing(path):
        path.write_text(text + "\n")
        sync(path)
        sync(folder)
