"""Weather from CF NetCDF files, a record at a time."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

import numpy as np
from mpi4py import MPI

from imgda_mpi.arrays import FloatArray, IntArray
from imgda_mpi.columns.forcing_records import HOUR, Records, find_records, seconds_of, text_of
from imgda_mpi.columns.quantities import QUANTITIES
from imgda_mpi.columns.weather import Weather
from imgda_mpi.grid import Grid
from imgda_mpi.netcdf import opened
from imgda_mpi.parallel.failure import from_rank_0

log = logging.getLogger(__name__)


def open_forcing(
    comm: MPI.Intracomm,
    files: Sequence[Path | str],
    grid: Grid,
    cell: IntArray,
    start: datetime,
    end: datetime,
    variables: Mapping[str, str] | None = None,
) -> ForcingFiles:
    """The weather of files for all hours that begin from start to before end, at the own patches. Collective.

    Time axes of all files are read, and the records of the first hour. Where a variable's time has bounds, a record is
    the mean between them; without bounds it holds from its time to the next. Nothing is interpolated: an hour is the
    mean of the records that overlap it, weighted by overlap.

    Parameters
    ----------
    files : paths, in which strftime fields stand for the time in UTC: one for all quantities, or several that have some
        of them each
    grid : of the model
    cell : (n_own,) flat indices of the own patches' cells in the grid
    start, end : aware times
    variables : names of variables by the quantity that they are, as ``{"rain": "tp"}``; the others are found by their
        CF standard name

    Raises
    ------
    InputError
        On every rank, where a file is missing or damaged; a variable is not there, there twice, or has further
        dimensions or unknown units; the cells are not the model's; records overlap, or an hour has none; a value is
        missing or cannot be.
    ValueError
        Where end is not after start, or variables are given for what is no quantity.
    """
    given = dict(variables or {})
    unknown = given.keys() - {quantity.name for quantity in QUANTITIES}
    if unknown or not start < end:
        raise ValueError(f"variables {sorted(unknown)}: no quantities" if unknown else f"{end} is not after {start}")
    cells = np.unique(np.concatenate(comm.allgather(cell)))
    reader: _Reader | None = None

    def opened_here() -> str:
        nonlocal reader
        reader = _Reader(find_records(files, grid, start, end, given), cells)
        return reader.summary

    summary = from_rank_0(comm, opened_here)
    forcing = ForcingFiles(comm, reader, np.searchsorted(cells, cell), summary)
    forcing.hour(start)
    return forcing


class ForcingFiles:
    """Weather of CF NetCDF files: a `WeatherSource` made by `open_forcing`.

    Rank 0 reads and checks, and keeps the records of the last hour alone.

    Parameters
    ----------
    summary : how many files there are, and what a record stands for
    """

    def __init__(self, comm: MPI.Intracomm, reader: _Reader | None, position: IntArray, summary: str) -> None:
        self.summary = summary
        self._comm, self._reader, self._position = comm, reader, position

    def hour(self, time: datetime) -> Weather:
        """The mean weather of the hour that begins at an aware time. Collective.

        Raises
        ------
        InputError
            On every rank, where a record cannot be read, or a value at a soil cell is missing or cannot be.
        """

        def read() -> FloatArray:
            assert self._reader is not None
            return self._reader.hour(seconds_of(time))

        return Weather(*from_rank_0(self._comm, read)[:, self._position])


class _Reader:
    """Reads hours at some cells of the grid, on one rank."""

    def __init__(self, records: Sequence[Records], cells: IntArray) -> None:
        self._records, self._cells = records, cells
        self._kept: dict[tuple[int, int], FloatArray] = {}
        self._said: set[str] = set()

    @property
    def summary(self) -> str:
        files = sorted({part.path for records in self._records for part in records.parts})
        hours = sorted({float(n) / HOUR for records in self._records for n in np.unique(records.end - records.start)})
        every = ", ".join(f"{n:g}" for n in hours)
        return f"{len(files)} file(s) as {files[0].name}, records of {every} h, which hold unchanged"

    def hour(self, since: int) -> FloatArray:
        """Means of the hour that begins at a time in s since 1970-01-01 UTC, (7, n_cells)."""
        needed = [
            range(np.searchsorted(records.end, since, side="right"), np.searchsorted(records.start, since + HOUR))
            for records in self._records
        ]
        self._read({(q, number) for q, numbers in enumerate(needed) for number in numbers})
        return np.array([self._mean(q, numbers, since) for q, numbers in enumerate(needed)])

    def _mean(self, q: int, numbers: range, since: int) -> FloatArray:
        start, end = (edges[numbers.start : numbers.stop] for edges in (self._records[q].start, self._records[q].end))
        overlap = np.minimum(end, since + HOUR) - np.maximum(start, since)
        if overlap.sum() != HOUR:
            raise ValueError(f"the hour from {text_of(since)} is not within the time for which files were opened")
        if len(numbers) == 1:
            return self._kept[q, numbers[0]]
        return np.asarray(sum(n / HOUR * self._kept[q, k] for n, k in zip(overlap, numbers, strict=True)))

    def _read(self, wanted: set[tuple[int, int]]) -> None:
        """Have the records wanted, by quantity and number, and no others."""
        self._kept = {key: self._kept[key] for key in wanted & self._kept.keys()}
        by_path = defaultdict(list)
        for q, number in sorted(wanted - self._kept.keys()):
            part = self._records[q].parts[self._records[q].part[number]]
            by_path[part.path].append((q, number, part))
        for path, missing in by_path.items():
            with opened(path) as dataset:
                for q, number, part in missing:
                    values = part.read(dataset, int(self._records[q].step[number])).ravel()[self._cells]
                    when = text_of(self._records[q].start[number])
                    self._kept[q, number], n_raised = QUANTITIES[q].checked(values, path, part.variable, when)
                    if n_raised and part.variable not in self._said:
                        self._said.add(part.variable)
                        said = "%s: %s: %d of %d values just below 0 are taken for 0 at %s; said once"
                        log.warning(said, path, part.variable, n_raised, values.size, when)
