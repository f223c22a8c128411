"""CF NetCDF files: opening, variables and coordinates of those that are read, variables of those that are written.

Every fault of a file that is read is an `InputError`.
"""

from __future__ import annotations

import difflib
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
import numpy.typing as npt

from imgda_mpi.arrays import FloatArray
from imgda_mpi.faults import ImgdaError, fault, reading
from imgda_mpi.grid import Grid

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
            do="correct the path, or ask for a time that has one",
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


def write_coordinate(file: netCDF4.Dataset, name: str, values: FloatArray, standard_name: str, units: str) -> None:
    """A coordinate variable along its own dimension, which must exist."""
    write_variable(file, name, (name,), values, standard_name, units)
    file[name].standard_name = standard_name


def write_variable(
    file: netCDF4.Dataset, name: str, dims: tuple[str, ...], values: npt.NDArray[Any], meaning: str, units: str
) -> None:
    """A compressed variable of existing dimensions; numbers that are not finite are missing."""
    fill = np.nan if values.dtype.kind == "f" and dims != (name,) else None
    variable = file.createVariable(name, values.dtype, dims, zlib=True, complevel=1, fill_value=fill)
    variable.long_name = meaning
    variable.units = units
    variable[:] = values


def write_names(file: netCDF4.Dataset, dim: str, names: list[str]) -> None:
    """A dimension whose coordinates are words.

    Characters, not strings: current HDF5 libraries crash when a file with variable-length strings is opened twice.
    """
    characters = np.array(names, dtype="S")
    file.createDimension(dim, len(names))
    file.createDimension(f"{dim}_length", characters.itemsize)
    variable = file.createVariable(dim, "S1", (dim, f"{dim}_length"))
    variable._Encoding = "ascii"
    variable[:] = characters
