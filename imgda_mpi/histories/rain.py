"""Rain of CF NetCDF files, to go with the series of stations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import netCDF4

from imgda_mpi.arrays import FloatArray
from imgda_mpi.faults import fault
from imgda_mpi.grid import Grid
from imgda_mpi.histories.opened import LastOpened, check_grid
from imgda_mpi.histories.products import offset_of, sample_file
from imgda_mpi.netcdf import find_variable, horizontal_grid, opened, resolve, text_attribute
from imgda_mpi.observations.records import only_ones, read_record
from imgda_mpi.observations.selection import selected
from imgda_mpi.observations.times import Chosen, all_times, without_time
from imgda_mpi.units import powers

RATES = {powers("kg m-2 s-1"), powers("mm s-1")}
"""Units of rain, all of the same size: a millimetre is a kilogram on a square metre."""


class RainFile:
    """A file of rain that is open; ``times`` is None where it has none."""

    def __init__(self, path: Path, dataset: netCDF4.Dataset, name: str, select: Mapping[str, int | str]) -> None:
        self._path, self._variable = path, find_variable(path, dataset, name)
        units = text_attribute(self._variable, "units")
        if powers(units) not in RATES:
            expected, do = "a rate, kg m-2 s-1 or mm/s", "convert it, and correct its units"
            raise fault(path, name, found=f"units '{units}'", expected=expected, do=do)
        self._horizontal = horizontal_grid(path, self._variable)
        dimensions = self._horizontal.dimensions
        self.times = all_times(path, dataset, self._variable, dimensions)
        taken = {*dimensions, self.times.dimension if self.times else None}
        index, others = selected(path, self._variable, select, taken)
        self._index = index | only_ones(path, self._variable, others)

    @property
    def grid(self) -> Grid:
        """Of the images, (ny, nx)."""
        return self._horizontal.grid

    def image(self, time: datetime | None) -> FloatArray:
        """Rain of a time that the file has, None where it has none, (ny, nx) kg m-2 s-1."""
        chosen = Chosen() if self.times is None or time is None else self.times.at(time)
        values, _, _ = read_record(self._path, self._variable, self._index, self._horizontal.dimensions, chosen)
        return self._horizontal.ordered(values)


@contextmanager
def open_rain_file(path: Path, *, variable: str, select: Mapping[str, int | str]) -> Iterator[RainFile]:
    """A file that stays open in the block. Not collective.

    Raises
    ------
    InputError
        Where it is missing or damaged, or the variable is no rate.
    """
    with opened(path) as dataset:
        yield RainFile(path, dataset, variable, select)


@dataclass(frozen=True, eq=False, kw_only=True)
class RainSeries:
    """Rain of files that are found by the time. Not collective; it can be passed to other processes.

    Parameters
    ----------
    pattern : with strftime fields
    variable : name of its variable
    max_offset : from the time that is asked for; None of any time, and of files without
    grid : of the images, (ny, nx)
    opened : opens one file
    """

    pattern: Path
    variable: str
    max_offset: timedelta | None
    grid: Grid
    opened: LastOpened[RainFile]

    def at(self, time: datetime) -> FloatArray | None:
        """Rain of the nearest time of the file, of two the earlier one, (ny, nx) kg m-2 s-1; None where there is none.

        Raises
        ------
        InputError
            Where a file is damaged, or of another grid.
        """
        path = resolve(self.pattern, time)
        if not path.is_file():
            return None
        file = self.opened(path)
        check_grid(path, file.grid, self.grid)
        if file.times is None:
            if self.max_offset is not None:
                raise without_time(path, self.variable, time, self.max_offset / timedelta(hours=1))
            return file.image(None)
        nearest = min(file.times.every, key=lambda own: (abs(own - time), own))
        is_near = self.max_offset is None or abs(nearest - time) <= self.max_offset
        return file.image(nearest) if is_near else None


def open_rain(
    file: Path | str,
    *,
    times: Sequence[datetime],
    variable: str,
    select: Mapping[str, int | str] | None = None,
    max_time_offset: float = 0.5,
) -> RainSeries:
    """Rain of CF NetCDF files; parameters as of `open_cf`. Not collective.

    Raises
    ------
    InputError
        Where none of the times has a file, or the first one is damaged, or the variable is no rate.
    """
    path, _ = sample_file(Path(file), times)
    opens = partial(open_rain_file, variable=variable, select=select or {})
    with opens(path) as first:
        grid = first.grid
    return RainSeries(
        pattern=Path(file),
        variable=variable,
        max_offset=offset_of(max_time_offset),
        grid=grid,
        opened=LastOpened(opens),
    )
