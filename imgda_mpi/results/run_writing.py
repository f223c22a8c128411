"""Making the folder of a run and of its cycles: each appears whole or not at all.

Without MPI where a process does it alone. Everything here is collective over the ``team``.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from imgda_mpi import PROGRAM
from imgda_mpi.disk import REMOVED, check_free, check_replaceable, remove, staging_beside, sync, tree
from imgda_mpi.faults import OutputError, fault, writing
from imgda_mpi.parallel.team import Team
from imgda_mpi.results.run_folder import (
    CYCLE_FILE,
    CYCLES,
    LOG,
    PARTIAL,
    PASSED,
    RUN_FILE,
    SETTINGS_FILE,
    Cycle,
    Run,
    open_run,
    read_cycle,
)
from imgda_mpi.results.run_records import ANALYSIS, Description, Record, json_text, stamp

KEPT = (ANALYSIS, f"{ANALYSIS}.toml", PASSED, LOG)
"""What a cycle that was interrupted hands over to the next attempt: each is whole, or not there."""


def new_run(directory: Path, description: Description, settings: str, versions: Mapping[str, str], team: Team) -> Run:
    """Make the folder of a run, without cycles.

    ``settings`` is the text of the settings file.

    Raises
    ------
    OutputError
        Where the folder exists and is not empty, or cannot be written.
    """

    def make() -> Run:
        final = directory.resolve()
        with writing(final):
            check_free(final)
            check_replaceable(final)
            staging = staging_beside(final)
            try:
                (staging / CYCLES).mkdir(parents=True)
                (staging / SETTINGS_FILE).write_text(settings)
                content = {"program": PROGRAM, **description.as_json(), "versions": dict(versions)}
                (staging / RUN_FILE).write_text(json_text(content))
                _give_name(staging, final)
            finally:
                remove(staging)
        return open_run(directory)

    return team.lead(make)


def begin_cycle(run: Run, time: datetime, team: Team) -> Path:
    """Folder to make a cycle in, of a name that no other attempt has; `end_cycle` gives it the cycle's.

    What attempts before have left is removed, but for what is whole of the same cycle, which is taken over: a process
    of such an attempt that is still there writes into folders that have lost their names. The folder changes its name:
    nothing in it may hold its path, and links in it are relative.

    Raises
    ------
    OutputError
        Where the cycle is there already, or cannot be written.
    ConfigError
        Where the time is no whole hour.
    """

    def make() -> Path:
        final = run.cycle_folder(time)
        partial = final.with_name(f"{final.name}.{os.urandom(4).hex()}{PARTIAL}")
        with writing(final):
            if final.exists():
                expected, do = "a cycle that is not there yet", "go on from the last complete cycle"
                raise fault(final, found="a complete cycle", expected=expected, do=do, kind=OutputError)
            left = sorted(final.parent.glob(f"*{PARTIAL}"), key=lambda path: path.stat().st_mtime, reverse=True)
            partial.mkdir(parents=True)
            for other in left:
                if other.name.startswith(f"{final.name}."):
                    _take_over(other, partial)
            for other in (*left, *final.parent.glob(f"{REMOVED}*")):
                remove(other)
        return partial

    return team.lead(make)


def _take_over(other: Path, partial: Path) -> None:
    for name in KEPT:
        if (other / name).exists() and not (partial / name).exists():
            (other / name).rename(partial / name)


def clear_cycle(partial: Path) -> None:
    """Remove what an attempt has left in the folder of its cycle, if it is not complete, but for what is whole.

    Not collective.

    Raises
    ------
    OutputError
    """
    with writing(partial):
        for path in partial.iterdir() if partial.exists() else ():
            if path.name not in KEPT:
                remove(path)


def end_cycle(partial: Path, record: Record, team: Team) -> Cycle:
    """Write ``cycle.json``, have all of the folder on the disk, and give it the name of its cycle.

    Raises
    ------
    OutputError
        Where it cannot be written, or is there already.
    InputError
        Where the record is of another time than the folder.
    """

    def finish() -> Cycle:
        final = partial.with_name(stamp(record.time))
        with writing(partial):
            (partial / CYCLE_FILE).write_text(json_text(record.as_json()))
        read_cycle(partial)
        with writing(final):
            _give_name(partial, final)
        return read_cycle(final)

    return team.lead(finish)


def _give_name(staging: Path, final: Path) -> None:
    """Rename a folder when all of it is on the disk."""
    for path in tree(staging):
        sync(path)
    staging.rename(final)
    sync(final.parent)
