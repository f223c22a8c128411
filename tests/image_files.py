"""Files of images on a small grid, and what their account has to add up to."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import netCDF4
import numpy as np

from imgda_mpi.grid import Grid
from imgda_mpi.observations.image import ObservedImage

NOON = datetime(2022, 6, 3, 12, tzinfo=UTC)

# The file of `write_image` and the model grid have the same cells, so that regridding changes nothing.
LATITUDE, LONGITUDE = 10.0 + np.arange(6.0), 100.0 + np.arange(8.0)
GRID = Grid(LATITUDE, LONGITUDE)
FIELD = 0.1 + 0.01 * np.arange(48.0).reshape(6, 8)


def write_grid(file: netCDF4.Dataset, grid: Grid) -> None:
    """Dimensions lat and lon with their coordinates."""
    for name, values, units in (("lat", grid.latitude, "degrees_north"), ("lon", grid.longitude, "degrees_east")):
        file.createDimension(name, values.size)
        file.createVariable(name, "f8", (name,))[:] = values
        file[name].units = units


def copy_grid(source: netCDF4.Dataset, target: netCDF4.Dataset) -> None:
    """The grid of another file."""
    write_grid(target, Grid(*(np.asarray(source[name][:]) for name in ("lat", "lon"))))


def write_image(
    path: Path,
    field: np.ndarray = FIELD,
    dimensions: tuple[str, ...] = ("lat", "lon"),
    coordinates: dict[str, tuple[np.ndarray, dict[str, str]]] | None = None,
    dtype: str = "f8",
    **attributes: object,
) -> Path:
    """A file with variable sm; ``coordinates`` replaces or adds vectors along dimensions of their own name."""
    vectors = {
        "lat": (LATITUDE, {"units": "degrees_north"}),
        "lon": (LONGITUDE, {"units": "degrees_east"}),
    } | (coordinates or {})
    fill = attributes.pop("_FillValue", None)
    with netCDF4.Dataset(path, "w", format=attributes.pop("format", "NETCDF4")) as dataset:
        for name, length in zip(dimensions, field.shape, strict=True):
            dataset.createDimension(name, length)
            if name in vectors:
                values, own = vectors[name]
                dataset.createVariable(name, values.dtype, (name,))[:] = values
                dataset[name].setncatts(own)
        variable = dataset.createVariable("sm", dtype, dimensions, fill_value=fill)
        variable.set_auto_maskandscale(False)
        variable[:] = field
        variable.setncatts({"units": "m3 m-3"} | attributes)
    return path


def assert_accounted(image: ObservedImage) -> None:
    """Every pixel of the file and every cell of the grid is counted once."""
    c = image.counts
    pixels = ("missing", "masked", "below range", "above range", "not used", "used")
    assert c["source pixels"] == sum(c[reason] for reason in pixels)
    assert c["cells"] == c["cells observed"] + c["cells mostly missing"] + c["cells not covered"] == image.values.size
    assert c["cells observed"] == image.observed.sum() == np.isfinite(image.values).sum()
