"""History files of CoLM202X as a series: f_h2osoi and f_xy_rain, as the model writes them by default."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import netCDF4

from imgda_mpi.arrays import FloatArray
from imgda_mpi.colm.history202x import TIME
from imgda_mpi.colm.soil_layers import N_SOIL
from imgda_mpi.faults import ImgdaError, fault
from imgda_mpi.grid import Grid
from imgda_mpi.histories.opened import LastOpened, matching
from imgda_mpi.histories.profiles import DAY, ProfileFile, ProfileSeries, calendar_part, length_text, profile_series
from imgda_mpi.histories.records import INSTANT, Record
from imgda_mpi.netcdf import find_variable, horizontal_grid, opened, read_values, text_attribute
from imgda_mpi.netcdf.dates import DATE_TEXT, decoded
from imgda_mpi.observations.image import Layer
from imgda_mpi.observations.units import to_volumetric

WATER, RAIN = "f_h2osoi", "f_xy_rain"
HOUR = timedelta(hours=1)
DATED = re.compile(r"_hist_\d{4}(?P<month>-\d\d)?(?P<day>-\d\d)?\.nc$")
UNKNOWN = "means of an interval that one record alone does not say"


class HistoryFile:
    """A history file that is open."""

    def __init__(self, path: Path, file: netCDF4.Dataset) -> None:
        self._path, self._file = path, file
        if "element" in file.dimensions:
            do = "run the model with DEF_HISTORY_IN_VECTOR = .false."
            raise fault(path, found="history of elements, without a grid", expected="history on a grid", do=do)
        if WATER not in file.variables:
            do = "give history files of CoLM202X that have it"
            raise fault(path, found=f"no {WATER}", expected="water in the soil layers by volume", do=do)
        water = file[WATER]
        self._horizontal = horizontal_grid(path, water)
        wanted = (TIME, "soil", *self._horizontal.dimensions)
        if water.dimensions != wanted or water.shape[1] != N_SOIL:
            found, expected = (", ".join(dimensions) for dimensions in (water.dimensions, wanted))
            expected = f"({expected}) with {N_SOIL} soil layers"
            raise fault(path, WATER, found=f"({found})", expected=expected, do="give it as the model has written it")
        self._units, self._meaning = (text_attribute(water, name) for name in ("units", "long_name"))

    @property
    def grid(self) -> Grid:
        """See `ProfileFile`."""
        return self._horizontal.grid

    @property
    def times(self) -> list[datetime]:
        """As stored: middle of the interval, or end of the step, UTC."""
        return decoded(
            self._path, find_variable(self._path, self._file, TIME), read_values(self._path, self._file[TIME])
        )

    def soil(self, index: int, layers: slice) -> FloatArray:
        """See `ProfileFile`."""
        values = self._horizontal.ordered(read_values(self._path, self._file[WATER], (index, layers)))
        return to_volumetric(values, self._units, self._meaning, None, path=self._path, variable=WATER)

    def rain(self, index: int) -> FloatArray | None:
        """See `ProfileFile`."""
        if RAIN not in self._file.variables:
            return None
        return self._horizontal.ordered(read_values(self._path, self._file[RAIN], index))


@contextmanager
def open_history_file(path: Path) -> Iterator[ProfileFile]:
    """A file that stays open in the block. Not collective.

    Raises
    ------
    InputError
        Where it is missing or damaged, or no history of CoLM202X on a grid.
    """
    with opened(path, "copy it again from the model run") as file:
        yield HistoryFile(path, file)


@dataclass(frozen=True)
class Listed:
    """A file, its grid, and its times as they are stored."""

    path: Path
    grid: Grid
    times: Sequence[datetime]


def open_history_files(files: Path | str, *, layers: Sequence[Layer]) -> ProfileSeries:
    """History files of one run. Not collective.

    Parameters
    ----------
    files : their names, with ``*`` and ``?`` for any characters
    layers : that are asked for, m

    Raises
    ------
    InputError
        Where there is none, one is damaged or no history of CoLM202X, grids or intervals differ, or a time is there
        twice.
    """
    return history_series(str(files), matching(files, "history files of CoLM202X"), layers)


def history_series(what: str, files: Sequence[Path], layers: Sequence[Layer]) -> ProfileSeries:
    """As `open_history_files`, of files by their paths; ``what`` they are in words."""
    every = []
    for path in files:
        with opened(path, "copy it again from the model run") as file:
            history = HistoryFile(path, file)
            every.append(Listed(path, history.grid, history.times))
    length_of = _length_of(every)
    records = [
        Record(time, one.path, index, length=length_of(time) if length_of else INSTANT)
        for one in every
        for index, time in enumerate(one.times)
    ]
    grids = [(one.path, one.grid) for one in every]
    said = "" if length_of else UNKNOWN
    return profile_series(what, records, grids, LastOpened(open_history_file), layers, said)


def _length_of(files: Sequence[Listed]) -> Callable[[datetime], timedelta] | None:
    """What gives the interval of the record of a time, `INSTANT` of values at ends of steps; None where nothing says.

    The model writes means of hours, days, months or years with the time in their middle, or values at the ends of steps
    of an hour at most. A file with one record in the middle of the day, month or year of its name has the mean of it.

    Raises
    ------
    InputError
        Where records are not of one interval.
    """
    units = {_unit_of_name(one) for one in files}
    if len(units) == 1 and (unit := units.pop()) is not None:
        return lambda time: _calendar_length(time, unit)
    times = sorted((time, one.path) for one in files for time in one.times)
    if len(times) == 1:
        return None
    step = min(later - earlier for (earlier, _), (later, _) in pairwise(times))
    _check_steps(files, times, step)
    if step >= 28 * DAY:
        return lambda time: _calendar_length(time, "month" if step < 365 * DAY else "year")
    at_full_hours = all(time.minute == 0 for time, _ in times)
    length = INSTANT if step < HOUR or (step == HOUR and at_full_hours) else min(step, DAY)
    return lambda time: length


def _unit_of_name(one: Listed) -> str | None:
    """What the name of a file with one record is of, where its time is in the middle of that."""
    dated = DATED.search(one.path.name)
    if dated is None or len(one.times) != 1:
        return None
    unit = "day" if dated["day"] else "month" if dated["month"] else "year"
    start, end = calendar_part(one.times[0], unit)
    return unit if start + (end - start) / 2 == one.times[0] else None


def _calendar_length(time: datetime, unit: str) -> timedelta:
    start, end = calendar_part(time, unit)
    return end - start


def _check_steps(files: Sequence[Listed], times: Sequence[tuple[datetime, Path]], step: timedelta) -> None:
    """Refuse records of different intervals: other steps within a file, or times between those of the others."""
    if step <= timedelta(0) or step >= 28 * DAY:
        return
    for one in files:
        own = min((later - earlier for earlier, later in pairwise(one.times)), default=step)
        if own != step:
            raise _mixed(one.path, f"a record every {length_text(own)}", f"one every {length_text(step)}")
    first, _ = times[0]
    for time, path in times:
        if (time - first) % step:
            raise _mixed(path, f"{time:{DATE_TEXT}}", f"times {length_text(step)} apart from {first:{DATE_TEXT}}")


def _mixed(path: Path, found: str, expected: str) -> ImgdaError:
    do = "give files of one interval alone"
    return fault(path, TIME, found=found, expected=f"{expected}, as in other files", do=do)
