"""A file in the format of GLDAS-2.1 Noah with the example's true soil moisture as an instrument might see it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from netCDF4 import Dataset
from scipy.ndimage import map_coordinates

from imgda_mpi.arrays import FloatArray
from imgda_mpi.example import geography
from imgda_mpi.example.files import TIME
from imgda_mpi.example.random_field import correlated_field
from imgda_mpi.example.tiles import GRID
from imgda_mpi.grid import Grid

FILE_PATTERN = "GLDAS_NOAH025_3H.A%Y%m%d.%H%M.021.nc4"

GLDAS_GRID = Grid(-59.875 + np.arange(600, dtype=np.float64) / 4, -179.875 + np.arange(1440, dtype=np.float64) / 4)
"""A quarter of a degree, rows from the south; no Antarctica."""

FILL = np.float32(-9999.0)

# Departure of the observed pattern from the truth: structure finer than a cell, and noise, m3 m-3.
FINE_STRUCTURE, FINE_LENGTH = 0.020, 0.6
NOISE = 0.010

_PACKING = {"scale_factor": np.float32(1.0), "add_offset": np.float32(0.0), "missing_value": FILL}
EPOCH = datetime(2000, 1, 1, 3, tzinfo=UTC)
_GLOBAL = {
    "missing_value": FILL,
    "tavg definision:": "past 3-hour average",
    "acc definision:": "past 3-hour accumulation",
    "inst definision:": "instantaneous",
    "title": "Synthetic example in the format of GLDAS2.1 LIS land surface model output; not GLDAS data",
    "institution": "imgda_mpi",
    "source": "synthetic",
    "history": "written by the embedded example of imgda_mpi",
    "references": "Rodell_etal_BAMS_2004",
    "conventions": "CF-1.6",
    "comment": "format: http://ldas.gsfc.nasa.gov/gldas",
    "MAP_PROJECTION": "EQUIDISTANT CYLINDRICAL",
    "SOUTH_WEST_CORNER_LAT": np.float32(-59.875),
    "SOUTH_WEST_CORNER_LON": np.float32(-179.875),
    "DX": np.float32(0.25),
    "DY": np.float32(0.25),
}


def observed(rng: np.random.Generator, truth: FloatArray) -> FloatArray:
    """The truth, (128, 256) m3 m-3 on the model's grid, NaN without soil, as an instrument might see it.

    (600, 1440) m3 m-3 on the GLDAS grid, with structure of its own and noise; NaN over water, ice, and land without
    soil in the model.
    """
    is_soil = np.isfinite(truth)
    # Near coasts, interpolate between what is known: weights and values separately.
    weight = _to_gldas(is_soil.astype(np.float64))
    value = _to_gldas(np.where(is_soil, truth, 0.0))
    place = GLDAS_GRID.latitude[:, None], GLDAS_GRID.longitude
    is_ground = geography.is_land(*place) & ~geography.is_ice(*place) & ~geography.is_lake(*place)
    is_seen = is_ground & (weight > 0.05)
    fine = correlated_field(rng, (720, 1440), FINE_LENGTH)[-600:]
    noise = rng.standard_normal(GLDAS_GRID.shape)
    image = value / np.where(is_seen, weight, 1.0) + FINE_STRUCTURE * fine + NOISE * noise
    return np.where(is_seen, np.clip(image, 0.02, 0.50), np.nan)


def _to_gldas(image: FloatArray) -> FloatArray:
    """Bilinear interpolation; longitudes go around, beyond the last rows the values stay."""
    size = 180.0 / GRID.latitude.size
    row, column = (GRID.latitude[0] - GLDAS_GRID.latitude) / size, (GLDAS_GRID.longitude - GRID.longitude[0]) / size
    around = np.pad(image, ((0, 0), (1, 1)), mode="wrap")
    at = np.meshgrid(row, column + 1, indexing="ij")
    return np.asarray(map_coordinates(around, at, order=1, mode="nearest"))


def write_observation(directory: Path, surface: FloatArray, below: FloatArray) -> None:
    """Write the file of the example's time into a directory, which is made where there is none.

    ``surface`` and ``below`` are the soil moisture of 0-10 and 10-40 cm, (600, 1440) m3 m-3, NaN where missing.
    """
    moisture = {"units": "kg m-2", "standard_name": "soil_moisture_content", "long_name": "Soil moisture"}
    moisture["cell_methods"] = "time: point"
    latitude = {"units": "degrees_north", "standard_name": "latitude", "long_name": "latitude"}
    longitude = {"units": "degrees_east", "standard_name": "longitude", "long_name": "longitude"}
    image_axes = ("time", "lat", "lon")
    minutes = (TIME - EPOCH).total_seconds() / 60.0
    directory.mkdir(parents=True, exist_ok=True)
    with Dataset(directory / f"{TIME:{FILE_PATTERN}}", "w", format="NETCDF4") as file:
        for name, size in (("time", None), ("lat", 600), ("lon", 1440), ("bnds", 2)):
            file.createDimension(name, size)
        file.setncatts(_GLOBAL)
        for name, axes, numbers, attributes in (
            # Water of 1000 kg m-3 in layers of 0.1 and 0.3 m.
            ("SoilMoi0_10cm_inst", image_axes, 100.0 * surface[None], moisture),
            ("SoilMoi10_40cm_inst", image_axes, 300.0 * below[None], moisture),
            ("lat", ("lat",), GLDAS_GRID.latitude, latitude),
            ("lon", ("lon",), GLDAS_GRID.longitude, longitude),
        ):
            values = np.ma.masked_invalid(numbers.astype(np.float32))
            variable = file.createVariable(
                name, "f4", axes, zlib=True, complevel=4, chunksizes=values.shape, fill_value=FILL
            )
            variable.setncatts({**attributes, **_PACKING, "vmin": values.min(), "vmax": values.max()})
            variable[:] = values
        time = file.createVariable("time", "f8", ("time",), chunksizes=(1,))
        # The leading blank is in the original files.
        time.setncatts({"units": f" minutes since {EPOCH:%Y-%m-%d %H:%M:%S}", "long_name": "time"})
        time.setncatts({"time_increment": "180", "begin_date": f"{TIME:%Y%m%d}", "begin_time": f"{TIME:%H%M%S}"})
        time.bounds = "time_bnds"
        time[:] = [minutes]
        bounds = file.createVariable("time_bnds", "f8", ("time", "bnds"), chunksizes=(1, 2))
        bounds[:] = [[minutes - 180.0, minutes]]
