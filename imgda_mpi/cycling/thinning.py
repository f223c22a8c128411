"""Removing restarts that a run does not need any more."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

from imgda_mpi.disk import REMOVED, remove
from imgda_mpi.faults import writing
from imgda_mpi.results.run_folder import Cycle
from imgda_mpi.results.run_records import ANALYSIS, RESTART

NEVER = 2
"""The newest cycles, whose sets are never removed."""


def thin(cycles: Sequence[Cycle], start: datetime, keep_every: timedelta) -> int:
    """Remove the restarts of some cycles but for those of times so far apart, from the start of the run; how many.

    What is removed is the sets alone: diagnostics, manifests, histories and records stay. Not collective.

    Raises
    ------
    OutputError
    """
    n_removed = 0
    for cycle in cycles:
        for name, time in ((ANALYSIS, cycle.record.time), (RESTART, cycle.record.end)):
            if not is_kept(time, start, keep_every):
                n_removed += _remove_set(cycle, name)
        _remove_links(cycle)
    return n_removed


def is_kept(time: datetime, start: datetime, keep_every: timedelta) -> bool:
    """Whether the restarts of a time stay where they are not the newest."""
    return not (time - start) % keep_every


def _remove_links(cycle: Cycle) -> None:
    """Remove links of a cycle to sets that are gone. They are relative; what others lead to is not the run's."""
    with writing(cycle.directory):
        for path in [*cycle.directory.rglob("*")]:
            if path.is_symlink() and not path.exists() and not path.readlink().is_absolute():
                path.unlink()


def _remove_set(cycle: Cycle, name: str) -> bool:
    with writing(cycle.directory):
        for left in [*(cycle.directory / name).rglob(f"{REMOVED}*")]:  # by a job that was killed on this way
            remove(left)
    files = cycle.files(name)
    # The folder that holds nothing but the set, where there is one: it goes as a whole.
    folders = {path.parent for path in files}
    for folder in folders:
        with writing(folder):
            _remove_from(folder, [path for path in files if path.parent == folder])
    return bool(files)


def _remove_from(folder: Path, files: list[Path]) -> None:
    if {path.name for path in folder.iterdir()} == {path.name for path in files}:
        remove(folder)
        return
    for path in files:
        path.unlink()
