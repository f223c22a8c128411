"""Flux files of CoLM2014 as a series: water of the soil layers and rain, records 56 and 51 of 99.

Order of records and what they are is that of the model's own source, ``main/flxwrite.F90``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np

from imgda_mpi.arrays import FloatArray
from imgda_mpi.colm.fortran import read_records
from imgda_mpi.colm.soil_layers import N_SOIL
from imgda_mpi.faults import fault
from imgda_mpi.grid import Grid
from imgda_mpi.histories.opened import LastOpened, matching
from imgda_mpi.histories.profiles import DAY, ProfileFile, ProfileSeries, calendar_part, profile_series
from imgda_mpi.histories.records import INSTANT, Record
from imgda_mpi.observations.image import Layer

N_RECORDS = 99
LONGITUDES, LATITUDES, RAIN, WATER = 0, 1, 50, 55
"""Numbers of records from 0."""

REAL = 8  # bytes
MISSING = -1e35  # what is below it stands for no value: the model writes -1e36

STAMP = re.compile(r"_2D_Fluxes_(\d{4})-(?:(\d{3})-(\d{5})|(\d{2}))$")
A_DAY = "means of 1 day (time in the middle; one file alone does not say so)"
UNKNOWN = "means of an interval that one file alone does not say (time at its end)"
MEND = "give files as the model has written them, with their names"


class FluxFile:
    """A flux file; what is read of it is open for as long as that takes."""

    def __init__(self, path: Path) -> None:
        self._records = read_records(path)
        lengths = self._records.lengths
        if len(lengths) != N_RECORDS:
            found, expected = f"{len(lengths)} records", f"{N_RECORDS} records of a flux file of CoLM2014"
            raise fault(path, found=found, expected=expected, do=MEND)
        n_lon, n_lat = lengths[LONGITUDES] // REAL, lengths[LATITUDES] // REAL
        for number, values in ((RAIN, 1), (WATER, N_SOIL)):
            expected_length = REAL * values * n_lon * n_lat
            if lengths[number] != expected_length:
                found = f"{lengths[number]} bytes"
                expected = f"{expected_length}, {values} for each of {n_lon} x {n_lat} cells"
                raise fault(path, f"record {number + 1}", found=found, expected=expected, do=MEND)
        longitude, latitude = self._read(LONGITUDES, n_lon), self._read(LATITUDES, n_lat)
        try:
            self.grid = Grid(latitude, longitude)
        except ValueError as err:
            expected = "longitudes and latitudes of a grid"
            raise fault(path, "records 1 and 2", found=str(err), expected=expected, do=MEND) from err

    def soil(self, index: int, layers: slice) -> FloatArray:
        """See `ProfileFile`."""
        ny, nx = self.grid.shape
        return np.moveaxis(self._read(WATER, ny * nx * N_SOIL).reshape(ny, nx, N_SOIL), -1, 0)[layers]

    def rain(self, index: int) -> FloatArray | None:
        """See `ProfileFile`."""
        ny, nx = self.grid.shape
        return self._read(RAIN, ny * nx).reshape(ny, nx)

    def _read(self, number: int, count: int) -> FloatArray:
        values = self._records.reals(number, 0, count)
        return np.where(np.isfinite(values) & (values > MISSING), values, np.nan)


@contextmanager
def open_flux_file(path: Path) -> Iterator[ProfileFile]:
    """A flux file, looked through once. Not collective.

    Raises
    ------
    InputError
        Where it is missing, damaged, or no flux file of CoLM2014.
    """
    yield FluxFile(path)


def open_flux_files(files: Path | str, *, layers: Sequence[Layer]) -> ProfileSeries:
    """Flux files of one run. Not collective.

    Parameters
    ----------
    files : their names, with ``*`` and ``?`` for any characters
    layers : that are asked for, m

    Raises
    ------
    InputError
        Where there is none, one is damaged, has no time in its name or is no flux file, grids differ, or a time is
        there twice.
    """
    return flux_series(str(files), matching(files, "flux files of CoLM2014"), layers)


def flux_series(
    what: str, files: Sequence[Path], layers: Sequence[Layer], since: Mapping[Path, datetime] | None = None
) -> ProfileSeries:
    """As `open_flux_files`, of files by their paths; ``what`` they are in words.

    ``since`` is when the model began to write a file: its means begin there at the earliest.
    """
    intervals, said = _intervals(files)
    records = []
    for path, (start, end) in intervals.items():
        begin = max(start, (since or {}).get(path, start))
        records.append(Record(begin + (end - begin) / 2, path, 0, length=end - begin))
    grids = [(path, FluxFile(path).grid) for path in files]
    return profile_series(what, records, grids, LastOpened(open_flux_file), layers, said)


def _intervals(files: Sequence[Path]) -> tuple[dict[Path, tuple[datetime, datetime]], str]:
    """Start and end of the interval of each file, and what is to be said of it where that is more than its length.

    The model writes means of steps, days, months or years, each stamped by its end, or by its month.
    """
    ends, months = {}, {}
    for path in files:
        start, end = _stamped(path)
        if start is None:
            ends[path] = end
        else:
            months[path] = start, end
    if ends and months:
        path, expected = next(iter(ends)), f"a month as in {next(iter(months))}"
        raise fault(path, found="a day in its name", expected=expected, do="give files of one interval alone")
    if months:
        return months, ""
    ordered = sorted(ends.values())
    step = min((later - earlier for earlier, later in pairwise(ordered) if later > earlier), default=INSTANT)
    said = ""
    if step >= 365 * DAY:
        return {path: (calendar_part(end - DAY, "year")[0], end) for path, end in ends.items()}, ""
    at_midnight = all(end == calendar_part(end, "day")[0] for end in ordered)
    if step == INSTANT:
        step, said = (DAY, A_DAY) if at_midnight else (INSTANT, UNKNOWN)
    return {path: (end - min(step, DAY), end) for path, end in ends.items()}, said


def _stamped(path: Path) -> tuple[datetime | None, datetime]:
    """Start of the month that a name has, None where it has a day and second, and the end."""
    parts = STAMP.search(path.name)
    try:
        if parts is None:
            raise ValueError("no time")
        if parts[4]:
            return calendar_part(datetime(int(parts[1]), int(parts[4]), 1, tzinfo=UTC), "month")
        if int(parts[2]) not in range(1, 367) or int(parts[3]) > 86400:
            raise ValueError("no day of a year, or no second of a day")
        start = datetime(int(parts[1]), 1, 1, tzinfo=UTC)
        return None, start + timedelta(days=int(parts[2]) - 1, seconds=int(parts[3]))
    except ValueError as err:
        found, expected = f"{err} in its name", "<site>_2D_Fluxes_yyyy-ddd-sssss or yyyy-mm"
        raise fault(path, found=found, expected=expected, do=MEND) from err
