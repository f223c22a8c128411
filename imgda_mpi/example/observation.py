"""A file in the format of GLDAS-2.1 Noah with the example's true soil moisture as an instrument might see it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt
from netCDF4 import Dataset

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
    """The truth on the GLDAS grid with structure of its own and noise.

    Parameters
    ----------
    truth : (128, 256) array
        m3 m-3 on the model's grid, NaN where there is no soil.

    Returns
    -------
    (600, 1440) array
        m3 m-3; NaN over water, ice, and land without soil in the model.
    """
    is_soil = np.isfinite(truth)
    # Near coasts, interpolate between what is known: weights and values separately.
    weight = _to_gldas(is_soil.astype(np.float64))
    value = _to_gldas(np.where(is_soil, truth, 0.0))
    is_seen = geography.is_land(GLDAS_GRID.latitude[:, None], GLDAS_GRID.longitude[None, :]) & (weight > 0.05)
    row, column = np.nonzero(is_seen)
    place = GLDAS_GRID.latitude[row], GLDAS_GRID.longitude[column]
    is_seen[row, column] = ~(geography.is_ice(*place) | geography.is_lake(*place))
    fine = correlated_field(rng, (720, 1440), FINE_LENGTH)[-600:]
    noise = rng.standard_normal(GLDAS_GRID.shape)
    image = value / np.where(is_seen, weight, 1.0) + FINE_STRUCTURE * fine + NOISE * noise
    return np.where(is_seen, np.clip(image, 0.02, 0.50), np.nan)


def _to_gldas(image: FloatArray) -> FloatArray:
    """Bilinear interpolation; longitudes go around, beyond the last rows the values stay."""
    longitude = np.concatenate([[GRID.longitude[-1] - 360.0], GRID.longitude, [GRID.longitude[0] + 360.0]])
    around = np.concatenate([image[:, -1:], image, image[:, :1]], axis=1)
    by_row = _interpolate(GRID.latitude[::-1], around[::-1], GLDAS_GRID.latitude)
    return _interpolate(longitude, by_row.T, GLDAS_GRID.longitude).T


def _interpolate(points: FloatArray, values: FloatArray, at: FloatArray) -> FloatArray:
    """Linear interpolation along the first axis, points ascending."""
    place = np.interp(at, points, np.arange(points.size))
    left = np.minimum(place.astype(np.int64), points.size - 2)
    share = (place - left)[:, None]
    return np.asarray((1.0 - share) * values[left] + share * values[left + 1])


def write_observation(directory: Path, surface: FloatArray, below: FloatArray) -> None:
    """Write the file of the example's time.

    Parameters
    ----------
    directory : Path
        Created where it does not exist.
    surface, below : (600, 1440) array
        Soil moisture of 0-10 and 10-40 cm, m3 m-3, NaN where missing.
    """
    directory.mkdir(parents=True, exist_ok=True)
    with Dataset(directory / f"{TIME:{FILE_PATTERN}}", "w", format="NETCDF4") as file:
        for name, size in (("time", None), ("lat", 600), ("lon", 1440), ("bnds", 2)):
            file.createDimension(name, size)
        file.setncatts(_GLOBAL)
        # Water of 1000 kg m-3 in layers of 0.1 and 0.3 m.
        for name, image, layer in (("SoilMoi0_10cm_inst", surface, 100.0), ("SoilMoi10_40cm_inst", below, 300.0)):
            _write_soil_moisture(file, name, layer * image)
        _write_coordinate(file, "lat", GLDAS_GRID.latitude, "degrees_north", "latitude")
        _write_coordinate(file, "lon", GLDAS_GRID.longitude, "degrees_east", "longitude")
        _write_time(file)


def _write_soil_moisture(file: Dataset, name: str, mass: FloatArray) -> None:
    """One variable, kg m-2."""
    values = np.where(np.isfinite(mass), mass, FILL).astype(np.float32)[None]
    described = {"units": "kg m-2", "standard_name": "soil_moisture_content", "long_name": "Soil moisture"}
    _write_packed(file, name, ("time", "lat", "lon"), values, {**described, "cell_methods": "time: point"})


def _write_coordinate(file: Dataset, name: str, values: FloatArray, units: str, long_name: str) -> None:
    described = {"units": units, "standard_name": long_name, "long_name": long_name}
    _write_packed(file, name, (name,), values.astype(np.float32), described)


def _write_packed(
    file: Dataset, name: str, axes: tuple[str, ...], values: npt.NDArray[np.float32], described: dict[str, str]
) -> None:
    """A variable with the attributes that every variable of LIS has."""
    variable = file.createVariable(
        name, "f4", axes, zlib=True, complevel=4, shuffle=True, chunksizes=values.shape, fill_value=FILL
    )
    variable.set_auto_maskandscale(False)
    valid = values[values != FILL]
    variable.setncatts(described)
    variable.setncatts({"scale_factor": np.float32(1.0), "add_offset": np.float32(0.0), "missing_value": FILL})
    variable.setncatts({"vmin": valid.min(), "vmax": valid.max()})
    variable[...] = values


def _write_time(file: Dataset) -> None:
    minutes = (TIME - EPOCH).total_seconds() / 60.0
    time = file.createVariable("time", "f8", ("time",), chunksizes=(1,))
    # The leading blank is in the original files.
    time.setncatts({"units": f" minutes since {EPOCH:%Y-%m-%d %H:%M:%S}", "long_name": "time"})
    time.setncatts({"time_increment": "180", "begin_date": f"{TIME:%Y%m%d}", "begin_time": f"{TIME:%H%M%S}"})
    time.bounds = "time_bnds"
    time[:] = [minutes]
    bounds = file.createVariable("time_bnds", "f8", ("time", "bnds"), chunksizes=(1, 2))
    bounds[:] = [[minutes - 180.0, minutes]]
