"""The folder of a run: what it is, its cycles, what each began with, did and left, and whether they chain.

::

    RUN/settings.toml  run.json          what it is
    RUN/cycles/20220602T06/              the analysis at that time and the window that starts there; whole or absent
        background/ analysis/ restart/   sets of restart files, as far as they are kept
        history/ log/ cycle.json         what `Record` has
    RUN/cycles/20220602T12.1f3a.partial/ under way

`imgda_mpi.results.run_writing` makes it. Without MPI and without NetCDF: whoever drives or watches a run asks here.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

from imgda_mpi.disk import REMOVED, checksum
from imgda_mpi.faults import ConfigError, fault, reading
from imgda_mpi.results.run_records import NEVER_WRITTEN, Description, Origin, Record, in_utc, of_type, stamp, time_text

RUN_FILE, SETTINGS_FILE, CYCLES = "run.json", "settings.toml", "cycles"
CYCLE_FILE, HISTORY_FILE = "cycle.json", "history/history.nc"
LOG, PASSED = "log", "passed.txt"
PARTIAL = ".partial"

MEND_RUN = "give the folder of a run"
MEND_CHAIN = "put back what was before it, or remove this cycle and those after it: they are run again"
MEND_CYCLE = "remove the folder of this cycle and of those after it, and run them again"

Read = TypeVar("Read")


@dataclass(frozen=True)
class Cycle:
    """A complete cycle: its folder and what it was."""

    directory: Path
    record: Record

    @property
    def history(self) -> Path:
        """The file of its history, which need not be there."""
        return self.directory / HISTORY_FILE

    def files(self, name: str) -> list[Path]:
        """The files that are still there of a set, by its key (background, analysis, restart), in the order of names.

        Raises
        ------
        InputError
            Where its folder cannot be read.
        """
        of_set, folder = self.record.sets.get(name, NEVER_WRITTEN), self.directory / name
        with reading(folder):
            every = (path for path in folder.rglob("*") if not path.parent.name.startswith(REMOVED))
            return sorted((path for path in every if path.name in of_set.files), key=lambda path: path.name)

    def verify(self) -> list[str]:
        """Compare the sets that are still there with their checksums; their names. A set may be gone as a whole.

        Raises
        ------
        InputError
            Where a file differs, or some of a set are gone.
        """
        there = []
        for name, of_set in self.record.sets.items():
            folder = self.directory / name
            found = {path.name: path for path in self.files(name)}
            lost = sorted(of_set.files.keys() - found.keys())
            if found and lost:
                gone = f"{len(lost)} of {len(of_set.files)} files gone, as {lost[0]}"
                raise fault(folder, found=gone, expected="all of the set or none", do=MEND_CYCLE)
            for file, path in found.items():
                if checksum(path) != of_set.files[file]:
                    raise fault(path, found="another content", expected="what the cycle wrote", do=MEND_CYCLE)
            there += [name] if found else []
        return there


@dataclass(frozen=True)
class Run:
    """A run: its folder, what it is, and the versions of what it was made with."""

    directory: Path
    description: Description
    versions: Mapping[str, str]

    def cycle_folder(self, time: datetime) -> Path:
        """Where the cycle of a time, a whole hour, is or will be.

        Raises
        ------
        ConfigError
            Where it is no whole hour.
        ValueError
            Where it has no time zone.
        """
        if in_utc(time).replace(minute=0, second=0, microsecond=0) != time:
            found, expected = f"a cycle at {time:%Y-%m-%d %H:%M:%S %Z}", "a whole hour"
            do = "let start, analyses and windows be of whole hours"
            raise fault(self.directory, found=found, expected=expected, do=do, kind=ConfigError)
        return self.directory / CYCLES / stamp(time)

    def cycles(self) -> list[Cycle]:
        """All complete cycles, in the order of time.

        Raises
        ------
        InputError
            Where one of the folders is no cycle.
        """
        return [read_cycle(folder) for folder in self._folders()]

    def under_way(self) -> list[Path]:
        """Folders of cycles that are being made, or were when a job ended, in the order of names."""
        return sorted((self.directory / CYCLES).glob(f"*{PARTIAL}"))

    def check_chain(self) -> list[Cycle]:
        """All complete cycles, each of which went on from the one before, the first one from the start of the run.

        Raises
        ------
        InputError
            As of `cycles`, and where the chain breaks, naming the first cycle that does not follow.
        """
        cycles = self.cycles()
        if cycles:
            _compare(cycles[0], "its time", cycles[0].record.time, "the start of the run", self.description.start)
            _compare(cycles[0], "what it came from", cycles[0].record.origin, "of the first cycle", None)
        for before, after in pairwise(cycles):
            name = before.directory.name
            own, left = after.record, before.record
            _compare(after, "its time", own.time, f"the end of {name}", left.end)
            _compare(after, "what it came from", own.origin, f"of {name}", left.as_origin)
            began, ended = own.background.digest, left.restart.digest
            if began is not None and ended is not None:
                _compare(after, "the digest of its background", began, f"of the restart of {name}", ended)
        return cycles

    def _folders(self) -> list[Path]:
        path = self.directory / CYCLES
        with reading(path, expected="the cycles of a run", do=MEND_RUN):
            every = sorted(path.iterdir())
        folders = [path for path in every if path.is_dir() and not path.name.startswith(".")]
        return [folder for folder in folders if folder.suffix != PARTIAL]


def open_run(path: Path) -> Run:
    """The run in a folder. Not collective.

    Raises
    ------
    InputError
        Where the folder is not that of a run, or ``run.json`` is damaged.
    """

    def run(found: Mapping[str, Any]) -> Run:
        versions = {name: of_type(text, str) for name, text in found["versions"].items()}
        return Run(path, Description.of_json(found), versions)

    if not (path / RUN_FILE).is_file():
        found = f"no {RUN_FILE}" if path.is_dir() else "no such folder"
        parent = path if path.is_dir() else path.parent
        runs = sorted(file.parent.name for file in parent.glob(f"*/{RUN_FILE}"))
        there = f" (runs in {parent}: {', '.join(runs)})" if runs else ""
        raise fault(path, found=f"{found}{there}", expected="the folder of a run", do=MEND_RUN)
    return _from_json(path / RUN_FILE, run, "what describes a run", MEND_RUN)


def read_cycle(directory: Path) -> Cycle:
    """The cycle in a folder. Not collective.

    Raises
    ------
    InputError
        Where ``cycle.json`` is not there, is damaged, or is of another time than the folder's name says.
    """
    record = _from_json(directory / CYCLE_FILE, Record.of_json, "what describes a cycle", MEND_CYCLE)
    name = directory.name.partition(".")[0]
    if stamp(record.time) != name:
        raise fault(directory / CYCLE_FILE, "time", found=stamp(record.time), expected=name, do=MEND_CYCLE)
    return Cycle(directory, record)


def _from_json(path: Path, read: Callable[[Mapping[str, Any]], Read], expected: str, do: str) -> Read:
    with reading(path, expected=expected, do=do):
        text = path.read_text()
    try:
        return read(json.loads(text))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as err:
        said = f"what cannot be understood ({type(err).__name__}: {err})"
        raise fault(path, found=said, expected=expected, do=do) from err


def _compare(cycle: Cycle, what: str, found: object, of_what: str, expected: object) -> None:
    if found != expected:
        where, wanted = cycle.directory / CYCLE_FILE, f"{_word(expected)}, {of_what}"
        raise fault(where, what, found=_word(found), expected=wanted, do=MEND_CHAIN)


def _word(value: object) -> str:
    if isinstance(value, datetime):
        return time_text(value)
    if isinstance(value, Origin):
        return f"{value.cycle} with {(value.digest or 'no set')[:12]}"
    return "nothing" if value is None else str(value)[:12]
