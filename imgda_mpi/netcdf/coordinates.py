"""Latitude and longitude of a variable, by what its file says of them and by nothing else.

Vectors along a variable's dimensions may also be rotated, projected, or in radians: what is not said to be geographic,
or is said to be something else at the same time, is no latitude or longitude.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np

from imgda_mpi.arrays import FloatArray
from imgda_mpi.faults import ImgdaError, fault
from imgda_mpi.grid import Grid
from imgda_mpi.netcdf.files import text_attribute
from imgda_mpi.netcdf.values import read_values

GEOGRAPHIC = "latitude_longitude"

# The map projections of CF on which latitude and longitude are vectors too, as on the global EASE-Grid.
CYLINDRICAL = ("mercator", "lambert_cylindrical_equal_area")

DEGREES = ("degrees", "degree", "deg", "decimal_degrees", "°", "")
"""Units that do not say in which direction; none are degrees as well."""

ROTATED = ("rlat", "rlon")
"""Usual names of coordinates that are not geographic."""


@dataclass(frozen=True)
class Axis:
    """How CF and custom mark the coordinate of one direction."""

    name: str  # also the CF standard name
    units: tuple[str, ...]
    usual: tuple[str, ...]

    def is_meant(self, vector: netCDF4.Variable[Any]) -> bool:
        """Whether it is this coordinate by standard name, else by units or usual name."""
        standard_name = text_attribute(vector, "standard_name").lower()
        if standard_name:
            return standard_name == self.name
        return _units(vector) in self.units or vector.name.lower() in self.usual

    def is_certain(self, vector: netCDF4.Variable[Any]) -> bool:
        """Whether the file says in so many words that it is this coordinate."""
        return text_attribute(vector, "standard_name").lower() == self.name or _units(vector) in self.units

    def objection(self, vector: netCDF4.Variable[Any], others: tuple[str, ...]) -> str | None:
        """What else the file says of a vector that is meant, None if nothing; ``others`` are names of the other one."""
        long_name = _plain(text_attribute(vector, "long_name"))
        words = ["rotat", "radian", "(rad)", f"grid_{self.name}"] + ([] if self.is_certain(vector) else ["project"])
        if _units(vector) not in self.units + DEGREES:
            return f"units '{text_attribute(vector, 'units')}'"
        if any(word in long_name for word in words):
            return f"long_name '{text_attribute(vector, 'long_name')}'"
        if vector.name.lower() in others + (() if text_attribute(vector, "standard_name") else ROTATED):
            return f"units '{text_attribute(vector, 'units')}' and the name of another coordinate"
        return None


LATITUDE = Axis(
    "latitude",
    ("degrees_north", "degree_north", "degrees_n", "degree_n", "degreesn", "degreen"),
    ("latitude", "lat", "nav_lat"),
)
LONGITUDE = Axis(
    "longitude",
    ("degrees_east", "degree_east", "degrees_e", "degree_e", "degreese", "degreee"),
    ("longitude", "lon", "nav_lon"),
)
AXES = (LATITUDE, LONGITUDE)


def vectors_along(dataset: netCDF4.Dataset, dimension: str) -> list[netCDF4.Variable[Any]]:
    """One-dimensional variables on the dimension, the coordinate variable of the same name first."""
    vectors = [v for v in dataset.variables.values() if v.dimensions == (dimension,)]
    return sorted(vectors, key=lambda v: v.name != dimension)


def horizontal_grid(
    path: Path, dataset: netCDF4.Dataset, variable: netCDF4.Variable[Any]
) -> tuple[Grid, tuple[str, str]]:
    """The grid of the variable, and the names of its latitude and longitude dimensions.

    Longitudes that start again at -180 or 0 degrees go on beyond 180 or 360 in the grid.

    Raises
    ------
    InputError
        Where the file does not say that vectors along two of the dimensions are degrees of latitude and longitude, or
        where they make no grid.
    """
    latitude, longitude = (_coordinate(path, dataset, variable, axis, _not_rectilinear) for axis in AXES)
    if latitude.dimensions == longitude.dimensions:
        raise fault(
            path,
            variable.name,
            found=f"a list of points along {latitude.dimensions[0]}",
            expected="latitude and longitude along dimensions of their own",
            do='only rectilinear grids are read: as an observation take it with kind = "points"',
        )
    rows, columns = read_values(path, latitude), _unwrapped(read_values(path, longitude))
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


def point_coordinates(
    path: Path, dataset: netCDF4.Dataset, variable: netCDF4.Variable[Any]
) -> tuple[netCDF4.Variable[Any], netCDF4.Variable[Any]]:
    """Latitude and longitude of the points of a variable, vectors along the same one of its dimensions.

    Raises
    ------
    InputError
        Where the file does not say that there are such two.
    """
    latitude, longitude = (_coordinate(path, dataset, variable, axis, _no_points) for axis in AXES)
    if latitude.dimensions != longitude.dimensions:
        raise fault(
            path,
            variable.name,
            found=f"a grid, with latitude along {latitude.dimensions[0]} and longitude along {longitude.dimensions[0]}",
            expected="points, with latitude and longitude along the same dimension",
            do='take it with kind = "cf"',
        )
    return latitude, longitude


def _coordinate(
    path: Path,
    dataset: netCDF4.Dataset,
    variable: netCDF4.Variable[Any],
    axis: Axis,
    missing: Callable[[Path, netCDF4.Variable[Any], str], ImgdaError],
) -> netCDF4.Variable[Any]:
    """The vector of a direction along one of the variable's dimensions; ``missing`` makes the error of none."""
    other = next(one for one in AXES if one is not axis)
    along = [vector for dimension in variable.dimensions for vector in vectors_along(dataset, dimension)]
    objections = []
    for vector in filter(axis.is_meant, along):
        objection = axis.objection(vector, other.usual) or _other_mapping(dataset, variable, vector, axis)
        if objection is None:
            return vector
        objections.append(f"{vector.name} has {objection}")
    if objections:
        raise fault(
            path,
            variable.name,
            found=f"no {axis.name} in degrees: {'; '.join(objections)}",
            expected=f"a vector with units {axis.units[0]} and nothing that says otherwise",
            do="remap the file to a latitude-longitude grid first, or correct the attribute",
        )
    others = [f"{v.name}({', '.join(v.dimensions)})" for v in dataset.variables.values() if axis.is_meant(v)]
    nowhere = f"nowhere in the file (along its dimensions: {'; '.join(map(_said, along)) or 'nothing'})"
    raise missing(path, variable, f"{axis.name} {', '.join(others) or nowhere}")


def _other_mapping(
    dataset: netCDF4.Dataset, variable: netCDF4.Variable[Any], vector: netCDF4.Variable[Any], axis: Axis
) -> str | None:
    """What the variable's ``grid_mapping``, or GRIB's type of grid, says against a coordinate, None if nothing."""
    if "rotated" in text_attribute(variable, "GRIB_gridType"):
        return f"a variable with GRIB_gridType '{text_attribute(variable, 'GRIB_gridType')}'"
    certain, named = axis.is_certain(vector), text_attribute(variable, "grid_mapping")
    for name in _mappings(dataset, variable, vector.name) if named or not certain else ():
        there = name in dataset.variables
        kind = text_attribute(dataset.variables[name], "grid_mapping_name") if there else ""
        spelling = _plain(kind or name)
        # What is not there or does not say what it is leaves it to the coordinate.
        poles = there and any(a.startswith("grid_north_pole") for a in dataset.variables[name].ncattrs())
        is_rotated = "rotat" in spelling or poles
        believed = certain and (spelling in CYLINDRICAL or (not kind and not is_rotated))
        if spelling != GEOGRAPHIC and not believed:
            what = f"'{kind}'" if kind else "of no stated kind" if there else "not in the file"
            return f"grid_mapping {name}, which is {what}"
    return None


def _mappings(dataset: netCDF4.Dataset, variable: netCDF4.Variable[Any], coordinate: str) -> list[str]:
    """Names of the mappings of a coordinate: the attribute's one for all, or its form ``name: coordinate ...``.

    Where the variable names none, a mapping of the file may be its own: a tool has lost the attribute.
    """
    words = text_attribute(variable, "grid_mapping").replace(":", ": ").split()
    if not any(word.endswith(":") for word in words):
        return words or [v.name for v in dataset.variables.values() if text_attribute(v, "grid_mapping_name")]
    mappings, mapping = [], ""
    for word in words:
        mapping = word[:-1] if word.endswith(":") else mapping
        mappings += [mapping] if word == coordinate else []
    return mappings


def _said(vector: netCDF4.Variable[Any]) -> str:
    said = [f"{name} '{text_attribute(vector, name)}'" for name in ("standard_name", "units")]
    return f"{vector.name} with {' and '.join(said)}"


def _units(vector: netCDF4.Variable[Any]) -> str:
    return _plain(text_attribute(vector, "units"))


def _plain(text: str) -> str:
    return "_".join(text.lower().split())


def _unwrapped(longitude: FloatArray) -> FloatArray:
    """Longitudes that go on beyond 180 or 360 degrees where they start again; others as they are."""
    (again,) = np.nonzero(np.diff(longitude) < -180.0)
    if again.size != 1:
        return longitude
    return longitude + np.where(np.arange(longitude.size) > again[0], 360.0, 0.0)


def _not_rectilinear(path: Path, variable: netCDF4.Variable[Any], found: str) -> ImgdaError:
    dimensions = ", ".join(variable.dimensions)
    return fault(
        path,
        variable.name,
        found=found,
        expected=f"latitude and longitude as vectors, each along a dimension of its own among ({dimensions})",
        do="only rectilinear grids are read: remap the file to a latitude-longitude grid first",
    )


def _no_points(path: Path, variable: netCDF4.Variable[Any], found: str) -> ImgdaError:
    return fault(
        path,
        variable.name,
        found=found,
        expected=f"points, with latitude and longitude as vectors along one of ({', '.join(variable.dimensions)})",
        do='a latitude-longitude grid is taken with kind = "cf", any other has to be remapped to one first',
    )
