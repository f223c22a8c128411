"""Files in the format of GLDAS-2.1 Noah, made of images that are not GLDAS data and say so."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from netCDF4 import Dataset

from imgda_mpi.arrays import FloatArray
from imgda_mpi.grid import Grid

FILL = np.float32(-9999.0)
EPOCH = datetime(2000, 1, 1, 3, tzinfo=UTC)

LAYERS = {"SoilMoi0_10cm_inst": 0.1, "SoilMoi10_40cm_inst": 0.3}
"""Variables of the soil's moisture and thickness of their layers, m."""

_PACKING = {"scale_factor": np.float32(1.0), "add_offset": np.float32(0.0), "missing_value": FILL}


def gldas_grid(per_degree: int) -> Grid:
    """So many pixels to a degree, rows from the south; no Antarctica: (150, 360) times as many."""
    step = 1.0 / per_degree
    rows, columns = (np.arange(n * per_degree, dtype=np.float64) * step + 0.5 * step for n in (150, 360))
    return Grid(rows - 60.0, columns - 180.0)


def write_gldas(
    path: Path,
    time: datetime,
    grid: Grid,
    moisture: Mapping[str, FloatArray],
    *,
    title: str,
    history: str,
    more: Mapping[str, Any] | None = None,
) -> None:
    """Write a file of one moment. Not collective.

    Parameters
    ----------
    path : in a folder that is there
    time : aware; a whole minute
    grid : of `gldas_grid`, (ny, nx)
    moisture : images by names of `LAYERS`, (ny, nx) m3 m-3, NaN where missing
    title, history : what the images are, and who wrote them
    more : global attributes besides
    """
    of_moisture = {"units": "kg m-2", "standard_name": "soil_moisture_content", "long_name": "Soil moisture"}
    of_moisture["cell_methods"] = "time: point"
    latitude = {"units": "degrees_north", "standard_name": "latitude", "long_name": "latitude"}
    longitude = {"units": "degrees_east", "standard_name": "longitude", "long_name": "longitude"}
    image_axes = ("time", "lat", "lon")
    # Water of 1000 kg m-3.
    images = [(name, image_axes, 1000.0 * LAYERS[name] * image[None], of_moisture) for name, image in moisture.items()]
    minutes = (time - EPOCH).total_seconds() / 60.0
    with Dataset(path, "w", format="NETCDF4") as file:
        for name, size in zip(("time", "lat", "lon", "bnds"), (None, *grid.shape, 2), strict=True):
            file.createDimension(name, size)
        file.setncatts({**_attributes(grid, title, history), **(more or {})})
        for name, axes, numbers, attributes in (
            *images,
            ("lat", ("lat",), grid.latitude, latitude),
            ("lon", ("lon",), grid.longitude, longitude),
        ):
            values = np.ma.masked_invalid(numbers.astype(np.float32))
            variable = file.createVariable(
                name, "f4", axes, zlib=True, complevel=4, chunksizes=values.shape, fill_value=FILL
            )
            variable.setncatts({**attributes, **_PACKING, "vmin": values.min(), "vmax": values.max()})
            variable[:] = values
        when = file.createVariable("time", "f8", ("time",), chunksizes=(1,))
        # The leading blank is in the original files.
        when.setncatts({"units": f" minutes since {EPOCH:%Y-%m-%d %H:%M:%S}", "long_name": "time"})
        when.setncatts({"time_increment": "180", "begin_date": f"{time:%Y%m%d}", "begin_time": f"{time:%H%M%S}"})
        when.bounds = "time_bnds"
        when[:] = [minutes]
        bounds = file.createVariable("time_bnds", "f8", ("time", "bnds"), chunksizes=(1, 2))
        bounds[:] = [[minutes - 180.0, minutes]]


def _attributes(grid: Grid, title: str, history: str) -> dict[str, Any]:
    """Global attributes in the order of the original files."""
    return {
        "missing_value": FILL,
        "tavg definision:": "past 3-hour average",
        "acc definision:": "past 3-hour accumulation",
        "inst definision:": "instantaneous",
        "title": title,
        "institution": "imgda_mpi",
        "source": "synthetic",
        "history": history,
        "references": "Rodell_etal_BAMS_2004",
        "conventions": "CF-1.6",
        "comment": "format: http://ldas.gsfc.nasa.gov/gldas",
        "MAP_PROJECTION": "EQUIDISTANT CYLINDRICAL",
        "SOUTH_WEST_CORNER_LAT": np.float32(grid.latitude[0]),
        "SOUTH_WEST_CORNER_LON": np.float32(grid.longitude[0]),
        "DX": np.float32(grid.longitude[1] - grid.longitude[0]),
        "DY": np.float32(grid.latitude[1] - grid.latitude[0]),
    }
