"""A case of CoLM2014 that is run through windows: its namelist ``clmexp``, folders, restarts and history.

::

    F/                         the folder of a cycle
        restart/               dir_restart_hist: links to the const file and the set it begins with, files of the model
        history/               dir_output: written by the model
        NAMELIST               the user's with other start, end and folders, the model's standard input

Facts are those of the model's sources: it puts the names of files behind those of folders without a slash, takes an end
at second 00000 for that of the day before, and writes nothing up to ``p_*``, here the start. When it writes restarts is
compiled in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from imgda_mpi.arrays import FloatArray
from imgda_mpi.colm.case_files import stamp
from imgda_mpi.colm.const2014 import const_layout
from imgda_mpi.colm.marks import SUFFIX, sidecar
from imgda_mpi.colm.namelist import Group, read_group, rename_folder
from imgda_mpi.colm.state2014 import check_size, state_date, state_values
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
from imgda_mpi.faults import ConfigError, fault, reading, settled_by, writing

GROUP = "clmexp"
NEEDED = {"dir_model_landdata": str, "dir_forcing": str, "solarin_all_band": bool, "deltim": float}
"""Keys that the model reads and nothing here looks at; it takes no other value where one is missing."""

VALUES_OF_A_CELL = 169
"""Reals of a cell in a file of fluxes."""

DAY = timedelta(days=1)
ENDED = "Execution Completed"
"""What the model says in the end."""


@dataclass(frozen=True)
class Colm2014Case:
    """A case of CoLM2014, as `imgda_mpi.model.runner.ModelCase` describes it.

    Relative paths in the namelist are relative to its folder, in which the model has to run.

    Parameters
    ----------
    namelist : the user's own
    restart_every : after which time of the day the executable was built to write restarts, again and again
    """

    namelist: Path
    restart_every: timedelta

    @cached_property
    def site(self) -> str:
        """Name of the case, which begins the names of its files."""
        return self._group.value("site", str)

    @property
    def name(self) -> str:
        """In words."""
        return f"CoLM2014 case {self.site}"

    @property
    def namelist_is_input(self) -> bool:
        """The namelist is the model's standard input."""
        return True

    def check(self, windows: Sequence[Window], folder: Path) -> None:
        """See `ModelCase`."""
        for key, kind in NEEDED.items():
            self._group.value(key, kind)
        check_greenwich(self._group, "greenwich")
        check_steps(self._group, "deltim", windows)
        self._check_ends(windows)
        self._check_const()
        for start, end in windows[:1]:
            self._check_paths(folder.absolute(), end)
            self._edited(self.namelist.parent, start, end)

    def first_set(self, start: datetime) -> list[Path]:
        """See `ModelCase`."""
        file = self._user(f"-rstTimeVar-{stamp(start)}")
        with reading(file):
            is_there = file.is_file()
        if not is_there:
            there = _names(file.parent, f"{self.site}-rstTimeVar-*")
            raise fault(
                file,
                found=f"no such file (there are: {', '.join(there) or 'none'})",
                expected="the restart of the start",
                do="correct the start, or site and dir_restart_hist (with its last slash) in the namelist",
            )
        self._check_state(file, start)
        mark = sidecar(file)
        return [file, mark] if mark.is_file() and mark.parent == file.parent else [file]

    def prepare(self, folder: Path, began_with: Sequence[Path], start: datetime, end: datetime) -> Path:
        """See `ModelCase`."""
        folder = folder.absolute()
        edited = folder / self.namelist.name
        self._check_paths(folder, end)
        new_folders(folder, ["restart", "history"])
        for file in (self._const, *began_with):
            link(folder / "restart" / file.name, file, folder.parent)
        self._edited(folder, start, end).write(edited)
        return edited

    def values(self, namelist: Path) -> dict[str, Any]:
        """See `ModelCase`."""
        return read_group(namelist, GROUP).values

    def complaint(self, output: str) -> str | None:
        """See `ModelCase`."""
        return None if ENDED in output else f"it did not say {ENDED!r}"

    def restart(self, folder: Path, end: datetime, like: Sequence[Path]) -> list[Path]:
        """See `ModelCase`."""
        restart = folder / "restart"
        file = restart / f"{self.site}-rstTimeVar-{stamp(end)}"
        with reading(restart):
            written = {path for path in restart.glob(f"{self.site}-rstTimeVar-*") if not path.is_symlink()}
        if file not in written:
            raise fault(
                file,
                found=f"no such file (written: {', '.join(sorted(path.name for path in written)) or 'none'})",
                expected="the restart of the window's end",
                do="look at the model's log, and whether it was built to write restarts every"
                f" {_hours(self.restart_every)}",
            )
        self._check_state(file, end)
        before = next(path for path in like if not path.name.endswith(SUFFIX))
        for name in WATER:
            check_water(file, name, self._soil(file, name), partial(self._soil, before, name))
        for other in written - {file}:
            with writing(other):
                other.unlink()
        return [file]

    def history(self, folder: Path) -> list[Path]:
        """See `ModelCase`."""
        return [folder / "history" / name for name in _names(folder / "history", f"{self.site}_2D_Fluxes_*")]

    def section(self, files: Sequence[Path], time: datetime) -> dict[str, Any]:
        """See `ModelCase`."""
        file = next(path for path in files if not path.name.endswith(SUFFIX)).absolute()
        return {"kind": "colm2014", "restart_file": str(file), "const_file": str(self._const), "time": time}

    def settle(self, folder: Path, name: str) -> None:
        """See `ModelCase`."""
        folder = folder.absolute()
        rename_folder(folder / self.namelist.name, GROUP, folder, folder.with_name(name))

    @cached_property
    def _group(self) -> Group:
        return read_group(self.namelist, GROUP)

    @property
    def _const(self) -> Path:
        return self._user("-rstTimeConst").resolve()

    @property
    def _n_patch(self) -> int:
        return self._group.value("numpatch", int)

    def _user(self, name: str) -> Path:
        """One of the user's own restart files, by what follows the name of the case."""
        return self.namelist.absolute().parent / f"{self._group.value('dir_restart_hist', str)}{self.site}{name}"

    def _check_ends(self, windows: Sequence[Window]) -> None:
        every = _hours(self.restart_every)
        if self.restart_every <= timedelta(0) or DAY % self.restart_every:
            do = "say what the executable was built to write"
            expected = "a time that divides a day"
            raise fault(self.namelist, "restart_every", found=every, expected=expected, do=do, kind=ConfigError)
        for _, end in windows:
            if (end - end.replace(hour=0, minute=0, second=0, microsecond=0)) % self.restart_every:
                raise fault(
                    self.namelist,
                    "restart_every",
                    found=f"restarts every {every} of the day for a window that ends at {end:%Y-%m-%d %H:%M:%S}",
                    expected="one at the end of every window",
                    do="take other windows, or build the model to write restarts more often",
                    kind=ConfigError,
                )

    def _check_const(self) -> None:
        with settled_by(f"site and dir_restart_hist, with its last slash, in {self.namelist}"):
            layout = const_layout(self._const)
        for key, found in (("numpatch", layout.n_patch), ("lon_points", layout.n_lon), ("lat_points", layout.n_lat)):
            said = self._group.value(key, int)
            if said != found:
                do = "use namelist and const file of one case"
                raise self._group.fault(key, found=f"{said}", expected=f"{found} as in {self._const}", do=do)

    def _check_paths(self, folder: Path, end: datetime) -> None:
        # Longer than any name of history.
        check_length(f"{folder}/restart/{self.site}-rstTimeVar-{stamp(end)}")

    def _check_state(self, file: Path, time: datetime) -> None:
        """Refuse a file of another size or date; at midnight it has to be that of the new day, as the namelist has."""
        check_size(file, self._n_patch)
        found, expected = (", ".join(map(str, date)) for date in (state_date(file), _date(time)))
        if found != expected:
            expected += f", as its namelist has {time:%Y-%m-%d %H:%M:%S}"
            do = "take the file of that time as the model wrote it: it stops where the two are not the same"
            raise fault(file, "year, day, second", found=found, expected=expected, do=do)

    def _soil(self, file: Path, name: str) -> FloatArray:
        """Values (n_patch, 10) in the soil layers."""
        return state_values(file, name, self._n_patch)[:, SOIL]

    def _edited(self, folder: Path, start: datetime, end: datetime) -> Group:
        """The namelist of a window."""
        edits: dict[str, str | int] = {"dir_restart_hist": f"{folder}/restart/", "dir_output": f"{folder}/history/"}
        for of, time in (("s", start), ("p", start), ("e", end)):
            edits |= zip((f"{of}_year", f"{of}_julian", f"{of}_seconds"), _date(time), strict=True)
        return self._group.edited(edits)


def _date(time: datetime) -> tuple[int, int, int]:
    """Year, day of the year, second of the day."""
    return time.year, int(f"{time:%j}"), time.hour * 3600 + time.minute * 60 + time.second


def _hours(span: timedelta) -> str:
    return f"{span / timedelta(hours=1):g} h"


def _names(folder: Path, pattern: str) -> list[str]:
    """Sorted names in a folder; none where it is not there."""
    with reading(folder):
        return sorted(path.name for path in folder.glob(pattern)) if folder.is_dir() else []
