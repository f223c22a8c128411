"""History of CoLM202X over several windows: files of the same names in different folders, joined along time."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import accumulate, pairwise
from pathlib import Path

import netCDF4
import numpy as np

from imgda_mpi.arrays import FloatArray
from imgda_mpi.faults import fault
from imgda_mpi.netcdf import find_variable, in_library, opened

TIME = "time"
ORIGIN = datetime(1900, 1, 1, tzinfo=UTC)
UNITS = "minutes since 1900-1-1"
"""What the model counts time in, with or without 0:0:0 after it."""

VALUES_OF_A_CELL = 198
"""Reals of a cell in a record that has all variables which the model writes by default."""

MEND = "give each history file once, of windows that follow each other"


@dataclass(frozen=True)
class Histories:
    """History files one after the other.

    Parameters
    ----------
    times : middle of the interval of every record, UTC
    names : variables with a record for every time
    files : in the order of time
    starts : number of the first record of each file
    """

    times: list[datetime]
    names: list[str]
    files: list[Path]
    starts: list[int]

    def read(self, name: str, index: int) -> FloatArray:
        """Record ``index`` of a variable as it is stored: (lat, lon) or (layer, lat, lon), -1e36 without a value.

        Raises
        ------
        InputError
        """
        number = bisect_right(self.starts, index) - 1
        path = self.files[number]
        with opened(path, "copy it again from the model run") as file:
            variable = find_variable(path, file, name)
            variable.set_auto_mask(False)
            with in_library(path, name):
                return np.asarray(variable[index - self.starts[number]], np.float64)


def open_histories(files: Sequence[Path]) -> Histories:
    """History files of any order, which have to follow each other without a gap. Not collective.

    Raises
    ------
    InputError
        Where there is none, one is damaged or has other variables than the others, or times are there twice or missing.
    """
    read = sorted((_read(path) for path in files), key=lambda one: one[1])
    if not read:
        raise fault("history", found="no files", expected="history of the model", do="run it first")
    paths = [path for path, _, _ in read]
    for (path, _, shapes), (other, _, others) in pairwise(read):
        for name in sorted(shapes.keys() | others.keys()):
            if shapes.get(name) != others.get(name):
                found, expected = f"shape {others.get(name)}", f"{shapes.get(name)} as in {path}"
                raise fault(other, name, found=found, expected=expected, do="keep what the model writes in one run")
    minutes = [minute for _, own, _ in read for minute in own]
    starts = [0, *accumulate(len(own) for _, own, _ in read)][:-1]
    _check_steps(paths, starts, minutes)
    return Histories([ORIGIN + timedelta(minutes=one) for one in minutes], sorted(read[0][2]), paths, starts)


def _read(path: Path) -> tuple[Path, list[int], dict[str, tuple[int, ...]]]:
    """Minutes of the records, and the shape of one record of each variable that has them."""
    with opened(path, "copy it again from the model run") as file:
        time = find_variable(path, file, TIME)
        with in_library(path, TIME):
            units, minutes = str(getattr(time, "units", "none")), np.ma.filled(time[:], 0)
        if not units.startswith(UNITS) or minutes.ndim != 1 or minutes.size == 0:
            found = f"{minutes.size} times in {units!r}"
            raise fault(path, TIME, found=found, expected=f"times in {UNITS}", do="give history files of CoLM202X")
        return path, [int(minute) for minute in minutes], _shapes(file)


def _shapes(file: netCDF4.Dataset) -> dict[str, tuple[int, ...]]:
    every = file.variables.items()
    return {name: v.shape[1:] for name, v in every if v.dimensions[:1] == (TIME,) and len(v.dimensions) > 1}


def _check_steps(files: Sequence[Path], starts: Sequence[int], minutes: Sequence[int]) -> None:
    """Refuse records that do not follow each other at one interval."""
    steps = np.diff(minutes)
    usual = int(np.median(steps)) if steps.size else 1
    for number in np.flatnonzero((steps != usual) | (steps <= 0))[:1]:
        path = files[bisect_right(starts, number + 1) - 1]
        first, second = (f"{ORIGIN + timedelta(minutes=one):%Y-%m-%d %H:%M}" for one in minutes[number : number + 2])
        found = f"{'a gap' if steps[number] > usual else 'an overlap'}: {second} after {first}"
        raise fault(path, TIME, found=found, expected="records at one interval, each once", do=MEND)
