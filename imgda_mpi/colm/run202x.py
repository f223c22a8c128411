"""A case of CoLM202X that is run through windows: its namelist ``nl_colm``, folders, restarts and history.

::

    F/                         the folder of a cycle, DEF_dir_output of its window
        restart/               const -> the user's, <start> -> the set it begins with, <end>/ written by the model
        history/               written by the model
        CASE/                  restart -> ../restart, history -> ../history, landdata -> the user's
        NAMELIST               the user's with other start, end and output

Facts are those of the model's sources: it makes its folders by ``mkdir -p`` in a shell, which takes links to folders
for folders; it has no spin-up where that ends at the start of the run; it writes a restart at the end of every run.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from imgda_mpi.arrays import FloatArray
from imgda_mpi.colm.case_files import CaseFiles, stamp
from imgda_mpi.colm.case_listing import list_files
from imgda_mpi.colm.hdf5 import Columns, OpenFile, opened
from imgda_mpi.colm.namelist import Group, read_group, rename_folder
from imgda_mpi.colm.windows import (
    SOIL,
    WATER,
    Window,
    check_greenwich,
    check_length,
    check_steps,
    check_water,
    new_folders,
)
from imgda_mpi.disk import link
from imgda_mpi.faults import OutputError, fault, reading, settled_by, writing

GROUP = "nl_colm"
TIME = "DEF_simulation_time"
IN_CYCLES = {"analysis", "background", "history", "log", "restart"}
"""Names that folders of cycles hold already."""

STAMP = re.compile(r"\d{4}-\d{3}-\d{5}")
UNSAFE = re.compile(r"""[\s"'`\\$&;()<>|*?#!{}\[\]]""")
"""Characters that a shell does not leave as they are."""


@dataclass(frozen=True)
class Colm202xCase:
    """A case of CoLM202X, as `imgda_mpi.model.runner.ModelCase` describes it.

    Relative paths in the namelist are relative to its folder, in which the model has to run.
    """

    namelist: Path

    @cached_property
    def case(self) -> str:
        """Its name, which begins the names of its files."""
        return self._group.value("DEF_CASE_NAME", str)

    @property
    def name(self) -> str:
        """In words."""
        return f"CoLM202X case {self.case}"

    @property
    def namelist_is_input(self) -> bool:
        """The namelist is named on the command line."""
        return False

    def check(self, windows: Sequence[Window], folder: Path) -> None:
        """See `ModelCase`."""
        if self.case in IN_CYCLES or Path(self.case).name != self.case or UNSAFE.search(self.case):
            expected = f"the name of a folder, none of {', '.join(sorted(IN_CYCLES))}, which a shell leaves as it is"
            raise self._group.fault(
                "DEF_CASE_NAME", found=self.case, expected=expected, do="give the case another name"
            )
        check_greenwich(self._group, f"{TIME}%greenwich", default=True)
        check_steps(self._group, f"{TIME}%timestep", windows)
        for start, end in windows[:1]:
            self._check_paths(folder.absolute(), end)
            self._edited(self.namelist.parent, start, end)
            with self._said_by():
                self._check_user(start)

    def first_set(self, start: datetime) -> list[Path]:
        """See `ModelCase`."""
        files = self._files(start)
        with self._said_by():
            found = list_files(files)
        return [files.states / name for name in found.states]

    def prepare(self, folder: Path, began_with: Sequence[Path], start: datetime, end: datetime) -> Path:
        """See `ModelCase`."""
        folder = folder.absolute()
        edited = folder / self.namelist.name
        self._check_paths(folder, end)
        new_folders(folder, ["restart", "history", self.case])
        restart, inside, user = folder / "restart", folder / self.case, self._files(start)
        run = folder.parent
        link(restart / "const", user.consts, run)
        link(restart / stamp(start), began_with[0].parent, run)
        link(inside / "landdata", user.directory / "landdata", run)
        for name in ("restart", "history"):
            link(inside / name, folder / name, run)
        self._edited(folder, start, end).write(edited)
        return edited

    def values(self, namelist: Path) -> dict[str, Any]:
        """See `ModelCase`."""
        return read_group(namelist, GROUP).values

    def complaint(self, output: str) -> str | None:
        """See `ModelCase`. The model's own words are not needed: without its restart it has not ended well."""
        return None

    def restart(self, folder: Path, end: datetime, like: Sequence[Path]) -> list[Path]:
        """See `ModelCase`."""
        written = folder / "restart" / stamp(end)
        files = self._written(written, {STAMP.sub(stamp(end), path.name): path for path in like})
        for name, before in files.items():
            if name.endswith(".nc"):
                self._check_file(written / name, before, end)
        for other in (folder / "restart").iterdir():
            if STAMP.fullmatch(other.name) and not other.is_symlink() and other != written:
                with writing(other):
                    shutil.rmtree(other)
        return sorted(written.iterdir())

    def history(self, folder: Path) -> list[Path]:
        """See `ModelCase`."""
        dated = re.compile(rf"{re.escape(self.case)}_hist_\d{{4}}(-\d\d){{0,2}}(_[ew]\d+_[ns]\d+)?\.nc")
        with reading(folder / "history"):
            return sorted(path for path in (folder / "history").iterdir() if dated.fullmatch(path.name))

    def section(self, files: Sequence[Path], time: datetime) -> dict[str, Any]:
        """See `ModelCase`."""
        output = files[0].absolute().parents[2]
        directory = output if (output / "landdata").exists() else output / self.case
        return {
            "kind": "colm202x",
            "directory": str(directory),
            "case": self.case,
            "time": time,
            "land_cover_year": self._land_cover_year,
        }

    def settle(self, folder: Path, name: str) -> None:
        """See `ModelCase`."""
        folder = folder.absolute()
        rename_folder(folder / self.namelist.name, GROUP, folder, folder.with_name(name))

    @cached_property
    def _group(self) -> Group:
        return read_group(self.namelist, GROUP)

    @property
    def _land_cover_year(self) -> int:
        return self._group.value("DEF_LC_YEAR", int, 2005)

    def _files(self, time: datetime) -> CaseFiles:
        """Of the user's own output."""
        output = self.namelist.absolute().parent / self._group.value("DEF_dir_output", str)
        return CaseFiles(output / self.case, self.case, time, self._land_cover_year)

    def _said_by(self) -> AbstractContextManager[None]:
        return settled_by(f"DEF_dir_output, DEF_CASE_NAME and DEF_LC_YEAR in {self.namelist}")

    def _check_user(self, start: datetime) -> None:
        files = self._files(start)
        for path in (files.scalars, files.mesh):
            if not path.is_file():
                do = "copy the whole case, or correct DEF_dir_output, DEF_CASE_NAME or DEF_LC_YEAR"
                raise fault(path, found="no such file", expected="what the model reads when it starts", do=do)

    def _edited(self, folder: Path, start: datetime, end: datetime) -> Group:
        """The namelist of a window: no spin-up, no restart on the way but at the end of a year, history of hours."""
        at = {"start": start, "end": end, "spinup": start}
        times = {f"{TIME}%{of}_{name}": value for of, time in at.items() for name, value in _parts(time).items()}
        output = {"DEF_WRST_FREQ": "YEARLY", "DEF_HIST_FREQ": "HOURLY", "DEF_HIST_groupby": "DAY"}
        spin_up = {f"{TIME}%spinup_repeat": 0}
        return self._group.edited({"DEF_dir_output": str(folder)} | times | spin_up | output)

    def _check_paths(self, folder: Path, end: datetime) -> None:
        """Refuse a folder whose paths the model or its shell would not read as they are."""
        inside, at = folder / self.case, stamp(end)
        longest = f"{self.case}_restart_urban_{at}_lc{self._land_cover_year}_w180_s90.nc"
        for path in (inside / "restart" / at / longest, folder / self.namelist.name):
            check_length(path)
        if UNSAFE.search(str(folder)):
            found, expected = "spaces or signs that mean something to a shell", "a path that a shell leaves as it is"
            do = "take another run folder: the model makes its folders by a shell"
            raise fault(folder, found=found, expected=expected, do=do, kind=OutputError)

    def _written(self, folder: Path, names: Mapping[str, Path]) -> dict[str, Path]:
        """Names in the set that was written, each with the file of the set before that has the name but for the time.

        Only files with the name of the case and the time have to be the same: others may lie beside them.
        """
        do = "the model did not write what it should: look at its log"
        with reading(folder.parent):
            there = sorted(path.name for path in folder.parent.iterdir() if not path.is_symlink())
        if folder.name not in there:
            found, expected = (
                f"no such folder (written: {', '.join(there) or 'none'})",
                "the restart of the window's end",
            )
            raise fault(folder, found=found, expected=expected, do=do)
        with reading(folder):
            found_names = [path.name for path in folder.iterdir()]
        of_set = re.compile(rf"{re.escape(self.case)}_.*{folder.name}.*")
        files, wanted = ({name for name in every if of_set.fullmatch(name)} for every in (found_names, names))
        for name in sorted(files ^ wanted)[:1]:
            found = "no such file" if name in wanted else "a file of another name"
            raise fault(
                folder / name, found=found, expected="the set that the window began with, but of its end", do=do
            )
        return {name: names[name] for name in sorted(wanted)}

    def _check_file(self, file: Path, before: Path, end: datetime) -> None:
        """Refuse a state of another number of patches, or that lost its soil water.

        Of the files of other sets (plant types, streets, rivers) damage shows when they are opened.
        """
        of_all, stem = f"{self._files(end).stem}.nc", self._files(end).stem
        with opened(file) as state:
            if not file.name.startswith((f"{stem}_", of_all)):
                return
            blocks = state.blocks(WATER[0]) if file.name == of_all else [None]
        for block in blocks:
            with opened(file, block=block) as state, opened(before, block=block) as first:
                n, n_before = state.length(WATER[0]), first.length(WATER[0])
                if n != n_before:
                    do = "the model ran with other landdata, or did not write all of it: look at its log"
                    raise fault(
                        state.path, WATER[0], found=f"{n} patches", expected=f"{n_before} as in {first.path}", do=do
                    )
                for name in WATER:
                    check_water(state.path, name, _soil(state, name, n), partial(_soil, first, name, n))


def _soil(state: OpenFile, name: str, n_patch: int) -> FloatArray:
    """Values (n_patch, 10) in the soil layers."""
    return state.read(Columns(name, SOIL.start, SOIL.stop), slice(0, n_patch), n_patch)


def _parts(time: datetime) -> dict[str, int]:
    """Midnight is second 0 of the new day."""
    second = time.hour * 3600 + time.minute * 60 + time.second
    return {"year": time.year, "month": time.month, "day": time.day, "sec": second}
