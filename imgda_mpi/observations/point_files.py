"""Soil moisture of lists of points, averaged onto the cells of the model grid that they lie in."""

from __future__ import annotations

import math
from datetime import datetime
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np

from imgda_mpi.grid import Grid
from imgda_mpi.netcdf import (
    around,
    find_variable,
    is_list,
    opened,
    point_coordinates,
    read_values,
    resolve,
    text_attribute,
    vectors_along,
)
from imgda_mpi.netcdf.dates import decoded
from imgda_mpi.observations.image import Layer, ObservedImage, deviation_image, observed_image
from imgda_mpi.observations.intervals import Interval, doubts, interval_of
from imgda_mpi.observations.layers import Place, check_depths, check_layer, choose_layer, is_depth, refuse_empty
from imgda_mpi.observations.point_tables import ENDINGS, read_table
from imgda_mpi.observations.points import PointList, Taken, point_list, take_points
from imgda_mpi.observations.quality import VALID_RANGE
from imgda_mpi.observations.quantity import doubt_of_quantity
from imgda_mpi.observations.records import only_ones, read_record
from imgda_mpi.observations.times import Chosen, nearest_time, stated_elsewhere


def read_points(
    file: Path | str,
    grid: Grid,
    time: datetime,
    *,
    variable: str,
    layer: Layer | None = None,
    max_time_offset: float = math.inf,
    valid_range: tuple[float, float] = VALID_RANGE,
    error: float = 0.0,
    units: str | None = None,
) -> ObservedImage:
    """The mean of the points of a file in each cell of the model grid.

    Parameters
    ----------
    file : NetCDF, or a table (.csv, .csv.gz, see `read_table`); may contain strftime fields, filled with ``time``
    grid : of the model, (ny, nx)
    time : wanted, aware
    variable : along the dimension of the points. Its units are as of `imgda_mpi.observations.cf.read_cf`; without any
        it is taken for m3 m-3.
    layer : top and bottom of the soil layer, m, where the file has several or the values are kg m-2
    max_time_offset : hours that the time of a point may differ; infinity accepts any time, and a file without time
    valid_range, error, units : as of `imgda_mpi.observations.cf.read_cf`

    Returns
    -------
    ObservedImage
        Each point counts once, in one cell. Points outside the grid or of another time are "not used", points without a
        place are "missing". The ``time`` is that of the points nearest to the one wanted.

    Raises
    ------
    InputError
        Where the file is missing or damaged, or is no list of points of that time and layer with soil moisture; where
        it says that it holds no image of an instant.
    ValueError
        Where ``time`` has no time zone, or the layer or the valid range is empty.
    """
    refuse_empty(layer)
    path = resolve(file, time)
    read = read_table if _is_table(path) else read_list
    points = read(path, time, variable, layer, max_time_offset, units)
    return observed_image(points, points.to_cells(grid), valid_range=valid_range, error=error)


def read_point_deviations(
    file: Path | str,
    grid: Grid,
    time: datetime,
    *,
    variable: str,
    max_time_offset: float,
    layer: Layer | None = None,
    units: str | None = None,
) -> ObservedImage:
    """The mean of the standard deviations of points in each cell, m3 m-3; arguments as of `read_points`.

    A time is not needed. The ``layer`` is that of the observation, as of `imgda_mpi.observations.cf.read_field`.

    Raises
    ------
    InputError
        Where the file is missing or damaged, or has a time that is further off.
    """
    path = resolve(file, time)
    read = read_table if _is_table(path) else read_list
    points = read(path, time, variable, layer, max_time_offset, units, is_moisture=False)
    return deviation_image(points, points.to_cells(grid))


def holds_points(file: Path | str, time: datetime, variable: str) -> bool:
    """Whether a variable is of a list of points; arguments as of `read_points`.

    Raises
    ------
    InputError
        Where the file is missing or damaged.
    """
    path = resolve(file, time)
    if _is_table(path):
        return True
    with opened(path) as dataset:
        return is_list(find_variable(path, dataset, variable))


def _is_table(path: Path) -> bool:
    return path.name.lower().endswith(ENDINGS)


def read_list(
    path: Path,
    time: datetime,
    name: str,
    layer: Layer | None,
    max_time_offset: float,
    units: str | None,
    *,
    is_moisture: bool = True,
) -> PointList:
    """The points of a NetCDF file; arguments as of `read_points`.

    What is no moisture (its standard deviation) is as of `imgda_mpi.observations.cf.read_source`.

    Raises
    ------
    InputError
        See `read_points`.
    """
    with opened(path) as dataset:
        variable = find_variable(path, dataset, name)
        latitude, longitude = point_coordinates(path, variable)
        (along,) = latitude.dimensions
        chosen, taken = _times(path, dataset, variable, along, time, max_time_offset, needs_time=is_moisture)
        others = [d for d in variable.dimensions if d not in {along, chosen.dimension}]
        if is_moisture:
            place = choose_layer(path, variable, others, layer)
            for depth in (vector for vector in vectors_along(variable, along) if is_depth(path, vector)):
                check_depths(path, depth.name, read_values(path, depth), text_attribute(depth, "units"), place.layer)
        else:
            place = Place(layer, only_ones(path, variable, others))
        if latitude.size == 0:
            values, step, several = np.empty(0), chosen.steps[0], None
        elif chosen.dimension == along:
            values, _, several = read_record(path, variable, place.index, (along,), Chosen())
            step = chosen.steps[0]
        else:
            values, step, several = read_record(path, variable, place.index, (along,), chosen)
        interval, said = Interval(), [several]
        if is_moisture:
            interval = interval_of(path, dataset, variable, chosen, step)
            if taken.interval.hours > interval.hours:
                interval = taken.interval
            said += [
                doubt_of_quantity(path, dataset, variable),
                doubts(interval, chosen),
                check_layer(path, name, place.layer),
            ]
            said += [stated_elsewhere(dataset, variable, time) if chosen.time is None else None]
        return point_list(
            path,
            name,
            time,
            latitude=read_values(path, latitude),
            longitude=read_values(path, longitude),
            values=values,
            units=text_attribute(variable, "units"),
            meaning=f"{text_attribute(variable, 'standard_name')} {text_attribute(variable, 'long_name')}",
            layer=place.layer,
            taken=taken,
            interval=interval,
            stated=units,
            remarks=said,
        )


def _times(
    path: Path,
    dataset: netCDF4.Dataset,
    variable: netCDF4.Variable[Any],
    along: str,
    time: datetime,
    max_time_offset: float,
    *,
    needs_time: bool,
) -> tuple[Chosen, Taken]:
    """The time of the file, which each point may have of its own, and the points that are taken."""
    n_points = variable.shape[variable.dimensions.index(along)]
    needs_time = needs_time and n_points > 0 and math.isfinite(max_time_offset)
    # Where there is no point there is no time of one.
    passed_over = () if n_points else (along,)
    chosen = nearest_time(path, dataset, variable, passed_over, time, max_time_offset, needs_time=needs_time)
    if chosen.coordinate is None or chosen.dimension != along:
        return chosen, Taken(np.ones(n_points, dtype=bool), chosen.time)
    coordinate = around(variable)[chosen.coordinate]
    times = decoded(path, coordinate, read_values(path, coordinate))
    return chosen, take_points(path, variable.name, times, time, max_time_offset)
