"""Soil moisture from any CF NetCDF file on a rectilinear latitude-longitude grid."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np

from imgda_mpi.arrays import FloatArray
from imgda_mpi.faults import fault
from imgda_mpi.grid import Grid
from imgda_mpi.netcdf import find_variable, horizontal_grid, opened, read_values, resolve, text_attribute, vectors_along
from imgda_mpi.observations.image import ObservedImage, SourceImage, observed_image
from imgda_mpi.observations.quality import VALID_RANGE
from imgda_mpi.observations.times import nearest_step
from imgda_mpi.observations.units import to_volumetric

Layer = tuple[float, float]  # top and bottom, m below the surface

POSSIBLE = (0.0, 1.0)  # m3 m-3: a model may hold more water than an observation can be trusted with

MEMBER_NAMES = ("member", "ensemble", "realization")

METRES = {"m": 1.0, "metre": 1.0, "meter": 1.0, "meters": 1.0, "cm": 0.01, "mm": 0.001}
LAYER_TOLERANCE = 1e-4  # m: bounds in single precision


def read_cf(
    file: Path | str,
    grid: Grid,
    time: datetime,
    *,
    variable: str,
    layer: Layer | None = None,
    max_time_offset: float = math.inf,
    regridding: str = "bilinear",
    valid_range: tuple[float, float] = VALID_RANGE,
    member: int | None = None,
) -> ObservedImage:
    """One soil-moisture image of a CF file on the model grid.

    Parameters
    ----------
    file : may contain strftime fields, which are filled with ``time``
    grid : of the model, (ny, nx)
    time : wanted, aware; the nearest time in the file is read
    variable : in any order of dimensions. Its units may be m3 m-3, kg m-2 of a known layer, or 1 or percent by volume
        (see `to_volumetric`).
    layer : top and bottom of the soil layer, m. It selects the layer by the bounds of the file's depth coordinate;
        where the file says nothing of depth it is what the caller states. None takes the only layer of the file.
    max_time_offset : hours that the file's time may differ; infinity accepts any time, and a file without time
    regridding : "bilinear" or "conservative". A cell is observed where valid pixels hold at least half of its weight.
    valid_range : lowest and highest value accepted, m3 m-3; others are rejected and counted
    member : which index of the dimension named member (or ensemble, realization) to take, where the variable has one

    Returns
    -------
    ObservedImage
        Its ``time`` is that of the file, or ``time`` where the file has none.

    Raises
    ------
    InputError
        Where the file is missing or damaged, or is not what the arguments say.
    ValueError
        Where ``time`` has no time zone, the layer or the valid range is empty, or the method is unknown.

    Notes
    -----
    Missing are fill values, values outside the file's own valid_min..valid_max, NaN and infinities. A product that
    is defined over the sea (ERA5 has 0 there) must be masked before, or coasts become too dry.
    """
    if layer is not None and not 0.0 <= layer[0] < layer[1]:
        raise ValueError(f"layer {layer} must be top and bottom in m, top < bottom")
    source = _read_source(resolve(file, time), time, variable, layer, max_time_offset, member)
    return observed_image(source, grid, regridding=regridding, valid_range=valid_range)


def read_member(
    file: Path | str, grid: Grid, time: datetime, *, variable: str, layer: Layer | None, member: int
) -> ObservedImage:
    """The image of one member of the model on the model grid; arguments as of `read_cf`.

    Raises
    ------
    InputError
        See `read_cf`.
    """
    return read_cf(file, grid, time, variable=variable, layer=layer, member=member, valid_range=POSSIBLE)


def count_members(file: Path | str, time: datetime, variable: str) -> int:
    """Members that a variable of a CF file has along the dimension that is named so.

    Raises
    ------
    InputError
        Where the file is missing or damaged, or the variable has no such dimension.
    """
    path = resolve(file, time)
    with opened(path) as dataset:
        found = find_variable(path, dataset, variable)
        name = _member_dimension(found)
        if name is None:
            raise fault(
                path,
                variable,
                found=f"dimensions {', '.join(found.dimensions)}",
                expected=f"one named {', '.join(MEMBER_NAMES)}",
                do="rename the dimension of the members",
            )
        return len(dataset.dimensions[name])


def _member_dimension(variable: netCDF4.Variable[Any]) -> str | None:
    return next((name for name in variable.dimensions if name.lower() in MEMBER_NAMES), None)


def _read_source(
    path: Path, time: datetime, name: str, layer: Layer | None, max_time_offset: float, member: int | None
) -> SourceImage:
    with opened(path) as dataset:
        variable = find_variable(path, dataset, name)
        source_grid, (row_dimension, column_dimension) = horizontal_grid(path, dataset, variable)
        found_time, time_dimension, step = nearest_step(path, dataset, variable, time, max_time_offset)
        chosen = {} if time_dimension is None else {time_dimension: step}
        along_members = _member_dimension(variable)
        if along_members is not None and member is not None:
            size = len(dataset.dimensions[along_members])
            if not 0 <= member < size:
                do = f"choose from 0 to {size - 1}"
                raise fault(path, name, found=f"{size} members", expected=f"one of number {member}", do=do)
            chosen[along_members] = member
        others = [d for d in variable.dimensions if d not in {row_dimension, column_dimension, *chosen}]
        chosen_layer, chosen_others = _choose_layer(path, dataset, variable, others, layer)
        chosen |= chosen_others
        values = read_values(path, variable, tuple(chosen.get(d, slice(None)) for d in variable.dimensions))
        if variable.dimensions.index(row_dimension) > variable.dimensions.index(column_dimension):
            values = values.T
        meaning = f"{text_attribute(variable, 'standard_name')} {text_attribute(variable, 'long_name')}"
        units = text_attribute(variable, "units")
        volumetric = to_volumetric(values, units, meaning, chosen_layer, path=path, variable=name)
    return SourceImage(
        values=volumetric,
        grid=source_grid,
        path=path,
        variable=name,
        time=found_time or time.astimezone(UTC),
        time_is_stated=found_time is None,
    )


def _choose_layer(
    path: Path, dataset: netCDF4.Dataset, variable: netCDF4.Variable[Any], dimensions: list[str], layer: Layer | None
) -> tuple[Layer | None, dict[str, int]]:
    """The layer that is read (None if nobody knows it), and the index along every further dimension."""
    first = dict.fromkeys(dimensions, 0)
    depth = _depth_coordinate(dataset, variable, dimensions)
    along_depth = () if depth is None else depth.dimensions
    unknown = [d for d in dimensions if len(dataset.dimensions[d]) > 1 and d not in along_depth]
    if unknown:
        raise fault(
            path,
            variable.name,
            found=f"further dimensions {', '.join(f'{d} ({len(dataset.dimensions[d])})' for d in unknown)}",
            expected="latitude, longitude, time and a depth coordinate",
            do="extract one index of each first (for example with ncks -d)",
        )
    bounds = None if depth is None else _layer_bounds(path, dataset, depth)
    if depth is None or (bounds is None and depth.size == 1):
        return layer, first
    if bounds is None:
        raise fault(
            path,
            depth.name,
            found=f"{depth.size} depths without bounds in m",
            expected="top and bottom of each layer",
            do="add the bounds to the file, or extract one layer first (for example with ncks -d)",
        )
    only_one = layer is None and len(bounds) == 1
    match = 0 if only_one else _matching_layer(path, variable.name, bounds, layer)
    top, bottom = bounds[match]
    return (float(top), float(bottom)), first | dict.fromkeys(along_depth, match)


def _matching_layer(path: Path, name: str, bounds: FloatArray, layer: Layer | None) -> int:
    wanted = (np.nan, np.nan) if layer is None else layer
    matches = np.flatnonzero(np.abs(bounds - wanted).max(axis=1) < LAYER_TOLERANCE)
    if matches.size != 1:
        raise fault(
            path,
            name,
            found=f"layers {', '.join(f'{top:g}-{bottom:g} m' for top, bottom in bounds)}",
            expected="one layer" if layer is None else f"{layer[0]:g}-{layer[1]:g} m",
            do=f"set layer to one of them, as [{bounds[0][0]:g}, {bounds[0][1]:g}]",
        )
    return int(matches[0])


def _depth_coordinate(
    dataset: netCDF4.Dataset, variable: netCDF4.Variable[Any], dimensions: list[str]
) -> netCDF4.Variable[Any] | None:
    """Depth along one of the dimensions, else a scalar that the variable names as its coordinate."""
    candidates = [v for dimension in dimensions for v in vectors_along(dataset, dimension)]
    named = text_attribute(variable, "coordinates").split()
    candidates += [
        dataset.variables[n] for n in named if n in dataset.variables and not dataset.variables[n].dimensions
    ]
    for candidate in candidates:
        standard_name = text_attribute(candidate, "standard_name").lower()
        if standard_name == "depth" or (not standard_name and text_attribute(candidate, "units").lower() in METRES):
            return candidate
    return None


def _layer_bounds(path: Path, dataset: netCDF4.Dataset, depth: netCDF4.Variable[Any]) -> FloatArray | None:
    """Top and bottom of the layers, (n, 2) m, or None where the file does not say."""
    name = text_attribute(depth, "bounds") or f"{depth.name}_bnds"
    metres = METRES.get(text_attribute(depth, "units").lower())
    if name not in dataset.variables or metres is None:
        return None
    bounds = read_values(path, dataset.variables[name])
    if bounds.shape != (*depth.shape, 2):
        return None
    return metres * np.sort(bounds.reshape(-1, 2), axis=1)
