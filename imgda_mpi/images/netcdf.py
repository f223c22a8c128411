"""Low-level reading of CF NetCDF files: opening, coordinates, time. Every fault is an `InputError`."""

from __future__ import annotations

import difflib
import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np

from imgda_mpi.arrays import FloatArray
from imgda_mpi.errors import ImgdaError, fault, reading
from imgda_mpi.grid import Grid

CALENDARS = ("standard", "gregorian", "proleptic_gregorian")
STEP_TEXT = "%Y-%m-%d %H:%M UTC"

in_library = partial(reading, found="a file that cannot be read", expected="a whole NetCDF file", do="fetch it again")
"""`reading` around one call into the NetCDF library."""


def resolve(path: Path | str, time: datetime) -> Path:
    """The path with its strftime fields filled with the time in UTC; a literal percent sign is written ``%%``.

    >>> from datetime import datetime, UTC
    >>> resolve("GLDAS_NOAH025_3H.A%Y%m%d.%H%M.021.nc4", datetime(2016, 1, 1, 6, tzinfo=UTC)).name
    'GLDAS_NOAH025_3H.A20160101.0600.021.nc4'
    """
    if time.tzinfo is None:
        raise ValueError(f"time {time} must have a time zone")
    return Path(time.astimezone(UTC).strftime(str(path)))


@contextmanager
def opened(path: Path) -> Iterator[netCDF4.Dataset]:
    """The open file; what is read from it goes through `in_library`."""
    if not path.is_file():
        raise fault(
            path,
            found=f"no such file{_siblings(path)}",
            expected="a NetCDF file",
            do="correct the path, or ask for a time that has a file (observation.time)",
        )
    with in_library(path):
        dataset = netCDF4.Dataset(path)
    try:
        with warnings.catch_warnings():
            # netCDF4 only warns where it cannot apply a missing_value; the fill would then pass as a value.
            warnings.filterwarnings("error", message=".*not used since it")
            _check_size(path, dataset)
            yield dataset
    finally:
        with in_library(path):
            dataset.close()


def _siblings(path: Path) -> str:
    if not path.parent.is_dir():
        return f", nor a directory {path.parent}"
    names = sorted(sibling.name for sibling in path.parent.iterdir() if sibling.is_file())
    close = difflib.get_close_matches(path.name, names, n=3)
    return f" (nearest in its directory: {', '.join(close)})" if close else ""


def _check_size(path: Path, dataset: netCDF4.Dataset) -> None:
    """Refuse a cut classic file: the library reads the lost part of it as zeros, and zero is dry soil."""
    if not dataset.data_model.startswith("NETCDF3"):
        return
    with in_library(path):
        needed = sum(int(v.size) * v.dtype.itemsize for v in dataset.variables.values())
        size = path.stat().st_size
    if size < needed:
        raise fault(path, found=f"{size} bytes", expected=f"at least {needed} for its variables", do="fetch it again")


def find_variable(path: Path, dataset: netCDF4.Dataset, name: str) -> netCDF4.Variable[Any]:
    """The named variable of the file."""
    if name not in dataset.variables:
        fields = [field for field, variable in dataset.variables.items() if len(variable.dimensions) > 1]
        raise fault(path, name, found="no such variable", expected=f"one of {', '.join(fields)}", do="name one of them")
    return dataset.variables[name]


def text_attribute(variable: netCDF4.Variable[Any], name: str) -> str:
    """An attribute as stripped text, empty where it is absent."""
    with in_library(Path(variable.group().filepath())):
        return str(getattr(variable, name, "")).strip()


def read_values(path: Path, variable: netCDF4.Variable[Any], index: Any = ...) -> FloatArray:
    """Unpacked values in double precision, NaN where the file's attributes say missing or the value is not finite."""
    if not np.issubdtype(variable.dtype, np.number):
        raise fault(path, variable.name, found=f"type {variable.dtype}", expected="numbers", do="name another variable")
    try:
        with in_library(path):
            masked = np.ma.asarray(variable[index])
    except Warning as err:
        message = " ".join(str(err).split())
        raise fault(
            path,
            variable.name,
            found=f"attributes that cannot be applied ({message})",
            expected=f"fill values of type {variable.dtype}",
            do="correct or remove the attribute",
        ) from err
    values = np.ma.filled(masked.astype(np.float64), np.nan)
    return np.where(np.isfinite(values), values, np.nan)


@dataclass(frozen=True)
class Axis:
    """How CF and custom mark the coordinate of one direction."""

    name: str  # also the CF standard name
    letter: str
    units: tuple[str, ...]
    usual: tuple[str, ...]

    def matches(self, variable: netCDF4.Variable[Any]) -> bool:
        """Whether the variable is such a coordinate: by standard name, else units, else axis letter or usual name."""
        standard_name = text_attribute(variable, "standard_name").lower()
        if standard_name:
            return standard_name == self.name
        units = text_attribute(variable, "units").lower()
        if units in self.units:
            return True
        # Metres on an axis Y are a map projection, degrees without a direction may still be meant.
        if units not in ("", "degree", "degrees"):
            return False
        return text_attribute(variable, "axis") == self.letter or variable.name.lower() in self.usual


LATITUDE = Axis(
    "latitude",
    "Y",
    ("degrees_north", "degree_north", "degrees_n", "degree_n", "degreesn", "degreen"),
    ("latitude", "lat", "nav_lat"),
)
LONGITUDE = Axis(
    "longitude",
    "X",
    ("degrees_east", "degree_east", "degrees_e", "degree_e", "degreese", "degreee"),
    ("longitude", "lon", "nav_lon"),
)


def vectors_along(dataset: netCDF4.Dataset, dimension: str) -> list[netCDF4.Variable[Any]]:
    """One-dimensional variables on the dimension, the coordinate variable of the same name first."""
    vectors = [v for v in dataset.variables.values() if v.dimensions == (dimension,)]
    return sorted(vectors, key=lambda v: v.name != dimension)


def _coordinate(
    path: Path, dataset: netCDF4.Dataset, variable: netCDF4.Variable[Any], axis: Axis
) -> netCDF4.Variable[Any]:
    for dimension in variable.dimensions:
        for vector in vectors_along(dataset, dimension):
            if axis.matches(vector):
                return vector
    others = [f"{v.name}({', '.join(v.dimensions)})" for v in dataset.variables.values() if axis.matches(v)]
    raise _not_rectilinear(path, variable, f"{axis.name} {', '.join(others) if others else 'nowhere in the file'}")


def _not_rectilinear(path: Path, variable: netCDF4.Variable[Any], found: str) -> ImgdaError:
    dimensions = ", ".join(variable.dimensions)
    return fault(
        path,
        variable.name,
        found=found,
        expected=f"latitude and longitude as vectors, each along a dimension of its own among ({dimensions})",
        do="only rectilinear grids are read: remap the file to a latitude-longitude grid first",
    )


def horizontal_grid(
    path: Path, dataset: netCDF4.Dataset, variable: netCDF4.Variable[Any]
) -> tuple[Grid, tuple[str, str]]:
    """The grid of the variable, and the names of its latitude and longitude dimensions."""
    latitude = _coordinate(path, dataset, variable, LATITUDE)
    longitude = _coordinate(path, dataset, variable, LONGITUDE)
    if latitude.dimensions == longitude.dimensions:
        raise _not_rectilinear(path, variable, f"a list of points along {latitude.dimensions[0]}")
    rows, columns = read_values(path, latitude), read_values(path, longitude)
    try:
        grid = Grid(rows, columns)
    except ValueError as err:
        raise fault(
            path,
            f"{latitude.name}, {longitude.name}",
            found=f"coordinates that make no grid ({err})",
            expected="latitude monotonic, longitude ascending over less than 360 degrees, at least 2 of each",
            do="sort them, or remove the column that is there twice",
        ) from err
    return grid, (latitude.dimensions[0], longitude.dimensions[0])


def _time_coordinate(dataset: netCDF4.Dataset, variable: netCDF4.Variable[Any]) -> netCDF4.Variable[Any] | None:
    """Time along a dimension of the variable, else the single time that its file has for everything."""
    for dimension in variable.dimensions:
        for vector in vectors_along(dataset, dimension):
            if " since " in text_attribute(vector, "units"):
                return vector
    named = [*text_attribute(variable, "coordinates").split(), "time"]
    single = [dataset.variables[name] for name in named if name in dataset.variables]
    return next((v for v in single if v.size == 1 and " since " in text_attribute(v, "units")), None)


def _decoded(path: Path, coordinate: netCDF4.Variable[Any]) -> list[datetime]:
    """Times in UTC to the second (days in floating point carry rounding far below that)."""
    units = text_attribute(coordinate, "units")
    calendar = text_attribute(coordinate, "calendar").lower() or "standard"
    values = read_values(path, coordinate).ravel()
    try:
        if calendar not in CALENDARS or values.size == 0 or not np.isfinite(values).all():
            raise ValueError(f"{np.isfinite(values).sum()} of {values.size} values")
        dates: Any = netCDF4.num2date(values, units, calendar)
        exact = [datetime(d.year, d.month, d.day, d.hour, d.minute, d.second, d.microsecond, tzinfo=UTC) for d in dates]
    except (ValueError, OverflowError) as err:
        raise fault(
            path,
            coordinate.name,
            found=f"times that give no dates: units '{units}', calendar '{calendar}' ({err})",
            expected=f"times in the calendar {', '.join(CALENDARS)}, none missing",
            do="correct the time coordinate",
        ) from err
    return [(t + timedelta(milliseconds=500)).replace(microsecond=0) for t in exact]


def nearest_step(
    path: Path,
    dataset: netCDF4.Dataset,
    variable: netCDF4.Variable[Any],
    time: datetime,
    max_time_offset: float,
) -> tuple[datetime | None, str | None, int]:
    """The file's time nearest to the one wanted (the earlier of two), its dimension if it has one, and its index.

    Parameters
    ----------
    time : datetime
        Aware.
    max_time_offset : float
        Hours; infinity takes the nearest step however far it is, and a file without time (None is returned for it).
    """
    coordinate = _time_coordinate(dataset, variable)
    wanted = time.astimezone(UTC)
    if coordinate is None:
        if math.isinf(max_time_offset):
            return None, None, 0
        found, offset = "no time coordinate", max_time_offset
    else:
        steps = _decoded(path, coordinate)
        index = min(range(len(steps)), key=lambda step: abs(steps[step] - wanted))
        if abs(steps[index] - wanted).total_seconds() <= 3600.0 * max_time_offset:
            along = coordinate.dimensions[0] if set(coordinate.dimensions) & set(variable.dimensions) else None
            return steps[index], along, index
        found, offset = f"{steps[index]:{STEP_TEXT}} as the nearest of {len(steps)} time(s)", max_time_offset
    raise fault(
        path,
        variable.name,
        found=found,
        expected=f"{wanted:{STEP_TEXT}} ± {offset:g} h",
        do="give another file, raise observation.max_time_offset, or set observation.time to the time found",
    )
