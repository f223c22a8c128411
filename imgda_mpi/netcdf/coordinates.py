"""Latitude and longitude of a variable, by what its file says of them and by nothing else.

Vectors along a variable's dimensions may also be rotated, projected, or in radians: what is not said to be geographic,
or is said to be something else at the same time, is no latitude or longitude.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import netCDF4
import numpy as np

from imgda_mpi.arrays import FloatArray, IntArray
from imgda_mpi.faults import ImgdaError, fault
from imgda_mpi.grid import Grid
from imgda_mpi.netcdf.axes import TWICE, centres, latitudes, longitudes, refuse_radians
from imgda_mpi.netcdf.files import text_attribute
from imgda_mpi.netcdf.values import read_values
from imgda_mpi.netcdf.variables import around, every, full_name, vectors_along

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
    ("latitude", "lat", "nav_lat", "cell_lat", "latitude_pm"),
)
LONGITUDE = Axis(
    "longitude",
    ("degrees_east", "degree_east", "degrees_e", "degree_e", "degreese", "degreee"),
    ("longitude", "lon", "nav_lon", "cell_lon", "longitude_pm"),
)
AXES = (LATITUDE, LONGITUDE)


@dataclass(frozen=True, eq=False)
class Horizontal:
    """Where a variable has its grid.

    Parameters
    ----------
    grid : (ny, nx)
    dimensions : names of those that rows and columns lie along
    rows, columns : of the file, in the order of the grid
    remark : what is to be said of that; None where there is nothing
    """

    grid: Grid
    dimensions: tuple[str, str]
    rows: IntArray
    columns: IntArray
    remark: str | None = None

    def ordered(self, values: FloatArray) -> FloatArray:
        """Values (..., ny, nx) in the order of the grid, of all rows and columns of the file."""
        for axis, numbers in ((-2, self.rows), (-1, self.columns)):
            if not np.array_equal(numbers, np.arange(values.shape[axis])):
                values = np.take(values, numbers, axis=axis)
        return values


class Along(NamedTuple):
    """Degrees of a coordinate along a dimension, NaN where the file has none, and what is to be said of them."""

    name: str
    dimension: str
    degrees: FloatArray
    remark: str | None = None


def horizontal_grid(path: Path, variable: netCDF4.Variable[Any]) -> Horizontal:
    """The grid of a variable, by vectors along two of its dimensions, or fields on both that are constant along one.

    Rows and columns are put in the order of a grid where they have another (see `imgda_mpi.netcdf.axes`). Lines of
    pixels on which a field has no value, as where a product has none, are left out. Where all coordinates lie on edges
    of their bounds, the middle of these is taken.

    Raises
    ------
    InputError
        Where the file does not say that they are degrees of latitude and longitude, or where they make no grid or are
        radians.
    """
    latitude, longitude = (_along(path, variable, axis) for axis in AXES)
    if latitude.dimension == longitude.dimension:
        if _are_unnamed(variable, latitude.dimension):
            raise fault(
                path,
                variable.name,
                found=f"{latitude.name} and {longitude.name} along one of two equal dimensions without names",
                expected="dimensions that the file names, as HDF5 does by scales",
                do="write the file with names of its dimensions (for example with xarray, or h5py's attach_scale)",
            )
        raise fault(
            path,
            variable.name,
            found=f"a list of points along {latitude.dimension}",
            expected="latitude and longitude along dimensions of their own",
            do='only rectilinear grids are read: as an observation take it with kind = "points"',
        )
    rows = latitudes(path, latitude.name, latitude.degrees)
    columns = longitudes(path, longitude.name, longitude.degrees)
    said = "; ".join(one.remark for one in (latitude, longitude, rows, columns) if one.remark)
    grid = Grid(rows.degrees, columns.degrees)
    refuse_radians(path, f"{latitude.name}, {longitude.name}", grid.latitude, grid.longitude)
    return Horizontal(grid, (latitude.dimension, longitude.dimension), rows.number, columns.number, said or None)


def is_list(variable: netCDF4.Variable[Any]) -> bool:
    """Whether latitude and longitude of a variable are vectors along the same one of its dimensions."""
    latitudes_there, longitudes_there = (_meant(variable, axis, _vectors(variable))[0] for axis in AXES)
    return any(a.dimensions == b.dimensions for a in latitudes_there[:1] for b in longitudes_there[:1])


def point_coordinates(
    path: Path, variable: netCDF4.Variable[Any]
) -> tuple[netCDF4.Variable[Any], netCDF4.Variable[Any]]:
    """Latitude and longitude of the points of a variable, vectors along the same one of its dimensions.

    Raises
    ------
    InputError
        Where the file does not say that there are such two.
    """
    pair = []
    for axis in AXES:
        vectors, objections = _meant(variable, axis, _vectors(variable))
        if not vectors:
            raise _none(path, variable, axis, objections, _no_points)
        pair.append(vectors[0])
    latitude, longitude = pair
    if latitude.dimensions != longitude.dimensions:
        raise fault(
            path,
            variable.name,
            found=f"a grid, with latitude along {latitude.dimensions[0]} and longitude along {longitude.dimensions[0]}",
            expected="points, with latitude and longitude along the same dimension",
            do='take it with kind = "cf"',
        )
    return latitude, longitude


def _are_unnamed(variable: netCDF4.Variable[Any], dimension: str) -> bool:
    """Whether the library has made up a name of a dimension, and another one of the variable is as long."""
    length = variable.shape[variable.dimensions.index(dimension)]
    return dimension.startswith("phony_dim_") and variable.shape.count(length) > 1


def _along(path: Path, variable: netCDF4.Variable[Any], axis: Axis) -> Along:
    """The coordinate of a direction along one of the variable's dimensions."""
    found, objections = _meant(variable, axis, [*_vectors(variable), *_fields(variable, axis)])
    for one in found:
        degrees = read_values(path, one)
        if degrees.ndim == 1:
            n_missing = int(np.isnan(degrees).sum())
            if n_missing:
                of = f"{n_missing} of {degrees.size} without a value"
                raise fault(path, one.name, found=of, expected="all of them", do="correct the coordinate")
            bounds, said = around(one).get(text_attribute(one, "bounds")), None
            if bounds is not None and bounds.shape == (degrees.size, 2):
                degrees, said = centres(path, one.name, degrees, read_values(path, bounds))
            return Along(one.name, one.dimensions[0], degrees, said)
        degrees, along = degrees.reshape(degrees.shape[-2:]), one.dimensions[-2:]
        lines = [int(np.isfinite(degrees).any(axis=axis).sum()) for axis in (1, 0)]
        if min(lines) < 2:
            there = f"values on {lines[0]} rows and {lines[1]} columns"
            raise fault(path, one.name, found=there, expected="two of each at least", do="give a file with an image")
        for number, dimension in enumerate(along):
            profile = _profile(degrees if number == 0 else degrees.T)
            if profile is not None:
                return Along(one.name, dimension, profile)
    raise _none(path, variable, axis, objections, _not_rectilinear)


def _profile(field: FloatArray) -> FloatArray | None:
    """What a field (n, m) has in every row (n,), NaN where that is nothing; None where a row has different values."""
    low, high = np.fmin.reduce(field, axis=1), np.fmax.reduce(field, axis=1)
    middle = 0.5 * (low + high)
    there = np.isfinite(middle)
    if np.count_nonzero(there) < 2:
        return None
    step = np.median(np.abs(np.diff(middle[there])))
    return middle if step > 0 and (high - low)[there].max() <= TWICE * step else None


def _vectors(variable: netCDF4.Variable[Any]) -> list[netCDF4.Variable[Any]]:
    return [vector for dimension in variable.dimensions for vector in vectors_along(variable, dimension)]


def _fields(variable: netCDF4.Variable[Any], axis: Axis) -> list[netCDF4.Variable[Any]]:
    """Variables along two of the dimensions; first those that the variable names, then those of usual names.

    Before these two they may have dimensions of one index, as WRF's of a single time.
    """
    own = variable.get_dims()
    found = [
        v
        for v in around(variable).values()
        if v.ndim >= 2 and all(any(d is o for o in own) for d in v.get_dims()) and {*v.shape[:-2]} <= {1}
    ]
    words = re.split(r"[\s/.,]+", text_attribute(variable, "coordinates"))
    return sorted(found, key=lambda v: (v.name not in words, v.name.lower() not in axis.usual))


def _meant(
    variable: netCDF4.Variable[Any], axis: Axis, candidates: Sequence[netCDF4.Variable[Any]]
) -> tuple[list[netCDF4.Variable[Any]], list[str]]:
    """Those that are the coordinate of a direction, and what the file says against others."""
    other = next(one for one in AXES if one is not axis)
    found, objections = [], []
    for one in filter(axis.is_meant, candidates):
        objection = axis.objection(one, other.usual)
        # A mapping is that of vectors: fields beside them are geographic.
        if objection is None and one.ndim == 1:
            objection = _other_mapping(variable, one, axis)
        if objection is None:
            found.append(one)
        else:
            objections.append(f"{one.name} has {objection}")
    return found, objections


def _none(
    path: Path,
    variable: netCDF4.Variable[Any],
    axis: Axis,
    objections: Sequence[str],
    missing: Callable[[Path, netCDF4.Variable[Any], str, str | None], ImgdaError],
) -> ImgdaError:
    """The error of a variable without the coordinate of a direction.

    ``missing`` makes that of none at all, with what was found, and what to do where that is known better.
    """
    if objections:
        return fault(
            path,
            variable.name,
            found=f"no {axis.name} in degrees: {'; '.join(objections)}",
            expected=f"a vector with units {axis.units[0]} and nothing that says otherwise",
            do="remap the file to a latitude-longitude grid first, or correct the attribute",
        )
    root = variable.group()
    while root.parent is not None:
        root = root.parent
    others = [v for v in every(root) if axis.is_meant(v)]
    named = ", ".join(f"{full_name(v)}({', '.join(v.dimensions)})" for v in others)
    along = "; ".join(map(_said, _vectors(variable)))
    do = None
    if others and not any(v is one for v in others for one in around(variable).values()):
        do = "copy latitude and longitude into the group of the variable, or one that holds it"
    elif any(_is_of_edges(v, variable) for v in others):
        do = "these are edges of cells: write the centres as such vectors"
    nowhere = f"nowhere in the file (along its dimensions: {along or 'nothing'})"
    return missing(path, variable, f"{axis.name} {named or nowhere}", do)


def _is_of_edges(vector: netCDF4.Variable[Any], variable: netCDF4.Variable[Any]) -> bool:
    """Whether it may be the edges of the cells along one of the variable's dimensions, one more or two of each."""
    more = vector.ndim == 1 and vector.dimensions[0] not in variable.dimensions and vector.size - 1 in variable.shape
    return more or (vector.ndim == 2 and vector.shape[1] == 2 and vector.dimensions[0] in variable.dimensions)


def _other_mapping(variable: netCDF4.Variable[Any], vector: netCDF4.Variable[Any], axis: Axis) -> str | None:
    """What the variable's ``grid_mapping``, or GRIB's type of grid, says against a coordinate, None if nothing."""
    if "rotated" in text_attribute(variable, "GRIB_gridType"):
        return f"a variable with GRIB_gridType '{text_attribute(variable, 'GRIB_gridType')}'"
    certain, named, seen = axis.is_certain(vector), text_attribute(variable, "grid_mapping"), around(variable)
    for name in _mappings(variable, vector.name) if named or not certain else ():
        there = name in seen
        kind = text_attribute(seen[name], "grid_mapping_name") if there else ""
        spelling = _plain(kind or name)
        # What is not there or does not say what it is leaves it to the coordinate.
        poles = there and any(a.startswith("grid_north_pole") for a in seen[name].ncattrs())
        is_rotated = "rotat" in spelling or poles
        believed = certain and (spelling in CYLINDRICAL or (not kind and not is_rotated))
        if spelling != GEOGRAPHIC and not believed:
            what = f"'{kind}'" if kind else "of no stated kind" if there else "not in the file"
            return f"grid_mapping {name}, which is {what}"
    return None


def _mappings(variable: netCDF4.Variable[Any], coordinate: str) -> list[str]:
    """Names of the mappings of a coordinate: the attribute's one for all, or its form ``name: coordinate ...``.

    Where the variable names none, a mapping of the file may be its own: a tool has lost the attribute.
    """
    words = text_attribute(variable, "grid_mapping").replace(":", ": ").split()
    if not any(word.endswith(":") for word in words):
        return words or [name for name, v in around(variable).items() if text_attribute(v, "grid_mapping_name")]
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


def _not_rectilinear(path: Path, variable: netCDF4.Variable[Any], found: str, do: str | None) -> ImgdaError:
    dimensions = ", ".join(variable.dimensions)
    return fault(
        path,
        variable.name,
        found=found,
        expected=f"latitude and longitude as vectors, each along a dimension of its own among ({dimensions})",
        do=do or "only rectilinear grids are read: remap the file to a latitude-longitude grid first",
    )


def _no_points(path: Path, variable: netCDF4.Variable[Any], found: str, do: str | None) -> ImgdaError:
    return fault(
        path,
        variable.name,
        found=found,
        expected=f"points, with latitude and longitude as vectors along one of ({', '.join(variable.dimensions)})",
        do=do or 'a latitude-longitude grid is taken with kind = "cf"; write the pixels of any other as a list',
    )
