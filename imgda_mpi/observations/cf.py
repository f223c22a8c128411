"""Soil moisture from any CF NetCDF file on a rectilinear latitude-longitude grid."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import netCDF4

from imgda_mpi.faults import fault
from imgda_mpi.grid import Grid
from imgda_mpi.netcdf import Horizontal, find_variable, horizontal_grid, opened, resolve, text_attribute
from imgda_mpi.numerics.window_means import mean_of_records
from imgda_mpi.observations.image import Layer, ObservedImage, SourceImage, deviation_image, observed_image
from imgda_mpi.observations.intervals import Interval, doubts, interval_of
from imgda_mpi.observations.layers import Place, check_layer, choose_layer, refuse_empty
from imgda_mpi.observations.masks import Mask, masked_pixels
from imgda_mpi.observations.quality import VALID_RANGE
from imgda_mpi.observations.quantity import doubt_of_quantity
from imgda_mpi.observations.records import only_ones, read_record
from imgda_mpi.observations.times import Chosen, nearest_time, stated_elsewhere, times_within
from imgda_mpi.observations.units import overruled, to_volumetric

POSSIBLE = (0.0, 1.0)  # m3 m-3: a model may hold more water than an observation can be trusted with

MEMBER_NAMES = ("member", "ensemble", "realization")


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
    error: float = 0.0,
    mask: Mask | None = None,
    member: int | None = None,
    window: timedelta | None = None,
    units: str | None = None,
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
    max_time_offset : hours that the file's time may differ; infinity accepts any time, and a file without time. Of two
        records of the same time the one that has values is read.
    regridding : "bilinear" or "conservative". A cell is observed where valid pixels hold at least half of its weight.
    valid_range, error : lowest and highest soil moisture accepted, and the standard deviation of the errors by which it
        is widened, m3 m-3 (see `gross_check`); other values are rejected and counted
    mask : pixels to leave out; None uses all
    member : which index of the dimension named member (or ensemble, realization) to take, where the variable has one
    window : take the mean of the records from ``time`` on to before ``time + window``, pixel by pixel where a third of
        them have a value; ``max_time_offset`` then does not count
    units : of the values, whatever the file says of them; None takes what it says

    Returns
    -------
    ObservedImage
        Its ``time`` is that of the file, or ``time`` where the file has none; of a window that of its first record.

    Raises
    ------
    InputError
        Where the file is missing or damaged, or is not what the arguments say; where it says that it holds no image of
        an instant (see `interval_of`), no soil moisture (see `doubt_of_quantity`), or a layer without any part of the
        image's.
    ValueError
        Where ``time`` has no time zone, the layer or the valid range is empty, or the method is unknown.

    Notes
    -----
    Missing are fill values, values outside the file's own valid_min..valid_max, NaN and infinities. A product that
    is defined over the sea (ERA5 has 0 there) needs a mask, or coasts become too dry.
    """
    refuse_empty(layer)
    needs_time = math.isfinite(max_time_offset)
    source = read_source(
        resolve(file, time),
        time,
        variable,
        layer=layer,
        max_time_offset=max_time_offset,
        needs_time=needs_time,
        mask=mask,
        member=member,
        window=window,
        units=units,
    )
    return observed_image(source, source.to_cells(grid, regridding), valid_range=valid_range, error=error)


def read_member(
    file: Path | str,
    grid: Grid,
    time: datetime,
    *,
    variable: str,
    layer: Layer | None,
    member: int,
    units: str | None = None,
) -> ObservedImage:
    """The image of one member of the model on the model grid; arguments as of `read_cf`.

    Raises
    ------
    InputError
        See `read_cf`.
    """
    return read_cf(file, grid, time, variable=variable, layer=layer, member=member, valid_range=POSSIBLE, units=units)


def grid_of(file: Path | str, time: datetime, variable: str) -> Grid:
    """The grid of a variable of a CF file; arguments as of `read_cf`.

    Raises
    ------
    InputError
        Where the file is missing or damaged, or the variable has no rectilinear grid.
    """
    path = resolve(file, time)
    with opened(path) as dataset:
        return horizontal_grid(path, find_variable(path, dataset, variable)).grid


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
        return int(found.shape[found.dimensions.index(name)])


def _member_dimension(variable: netCDF4.Variable[Any]) -> str | None:
    return next((name for name in variable.dimensions if name.lower() in MEMBER_NAMES), None)


def read_field(
    file: Path | str,
    grid: Grid,
    time: datetime,
    *,
    variable: str,
    max_time_offset: float,
    regridding: str = "bilinear",
    layer: Layer | None = None,
    units: str | None = None,
) -> ObservedImage:
    """A field of standard deviations on the model grid, m3 m-3; arguments as of `read_cf`, a time is not needed.

    The ``layer``, that of the observation, is what values in kg m-2 are of; None where nobody knows it.

    Raises
    ------
    InputError
        Where the file is missing or damaged, or has a time that is further off.
    """
    source = read_source(
        resolve(file, time),
        time,
        variable,
        layer=layer,
        max_time_offset=max_time_offset,
        needs_time=False,
        is_moisture=False,
        units=units,
    )
    return deviation_image(source, source.to_cells(grid, regridding))


def read_source(
    path: Path,
    time: datetime,
    name: str,
    *,
    layer: Layer | None = None,
    max_time_offset: float,
    needs_time: bool,
    mask: Mask | None = None,
    member: int | None = None,
    window: timedelta | None = None,
    units: str | None = None,
    is_moisture: bool = True,
) -> SourceImage:
    """The image as the file holds it; arguments as of `read_cf`.

    Without ``needs_time`` a file without time is taken. What is no moisture (its standard deviation) may be of any
    interval, and is of the ``layer`` that is stated, whatever its file says.

    Raises
    ------
    InputError
        See `read_cf`.
    """
    with opened(path) as dataset:
        variable = find_variable(path, dataset, name)
        horizontal = horizontal_grid(path, variable)
        if window is None:
            nearest = nearest_time(
                path, dataset, variable, horizontal.dimensions, time, max_time_offset, needs_time=needs_time
            )
            all_chosen = [nearest]
        else:
            all_chosen = times_within(path, dataset, variable, horizontal.dimensions, time, window)
        chosen = all_chosen[0]
        index: dict[str, int] = {}
        along_members = _member_dimension(variable)
        if along_members is not None and member is not None:
            size = variable.shape[variable.dimensions.index(along_members)]
            if not 0 <= member < size:
                do = f"choose from 0 to {size - 1}"
                raise fault(path, name, found=f"{size} members", expected=f"one of number {member}", do=do)
            index[along_members] = member
        others = [d for d in variable.dimensions if d not in {*horizontal.dimensions, chosen.dimension, *index}]
        if is_moisture:
            place = choose_layer(path, variable, others, layer)
        else:
            place = Place(layer, only_ones(path, variable, others))
        stands_for = check_layer(path, name, place.layer) if is_moisture else None
        at = Place(place.layer, index | place.index)
        source = source_at(
            path, dataset, variable, horizontal, all_chosen, at, time, units=units, is_moisture=is_moisture
        )
    return replace(
        source,
        remarks=(*([stands_for] if stands_for else []), *source.remarks),
        mask=None if mask is None else masked_pixels(mask, path, time, horizontal.grid),
    )


def source_at(
    path: Path,
    dataset: netCDF4.Dataset,
    variable: netCDF4.Variable[Any],
    horizontal: Horizontal,
    chosen: Sequence[Chosen],
    place: Place,
    time: datetime,
    *,
    units: str | None = None,
    is_moisture: bool = True,
) -> SourceImage:
    """The image of a time that the file has, or the mean over several, at a place along its further dimensions.

    Whatever layer that is, and without a mask; ``horizontal`` is where the variable has its grid, ``time`` that of the
    image where the file has none.

    Raises
    ------
    InputError
        See `read_cf`.
    """
    records = [read_record(path, variable, place.index, horizontal.dimensions, one) for one in chosen]
    values, step, several = records[0]
    if len(records) > 1:
        values = mean_of_records([record[0] for record in records])
    interval, said = Interval(), [horizontal.remark, several]
    if is_moisture:
        interval = interval_of(path, dataset, variable, chosen[0], step)
        said += [doubt_of_quantity(path, dataset, variable), doubts(interval, chosen[0])]
        said += [stated_elsewhere(dataset, variable, time) if chosen[0].time is None else None]
    meaning = f"{text_attribute(variable, 'standard_name')} {text_attribute(variable, 'long_name')}"
    of_file = text_attribute(variable, "units")
    said.append(overruled(of_file, units))
    return SourceImage(
        values=to_volumetric(
            horizontal.ordered(values), of_file, meaning, place.layer, path=path, variable=variable.name, stated=units
        ),
        grid=horizontal.grid,
        path=path,
        variable=variable.name,
        time=chosen[0].time or time.astimezone(UTC),
        time_is_stated=chosen[0].time is None,
        interval=str(interval) if len(records) == 1 else f"mean of {len(records)} records",
        remarks=tuple(remark for remark in said if remark),
    )
