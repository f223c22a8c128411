"""A list of points: latitude, longitude and soil moisture of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from imgda_mpi.arrays import BoolArray, FloatArray
from imgda_mpi.faults import fault
from imgda_mpi.grid import Grid
from imgda_mpi.netcdf.axes import NOISE, refuse_radians
from imgda_mpi.observations.binning import DIGITS, Binning, binning
from imgda_mpi.observations.image import Layer, Source, sha256_of
from imgda_mpi.observations.intervals import TOO_LONG, Interval
from imgda_mpi.observations.quality import gross_check
from imgda_mpi.observations.times import nearest_of
from imgda_mpi.observations.units import MOISTURE, overruled, to_volumetric

# Lists of retrievals come without units. They are m3 m-3 where the values can be: those in percent are above 1.
WITHOUT_UNITS = (-1.0, 1.0)  # m3 m-3; with room for noise

RANGES = {"latitude": (-90.0 - NOISE, 90.0 + NOISE), "longitude": (-360.0, 360.0)}  # degrees


@dataclass(frozen=True, eq=False)
class Taken:
    """Which points of a list are of the time that is wanted.

    Parameters
    ----------
    points : which ones, (n,)
    time : the nearest of theirs, UTC; None where the file has none
    interval : first to last of theirs, where these differ
    """

    points: BoolArray
    time: datetime | None
    interval: Interval = field(default_factory=Interval)


@dataclass(frozen=True, eq=False, kw_only=True)
class PointList(Source):
    """Points with soil moisture; ``values`` are (n,), NaN also where a point has no place.

    Parameters
    ----------
    latitude, longitude : degrees, (n,), in any order
    is_taken : which points are of the time wanted, (n,)
    """

    latitude: FloatArray
    longitude: FloatArray
    is_taken: BoolArray

    def to_cells(self, grid: Grid) -> Binning:
        """What takes the points to the model grid: each one that is of the time wanted to the cell that it lies in."""
        cells = binning(self.latitude, self.longitude, grid)
        return Binning(np.where(self.is_taken, cells.cell, -1), cells.shape)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of values and places of the points with a value that are of the time wanted, hexadecimal.

        The same whatever order of points, range of longitudes or unit a file has.
        """
        used = self.is_taken & np.isfinite(self.values)
        longitude = np.round(self.longitude, DIGITS) % 360.0
        parts = [np.round(part[used], DIGITS) for part in (self.latitude, longitude, self.values)]
        order = np.lexsort(parts)
        return sha256_of(*(part[order] for part in parts))


def take_points(path: Path, name: str, times: Sequence[datetime], time: datetime, max_time_offset: float) -> Taken:
    """The points that are within ``max_time_offset`` hours of the time wanted; infinity takes all.

    ``times`` are those of all points, one at least; ``path`` and ``name`` are what an error names.

    Raises
    ------
    InputError
        Where there is no point of such a time, or those that are taken are of more than `TOO_LONG` hours.
    """
    do = "give another file, raise max_time_offset, or set time to the time found"
    nearest = nearest_of(path, name, times, time, max_time_offset, do=do)
    wanted, seconds = time.astimezone(UTC), 3600.0 * max_time_offset
    points = np.array([abs(own - wanted).total_seconds() <= seconds for own in times])
    of_points = [own for own, is_taken in zip(times, points, strict=True) if is_taken]
    first, last = min(of_points), max(of_points)
    if first == last:
        return Taken(points, nearest)
    interval = Interval((first, last), (last - first).total_seconds() / 3600.0)
    if interval.hours > TOO_LONG:
        raise fault(
            path,
            name,
            found=f"{interval} ({interval.hours / 24:.1f} days)",
            expected=f"points of at most {TOO_LONG:g} h",
            do="lower max_time_offset",
        )
    return Taken(points, nearest, interval)


def point_list(
    path: Path,
    variable: str,
    time: datetime,
    *,
    latitude: FloatArray,
    longitude: FloatArray,
    values: FloatArray,
    units: str,
    meaning: str,
    layer: Layer | None,
    taken: Taken,
    interval: Interval,
    stated: str | None = None,
    remarks: Sequence[str | None] = (),
) -> PointList:
    """The points of a file, in m3 m-3; latitude, longitude and values (n,) as they are in it, NaN where missing.

    ``units``, ``meaning``, ``layer`` and what is ``stated`` as of `to_volumetric`; without units the values are taken
    for m3 m-3.

    Raises
    ------
    InputError
        Where coordinates are out of range or radians, the units are unknown or ambiguous, or values without units
        cannot be m3 m-3.
    """
    for (name, (low, high)), degrees in zip(RANGES.items(), (latitude, longitude), strict=True):
        beyond = (degrees < low) | (degrees > high)
        if beyond.any():
            raise fault(
                path,
                name,
                found=f"{int(beyond.sum())} of {beyond.size} points beyond, the first at {degrees[beyond][0]:g}",
                expected=f"degrees within {low:.0f} to {high:.0f}, or no value where a point has no place",
                do="correct the coordinate, or leave these points out of the file",
            )
    refuse_radians(path, ", ".join(RANGES), latitude, longitude)
    latitude = np.clip(latitude, -90.0, 90.0)
    said = [*remarks, overruled(units, stated)]
    if not units and not stated:
        gross_check(values, str(path), variable, WITHOUT_UNITS)
        said.append("the file does not say units: taken for m3 m-3")
    values = to_volumetric(values, units or MOISTURE, meaning, layer, path=path, variable=variable, stated=stated)
    has_place = np.isfinite(latitude) & np.isfinite(longitude)
    return PointList(
        values=np.where(has_place, values, np.nan),
        path=path,
        variable=variable,
        time=taken.time or time.astimezone(UTC),
        time_is_stated=taken.time is None,
        interval=str(interval),
        remarks=tuple(remark for remark in said if remark),
        latitude=latitude,
        longitude=longitude,
        is_taken=taken.points,
    )
