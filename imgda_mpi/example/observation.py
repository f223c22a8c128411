"""The example's true soil moisture as an instrument with the pixels of GLDAS might see it."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import numpy as np
from scipy.ndimage import map_coordinates

from imgda_mpi.arrays import BoolArray, FloatArray
from imgda_mpi.example import geography
from imgda_mpi.example.gldas_file import LAYERS, gldas_grid, write_gldas
from imgda_mpi.example.random_field import correlated_field
from imgda_mpi.grid import Grid

FILE_PATTERN = "GLDAS_NOAH025_3H.A%Y%m%d.%H%M.021.nc4"

GLDAS_GRID = gldas_grid(4)

# Departure of the observed pattern from the truth: structure finer than a cell, and noise, m3 m-3.
FINE_STRUCTURE, FINE_LENGTH = 0.020, 0.6
NOISE = 0.010

LEAST_WEIGHT = 0.05
"""Of a pixel's interpolation weight that must lie on cells with soil."""


def observed(rng: np.random.Generator, truth: FloatArray, grid: Grid) -> FloatArray:
    """The truth, (ny, nx) m3 m-3 on the model's grid, NaN without soil, as an instrument might see it.

    (600, 1440) m3 m-3 on the GLDAS grid, with structure of its own and noise; NaN over water, ice, and land without
    soil in the model.
    """
    is_soil = np.isfinite(truth)
    # Near coasts, interpolate between what is known: weights and values separately.
    weight = _to_gldas(is_soil.astype(np.float64), grid)
    value = _to_gldas(np.where(is_soil, truth, 0.0), grid)
    is_seen = is_ground(GLDAS_GRID) & (weight > LEAST_WEIGHT)
    fine = correlated_field(rng, (720, 1440), FINE_LENGTH)[-600:]
    noise = rng.standard_normal(GLDAS_GRID.shape)
    image = value / np.where(is_seen, weight, 1.0) + FINE_STRUCTURE * fine + NOISE * noise
    return np.where(is_seen, np.clip(image, 0.02, 0.50), np.nan)


def is_ground(grid: Grid) -> BoolArray:
    """Whether the centres of pixels are land without an ice sheet or a large lake, (ny, nx)."""
    place = grid.latitude[:, None], grid.longitude
    return np.asarray(geography.is_land(*place) & ~geography.is_ice(*place) & ~geography.is_lake(*place))


def _to_gldas(image: FloatArray, grid: Grid) -> FloatArray:
    """Bilinear interpolation; longitudes go around, beyond the last rows the values stay."""
    size = 180.0 / grid.latitude.size
    row, column = (grid.latitude[0] - GLDAS_GRID.latitude) / size, (GLDAS_GRID.longitude - grid.longitude[0]) / size
    around = np.pad(image, ((0, 0), (1, 1)), mode="wrap")
    at = np.meshgrid(row, column + 1, indexing="ij")
    return np.asarray(map_coordinates(around, at, order=1, mode="nearest"))


def write_observation(directory: Path, time: datetime, surface: FloatArray, below: FloatArray) -> None:
    """Write the file of a time into a directory, which is made where there is none.

    ``surface`` and ``below`` are the soil moisture of 0-10 and 10-40 cm, (600, 1440) m3 m-3, NaN where missing.
    """
    directory.mkdir(parents=True, exist_ok=True)
    write_gldas(
        directory / f"{time:{FILE_PATTERN}}",
        time,
        GLDAS_GRID,
        dict(zip(LAYERS, (surface, below), strict=True)),
        title="Synthetic example in the format of GLDAS2.1 LIS land surface model output; not GLDAS data",
        history="written by the embedded example of imgda_mpi",
    )
