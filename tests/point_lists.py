"""Lists of points in files, in a region of three by four cells."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import netCDF4
import numpy as np

from imgda_mpi.grid import Grid

NOON = datetime(2022, 6, 3, 12, tzinfo=UTC)

GRID = Grid(np.array([12.0, 11.0, 10.0]), 100.0 + np.arange(4.0))
"""Cells of one degree, from north to south, 9.5 to 12.5 degrees north and 99.5 to 103.5 east."""

# Two points in the cell of row 0 and column 0, three in that of row 2 and column 3, one in that of row 1 and column 1.
LATITUDE = np.array([12.1, 11.9, 9.6, 10.0, 10.4, 11.0])
LONGITUDE = np.array([99.8, 100.4, 102.6, 103.0, 103.4, 101.0])
MOISTURE = np.array([0.10, 0.20, 0.30, 0.33, 0.36, 0.25])


def write_points(
    path: Path,
    values: np.ndarray = MOISTURE,
    latitude: np.ndarray = LATITUDE,
    longitude: np.ndarray = LONGITUDE,
    *,
    further: dict[str, tuple[np.ndarray, dict[str, str]]] | None = None,
    names: tuple[str, str] = ("latitude", "longitude"),
    **attributes: object,
) -> Path:
    """A NetCDF file as that of a satellite's retrievals: vectors along ``index``, without units unless they are given.

    ``further`` are vectors along the points, or single numbers, with their attributes.
    """
    with netCDF4.Dataset(path, "w") as file:
        file.createDimension("index", len(values))
        for name, vector in zip((*names, "sm"), (latitude, longitude, values), strict=True):
            file.createVariable(name, "f8", ("index",), fill_value=np.nan)[:] = vector
        file["sm"].setncatts(attributes)
        for name, (numbers, own) in (further or {}).items():
            along = ("index",) if np.ndim(numbers) else ()
            file.createVariable(name, "f8", along)[...] = numbers
            file[name].setncatts(own)
    return path
